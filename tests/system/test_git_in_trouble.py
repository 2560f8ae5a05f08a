"""Git refuses, truncates, answers nonsense or not at all, at every request of an evaluation: nothing is removed by it.

The commit behind the trouble takes a whole folder away, so a removal is what any carelessness would lead to.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import hubs
import pytest
import spokes
from githttp import Fault
from hubs import Repo
from spokes import System, merged

from hub.core.served import table

NAMES = ("one", "two")
APPS = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}
FEWER = {"queue": {"queue-a": "last"}}
FAULTS = tuple(Fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_nothing_is_removed_while_git_fails_at_any_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """In turn from the listing on that would confirm the removal, from the first request on, and from a fetch on.

    A listing is one request, a fetch three.
    """
    async with _fleet(tmp_path, monkeypatch) as (system, repo):
        injected = 0
        for number, after in enumerate((4, 0, 1)):
            if after:
                spokes.commit(repo, {"queue": {"queue-a": FEWER["queue"]["queue-a"] if number else "other"}})
            before = repo.server.injected
            repo.server.fail(fault, after=after)
            system.pull()
            await hubs.settled(system.hub)
            await hubs.settled(system.hub)
            await hubs.until(
                lambda before=before: repo.server.injected > before, f"a {fault.name} after {after} requests"
            )
            await hubs.settled(system.hub)
            injected = repo.server.injected
            await _nothing_removed(system)
        print(f"{fault.name}: {injected} faults")
        assert injected >= 3
        # No further commit: the one that could not be fetched must not need another to be noticed.
        repo.server.heal()
        system.pull()
        await system.settles(dict.fromkeys(NAMES, merged(FEWER)))
        for spoke in system.spokes.values():
            assert sorted(spoke.deleted) == ["web-a", "web-b"], "exactly what Git no longer has went"


@pytest.mark.parametrize("seed", [1])
async def test_git_in_trouble_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _again_and_again(tmp_path, monkeypatch, seed, rounds=12)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(100, 104))
async def test_git_in_trouble_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await _again_and_again(tmp_path, monkeypatch, seed, rounds=200)


async def _again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, rounds: int
) -> None:
    """Each round a commit without the web folder that is only seen through faults, and is taken back before Git heals."""
    print(f"seed {seed}, {rounds} rounds")
    roll = random.Random(seed)
    async with _fleet(tmp_path, monkeypatch) as (system, repo):
        versions = {name: system.spokes[name].versions() for name in NAMES}
        for number in range(rounds):
            fewer = {"queue": {"queue-a": "1"}}
            spokes.commit(repo, fewer)
            fault = FAULTS[number % len(FAULTS)]
            repo.server.fail(fault, after=roll.choice((0, 0, 1, 2, 3, 4)))
            system.pull()
            await hubs.settled(system.hub)
            await _nothing_removed(system)
            spokes.commit(repo, APPS)
            repo.server.heal()
            system.pull()
            await hubs.settled(system.hub)
        await system.settles(dict.fromkeys(NAMES, merged(APPS)))
        await _nothing_removed(system)
        assert {name: system.spokes[name].versions() for name in NAMES} == versions, "no object was written"
        print(f"{repo.server.injected} faults")
        assert repo.server.injected >= rounds


@contextlib.asynccontextmanager
async def _fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[System, Repo]]:
    """Two clusters that run both apps, with a hub whose patience with Git is short."""
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch, git_list=1.0, git_fetch=1.0) as system:
            for name in NAMES:
                await system.join(name)
            appset = hubs.appset(repo, removal_cap="100%")
            await hubs.add(system.hub, table.APPLICATION_SET, appset)
            await system.settles(dict.fromkeys(NAMES, merged(APPS)))
            yield system, repo


async def _nothing_removed(system: System) -> None:
    assert await system.removals() == 0, "no removal was written"
    assert len(await hubs.apps(system.hub)) == len(NAMES) * len(APPS), "no application went"
    for spoke in system.spokes.values():
        assert spoke.deleted == []
        assert set(spoke.ours()) == set(merged(APPS))
