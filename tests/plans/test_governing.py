"""What an edit of a project, of `argocd-cm` or of `argocd-rbac-cm` would do: which applications become invalid, are
permitted, have other manifests; and what changes none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import yaml
from commands import argosy
from hubs import Repo, config_map

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.core.settings import Settings
from hub.planning import governing

NAMES = ("db-one", "db-two", "web-one", "web-two")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as made:
        made.commit({"apps/web/a.yaml": config_map("web-a"), "apps/db/a.yaml": config_map("db-a")})
        yield made


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as started:
        for name in ("one", "two"):
            await hubs.add_cluster(started, name, env="prod")
        await hubs.add(started, table.APP_PROJECT, project())
        made = hubs.appset(repo)
        made["spec"]["template"]["spec"]["project"] = "shop"
        await hubs.add(started, table.APPLICATION_SET, made)
        await hubs.settled(started)
        await hubs.settled(started)
        yield started


def project(**spec: object) -> Manifest:
    everything = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
    metadata = {"name": "shop", "namespace": "argocd"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": metadata,
        "spec": {**everything, **spec},
    }


def config(name: str, **data: str) -> Manifest:
    keys = {key.replace("__", "."): text for key, text in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "argocd"},
        "data": keys,
    }


async def test_a_project_that_forbids_a_cluster_says_who_becomes_invalid(hub: Hub) -> None:
    change = project(destinations=[{"name": "one", "namespace": "*"}])
    plan = await hub.planner.plan({"objects": [change]})
    assert [app.name for app in plan.apps] == ["db-two", "web-two"]
    wanted = "do not match any of the allowed destinations in project 'shop'"
    assert all(wanted in app.problem for app in plan.apps)
    assert plan.failed
    assert plan.remarks == ("AppProject shop: 4 applications depend on it, 2 of them change",)
    (written,) = plan.written
    assert (written.kind, written.change) == ("AppProject", "changed")
    # It was a question: nothing was written, and what it says is what happens.
    assert (await hubs.listed(hub, table.APP_PROJECT))["shop"]["spec"]["destinations"][0]["server"] == "*"
    await hubs.patch(
        hub, table.APP_PROJECT, "shop", {"spec": {"destinations": change["spec"]["destinations"]}}
    )

    async def invalid() -> bool:
        found = await hubs.apps(hub)
        return [name for name, app in found.items() if hubs.condition(app, "InvalidSpecError")] == [
            "db-two",
            "web-two",
        ]

    await hubs.until(invalid, "these become invalid")
    back = await hub.planner.plan({"objects": [project()]})
    assert {app.name: bool(app.mended) for app in back.apps} == {"db-two": True, "web-two": True}
    assert not back.failed


async def test_a_project_that_forbids_a_kind_looks_at_what_was_rendered(hub: Hub) -> None:
    plan = await hub.planner.plan(
        {"objects": [project(namespaceResourceBlacklist=[{"group": "", "kind": "ConfigMap"}])]}
    )
    assert [app.name for app in plan.apps] == [*NAMES]
    assert all("ConfigMap" in app.problem for app in plan.apps)


async def test_a_project_is_missed(hub: Hub) -> None:
    plan = await hub.planner.plan({"deletions": [{"kind": "AppProject", "name": "shop"}]})
    assert {app.problem for app in plan.apps} == {"Application referencing project shop which does not exist"}


async def test_what_changes_no_application_says_so_and_exits_with_0(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "change.yaml"
    policy = config("argocd-rbac-cm", policy__csv="p, role:shop, applications, get, shop/*, allow")
    file.write_text(yaml.safe_dump_all([project(description="the shop"), policy]))
    done = await argosy(hub, "plan", "-f", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No changes." in done.stdout
    assert "AppProject shop: 4 applications depend on it, none of them changes" in done.stdout
    assert "argocd-rbac-cm: it says who may do what, no application depends on it" in done.stdout
    file.write_text(yaml.safe_dump(config("argocd-rbac-cm", policy__csv="p, role:shop, applications")))
    done = await argosy(hub, "plan", "-f", str(file))
    assert done.returncode == 1
    assert "the policy before would stay in force" in done.stdout


async def test_settings_that_mark_objects_otherwise_change_manifests(hub: Hub) -> None:
    plan = await hub.planner.plan(
        {"objects": [config("argocd-cm", application__resourceTrackingMethod="label")]}
    )
    assert [app.name for app in plan.apps] == [*NAMES]
    paths = {field.path for app in plan.apps for each in app.objects for field in each.difference.fields}
    assert paths == {"metadata.annotations", "metadata.labels"}
    assert not plan.failed
    assert not plan.empty


async def test_the_plan_of_a_project_is_executed(hub: Hub) -> None:
    spec = {"objects": [project(description="the shop")]}
    plan = await hub.planner.plan(spec)
    await hub.executor.execute(plan.digest, spec, lambda *_: None)
    assert (await hubs.listed(hub, table.APP_PROJECT))["shop"]["spec"]["description"] == "the shop"


async def test_other_config_maps_are_refused(hub: Hub) -> None:
    with pytest.raises(Invalid, match="expected argocd-cm or argocd-rbac-cm in argocd"):
        await hub.planner.plan({"objects": [config("mine", key="value")]})


def test_settings_of_agents_are_told_apart_from_those_of_manifests() -> None:
    now = Settings()
    checks = config("argocd-cm", resource__customizations__health__example__com_Thing="hs = {} return hs")
    found = governing.of([(None, checks)], now, [])
    assert not found.anything
    assert found.remarks == ("argocd-cm: agents judge health by other checks, at once",)
    found = governing.of([(None, config("argocd-cm", url="https://hub"))], now, [])
    assert found.remarks == ("argocd-cm: nothing of it that applications depend on changes",)
    found = governing.of([(None, config("argocd-cm", kustomize__buildOptions="--enable-helm"))], now, [])
    assert found.settings is not None
    found = governing.of([(None, config("argocd-cm", application__resourceTrackingMethod="magic"))], now, [])
    assert "none of" in found.problems[0]
