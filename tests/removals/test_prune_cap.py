"""A release that would prune much of an application waits for an approval of exactly that; what is usual does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System

from argosy import differences
from argosy.objects import Manifest
from hub.core.holds.freezes import Orders
from hub.core.plans import holds as plan_holds
from hub.core.plans.holds import Rules
from hub.core.plans.model import AppPlan
from hub.core.removals import caps, removals
from hub.core.removals.caps import Cap
from hub.core.served import table
from hub.store import holds, plans

MANY = tuple(f"cm-{number:02}" for number in range(30))


def test_without_a_word_the_larger_of_ten_objects_and_a_fifth_may_go() -> None:
    assert caps.of({}).of_prune == Cap(10, 20.0)
    assert caps.over_prune(10, 10, {}) == "", "a small application may change as a whole"
    assert caps.over_prune(20, 100, {}) == ""
    assert "21 of 100 objects would be pruned, more than the cap of 20" in caps.over_prune(21, 100, {})


def test_the_application_and_the_settings_say_other_caps() -> None:
    notes = {caps.PRUNE_ANNOTATION: "100%"}
    assert caps.over_prune(100, 100, notes) == ""
    assert "cap of 0" in caps.over_prune(1, 3, {caps.PRUNE_ANNOTATION: "0"})
    limits = caps.of({"argosy.pruneCap": "2"})
    assert "cap of 2" in caps.over_prune(3, 3, {}, limits)
    assert caps.over_prune(3, 3, notes, limits) == ""
    wrong = caps.over_prune(1, 3, {caps.PRUNE_ANNOTATION: "few"})
    assert 'metadata.annotations[argosy.dev/prune-cap]: found "few", expected a number of objects' in wrong


def test_a_plan_says_that_it_will_wait() -> None:
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
        for name in MANY
    ]
    rules = Rules(Orders(), {}, {}, {}, 0.0)
    changes = differences.of_bundles(objects, objects[:10])
    plan = AppPlan("argocd", "web", "", "one", differences.CHANGED, objects=changes, had=len(objects))
    (hold,) = plan_holds.of_prune(plan, {"metadata": {"name": "web"}}, rules)
    assert (hold.kind, hold.message) == (
        "Prune",
        "waits for an approval: 20 of 30 objects would be pruned, more than the cap of 10",
    )
    kept = differences.of_bundles(objects, objects[:10], kept="prune is off")
    assert plan_holds.of_prune(replace(plan, objects=kept), {"metadata": {}}, rules) == ()


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, files(MANY)) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """One application of thirty objects on each of two clusters."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await system.deploys(files(MANY), ("one", "two"), hubs.appset(repo))
        yield system


def files(names: Iterable[str], value: str = "1") -> dict[str, dict[str, str]]:
    return {"web": dict.fromkeys(names, value)}


async def runs(system: System, names: Iterable[str], value: str = "1") -> None:
    wanted = dict.fromkeys(names, value)
    await system.settles(dict.fromkeys(("one", "two"), wanted))


async def waiting(system: System, count: int = 2) -> list[Manifest]:
    async def found() -> list[Manifest]:
        listed = (await hubs.listed(system.hub, table.REMOVAL)).values()
        mine = [one for one in listed if (one.get("status") or {}).get("phase") == removals.WAITING]
        return mine if len(mine) == count else []

    answer: list[Manifest] = await hubs.until(found, f"{count} removals wait")
    return answer


async def decide(system: System, plan: Manifest, *, yes: bool) -> None:
    hub, name = system.hub, plan["metadata"]["name"]

    def job(tx: Any) -> str:
        return plans.decide(tx, hub.resources, name, "ada", plan["spec"]["digest"], system.clock(), yes=yes)

    assert not await hub.store.write(job)


async def held(system: System, app: str) -> str:
    uid = (await hubs.apps(system.hub))[app]["metadata"]["uid"]
    found = await system.read(lambda tx: holds.get(tx, uid))
    return found.reason if found is not None else ""


async def test_a_few_go_without_a_word(system: System, repo: Repo) -> None:
    spokes.commit(repo, files(MANY[:20], "2"))
    system.pull()
    await runs(system, MANY[:20], "2")
    assert await hubs.listed(system.hub, table.REMOVAL) == {}


