"""Deleting a cluster, a project or a repository removes no application; it is counted first and, above the cap, waits."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
import users
from githttp import Fault
from hubs import Repo
from spokes import Spoke, System, merged

from argosy.machinery import write
from argosy.objects import Manifest
from hub.core.removals import removals
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import apps, desired, plans

FIRST = {"web": {"web-a": "1", "web-b": "1"}}
SECOND = {"web": {"web-a": "2", "web-b": "2"}}
NAMES = ("one", "two", "three")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, FIRST) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """A set on three clusters, and an Application that nobody generates on the second."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await hubs.add(system.hub, table.APP_PROJECT, project())
        await hubs.add(system.hub, table.SECRET, secret(repo))
        made = hubs.appset(repo)
        made["spec"]["template"]["spec"]["project"] = "team"
        await system.deploys(FIRST, NAMES, made)
        yield system


def project() -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "team", "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]},
    }


def secret(repo: Repo) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "repo-fleet",
            "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "data": {"url": base64.b64encode(f"{repo.url}/".encode()).decode()},
    }


async def delete(system: System, served: Served, name: str) -> tuple[str, ...]:
    """Deletes as a client does; returns the warnings."""
    hub = system.hub
    namespace = "argocd" if served.kind.namespaced else ""

    def job(tx: Any) -> tuple[str, ...]:
        deletion = write.Deletion(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        return hub.resources.remove(
            tx, served, namespace, name, deletion, now=time.time(), by="ada: delete"
        ).warnings

    return await hub.store.write(job)


async def removal(system: System, kind: str, phase: str) -> Manifest:
    """The Removal of what is of a kind, once it has come to a phase."""

    async def found() -> Manifest | None:
        listed = (await hubs.listed(system.hub, table.REMOVAL)).values()
        mine = (one for one in listed if one["spec"]["owner"]["kind"] == kind)
        return next((one for one in mine if (one.get("status") or {}).get("phase") == phase), None)

    answer: Manifest = await hubs.until(found, f"a removal of a {kind} that is {phase}")
    return answer


async def decide(system: System, plan: Manifest, *, yes: bool) -> None:
    name, now = plan["metadata"]["name"], time.time()
    hub = system.hub
    wrong = await hub.store.write(
        lambda tx: plans.decide(tx, hub.resources, name, "bob", plan["spec"]["digest"], now, yes=yes)
    )
    assert not wrong


async def permit(system: System, fleet: str) -> None:
    """Another cap of the fleet."""
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"argosy.fleetRemovalCap": fleet},
    }
    await hubs.add(system.hub, table.CONFIG_MAP, manifest)


async def gone(system: System, served: Served, name: str) -> bool:
    return name not in await hubs.listed(system.hub, served)


async def names(system: System) -> set[str]:
    return set(await hubs.listed(system.hub, table.APPLICATION))


def marked(spoke: Spoke) -> set[str]:
    """The objects that bear the agent's marks."""
    return {
        item["metadata"]["name"]
        for item in spoke.cluster.objects().values()
        if any(key.startswith("argosy.dev/") for key in item["metadata"].get("labels") or {})
        and item["metadata"].get("namespace") == "default"
    }


