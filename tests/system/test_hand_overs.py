"""A set under another name, a label that moves, a template with another name: what runs is handed over, never restarted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System, merged

from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.removals import removals
from hub.core.served import table
from hub.store import holds

FIRST = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}
SECOND = {"web": {"web-a": "2", "web-b": "1"}, "queue": {"queue-a": "1"}}
NAMES = ("one", "two", "three")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, FIRST) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """The set `old` on three clusters: twice the cap of one."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await system.deploys(FIRST, NAMES, hubs.appset(repo, "old"))
        yield system


Before = tuple[dict[str, str], dict[str, dict[str, tuple[str, str]]]]


async def state(system: System) -> Before:
    """(uid of each Application, uid and version of each object)."""
    found = await hubs.listed(system.hub, table.APPLICATION)
    uids = {name: app["metadata"]["uid"] for name, app in found.items()}
    return uids, {name: spoke.versions() for name, spoke in system.spokes.items()}


async def owners(system: System) -> set[str]:
    """The sets that have the Applications."""
    sets = {
        item["metadata"]["uid"]: name
        for name, item in (await hubs.listed(system.hub, table.APPLICATION_SET)).items()
    }
    found = (await hubs.listed(system.hub, table.APPLICATION)).values()
    return {sets.get(generated.controller_of(app), "nobody") for app in found}


async def handed_over(system: System, repo: Repo, before: Before, name: str = "new") -> None:
    """Waits until one set alone has everything; fails where anything was touched on the way."""

    async def alone() -> bool:
        return await owners(system) == {name} and set(
            await hubs.listed(system.hub, table.APPLICATION_SET)
        ) == {name}

    await hubs.until(alone, f"{name} has all applications and is the only set")
    await hubs.settled(system.hub)
    assert await state(system) == before, "no Application and no object is another, or was written"
    found = (await hubs.listed(system.hub, table.REMOVAL)).values()
    assert {one["status"]["phase"] for one in found} <= {removals.WITHDRAWN}
    assert all(not spoke.deleted for spoke in system.spokes.values())
    spokes.commit(repo, SECOND)
    system.pull()
    await system.settles(dict.fromkeys(NAMES, merged(SECOND)))
    assert all(not spoke.deleted for spoke in system.spokes.values())


async def test_there_and_back_again(system: System, repo: Repo) -> None:
    """A set of a former one's name: its releases go on from that one's numbers."""
    before = await state(system)
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await hubs.until(lambda: only_set(system, "new"), "there")
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "old"))
    await hubs.delete(system.hub, table.APPLICATION_SET, "new")
    await handed_over(system, repo, before, "old")
    assert set(await hubs.listed(system.hub, table.RELEASE)) == {"old-1", "old-2"}


async def only_set(system: System, name: str) -> bool:
    return set(await hubs.listed(system.hub, table.APPLICATION_SET)) == {name}


async def refused(system: System, name: str) -> bool:
    found = (await hubs.listed(system.hub, table.APPLICATION_SET))[name]
    return "belongs to another ApplicationSet" in str(found.get("status"))


async def test_the_new_set_first_then_the_old_one_deleted(system: System, repo: Repo) -> None:
    before = await state(system)
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await hubs.until(lambda: refused(system, "new"), "two sets want the same: the second is told")
    await hubs.settled(system.hub)
    assert await owners(system) == {"old"}, "and the first keeps what it has"
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await handed_over(system, repo, before)
    assert not await refused(system, "new")


async def test_the_old_set_deleted_first_then_the_new_one(system: System, repo: Repo) -> None:
    before = await state(system)
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await handed_over(system, repo, before)


async def test_within_the_cap_too_where_nobody_would_be_asked(system: System, repo: Repo) -> None:
    cap = {"metadata": {"annotations": {"argosy.dev/removal-cap": "100%"}}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "old", cap)
    await hubs.settled(system.hub)
    before = await state(system)
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await handed_over(system, repo, before)


async def test_long_after_where_the_removal_waits_for_approval(system: System, repo: Repo) -> None:
    before = await state(system)
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")

    async def waits() -> bool:
        found = (await hubs.listed(system.hub, table.REMOVAL)).values()
        return [one["status"]["phase"] for one in found] == [removals.WAITING]

    await hubs.until(waits, "the removal waits")
    await hubs.settled(system.hub)
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await handed_over(system, repo, before)


async def kept(system: System) -> bool:
    """Whether the deleted set says until when it keeps what it has."""
    found = (await hubs.listed(system.hub, table.APPLICATION_SET))["old"]
    return "its applications stay until" in hubs.condition(found, "RemovalHeld").get("message", "")


async def deleted_with_grace(system: System) -> None:
    notes = {"argosy.dev/removal-cap": "100%", "argosy.dev/deletion-grace": "1h"}
    await hubs.patch(system.hub, table.APPLICATION_SET, "old", {"metadata": {"annotations": notes}})
    await hubs.settled(system.hub)
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await hubs.until(lambda: kept(system), "the set says until when it keeps its applications")
    # Somebody who asks it to look again makes nothing go sooner.
    note = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "old", note)
    await hubs.settled(system.hub)
    found = await hubs.listed(system.hub, table.APPLICATION)
    assert not any(app["metadata"].get("deletionTimestamp") for app in found.values())


