"""A hub under any history: commits land midway, clusters fail, vanish and return, people press every button.

Whatever happens, nobody is given anything but a release of the set, a later stage never has what an earlier one has not
been well with, every wait has its words, and in the end everybody has what Git says.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

import hubs
import obedient
import pytest
import rolling
from hubs import Repo
from obedient import Obedient
from rolling import appset, policy, push, stage

from argosy.bundle import Assignment
from argosy.errors import Invalid
from argosy.status import AppStatus
from hub.assembly import Hub
from hub.core.rollout import acting
from hub.core.rollout.model import FINAL, Phase, State
from hub.core.served import table
from hub.store import history, rollouts
from hub.store.base import Tx

VERBS = tuple(verb for verb in acting.VERBS if verb not in ("approve", "signal"))


@dataclass
class World:
    """What goes on. `well` has, by bundle of each cluster, who reported being well with a release."""

    hub: Hub
    repo: Repo
    fleet: Obedient
    roll: Random
    commits: int = 0
    sick: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    promoted: set[str] = field(default_factory=set)
    """Rollouts of which somebody said that they go on regardless."""
    left: set[str] = field(default_factory=set)
    """Clusters that were away, ill or silent at some moment: stages went on without them."""
    first_given: dict[tuple[str, str], int] = field(default_factory=dict)
    """(release, cluster) -> when it was first given, as a count."""
    well_with: dict[tuple[str, str], int] = field(default_factory=dict)
    clock: int = 0
    pressed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def behave(self, cluster: str, given: Assignment) -> AppStatus | None:
        self.clock += 1
        self.first_given.setdefault((given.release, cluster), self.clock)
        if cluster in self.silent:
            return None
        if cluster in self.sick:
            return obedient.ill(cluster, given)
        self.well_with.setdefault((given.release, cluster), self.clock)
        return obedient.well(cluster, given)

    async def step(self) -> None:
        names = sorted(self.fleet.clusters)
        one = self.roll.choice(names)
        match self.roll.randrange(10):
            case 0 | 1:
                self.commits += 1
                await push(self.hub, self.repo, f"{self.roll.random()}")
            case 2:
                await self.fleet.leave(one)
            case 3:
                for name in sorted(self.fleet.away):
                    await self.fleet.come_back(name)
            case 4:
                self.sick ^= {one}
                self.fleet.speak()
            case 5:
                self.silent ^= {one}
                self.fleet.speak()
            case _:
                await self.press(f"web-{one}")
        await asyncio.sleep(self.roll.choice((0.0, 0.02, 0.1)))

    async def press(self, member: str) -> None:
        found = sorted(await hubs.listed(self.hub, table.ROLLOUT))
        if not found:
            return
        name, verb = self.roll.choice(found), self.roll.choice(VERBS)
        if verb in ("promote", "resume", "skip", "retry"):
            self.promoted.add(name)
        named = member if verb in ("retry", "skip") and self.roll.random() < 0.5 else ""
        self.pressed[verb] += 1
        with contextlib.suppress(Invalid):
            # Not every rollout has every member.
            await rolling.act(self.hub, name, verb, member=named)

    async def check(self) -> None:
        """What holds at every moment."""

        def read(tx: Tx) -> list[str]:
            wrong = []
            for row in rollouts.under_way(tx):
                for member in rollouts.members(tx, row.rollout.id).values():
                    waits = member.state in (State.PENDING, State.MOVING, State.FAILED, State.DEFERRED)
                    why = (
                        member.blocker
                        or (member.state is State.PENDING and row.waits)
                        or member.state is State.MOVING
                    )
                    if waits and not why and row.rollout.phase not in FINAL:
                        wrong.append(f"{row.name}: {member.name} is {member.state} and nobody says why")
            return wrong

        assert await self.hub.store.read(read) == []
        order = {name: index for index, name in enumerate(("canary", "early", "late"))}
        releases = {release for release, _ in self.first_given}
        named = await self.hub.store.read(
            lambda tx: {one.id: one.name for id_ in releases if (one := history.get(tx, id_)) is not None}
        )
        for release in releases - {id_ for id_, name in named.items() if name in self.promoted}:
            given = {c: at for (r, c), at in self.first_given.items() if r == release}
            for cluster, at in given.items():
                for other, later in given.items():
                    if order[rolling.RINGS[cluster]] < order[rolling.RINGS[other]] and at < later:
                        was_well = self.well_with.get((release, cluster), later + 1) < later
                        gone = cluster in self.fleet.away or cluster in self.left
                        assert was_well or gone, f"{named.get(release)}: {other} before {cluster} was well"


async def _history(hub: Hub, repo: Repo, fleet: Obedient, seed: int, steps: int) -> None:
    print(f"seed {seed}")
    world = World(hub, repo, fleet, Random(seed))
    fleet.behaviour = world.behave
    stages = (
        stage("canary", "canary", deadline="1s"),
        stage("early", "early", deadline="1s", failureBudget=1),
        stage("rest", deadline="1s", failureBudget="50%", maxConcurrent=2),
    )
    on_failure = world.roll.choice(("halt", "rollback", "rollback-stage"))
    on_new = world.roll.choice(("supersede", "queue", "finish"))
    careful = policy(*stages, offlineAfter="0s", onFailure=on_failure, onNewRelease=on_new)
    await hubs.add(hub, table.ROLLOUT_POLICY, careful)
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    for _ in range(steps):
        world.left |= fleet.away | world.sick | world.silent
        await world.step()
        world.left |= fleet.away | world.sick | world.silent
        await world.check()
    # Everybody comes back and is well; whatever was left open is given up, and Git moves once more.
    world.sick.clear()
    world.silent.clear()
    for name in sorted(fleet.away):
        await fleet.come_back(name)
    fleet.speak()
    for name, found in (await hubs.listed(hub, table.ROLLOUT)).items():
        if ((await rolling.status(hub, name)).get("phase")) not in FINAL:
            await rolling.act(hub, found["metadata"]["name"], "abort")
    await push(hub, repo, "the end")

    async def whole() -> bool:
        def read(tx: Tx) -> bool:
            wanted = tx.all("SELECT cluster, bundle FROM app_states")
            have = dict(tx.all("SELECT cluster, bundle FROM assignments"))
            open_ones = [row for row in rollouts.under_way(tx) if row.rollout.phase is not Phase.COMPLETED]
            return not open_ones and len(wanted) == 6 and all(have.get(c) == b for c, b in wanted)

        return await hub.store.read(read)

    try:
        await hubs.until(whole, "everybody has what Git says")
    except AssertionError:
        for name in sorted(await hubs.listed(hub, table.ROLLOUT)):
            print(name, await rolling.status(hub, name))
        raise
    print(dict(world.pressed), world.commits, "commits", on_failure, on_new)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_short_history(hub: Hub, repo: Repo, fleet: Obedient, seed: int) -> None:
    await _history(hub, repo, fleet, seed, 25)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 120))
async def test_a_long_history(hub: Hub, repo: Repo, fleet: Obedient, seed: int) -> None:
    await _history(hub, repo, fleet, seed, 120)
