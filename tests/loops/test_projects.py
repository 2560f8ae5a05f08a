"""The running hub keeps Applications within their AppProjects: what is not permitted is named and never assigned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import orjson
import pytest
from hubs import Repo, config_map

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.store import apps
from hub.store.apps import AppState

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: []
"""


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"web/one.yaml": config_map("one"), "roles/reader.yaml": ROLE})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        for name in ("red", "blue"):
            await hubs.add_cluster(hub, name)
        yield hub


def project(repo: Repo, **spec: Any) -> Manifest:
    """Permits the repository, cluster red, and namespaced objects in `shop-…`."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "sourceRepos": [repo.url],
            "destinations": [{"name": "red", "namespace": "shop-*"}],
            **spec,
        },
    }


def app(repo: Repo, path: str = "web", **spec: Any) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "project": "shop",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": path},
            "destination": {"name": "red", "namespace": "shop-a"},
            **spec,
        },
    }


async def state(hub: Hub) -> AppState:
    (found,) = await hub.store.read(lambda tx: list(apps.every(tx)))
    return found


async def said(hub: Hub, kind: str) -> str:
    found = hubs.condition((await hubs.apps(hub))["web"], kind)
    return str(found.get("message", ""))


async def test_an_application_within_its_project_is_rendered(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    assert (await state(hub)).bundle
    assert (await state(hub)).problem == ""


async def test_a_project_that_does_not_exist_is_named_until_it_does(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    assert "project shop which does not exist" in await said(hub, "InvalidSpecError")
    assert not (await state(hub)).bundle
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.pushed(hub)
    assert (await state(hub)).bundle
    assert await said(hub, "InvalidSpecError") == ""


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"sourceRepos": ["https://elsewhere.test/*"]}, "application repo http"),
        ({"destinations": [{"name": "blue", "namespace": "*"}]}, "destination server 'red'"),
        ({"destinations": [{"name": "red", "namespace": "other"}]}, "namespace 'shop-a'"),
        ({"permitOnlyProjectScopedClusters": True}, "destination server 'red'"),
    ],
)
async def test_a_source_or_destination_that_is_not_permitted_is_named(
    hub: Hub, repo: Repo, spec: Manifest, named: str
) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo, **spec))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    assert named in await said(hub, "InvalidSpecError")
    assert "project 'shop'" in await said(hub, "InvalidSpecError")
    assert ((await state(hub)).cluster, (await state(hub)).bundle) == ("", "")


async def test_an_object_of_a_kind_that_is_not_permitted_is_named(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.add(hub, table.APPLICATION, app(repo, "roles"))
    await hubs.pushed(hub)
    assert "rbac.authorization.k8s.io/ClusterRole reader is not permitted" in await said(
        hub, "ComparisonError"
    )
    assert not (await state(hub)).bundle
    whole = {"spec": {"clusterResourceWhitelist": [{"group": "*", "kind": "ClusterRole"}]}}
    await hubs.patch(hub, table.APP_PROJECT, "shop", whole)
    await hubs.pushed(hub)
    assert (await state(hub)).bundle


async def test_an_object_in_a_foreign_namespace_is_named(hub: Hub, repo: Repo) -> None:
    repo.commit({"web/two.yaml": config_map("two", namespace="kube-system")})
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    assert "namespace kube-system (ConfigMap two) is not permitted" in await said(hub, "ComparisonError")


async def test_a_refused_change_keeps_the_last_good_release_where_it_is(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    good = await state(hub)
    await hubs.patch(hub, table.APPLICATION, "web", {"spec": {"destination": {"name": "blue"}}})
    await hubs.pushed(hub)
    refused = await state(hub)
    assert "destination server 'blue'" in refused.problem
    assert (refused.cluster, refused.bundle) == (good.cluster, good.bundle)


async def test_the_last_good_release_does_not_move_to_where_it_is_not_permitted(hub: Hub, repo: Repo) -> None:
    """Also where nothing can be rendered, so that a broken revision is no way around a project."""
    await hubs.add(hub, table.APPLICATION, app(repo, "roles", project="default"))
    await hubs.add(hub, table.APP_PROJECT, project(repo, destinations=[{"name": "blue", "namespace": "*"}]))
    await hubs.pushed(hub)
    good = await state(hub)
    assert good.bundle
    moved = {"project": "shop", "destination": {"name": "blue"}, "source": {"targetRevision": "gone"}}
    await hubs.patch(hub, table.APPLICATION, "web", {"spec": moved})
    await hubs.pushed(hub)
    assert (await state(hub)).problem
    assert ((await state(hub)).cluster, (await state(hub)).project) == (good.cluster, "default")


async def test_a_tightened_project_is_noticed_at_once(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    good = await state(hub)
    rule = {"spec": {"namespaceResourceBlacklist": [{"group": "", "kind": "Config*"}]}}
    await hubs.patch(hub, table.APP_PROJECT, "shop", rule)
    await hubs.settled(hub)
    assert "ConfigMap one is not permitted" in await said(hub, "ComparisonError")
    assert (await state(hub)).bundle == good.bundle


async def test_a_cluster_that_comes_to_belong_to_the_project_is_permitted(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APP_PROJECT, project(repo, permitOnlyProjectScopedClusters=True))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    await hubs.patch(hub, table.CLUSTER, "red", {"spec": {"project": "shop"}}, "")
    await hubs.pushed(hub)
    assert (await state(hub)).bundle
    await hubs.patch(hub, table.CLUSTER, "red", {"spec": {"project": None}}, "")
    await hubs.settled(hub)
    assert "destination server 'red'" in await said(hub, "InvalidSpecError")


async def account(hub: Hub) -> str:
    return str(orjson.loads((await state(hub)).policy)["account"])


async def test_the_project_says_as_whom_the_objects_are_written(hub: Hub, repo: Repo) -> None:
    accounts = [{"server": "*", "namespace": "shop-*", "defaultServiceAccount": "deployer"}]
    await hubs.add(hub, table.APP_PROJECT, project(repo, destinationServiceAccounts=accounts))
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.pushed(hub)
    assert await account(hub) == "shop-a:deployer"

    other = [{"server": "*", "namespace": "elsewhere", "defaultServiceAccount": "deployer"}]
    await hubs.patch(hub, table.APP_PROJECT, "shop", {"spec": {"destinationServiceAccounts": other}})
    await hubs.pushed(hub)
    assert "no matching service account found" in await said(hub, "InvalidSpecError")
    assert await account(hub) == "shop-a:deployer"
