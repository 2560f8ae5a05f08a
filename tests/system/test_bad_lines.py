"""Lines that lose, double, swap and delay messages and break off: states converge and nothing is wrongly deleted."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from pathlib import Path

import hubs
import pytest
import spokes
from proxy import Shuffler
from spokes import Spoke, System
from story import Story

from agent.link import channels
from agent.link.link import Link
from hub.core.served import table

NAMES = ("one", "two", "three")


@pytest.mark.parametrize("seed", [1, 2])
async def test_bad_lines_for_some_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await _bad_lines(tmp_path, monkeypatch, seed, commits=18)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(100, 103))
async def test_bad_lines_for_hundreds_of_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _bad_lines(tmp_path, monkeypatch, seed, commits=500)


async def _bad_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, commits: int) -> None:
    """So many commits, and more until there were enough faults of each kind."""
    print(f"seed {seed}, {commits} commits")
    story = Story(seed, "web", "queue")
    shufflers: dict[str, Shuffler] = {}
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for number, name in enumerate(NAMES):
                shuffler = shufflers[name] = Shuffler(seed + number, drop=0.15, double=0.15, swap=0.15)
                await system.join(name, make_link=functools.partial(_worse, shuffler))
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            while story.steps < commits or _rarest(system, shufflers) < commits // 8:
                story.step()
                spokes.commit(repo, story.apps)
                system.pull()
                await _worsen(story, system)
            for name, spoke in system.spokes.items():
                shufflers[name].quiet = True
                spoke.line.delay, spoke.line.refuse = 0.0, False
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            _judge(system, story, shufflers)


def _worse(shuffler: Shuffler, *args: object, **options: object) -> Link:
    def dial(own: object, key: bytes) -> object:
        return shuffler.channel(channels.mutual(own, key))  # type: ignore[arg-type]

    return Link(*args, **options, dial=dial, patience=0.5)  # type: ignore[arg-type]


async def _worsen(story: Story, system: System) -> None:
    """One more trouble with the line of each spoke, for a part of a second."""
    for spoke in system.spokes.values():
        _trouble(story, spoke)
    await asyncio.sleep(story.roll.uniform(0.1, 0.4))
    for spoke in system.spokes.values():
        spoke.line.delay, spoke.line.refuse = 0.0, False


def _trouble(story: Story, spoke: Spoke) -> None:
    match story.roll.choice(("cut", "refuse", "delay", "drift", "none", "none")):
        case "cut":
            spoke.line.cut()
        case "refuse":
            spoke.line.refuse = True
            spoke.line.cut()
        case "delay":
            spoke.line.delay = 0.05
        case "drift":
            spoke.drift("keep-web")


def _faults(system: System, shufflers: dict[str, Shuffler]) -> Counter[str]:
    return sum(
        (shufflers[name].faults + spoke.line.faults for name, spoke in system.spokes.items()), Counter()
    )


def _rarest(system: System, shufflers: dict[str, Shuffler]) -> int:
    """How often the rarest kind of fault was met."""
    faults = _faults(system, shufflers)
    return min(faults[kind] for kind in ("drop", "double", "swap", "cut", "delay"))


def _judge(system: System, story: Story, shufflers: dict[str, Shuffler]) -> None:
    for name, spoke in system.spokes.items():
        assert set(spoke.deleted) <= story.gone, f"{name}: deleted though never removed from Git"
    faults = dict(_faults(system, shufflers))
    print(f"{story.steps} commits, faults {faults}, {len(story.gone)} objects removed")
