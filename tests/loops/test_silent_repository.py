"""What counts as read of a repository that leaves some questions without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import hubs
import pytest

from argosy.errors import Unavailable
from hub.core.tree import Tree
from hub.core.types import Complete, Failed, Partial
from hub.loops.repos import trees
from hub.loops.repos.trees import Trees
from hub.store.sqlite import SqliteStore, open_store

URL = "https://git.test/fleet"


class Mirrors:
    """Branches `old` and `new`; listings wait for `lists`, and fetches of what is new for `fetches`."""

    def __init__(self) -> None:
        self.heads = {"HEAD": "a", "old": "a", "new": "a"}
        self.lists, self.fetches = asyncio.Event(), asyncio.Event()
        self.listings = 0
        self.lists.set()

    async def refs(self, url: str) -> Mapping[str, str]:
        self.listings += 1
        found = dict(self.heads)
        await self.lists.wait()
        return found

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        return refs[target]

    async def tree(self, url: str, commit: str) -> Tree:
        if commit != "a":
            await self.fetches.wait()
        return cast(Tree, commit)


@pytest.fixture
def mirrors() -> Mirrors:
    return Mirrors()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = open_store(tmp_path / "hub.db")
    yield made
    await made.close()


@pytest.fixture
async def found(
    store: SqliteStore, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Trees]:
    # Nothing is late but what a test holds back, however busy the machine is.
    monkeypatch.setattr(trees, "PATIENCE", 60.0)
    monkeypatch.setattr(trees, "FAILING_PATIENCE", 60.0)
    made = Trees(mirrors, store)
    yield made
    await made.close()


@contextmanager
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For a while nobody waits long."""
    with monkeypatch.context() as now:
        now.setattr(trees, "PATIENCE", 0.1)
        now.setattr(trees, "FAILING_PATIENCE", 0.1)
        yield


async def test_what_cannot_be_looked_at_again_was_not_read_again(
    found: Trees, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal is confirmed by a second reading."""
    assert await found.tree(URL, "old") == Complete("a", "a")
    mirrors.heads["new"] = "b"
    assert await found.look(URL)
    mirrors.lists.clear()
    with hasty(monkeypatch):
        asked, fetched = await asyncio.gather(found.look(URL), found.tree(URL, "new"))
    assert not asked
    assert isinstance(fetched, Failed)
    mirrors.lists.set()
    (repo,) = found.in_use()
    await hubs.until(lambda: not repo.failed, "the listing came late, the fetch is still under way")
    listings = mirrors.listings
    assert not await found.look(URL)
    assert mirrors.listings == listings
    assert isinstance(await found.tree(URL, "old"), Partial)
    mirrors.fetches.set()
    await hubs.until(lambda: found.due() == [URL], "the end of the silence is a reason to look")
    await found.look(URL)
    assert await found.tree(URL, "old") == Complete("a", "a")
    assert await found.tree(URL, "new") == Complete("b", "b")


async def test_a_question_is_asked_once_however_many_wait(
    found: Trees, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.lists.clear()
    with hasty(monkeypatch):
        answers = await asyncio.gather(*(found.tree(URL, "old") for _ in range(20)))
    assert all(isinstance(one, Failed) for one in answers)
    for _ in range(5):
        assert isinstance(await found.tree(URL, "old"), Failed)
    assert mirrors.listings == 1
    mirrors.lists.set()
    (repo,) = found.in_use()
    await hubs.until(lambda: repo.refs, "the late answer")
    assert await found.tree(URL, "old") == Complete("a", "a")


async def test_a_store_that_fails_is_not_taken_for_a_slow_repository(
    found: Trees, mirrors: Mirrors, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await found.tree(URL, "old") == Complete("a", "a")
    mirrors.heads["new"] = "b"

    async def full(job: object) -> None:
        raise Unavailable("store: database or disk is full")

    with monkeypatch.context() as failing:
        failing.setattr(store, "write", full)
        with pytest.raises(Unavailable, match="disk is full"):
            await found.look(URL)
    assert await found.look(URL), "the change is still news"
