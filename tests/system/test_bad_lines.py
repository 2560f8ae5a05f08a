"""Lines that lose, double, swap and delay messages and break off: states converge and nothing is wrongly deleted."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from pathlib import Path

import hubs
import pytest
import spokes
from proxy import Shuffler
from spokes import Spoke, Story, System

from agent.link import channels
from agent.link.link import Link
from hub.core.served import table

NAMES = ("one", "two", "three")


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bad_line_for_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _bad_lines(tmp_path, monkeypatch, seed, seconds=6.0)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 103))
async def test_a_bad_line_for_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await _bad_lines(tmp_path, monkeypatch, seed, seconds=180.0)


async def _bad_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, seconds: float) -> None:
    print(f"seed {seed}, {seconds:g} seconds")
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
            commits = 0
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                story.step()
                spokes.commit(repo, story.apps)
                commits += 1
                system.pull()
                await _worsen(story, system)
            for name, spoke in system.spokes.items():
                shufflers[name].quiet = True
                spoke.line.delay, spoke.line.refuse = 0.0, False
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            _counted(system, story, shufflers, commits, seconds)


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


def _counted(
    system: System, story: Story, shufflers: dict[str, Shuffler], commits: int, seconds: float
) -> None:
    faults: Counter[str] = Counter()
    for name, spoke in system.spokes.items():
        faults += shufflers[name].faults + spoke.line.faults
        assert set(spoke.deleted) <= story.gone, f"{name}: deleted though never removed from Git"
    print(f"{commits} commits, faults {dict(faults)}, {len(story.gone)} objects removed")
    assert commits >= seconds
    for kind in ("drop", "double", "swap", "cut", "delay"):
        assert faults[kind] >= seconds / 3, f"too few of {kind}: {faults}"