async def test_a_deleted_clusters_agent_lets_go_and_deletes_nothing(system: System, repo: Repo) -> None:
    lone = hubs.appset(repo)["spec"]["template"]
    lone = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **lone}
    lone["metadata"] = {"name": "lone", "namespace": "argocd"}
    lone["spec"]["destination"] = {"name": "two", "namespace": "default"}
    lone["spec"]["source"]["path"] = "apps/lone"
    spokes.commit(repo, {**FIRST, "lone": {"lone-a": "1"}})
    await hubs.add(system.hub, table.APPLICATION, lone)
    system.pull()
    two = system.spokes["two"]
    await hubs.until(lambda: "lone-a" in two.ours(), "the lone application runs")
    await hubs.settled(system.hub)
    before = {name: uid for name, (uid, _) in two.versions().items()}

    assert await delete(system, table.CLUSTER, "two") == ()
    plan = await removal(system, "Cluster", removals.DONE)
    spec = plan["spec"]
    assert (spec["cause"], spec["by"]) == ("the Cluster two was deleted", "ada: delete")
    assert spec["counts"]["clusters"] == 1
    assert spec["counts"]["objects"] >= 3
    assert spec["counts"]["deleted"] == 0
    await hubs.until(lambda: gone(system, table.CLUSTER, "two"), "the record is gone")

    async def left() -> bool:
        return not any(name.endswith("-two") for name in await names(system))

    await hubs.until(left, "the set has no application there any more")
    assert {name: uid for name, (uid, _) in two.versions().items()} == before
    assert two.deleted == []
    assert marked(two) == set(), "nothing says that it is ours"
    assert await names(system) >= {"web-one", "web-three", "lone"}

    async def told() -> bool:
        found = (await hubs.listed(system.hub, table.APPLICATION))["lone"]
        return "no clusters with this name: two" in str(found.get("status"))

    await hubs.until(told, "the lone application says what is wrong")


async def test_a_second_cluster_waits_counts_meanwhile_and_goes_when_approved(
    system: System, repo: Repo
) -> None:
    assert await delete(system, table.CLUSTER, "one") == ()
    (warning,) = await delete(system, table.CLUSTER, "two")
    plan = await removal(system, "Cluster", removals.WAITING)
    assert "the Cluster stays until that is approved" in warning
    assert plan["metadata"]["name"] in warning
    assert plan["spec"]["by"] == "ada: delete"
    waiting = (await hubs.listed(system.hub, table.CLUSTER))["two"]["metadata"]
    assert waiting["deletionTimestamp"]
    assert waiting["finalizers"] == [removals.FINALIZER]
    assert await delete(system, table.CLUSTER, "two") == (), "asked once more, nothing changes"

    spokes.commit(repo, SECOND)
    system.pull()
    two = system.spokes["two"]
    await hubs.until(lambda: two.ours() == merged(SECOND), "a commit still reaches it")

    await hubs.until(lambda: gone(system, table.CLUSTER, "one"), "the first one is gone")
    plan = await removal(system, "Cluster", removals.WAITING)
    await decide(system, plan, yes=True)
    await hubs.until(lambda: gone(system, table.CLUSTER, "two"), "the second, too")
    assert two.ours() == merged(SECOND)
    assert two.deleted == []
    # That the sets lose what was there needs no further approval.
    await hubs.until(lambda: only(system, "three"), "the applications there are gone")


async def only(system: System, cluster: str) -> bool:
    return await names(system) == {f"web-{cluster}"}


async def test_a_cluster_whose_deletion_is_rejected_stays_a_member(system: System, repo: Repo) -> None:
    await permit(system, "0")
    await delete(system, table.CLUSTER, "two")
    plan = await removal(system, "Cluster", removals.WAITING)
    await decide(system, plan, yes=False)

    async def stays() -> bool:
        metadata = (await hubs.listed(system.hub, table.CLUSTER))["two"]["metadata"]
        return not metadata.get("deletionTimestamp") and not metadata.get("finalizers")

    await hubs.until(stays, "it is as it was")
    spokes.commit(repo, SECOND)
    system.pull()
    await system.settles(dict.fromkeys(NAMES, merged(SECOND)))
    # Another time is another question.
    await delete(system, table.CLUSTER, "two")
    assert (await removal(system, "Cluster", removals.WAITING))["metadata"]["name"]