async def test_many_wait_with_their_release_until_that_is_approved(system: System, repo: Repo) -> None:
    spokes.commit(repo, files(MANY[:10], "2"))
    system.pull()
    found = await waiting(system)
    spec = found[0]["spec"]
    assert spec["owner"]["kind"] == "Application"
    assert spec["kinds"] == {"ConfigMap": 20}
    assert spec["counts"] == {"applications": 1, "clusters": 1, "objects": 20, "deleted": 20}
    assert "20 of 30 objects would be pruned, more than the cap of 10" in spec["cause"]
    await hubs.until(lambda: held(system, "web-one"), "the application says so")
    assert "waits for `argosy removal approve`" in await held(system, "web-one")
    await hubs.settled(system.hub)
    for spoke in system.spokes.values():
        assert spoke.ours() == dict.fromkeys(MANY, "1"), "nothing of the release is there"
    mine = next(one for one in found if one["spec"]["owner"]["name"] == "web-one")
    await decide(system, mine, yes=True)
    one, two = system.spokes["one"], system.spokes["two"]
    await hubs.until(lambda: one.ours() == dict.fromkeys(MANY[:10], "2"), "approved for one, and gone there")
    assert two.ours() == dict.fromkeys(MANY, "1"), "and nowhere else"
    done = (await hubs.listed(system.hub, table.REMOVAL))[mine["metadata"]["name"]]
    assert (done["status"]["phase"], done["status"]["decidedBy"]) == (removals.DONE, "ada")


async def test_a_commit_that_brings_them_back_goes_at_once(system: System, repo: Repo) -> None:
    spokes.commit(repo, files(MANY[:10], "2"))
    system.pull()
    await waiting(system)
    spokes.commit(repo, files(MANY, "3"))
    system.pull()
    await runs(system, MANY, "3")

    async def withdrawn() -> bool:
        found = (await hubs.listed(system.hub, table.REMOVAL)).values()
        return {one["status"]["phase"] for one in found} == {removals.WITHDRAWN}

    await hubs.until(withdrawn, "there is nothing to decide any more")
    assert all(not spoke.deleted for spoke in system.spokes.values())


async def test_an_approval_is_for_one_time(system: System, repo: Repo) -> None:
    """The same change once more, after what it took had come back."""
    spokes.commit(repo, files(MANY[:10], "2"))
    system.pull()
    for plan in await waiting(system):
        await decide(system, plan, yes=True)
    await runs(system, MANY[:10], "2")
    spokes.commit(repo, files(MANY))
    system.pull()
    await runs(system, MANY)
    spokes.commit(repo, files(MANY[:10], "2"))
    system.pull()
    found = await waiting(system)
    for spoke in system.spokes.values():
        assert spoke.ours() == dict.fromkeys(MANY, "1"), "nothing of it is there before somebody says so"
    for plan in found:
        await decide(system, plan, yes=True)
    await runs(system, MANY[:10], "2")


async def test_a_rejected_one_stays_out(system: System, repo: Repo) -> None:
    spokes.commit(repo, files(MANY[:10], "2"))
    system.pull()
    for plan in await waiting(system):
        await decide(system, plan, yes=False)

    async def told() -> bool:
        return "ada rejected removal" in await held(system, "web-one")

    await hubs.until(told, "the application says who")
    await hubs.settled(system.hub)
    for spoke in system.spokes.values():
        assert spoke.ours() == dict.fromkeys(MANY, "1")


async def test_an_application_that_says_so_needs_nobody(system: System, repo: Repo) -> None:
    note = {"spec": {"template": {"metadata": {"annotations": {caps.PRUNE_ANNOTATION: "100%"}}}}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "fleet", note)

    async def noted() -> bool:
        found = (await hubs.apps(system.hub)).values()
        return all(caps.PRUNE_ANNOTATION in (app["metadata"].get("annotations") or {}) for app in found)

    await hubs.until(noted, "the applications carry it")
    spokes.commit(repo, files(MANY[:1], "2"))
    system.pull()
    await runs(system, MANY[:1], "2")
