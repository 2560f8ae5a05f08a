"""A hub that is killed (-9) and started again in the middle of rollouts: agents heal meanwhile, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import hubs
import pytest
import spokes
from dying_agent import Disks
from fleet import Fleet
from hubs import Repo
from proxy import Proxy
from spokes import Spoke, System
from story import Story

from argosy import token

NAMES = ("one", "two", "three")


class Killable(System):
    """A system whose hub is a process of its own, started and ended by `fleet`."""

    def __init__(self, folder: Path, disks: Disks, fleet: Fleet) -> None:
        super().__init__(folder, disks, time.time)
        self.fleet = fleet
        self.kills = 0

    async def start(self) -> None:
        await asyncio.to_thread(self.fleet.start_hub, "--beat", "1", "--grace", "1")

    async def kill(self) -> None:
        assert self.fleet.hub is not None
        await asyncio.to_thread(self.fleet.hub.kill)
        self.kills += 1

    async def push(self, repo: Repo) -> None:
        await asyncio.to_thread(self.fleet.push, repo)

    async def joined(self, name: str) -> None:
        """Like `join`, with the commands that people type."""
        command = ("join", name, "--label", "env=prod", "-o", "token")
        text = token.decode((await asyncio.to_thread(self.fleet.argosy, *command)).strip())
        host, _, port = text.link.rpartition(":")
        line = await self._open.enter_async_context(Proxy((host, int(port))))
        uid = await asyncio.to_thread(lambda: self.fleet.get("cluster", name)["metadata"]["uid"])
        spoke = self.spokes[name] = Spoke(self, name, line, uid)
        spoke.bystander(f"bystander-{name}")
        await spoke.start(token.encode(replace(text, link=line.address)))
        await hubs.until(lambda: spoke.connected, f"{name} connected")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path)) as fleet:
        yield fleet


@pytest.mark.parametrize("seed", [1])
async def test_killed_in_the_middle_of_rollouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: Fleet, seed: int
) -> None:
    await _killed(tmp_path, monkeypatch, fleet, seed, kills=5)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", [100, 101])
async def test_killed_very_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: Fleet, seed: int
) -> None:
    await _killed(tmp_path, monkeypatch, fleet, seed, kills=60)


async def _killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: Fleet, seed: int, *, kills: int
) -> None:
    print(f"seed {seed}, {kills} kills")
    story, roll, disks = Story(seed, "web", "queue"), Random(seed), Disks()
    monkeypatch.setattr("agent.state.cache.os", disks)
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        system = Killable(tmp_path, disks, fleet)
        try:
            await system.start()
            for name in NAMES:
                await system.joined(name)
            await asyncio.to_thread(fleet.apply, hubs.appset(repo))
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            for _ in range(kills):
                story.step(6)
                spokes.commit(repo, story.apps)
                await system.push(repo)
                await asyncio.sleep(roll.uniform(0.0, 0.5))
                await system.kill()
                await _heal(system)
                await system.start()
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            assert system.kills >= kills
            for name, spoke in system.spokes.items():
                assert set(spoke.deleted) <= story.gone, f"{name}: deleted though never removed from Git"
                assert spoke.program is not None
                assert spoke.program.ledger is not None
                assert not spoke.program.ledger.held.holding, "a killed hub is the same hub"
        finally:
            await system.close()


async def _heal(system: Killable) -> None:
    """Agents without a hub correct what somebody edits."""
    for spoke in system.spokes.values():
        spoke.drift("keep-web")
    await hubs.until(
        lambda: all(spoke.ours()["keep-web"] != "drift" for spoke in system.spokes.values()),
        "agents heal without a hub",
    )
