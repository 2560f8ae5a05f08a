"""Freezes, overrides and windows in a whole hub: what is held is not assigned, says so, and goes when it may."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from hubs import Clock, Repo, config_map
from obedient import Obedient

from argosy import bundle
from argosy.machinery.failure import ApiFailure
from hub.api.show import Viewer
from hub.assembly import Hub
from hub.core.served import cells, table
from hub.store import desired, objects


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/one.yaml": config_map("one")})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path, clock: Clock) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        yield hub


def order(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    found = {"reason": "audit", "duration": "1h", **spec}
    return {"apiVersion": "argosy.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": found}


async def freeze(hub: Hub, name: str = "f", **spec: Any) -> dict[str, Any]:
    return await hubs.add(hub, table.FREEZE, order("Freeze", name, **spec))


Fleet = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
async def fleet(hub: Hub, repo: Repo) -> AsyncIterator[Fleet]:
    """Makes clusters with an agent and one application each; name -> id."""
    agents = Obedient(hub)

    async def make(*names: str) -> dict[str, str]:
        for name in names:
            await agents.join(name, env="prod")
        agents.start()
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.pushed(hub)
        return agents.clusters

    yield make
    await agents.stop()


async def bundles(hub: Hub, cluster: str) -> set[str]:
    return {item.bundle for item in await hub.store.read(lambda tx: desired.assignments(tx, cluster))}


async def told(hub: Hub, cluster: str) -> list[bundle.Restraint]:
    return await hub.store.read(lambda tx: desired.restraints(tx, cluster))


async def held(hub: Hub, name: str) -> str:
    """The message of the Application's condition Held, as the API shows it."""

    def read(tx: Any) -> dict[str, Any]:
        row = objects.get(tx, table.APPLICATION.resource, "argocd", name)
        assert row is not None
        return Viewer(hub.resources).one(tx, table.APPLICATION, row, 0.0)

    return str(hubs.condition(await hub.store.read(read), "Held").get("message", ""))


async def test_what_is_frozen_is_not_assigned_says_so_and_goes_when_the_freeze_ends(
    hub: Hub, repo: Repo, fleet: Fleet, clock: Clock
) -> None:
    ids = await fleet("red", "blue")
    before, other = await bundles(hub, ids["red"]), await bundles(hub, ids["blue"])
    await freeze(hub, clusters=["red"])
    repo.commit({"apps/web/one.yaml": config_map("one", "2")})
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) == before
    assert await bundles(hub, ids["blue"]) != other
    assert "audit (freeze f)" in await held(hub, "web-red")
    assert not await held(hub, "web-blue")
    assert [(one.kind, one.apps) for one in await told(hub, ids["red"])] == [("freeze", ())]
    assert await told(hub, ids["blue"]) == []
    clock.ahead = 3601
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) != before
    assert not await held(hub, "web-red")
    assert await told(hub, ids["red"]) == []


async def test_taking_a_freeze_back_lets_everything_go_at_once(hub: Hub, repo: Repo, fleet: Fleet) -> None:
    ids = await fleet("red")
    await freeze(hub, fleet=True)
    before = await bundles(hub, ids["red"])
    repo.commit({"apps/web/one.yaml": config_map("one", "2")})
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) == before
    await hubs.delete(hub, table.FREEZE, "f", "")

    async def moved() -> bool:
        return await bundles(hub, ids["red"]) != before

    await hubs.until(moved, "the change went")


async def test_a_freeze_is_lifted_by_no_evaluation_and_no_restart(
    hub: Hub, repo: Repo, fleet: Fleet, tmp_path: Path, clock: Clock
) -> None:
    ids = await fleet("red")
    await freeze(hub, applicationSets=["fleet"])
    before = await bundles(hub, ids["red"])
    for number in range(10):
        repo.commit({"apps/web/one.yaml": config_map("one", str(number + 2))})
        await hubs.pushed(hub)
    await hub.stop()
    async with hubs.running(tmp_path / "hub", clock=clock) as again:
        await hubs.pushed(again)
        assert await bundles(again, ids["red"]) == before
        assert "audit" in await held(again, "web-red")
        (one,) = await told(again, ids["red"])
        assert len(one.apps) == 1


async def test_a_sync_by_hand_waits_for_the_end_of_a_freeze_as_well(
    hub: Hub, repo: Repo, fleet: Fleet
) -> None:
    ids = await fleet("red")
    step = {"matchExpressions": [{"key": "ring", "operator": "In", "values": ["none"]}]}
    await hubs.delete(hub, table.APPLICATION_SET, "fleet")
    made = hubs.appset(repo, "by-hand")
    made["spec"]["strategy"] = {"type": "RollingSync", "rollingSync": {"steps": [step]}}
    made["spec"]["template"]["metadata"]["name"] = "hand-{{.name}}"
    await hubs.add(hub, table.APPLICATION_SET, made)
    await hubs.pushed(hub)
    await freeze(hub, fleet=True)
    await hubs.patch(hub, table.APPLICATION, "hand-red", {"operation": {"sync": {}}})
    await hubs.pushed(hub)

    async def given() -> bool:
        found = await hub.store.read(lambda tx: desired.assignments(tx, ids["red"]))
        return "hand-red" in {item.app for item in found}

    assert not await given()
    assert "audit" in await held(hub, "hand-red")
    await hubs.delete(hub, table.FREEZE, "f", "")
    await hubs.until(given, "what was asked for is given")