async def test_much_later_where_the_deleted_set_gives_that_time(system: System, repo: Repo) -> None:
    before = await state(system)
    await deleted_with_grace(system)
    await system.stop_hub()
    await system.start_hub()
    for spoke in system.spokes.values():
        spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
    await hubs.settled(system.hub)
    assert await owners(system) == {"old"}
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await handed_over(system, repo, before)


async def test_a_deleted_set_is_told_to_wait_no_longer(system: System) -> None:
    await deleted_with_grace(system)
    note = {"metadata": {"annotations": {"argosy.dev/deletion-grace": "0s"}}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "old", note)
    await system.settles({name: {} for name in NAMES})

    async def gone() -> bool:
        return await hubs.listed(system.hub, table.APPLICATION) == {}

    await hubs.until(gone, "the applications are gone")


async def test_over_a_hub_that_ends_in_between(system: System, repo: Repo) -> None:
    cap = {"metadata": {"annotations": {"argosy.dev/removal-cap": "100%"}}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "old", cap)
    await hubs.settled(system.hub)
    before = await state(system)
    await hubs.delete(system.hub, table.APPLICATION_SET, "old")
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "new"))
    await system.stop_hub()
    await system.start_hub()
    for spoke in system.spokes.values():
        spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
    await handed_over(system, repo, before)


def tracked(repo: Repo, name: str) -> Manifest:
    """A set for the clusters that carry its name as `track`; its Applications are called alike for every such set."""
    made = hubs.appset(repo, name)
    (matrix,) = made["spec"]["generators"]
    matrix["matrix"]["generators"][0] = {"clusters": {"selector": {"matchLabels": {"track": name}}}}
    return made


async def label(system: System, names: Sequence[str], track: str) -> None:
    for name in names:
        await hubs.patch(system.hub, table.CLUSTER, name, {"metadata": {"labels": {"track": track}}}, "")


async def test_a_label_that_moves_between_sets_of_equal_names_needs_no_approval(
    tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with spokes.system(tmp_path, monkeypatch) as system:
        for name in NAMES:
            await system.join(name)
        await label(system, NAMES, "v1")
        for name in ("v1", "v2"):
            await hubs.add(system.hub, table.APPLICATION_SET, tracked(repo, name))
        await system.settles(dict.fromkeys(NAMES, merged(FIRST)))
        await hubs.settled(system.hub)
        before = await state(system)
        await label(system, NAMES[:1], "v2")
        await hubs.until(lambda: have(system, {"v1", "v2"}), "one cluster moved")
        await label(system, NAMES[1:], "v2")
        await hubs.until(lambda: have(system, {"v2"}), "all of them did")
        await hubs.settled(system.hub)
        assert await state(system) == before
        found = (await hubs.listed(system.hub, table.REMOVAL)).values()
        assert {one["status"]["phase"] for one in found} <= {removals.WITHDRAWN}


async def have(system: System, wanted: set[str]) -> bool:
    return await owners(system) == wanted


async def test_what_goes_waits_for_an_heir_that_may_not_come_yet(
    tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The set under its new name calls its Applications otherwise, and they are frozen: without its heir on the cluster
    what is there stays."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        spoke = await system.join("one")
        await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, "old"))
        await system.settles({"one": merged(FIRST)})
        await hubs.settled(system.hub)
        _, before = await state(system)
        await hubs.add(system.hub, table.FREEZE, freeze("new"))
        made = hubs.appset(repo, "new")
        made["spec"]["template"]["metadata"]["name"] = "next-{{.path.basename}}"
        await hubs.add(system.hub, table.APPLICATION_SET, made)
        await hubs.delete(system.hub, table.APPLICATION_SET, "old")

        async def told() -> bool:
            found = await hubs.listed(system.hub, table.APPLICATION)
            uid = found["web-one"]["metadata"]["uid"]
            held = await system.read(lambda tx: holds.get(tx, uid))
            return held is not None and "go to next-web, which is not assigned" in held.reason

        await hubs.until(told, "what goes says what it waits for")
        assert uids(spoke.versions()) == uids(before["one"])
        await hubs.delete(system.hub, table.FREEZE, "still", "")

        async def over() -> bool:
            return set(await hubs.listed(system.hub, table.APPLICATION)) == {"next-web", "next-queue"}

        await hubs.until(over, "the heirs alone are there")
        await system.settles({"one": merged(FIRST)})
        assert uids(spoke.versions()) == uids(before["one"])
        assert spoke.deleted == []


def uids(versions: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {name: uid for name, (uid, _) in versions.items()}


def freeze(appset: str) -> dict[str, Any]:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "still"},
        "spec": {"applicationSets": [appset], "reason": "not now", "duration": "1h"},
    }
