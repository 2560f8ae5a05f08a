"""Stores that fail and disks without space, on the hub and on agents: nothing is lost, and recovery needs nobody."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from spokes import System
from story import Story

from argosy.errors import Unavailable
from hub.core.served import table
from hub.store import sqlite
from hub.store.base import Tx

NAMES = ("one", "two", "three")


class CommitLog:
    """Stands for the store's logger: counts the commits that failed, by their reason."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()

    def error(self, event: str, **facts: Any) -> None:
        self.failed[str(facts.get("error"))] += 1

    def debug(self, event: str, **facts: Any) -> None:
        """Not of interest here."""


async def _fleet(system: System, story: Story, repo: hubs.Repo) -> None:
    for name in NAMES:
        await system.join(name)
    await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
    await system.settles(dict.fromkeys(NAMES, story.wanted))


async def test_a_hub_without_disk_space_keeps_what_it_has_and_goes_on_when_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = CommitLog()
    monkeypatch.setattr(sqlite, "log", commits)
    story = Story(7, "web", "queue")
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await _fleet(system, story, repo)
            # What is written together with it may be the first that finds no room.
            with contextlib.suppress(Unavailable):
                await system.hub.store.write(_no_more_pages)
            for _ in range(3):
                story.step(40)
                spokes.commit(repo, story.apps)
                system.pull()
                for spoke in system.spokes.values():
                    spoke.drift("keep-web")
                await hubs.settled(system.hub)
            with pytest.raises(Unavailable, match="full"):
                await _fill(system)
            await hubs.until(
                lambda: all(spoke.ours()["keep-web"] != "drift" for spoke in system.spokes.values()),
                "agents heal all the time",
            )
            full = commits.failed["database or disk is full"]
            print(f"{full} commits failed for want of space")
            assert full >= 3
            await _space_again(system)
            system.pull()
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            _nothing_wrong(system, story)


def _no_more_pages(tx: Tx) -> None:
    (pages,) = tx.one("PRAGMA page_count") or (0,)
    tx.one(f"PRAGMA max_page_count = {pages}")


async def _space_again(system: System) -> None:
    connection: sqlite3.Connection = system.hub.store._tx._connection
    connection.execute("PRAGMA max_page_count = 1000000")


async def _fill(system: System) -> None:
    """Writes until there is no room for more."""
    for number in range(2000):
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"filler-{number}", "namespace": "argocd"},
            "data": {"value": "x" * 20_000},
        }
        await hubs.add(system.hub, table.CONFIG_MAP, manifest)


@pytest.mark.parametrize(("seed", "rounds"), [(1, 10)])
async def test_a_store_whose_statements_fail_now_and_then_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rounds: int
) -> None:
    await _failing_store(tmp_path, monkeypatch, seed, rounds)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(100, 104))
async def test_a_store_that_fails_for_long_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _failing_store(tmp_path, monkeypatch, seed, 300)


async def _failing_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rounds: int) -> None:
    """The writer's statements are interrupted by chance, also in the middle of a transaction."""
    print(f"seed {seed}, {rounds} rounds")
    commits = CommitLog()
    monkeypatch.setattr(sqlite, "log", commits)
    roll, story = random.Random(seed), Story(seed, "web", "queue")
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await _fleet(system, story, repo)
            connection: sqlite3.Connection = system.hub.store._tx._connection
            failing = False
            # About one write in three meets it; each is some thousand steps of SQLite's machine. Set once, while there is none:
            # taking one away would wait for the writer, which may be waiting for this thread to run it.
            connection.set_progress_handler(lambda: failing and roll.random() < 0.1, 200)
            for _ in range(rounds):
                failing = True
                story.step()
                spokes.commit(repo, story.apps)
                for spoke in system.spokes.values():
                    spoke.drift("keep-queue")
                system.pull()
                await hubs.settled(system.hub)
                failing = False
            await hubs.settled(system.hub)
            system.pull()
            await system.settles(dict.fromkeys(NAMES, story.wanted))
            failed = commits.failed["interrupted"]
            print(f"{failed} commits failed")
            assert failed >= rounds
            _nothing_wrong(system, story)


@pytest.mark.parametrize("seed", [1, 2])
async def test_agents_without_disk_space_go_on_healing_and_catch_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    story = Story(seed, "web", "queue")
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, story.apps)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await _fleet(system, story, repo)
            for number in range(3):
                before = {name: set(system.spokes[name].ours()) for name in NAMES}
                for spoke in system.spokes.values():
                    system.disks.full.add(spoke.folder)
                story.step(4)
                spokes.commit(repo, story.apps)
                system.pull()
                faults = system.disks.faults["full"]
                await hubs.until(
                    lambda faults=faults: system.disks.faults["full"] >= faults + 3, "full disks"
                )
                for spoke in system.spokes.values():
                    spoke.drift("keep-web")
                await hubs.until(
                    lambda: all(spoke.ours()["keep-web"] != "drift" for spoke in system.spokes.values()),
                    "agents heal without space",
                )
                for name, spoke in system.spokes.items():
                    assert before[name] <= set(spoke.ours()), "what could not be written down is not acted on"
                if number == 1:
                    # An agent that is started while its disk is full comes up with what it has.
                    await system.spokes["one"].kill()
                    await system.spokes["one"].start()
                system.disks.full.clear()
                await system.settles(dict.fromkeys(NAMES, story.wanted))
            print(f"{system.disks.faults['full']} writes refused")
            assert system.disks.faults["full"] >= 9
            _nothing_wrong(system, story)


def _nothing_wrong(system: System, story: Story) -> None:
    for name, spoke in system.spokes.items():
        assert set(spoke.deleted) <= story.gone, f"{name}: deleted though never removed from Git"
        spoke.unharmed()