async def test_an_override_lets_one_application_through(hub: Hub, repo: Repo, fleet: Fleet) -> None:
    ids = await fleet("red", "blue")
    before, other = await bundles(hub, ids["red"]), await bundles(hub, ids["blue"])
    await freeze(hub, fleet=True)
    repo.commit({"apps/web/one.yaml": config_map("one", "2")})
    await hubs.pushed(hub)
    await hubs.add(hub, table.OVERRIDE, order("Override", "o", applications=["web-red"], duration="30m"))
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) != before
    assert await bundles(hub, ids["blue"]) == other


async def test_nothing_frozen_is_removed(hub: Hub, repo: Repo, fleet: Fleet) -> None:
    ids = await fleet("red")
    before = (await hubs.apps(hub))["web-red"]["metadata"]["uid"]
    await freeze(hub, fleet=True)
    await hubs.delete(hub, table.APPLICATION, "web-red")
    await hubs.pushed(hub)
    assert await hub.store.read(lambda tx: desired.removals(tx, ids["red"])) == []
    assert await hub.store.read(lambda tx: desired.assigned(tx, ids["red"])) == [before]
    assert "audit" in await held(hub, "web-red")
    await hubs.delete(hub, table.FREEZE, "f", "")

    async def let_go() -> bool:
        found = await hub.store.read(lambda tx: desired.assigned(tx, ids["red"]))
        return before not in found

    await hubs.until(let_go, "the removal goes once the freeze is over")


async def test_a_projects_windows_hold_and_agents_are_told_of_them(
    hub: Hub, repo: Repo, fleet: Fleet, clock: Clock
) -> None:
    ids = await fleet("red")
    (now,) = [time.gmtime(clock())]
    later = f"{(now.tm_min + 30) % 60} {(now.tm_hour + 6) % 24} * * *"
    window = {"kind": "allow", "schedule": later, "duration": "1h", "clusters": ["https://red.*"]}
    await hubs.patch(hub, table.APP_PROJECT, "default", {"spec": {"syncWindows": [window]}})
    before = await bundles(hub, ids["red"])
    repo.commit({"apps/web/one.yaml": config_map("one", "2")})
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) == before
    assert await held(hub, "web-red") == "outside the sync windows of project default"
    (one,) = await told(hub, ids["red"])
    assert (one.kind, one.schedule, len(one.apps)) == ("allow", later, 1)
    await hubs.patch(hub, table.APP_PROJECT, "default", {"spec": {"syncWindows": None}})
    await hubs.pushed(hub)
    assert await bundles(hub, ids["red"]) != before
    assert await told(hub, ids["red"]) == []


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("Freeze", {}, "one of fleet, clusters"),
        ("Freeze", {"fleet": True, "clusters": ["a"]}, "stands alone"),
        ("Freeze", {"fleet": True, "duration": "1d"}, "as in 2h30m"),
        ("Freeze", {"fleet": True, "duration": ""}, "none lasts for ever"),
        ("Freeze", {"fleet": True, "expiresAt": "tomorrow"}, "expiresAt"),
        ("Freeze", {"clusterSelector": {"matchLabels": {"a b": "c"}}}, "clusterSelector"),
        ("Override", {"fleet": True, "duration": "25h"}, "within a day"),
    ],
)
async def test_mistakes_are_named(hub: Hub, kind: str, spec: dict[str, Any], said: str) -> None:
    served = table.FREEZE if kind == "Freeze" else table.OVERRIDE
    with pytest.raises(ApiFailure, match=said):
        await hubs.add(hub, served, order(kind, "wrong", **spec))


async def test_what_ended_long_ago_is_swept_away(hub: Hub, clock: Clock) -> None:
    for name, duration in (("old", "1h"), ("new", "200h")):
        await freeze(hub, name, fleet=True, duration=duration)
    clock.ahead = 8 * 86400.0
    (sweep,) = [loop for loop in hub.loops if loop.name == "sweeper"]
    sweep.wake.set()

    async def swept() -> bool:
        return set(await hubs.listed(hub, table.FREEZE)) == {"new"}

    await hubs.until(swept, "the old one gone")


async def test_the_end_is_reckoned_from_the_beginning(hub: Hub) -> None:
    made = await freeze(hub, fleet=True, duration="1h30m")
    begin = cells.seconds(made["metadata"]["creationTimestamp"])
    assert begin is not None
    assert cells.seconds(made["spec"]["expiresAt"]) == begin + 5400
