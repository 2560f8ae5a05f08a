"""The one write path by itself, as the hub's loops use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from argosy.machinery import write
from argosy.machinery.failure import ApiFailure
from hub.core.served import table
from hub.store import bootstrap, events, seal, sqlite
from hub.store.base import Change, Tx
from hub.store.resources import Resources

NOW = 1_800_000_000.0
APP = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web"},
    "spec": {
        "project": "default",
        "destination": {"name": "c1"},
        "source": {"repoURL": "https://a", "path": "x"},
    },
}
SET = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "ApplicationSet",
    "metadata": {"name": "all"},
    "spec": {"generators": [], "template": {"metadata": {"name": "x"}, "spec": APP["spec"]}},
}


class World:
    """A store with the first objects in it, and what was told of its changes."""

    def __init__(self, folder: Path) -> None:
        self.store = sqlite.open_store(folder / "hub.db")
        self.kept = Resources(
            seal.open_sealer(folder / "seal.key"), lambda tx, cluster, life: f"token-of-{cluster}"
        )
        self.changes: list[Change] = []
        self.store.listen(self.changes.extend)

    async def do(self, job: Callable[[Tx, Resources], Any]) -> Any:
        return await self.store.write(lambda tx: job(tx, self.kept))


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> Any:
    world = World(tmp_path)
    await world.do(lambda tx, kept: bootstrap.first_objects(tx, kept, NOW))
    world.changes.clear()
    yield world
    await world.store.close()


def create(tx: Tx, kept: Resources, manifest: dict[str, Any] = APP) -> Any:
    served = next(each for each in table.SERVED if each.kind.kind == manifest["kind"])
    return kept.create(tx, served, manifest, manager="test", now=NOW)


async def test_the_first_objects_are_made_once(world: World) -> None:
    await world.do(lambda tx, kept: bootstrap.first_objects(tx, kept, NOW))
    assert world.changes == []
    names = await world.do(
        lambda tx, kept: [each["metadata"]["name"] for each in kept.list(tx, table.NAMESPACE)]
    )
    assert names == ["argocd", "default", "kube-system"]
    project = await world.do(lambda tx, kept: kept.get(tx, table.APP_PROJECT, "argocd", "default"))
    assert project["spec"]["sourceRepos"] == ["*"]


def _again(way: str, tx: Tx, kept: Resources, live: dict[str, Any]) -> Any:
    options = {"manager": "test", "now": NOW + 60}
    if way == "update":
        return kept.update(tx, table.APPLICATION, live, **options)
    if way == "apply":
        return kept.apply(tx, table.APPLICATION, APP, **options)
    if way == "patch":
        return kept.patch(tx, table.APPLICATION, "argocd", "web", {"spec": {"project": "default"}}, **options)
    return kept.set_status(
        tx, table.APPLICATION, "argocd", "web", {"health": {"status": "Healthy"}}, **options
    )


@pytest.mark.parametrize("way", ["update", "apply", "patch", "set_status"])
async def test_equal_content_is_not_written(world: World, way: str) -> None:
    live = await world.do(create)
    await world.do(lambda tx, kept: _again("set_status", tx, kept, live))
    if way == "apply":
        await world.do(lambda tx, kept: _again("apply", tx, kept, live))
    live = await world.do(lambda tx, kept: kept.get(tx, table.APPLICATION, "argocd", "web"))
    world.changes.clear()
    assert await world.do(lambda tx, kept: _again(way, tx, kept, live)) == live
    assert world.changes == []


async def test_status_and_spec_are_written_apart(world: World) -> None:
    await world.do(create)
    status = await world.do(lambda tx, kept: _again("set_status", tx, kept, {}))
    assert status["metadata"]["generation"] == 1
    changed = {
        **APP,
        "spec": {**APP["spec"], "project": "other"},
        "status": {"health": {"status": "Degraded"}},
    }
    after = await world.do(
        lambda tx, kept: kept.update(tx, table.APPLICATION, changed, manager="user", now=NOW)
    )
    assert (after["spec"]["project"], after["status"]["health"]["status"]) == ("other", "Healthy")
    assert after["metadata"]["generation"] == 2


async def test_a_job_that_fails_leaves_nothing(world: World) -> None:
    def job(tx: Tx, kept: Resources) -> None:
        create(tx, kept)
        kept.create(tx, table.APPLICATION, {**APP, "spec": {}}, manager="test", now=NOW)

    with pytest.raises(ApiFailure):
        await world.do(job)
    assert await world.do(lambda tx, kept: kept.get(tx, table.APPLICATION, "argocd", "web")) is None
    assert world.changes == []


async def test_children_are_left_alone_when_their_owner_is_orphaned_from_them(world: World) -> None:
    owner = await world.do(lambda tx, kept: create(tx, kept, SET))
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": "ApplicationSet",
        "name": "all",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    child = {**APP, "metadata": {"name": "web", "ownerReferences": [reference]}}
    await world.do(lambda tx, kept: create(tx, kept, child))
    deletion = write.Deletion("2027-01-15T08:00:00Z", propagation="Orphan")
    await world.do(
        lambda tx, kept: kept.remove(tx, table.APPLICATION_SET, "argocd", "all", deletion, now=NOW)
    )
    left = await world.do(lambda tx, kept: kept.get(tx, table.APPLICATION, "argocd", "web"))
    assert not left["metadata"].get("ownerReferences")


async def test_the_same_happening_is_counted(world: World) -> None:
    app = await world.do(create)
    for later in (0, 10):
        await world.do(
            lambda tx, kept, later=later: events.note(
                tx, kept, app, kind="Warning", reason="SyncError", message="no", now=NOW + later
            )
        )
    (event,) = await world.do(lambda tx, kept: kept.list(tx, table.EVENT))
    assert event["count"] == 2
    assert event["firstTimestamp"] < event["lastTimestamp"]
    assert event["involvedObject"]["uid"] == app["metadata"]["uid"]


async def test_a_cluster_has_a_server_and_keeps_one(world: World) -> None:
    cluster = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "c1"}}
    made = await world.do(lambda tx, kept: create(tx, kept, cluster))
    assert made["spec"]["server"] == "https://c1.clusters.argosy.dev"
    for server in ("", "not a url"):
        with pytest.raises(ApiFailure, match=r"spec\.server"):
            await world.do(
                lambda tx, kept, server=server: kept.patch(
                    tx, table.CLUSTER, "", "c1", {"spec": {"server": server}}, manager="m", now=NOW
                )
            )


async def test_no_cluster_takes_the_server_of_another(world: World) -> None:
    def cluster(name: str, server: str = "") -> dict[str, Any]:
        spec = {"spec": {"server": server}} if server else {}
        return {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": name}, **spec}

    def patch(tx: Tx, kept: Resources, name: str, **spec: Any) -> Any:
        return kept.patch(tx, table.CLUSTER, "", name, {"spec": spec}, manager="m", now=NOW)

    for made in (cluster("prod", "https://prod.example.com"), cluster("plain"), cluster("mine")):
        await world.do(lambda tx, kept, made=made: create(tx, kept, made))
    taken = {
        "https://prod.example.com": "prod",
        "https://prod.example.com//": "prod",
        "https://plain.clusters.argosy.dev": "plain",
        "https://later.clusters.argosy.dev/": "later",
    }
    for server, owner in taken.items():
        with pytest.raises(ApiFailure, match=rf"spec\.server: .*the cluster {owner}"):
            await world.do(lambda tx, kept, server=server: create(tx, kept, cluster("other", server)))
        with pytest.raises(ApiFailure, match=rf"spec\.server: .*the cluster {owner}"):
            await world.do(lambda tx, kept, server=server: patch(tx, kept, "mine", server=server))
    await world.do(lambda tx, kept: patch(tx, kept, "mine", server="https://mine.example.com"))
    await world.do(lambda tx, kept: patch(tx, kept, "mine", timeZone="Europe/Berlin"))
    await world.do(lambda tx, kept: patch(tx, kept, "prod", server="https://elsewhere.example.com"))
    await world.do(lambda tx, kept: create(tx, kept, cluster("other", "https://prod.example.com")))


async def test_a_token_is_answered_and_not_kept(world: World) -> None:
    cluster = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "c1"}}
    uid = (await world.do(lambda tx, kept: create(tx, kept, cluster)))["metadata"]["uid"]
    token = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "JoinToken",
        "metadata": {"name": "t"},
        "spec": {"cluster": "c1", "ttlSeconds": 60},
    }
    made = await world.do(lambda tx, kept: create(tx, kept, token))
    assert made["status"] == {"expires": "2027-01-15T08:01:00Z", "token": f"token-of-{uid}"}
    kept = await world.do(lambda tx, kept: kept.get(tx, table.JOIN_TOKEN, "", "t"))
    assert kept["status"] == {"expires": "2027-01-15T08:01:00Z"}
    with pytest.raises(ApiFailure, match="3600"):
        await world.do(
            lambda tx, kept: create(tx, kept, {**token, "spec": {"cluster": "c1", "ttlSeconds": 3601}})
        )


async def test_deleting_asks_for_the_right_object(world: World) -> None:
    made = await world.do(create)
    with pytest.raises(ApiFailure, match="precondition"):
        await world.do(
            lambda tx, kept: kept.delete(tx, table.APPLICATION, "argocd", "web", now=NOW, uid="another")
        )
    gone = await world.do(lambda tx, kept: kept.delete(tx, table.APPLICATION, "argocd", "web", now=NOW))
    assert gone["metadata"]["uid"] == made["metadata"]["uid"]
    assert (
        await world.do(lambda tx, kept: kept.delete(tx, table.APPLICATION, "argocd", "web", now=NOW)) is None
    )
