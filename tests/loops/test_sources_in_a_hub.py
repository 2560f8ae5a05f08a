"""What argocd-cm, chart repositories and other Applications mean for the renders of a running hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from chart_case import below, chart, packed
from chartserver import IndexRepository
from hubs import Repo, config_map

from argosy import bundle
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.apps import policy
from hub.core.served import table
from hub.store import apps, bundles


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"a/one.yaml": config_map("one")})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        await hubs.add_cluster(hub, "red")
        yield hub


def app(name: str, **source: Any) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"name": "red", "namespace": "default"},
            "syncPolicy": {"automated": {}},
        },
    }


async def rendered(hub: Hub, made: Manifest) -> tuple[apps.AppState, list[Manifest]]:
    state = await hub.store.read(lambda tx: apps.get(tx, made["metadata"]["uid"]))
    assert state is not None
    blob = await hub.store.read(lambda tx: bundles.get(tx, state.bundle))
    return state, bundle.unpack(blob, state.bundle) if blob else []


async def conditions(hub: Hub, name: str) -> dict[str, str]:
    found = (await hubs.listed(hub, table.APPLICATION))[name]
    return {one["type"]: one["message"] for one in (found.get("status") or {}).get("conditions") or []}


async def test_the_tracking_method_of_argocd_cm_holds_for_all_and_at_once(hub: Hub, repo: Repo) -> None:
    made = await hubs.add(hub, table.APPLICATION, app("first", repoURL=repo.url, path="a"))
    await hubs.pushed(hub)
    (found,) = (await rendered(hub, made))[1]
    assert found["metadata"]["annotations"] == {
        "argocd.argoproj.io/tracking-id": "first:/ConfigMap:default/one"
    }
    await hubs.add(
        hub,
        table.CONFIG_MAP,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {
                "application.resourceTrackingMethod": "annotation+label",
                "application.instanceLabelKey": "example.com/instance",
                "installationID": "here",
            },
        },
    )
    await hubs.pushed(hub)
    (found,) = (await rendered(hub, made))[1]
    assert found["metadata"]["labels"] == {"example.com/instance": "first"}
    assert found["metadata"]["annotations"]["argocd.argoproj.io/installation-id"] == "here"


@pytest.mark.usefixtures("helm")
async def test_a_chart_that_cannot_be_reached_keeps_its_last_good_render(hub: Hub) -> None:
    index = IndexRepository()
    index.publish("web", "1.0.0", packed("web", "1.0.0"))
    made = await hubs.add(
        hub, table.APPLICATION, app("web", repoURL=index.repository, chart="web", targetRevision="1.x")
    )
    await hubs.pushed(hub)
    good, found = await rendered(hub, made)
    assert (good.revision, good.problem, len(found)) == ("1.0.0", "", 1)
    index.index = b"<html>sign in</html>"
    await hubs.pushed(hub)
    state, _ = await rendered(hub, made)
    assert (state.bundle, state.revision) == (good.bundle, good.revision)
    index.index = None
    index.publish("web", "1.1.0", packed("web", "1.1.0"))
    await hubs.pushed(hub)
    assert (await rendered(hub, made))[0].revision == "1.1.0"
    index.close()


@pytest.mark.usefixtures("helm")
async def test_a_dependency_is_fetched_once_for_all(hub: Hub, repo: Repo) -> None:
    index = IndexRepository()
    index.publish("db", "2.0.0", packed("db", "2.0.0"))
    depends = (
        "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n"
        f"- {{name: db, version: 2.x, repository: '{index.repository}'}}\n"
    )
    repo.commit({**below("web", chart()), "web/Chart.yaml": depends})
    made = [
        await hubs.add(hub, table.APPLICATION, app(name, repoURL=repo.url, path="web"))
        for name in ("one", "two", "three")
    ]
    await hubs.pushed(hub)
    for one in made:
        state, found = await rendered(hub, one)
        assert state.problem == ""
        assert len(found) == 1, "both charts give an object of the same name; the last one counts"
    assert "appears more than once" in (await conditions(hub, "one"))["RepeatedResourceWarning"]
    assert hub.charts.fetches == 1
    index.close()


async def test_shared_objects_are_told_and_refused_where_that_is_asked_for(hub: Hub, repo: Repo) -> None:
    repo.commit({"b/one.yaml": config_map("one", "other")})
    await hubs.add(hub, table.APPLICATION, app("first", repoURL=repo.url, path="a"))
    await hubs.pushed(hub)
    second = app("second", repoURL=repo.url, path="b")
    second["spec"]["syncPolicy"]["syncOptions"] = ["FailOnSharedResource=true"]
    made = await hubs.add(hub, table.APPLICATION, second)
    await hubs.pushed(hub)
    words = "ConfigMap/one is part of applications argocd/first and argocd/second"
    assert await conditions(hub, "first") == {"SharedResourceWarning": words}
    found = await conditions(hub, "second")
    assert found["ComparisonError"].startswith("FailOnSharedResource=true: ConfigMap/one is part of")
    assert (await rendered(hub, made))[1] == []
    repo.commit({"a/one.yaml": config_map("renamed")})
    await hubs.pushed(hub)
    assert await conditions(hub, "first") == {}
    assert await conditions(hub, "second") == {}
    assert len((await rendered(hub, made))[1]) == 1


async def test_a_range_looks_at_the_tags_of_its_prefix(hub: Hub, repo: Repo) -> None:
    for tag, value in (("web-1.0.0", "one"), ("web-1.2.0", "two"), ("db-1.9.0", "three"), ("1.8.0", "four")):
        repo.commit({"a/one.yaml": config_map("one", value)})
        repo.git("push", "--quiet", str(repo.server.root / f"{repo.name}.git"), f"HEAD:refs/tags/{tag}")
    made = await hubs.add(
        hub,
        table.APPLICATION,
        app("first", repoURL=repo.url, path="a", targetRevision="^1.0", tagPrefix="web-"),
    )
    await hubs.pushed(hub)
    state, (found,) = await rendered(hub, made)
    assert (found["data"], state.problem) == ({"value": "two"}, "")


@pytest.mark.parametrize(
    ("sync_policy", "options"),
    [
        ({"managedNamespaceMetadata": {"labels": {"a": "b"}}}, ()),
        (
            {"syncOptions": ["CreateNamespace=true"], "managedNamespaceMetadata": {"labels": {"a": "b"}}},
            ("CreateNamespace=true", 'ManagedNamespaceMetadata={"labels":{"a":"b"}}'),
        ),
        (
            {"syncOptions": ["CreateNamespace=true"], "managedNamespaceMetadata": {"labels": {}}},
            ("CreateNamespace=true",),
        ),
    ],
)
def test_namespace_metadata_counts_only_with_a_created_namespace(
    sync_policy: dict[str, Any], options: tuple[str, ...]
) -> None:
    assert policy.of({"syncPolicy": sync_policy}, policy.Asked(), {}).sync_options == options


async def test_a_commit_to_a_jsonnet_library_renders_who_imports_it_and_no_other_commit_does(
    hub: Hub, repo: Repo
) -> None:
    program = (
        "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'j'}, data: import '../lib/v.libsonnet'}"
    )
    repo.commit({"j/a.jsonnet": program, "lib/v.libsonnet": "{v: '1'}"})
    made = await hubs.add(hub, table.APPLICATION, app("j", repoURL=repo.url, path="j"))
    await hubs.pushed(hub)
    (found,) = (await rendered(hub, made))[1]
    assert found["data"] == {"v": "1"}
    before = hub.rendering.renders
    repo.commit({"README": "x", "lib/other.libsonnet": "{}"})
    await hubs.pushed(hub)
    assert hub.rendering.renders == before
    repo.commit({"lib/v.libsonnet": "{v: '2'}"})
    await hubs.pushed(hub)
    (found,) = (await rendered(hub, made))[1]
    assert found["data"] == {"v": "2"}
    assert hub.rendering.renders == before + 1