async def test_a_deleted_project_in_use_waits_above_the_cap_and_takes_nothing(
    system: System, repo: Repo
) -> None:
    (warning,) = await delete(system, table.APP_PROJECT, "team")
    assert "the AppProject stays until that is approved" in warning
    plan = await removal(system, "AppProject", removals.WAITING)
    assert plan["spec"]["cause"] == "the AppProject team was deleted"
    assert plan["spec"]["counts"] == {"applications": 3, "clusters": 3, "objects": 6, "deleted": 0}
    await decide(system, plan, yes=True)
    await hubs.until(lambda: gone(system, table.APP_PROJECT, "team"), "the project is gone")
    spokes.commit(repo, SECOND)
    system.pull()

    async def invalid() -> bool:
        found = (await hubs.apps(system.hub)).values()
        return all("project team which does not exist" in str(app.get("status")) for app in found)

    await hubs.until(invalid, "every application says so")
    for spoke in system.spokes.values():
        assert spoke.ours() == merged(FIRST), "the last good release runs on"
        assert spoke.deleted == []
    await hubs.add(system.hub, table.APP_PROJECT, project())
    await system.settles(dict.fromkeys(NAMES, merged(SECOND)))


async def test_a_project_with_argo_cds_finalizer_stays_until_nobody_is_in_it(system: System) -> None:
    await permit(system, "100%")
    finalizers = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}}
    await hubs.patch(system.hub, table.APP_PROJECT, "team", finalizers)
    await delete(system, table.APP_PROJECT, "team")
    await hubs.settled(system.hub)
    assert not await gone(system, table.APP_PROJECT, "team")
    await hubs.patch(
        system.hub,
        table.APPLICATION_SET,
        "fleet",
        {"spec": {"template": {"spec": {"project": "default"}}}},
    )

    async def left() -> bool:
        found = await system.hub.store.read(apps.every)
        return all(state.project == "default" for state in found)

    await hubs.until(left, "the applications are in another project")
    await hubs.settled(system.hub)
    await hubs.until(lambda: gone(system, table.APP_PROJECT, "team"), "now it goes")


async def test_a_deleted_repository_takes_no_application_and_no_object(system: System, repo: Repo) -> None:
    (warning,) = await delete(system, table.SECRET, "repo-fleet")
    assert "stays until that is approved" in warning
    plan = await removal(system, "Secret", removals.WAITING)
    assert plan["spec"]["cause"] == "the repository repo-fleet was deleted"
    assert plan["spec"]["counts"]["deleted"] == 0
    await decide(system, plan, yes=True)
    await hubs.until(lambda: gone(system, table.SECRET, "repo-fleet"), "the record is gone")
    # Without its credentials the repository does not answer any more.
    repo.server.fail(Fault.UNAUTHORIZED)
    for _ in range(3):
        system.pull()
        await hubs.settled(system.hub)

    async def stale() -> bool:
        found = (await hubs.listed(system.hub, table.APPLICATION_SET))["fleet"]
        return hubs.condition(found, "Stale").get("status") == "True"

    await hubs.until(stale, "the set says that it is stale")
    assert len(await hubs.apps(system.hub)) == 3
    for spoke in system.spokes.values():
        assert spoke.ours() == merged(FIRST)
        assert spoke.deleted == []
        assert await system.read(lambda tx, uid=spoke.uid: desired.removals(tx, uid)) == []  # type: ignore[misc]


async def test_within_the_cap_it_goes_at_once_and_says_what_becomes_of_the_rest(system: System) -> None:
    await permit(system, "100%")
    (warning,) = await delete(system, table.APP_PROJECT, "team")
    assert "3 Applications depend on it: nothing is removed" in warning
    assert await gone(system, table.APP_PROJECT, "team")
    (warning,) = await delete(system, table.SECRET, "repo-fleet")
    assert "nothing is removed: what cannot be read without it keeps its last good release" in warning
    assert await gone(system, table.SECRET, "repo-fleet")


async def test_over_the_api_the_removal_names_who_asked_for_it(system: System) -> None:
    await users.asks(system.hub, lambda user: user.delete("/apis/argosy.dev/v1alpha1/clusters/three"))
    plan = await removal(system, "Cluster", removals.DONE)
    assert plan["spec"]["by"] == "admin: delete"
