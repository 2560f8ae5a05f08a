"""Agents that die at every step of a pass: afterwards live objects, inventory and desired state are the same again.

A step is a call of the cluster or a write to the disk; a run is one life of an agent, and its death is seeded.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import hubs
import pytest
import spokes
from spokes import Spoke, System
from story import Story

from hub.core.served import table

NAMES = ("one", "two", "three", "four")
LIVES = 5
"""Lives that each agent lives through per commit, one after the other."""
FIRST = ("", "", "delete", "file write", "file in place", "apply")
LATER = ("", "", "get", "dry run", "apply")
"""What agents die of in their first life after a commit, and later: "" is any step."""


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_the_step_at_which_it_dies_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _dying(tmp_path, monkeypatch, seed, commits=9, deaths=100)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(100, 104))
async def test_thousands_of_deaths_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _dying(tmp_path, monkeypatch, seed, commits=60, deaths=660)


async def _dying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, commits: int, deaths: int
) -> None:
    print(f"seed {seed}, {commits} commits")
    story = Story(seed, "web", "queue")
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in NAMES:
                await system.join(name)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            for _ in range(commits):
                for spoke in system.spokes.values():
                    await spoke.kill()
                story.step(4)
                spokes.commit(repo, story.apps)
                system.pull()
                await hubs.settled(system.hub)
                for number in range(LIVES):
                    await _lives(system, story, FIRST if number == 0 else LATER)
                for spoke in system.spokes.values():
                    await spoke.start()
                await system.settles(dict.fromkeys(NAMES, story.wanted))
            _counted(system, story, deaths)


async def _lives(system: System, story: Story, steps: tuple[str, ...]) -> None:
    """One life of each agent, up to its death or to the end of its work."""
    for spoke in system.spokes.values():
        spoke.drift(f"keep-{story.roll.choice(sorted(story.apps))}")
        dies_of, dies_after = story.roll.choice(steps), story.roll.random() < 0.5
        # A life with little to do is short: most deaths are early, some late.
        dies_at = 1 + int((3 if dies_of else 30) * story.roll.random() ** 2)
        await spoke.start(dies_at=dies_at, dies_after=dies_after, dies_of=dies_of)
    for spoke in system.spokes.values():
        await _end(system, spoke, story)


async def _end(system: System, spoke: Spoke, story: Story) -> None:
    deadline = time.monotonic() + 60
    while not await spoke.died(0.05):
        if not await system.whole(spoke, story.wanted):
            await spoke.kill()
            return
        assert time.monotonic() < deadline, await system.whole(spoke, story.wanted)


def _counted(system: System, story: Story, minimum: int) -> None:
    deaths: Counter[str] = Counter()
    for name, spoke in system.spokes.items():
        deaths += spoke.deaths
        assert set(spoke.deleted) <= story.gone, f"{name}: deleted though never removed from Git"
        spoke.unharmed()
    print(f"deaths {dict(deaths)}, {len(story.gone)} objects removed")
    at_a_step = deaths.total() - deaths["killed"]
    assert at_a_step >= minimum
    for step in ("apply", "after apply", "get", "dry run", "file write", "file in place"):
        assert deaths[step] >= 1, f"nobody died at {step}: {deaths}"
    assert deaths["delete"] + deaths["after delete"] >= 1, f"nobody died at a delete: {deaths}"
