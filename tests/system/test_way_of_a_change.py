"""One commit through the whole product, and what it cost: only what it touches is fetched, rendered, sent and written."""

from __future__ import annotations

from pathlib import Path

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System, merged

from hub.core.served import table
from hub.store import desired

NAMES = ("one", "two", "three")
FIRST = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}


async def generations(system: System) -> dict[str, int]:
    found = {}
    for name, spoke in system.spokes.items():
        head = await system.hub.store.read(lambda tx, uid=spoke.uid: desired.head(tx, uid))  # type: ignore[misc]
        found[name] = head.generation
    return found


async def test_a_commit_changes_exactly_what_it_says_and_costs_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in NAMES:
                await system.join(name)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({name: merged(FIRST) for name in NAMES})
            assert system.hub.mirrors.counters.fetches == 1
            assert system.hub.renderer.rendered == 6, "each application once: its objects carry its name"

            await _second_commit(system, repo)
            await _a_commit_without_a_difference(system, repo)


async def _second_commit(system: System, repo: Repo) -> None:
    """One value changes, one file goes."""
    await hubs.settled(system.hub)
    before = {name: system.spokes[name].versions() for name in NAMES}
    generation, rendered = await generations(system), system.hub.renderer.rendered
    second = {"web": {"web-a": "2"}, "queue": {"queue-a": "1"}}
    spokes.commit(repo, second)
    system.pull()
    await system.settles({name: merged(second) for name in NAMES})
    await hubs.settled(system.hub)
    for name in NAMES:
        now = system.spokes[name].versions()
        assert set(before[name]) - set(now) == {"web-b"}, "exactly the removed file's object went"
        assert now["queue-a"] == before[name]["queue-a"], "the other application's object was not written"
        assert now["web-a"][0] == before[name]["web-a"][0], "a changed object is not replaced"
    assert system.hub.mirrors.counters.fetches == 2
    assert system.hub.renderer.rendered - rendered == 3, "one folder on three clusters"
    now_at = await generations(system)
    # One for the change with its removal, one when the removal is done.
    assert {name: now_at[name] - generation[name] for name in NAMES} == dict.fromkeys(NAMES, 2)
    for spoke in system.spokes.values():
        assert spoke.program is not None
        assert spoke.program.applier is not None
        assert spoke.program.applier.count.fetched == 3, "two bundles at first, and the changed one"


async def _a_commit_without_a_difference(system: System, repo: Repo) -> None:
    """Another file in the repository, another commit: nobody's set gets a new generation, no object is written."""
    before = {name: system.spokes[name].versions() for name in NAMES}
    generation, rendered = await generations(system), system.hub.renderer.rendered
    passes = {name: _passes(system, name) for name in NAMES}
    repo.commit({"README.md": "what this is\n"})
    system.pull()
    await hubs.settled(system.hub)
    await hubs.settled(system.hub)
    assert system.hub.mirrors.counters.fetches == 3
    assert system.hub.renderer.rendered == rendered
    assert await generations(system) == generation
    assert {name: system.spokes[name].versions() for name in NAMES} == before
    assert {name: _passes(system, name) for name in NAMES} == passes, "no agent had anything to do"


def _passes(system: System, name: str) -> int:
    program = system.spokes[name].program
    assert program is not None
    assert program.applier is not None
    return program.applier.count.passes
