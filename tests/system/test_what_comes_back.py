"""What was about to go and is wanted again stays: a freeze, or an heir, kept it on its cluster until then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System, merged

from argosy.objects import Manifest
from hub.core.removals import removals
from hub.core.served import table
from hub.store import holds

FIRST = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, FIRST) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """One cluster with the set `fleet`, and one that keeps that from being empty."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await system.deploys(FIRST, ("one", "two"), hubs.appset(repo))
        yield system


async def freeze(system: System) -> None:
    manifest = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "still"},
        "spec": {"clusters": ["one"], "reason": "not now", "duration": "1h"},
    }
    await hubs.add(system.hub, table.FREEZE, manifest)


async def thaw(system: System) -> None:
    await hubs.delete(system.hub, table.FREEZE, "still", "")


async def label(system: System, env: str) -> None:
    await hubs.patch(system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"env": env}}}, "")


async def going(system: System) -> bool:
    """Whether the Applications of the cluster are deleted, and held by the freeze."""
    found = await hubs.listed(system.hub, table.APPLICATION)
    for name in ("web-one", "queue-one"):
        metadata = found[name]["metadata"]
        held = await system.read(lambda tx, uid=metadata["uid"]: holds.get(tx, uid))  # type: ignore[misc]
        if not metadata.get("deletionTimestamp") or held is None:
            return False
    return True


async def back(system: System, owner: str = "fleet") -> bool:
    """Whether they are there as ever, and the set has them."""
    found = await hubs.listed(system.hub, table.APPLICATION)
    return all(
        not found[name]["metadata"].get("deletionTimestamp")
        and found[name]["metadata"]["ownerReferences"][0]["name"] == owner
        for name in ("web-one", "queue-one")
    )


async def uids(system: System) -> dict[str, str]:
    found = await hubs.listed(system.hub, table.APPLICATION)
    return {name: app["metadata"]["uid"] for name, app in found.items()}


async def unharmed(system: System, before: tuple[dict[str, str], object]) -> None:
    """After the freeze nothing went, no Application and no object, and all of it is kept in order again."""
    await thaw(system)
    await hubs.settled(system.hub)
    await hubs.settled(system.hub)
    assert (await uids(system), system.spokes["one"].versions()) == before
    assert system.spokes["one"].deleted == []
    found = (await hubs.listed(system.hub, table.REMOVAL)).values()
    assert {one["status"]["phase"] for one in found} == {removals.WITHDRAWN}
    system.spokes["one"].drift("web-a")
    await system.settles(dict.fromkeys(("one", "two"), merged(FIRST)))


async def test_a_label_that_comes_back_while_its_removal_is_frozen(system: System) -> None:
    before = (await uids(system), system.spokes["one"].versions())
    await freeze(system)
    await label(system, "none")
    await hubs.until(lambda: going(system), "what goes is held by the freeze")
    await label(system, "prod")
    await hubs.until(lambda: back(system), "what is wanted again is there")
    await unharmed(system, before)


async def test_another_set_that_comes_while_the_removal_is_frozen(system: System, repo: Repo) -> None:
    before = (await uids(system), system.spokes["one"].versions())
    await freeze(system)
    await label(system, "none")
    await hubs.until(lambda: going(system), "what goes is held by the freeze")
    other: Manifest = hubs.appset(repo, "other")
    (matrix,) = other["spec"]["generators"]
    matrix["matrix"]["generators"][0] = {"clusters": {"selector": {"matchLabels": {"env": "none"}}}}
    await hubs.add(system.hub, table.APPLICATION_SET, other)
    await hubs.until(lambda: back(system, "other"), "the other set has it")
    await unharmed(system, before)


async def test_a_hub_that_ends_in_between(system: System) -> None:
    before = (await uids(system), system.spokes["one"].versions())
    await freeze(system)
    await label(system, "none")
    await hubs.until(lambda: going(system), "what goes is held by the freeze")
    await system.stop_hub()
    await system.start_hub()
    for spoke in system.spokes.values():
        spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
    await hubs.settled(system.hub)
    await label(system, "prod")
    await hubs.until(lambda: back(system), "what is wanted again is there")
    await unharmed(system, before)


async def test_what_somebody_deleted_themselves_goes(system: System) -> None:
    before = await uids(system)
    await freeze(system)
    for name in ("web-one", "queue-one"):
        await hubs.delete(system.hub, table.APPLICATION, name)
    await hubs.until(lambda: going(system), "what goes is held by the freeze")
    await hubs.settled(system.hub)
    assert await going(system)
    await thaw(system)

    async def anew() -> bool:
        found = await uids(system)
        return found.keys() == before.keys() and all(
            (found[name] == uid) is not name.endswith("-one") for name, uid in before.items()
        )

    await hubs.until(anew, "the set makes it anew")
    await system.settles(dict.fromkeys(("one", "two"), merged(FIRST)))
