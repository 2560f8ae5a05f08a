"""Looks whether repositories moved: in turn when their time is up, at once when a push or a refresh asks.

A push says "look again" and nothing more, so a forged or repeated one costs one ref listing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argosy.loop import Wake
from hub.loops.repos.trees import Trees

AT_ONCE = 8
"""Listings under way at one time."""


class Poller:
    """`moved` is called once after a run in which any repository moved, failed or came back; `wake` is this loop's."""

    def __init__(self, trees: Trees, moved: Callable[[], None], wake: Wake) -> None:
        self._trees = trees
        self._moved = moved
        self._wake = wake
        self._asked: set[str] = set()
        self._limit = asyncio.Semaphore(AT_ONCE)

    def ask(self, concerns: Callable[[str], bool]) -> int:
        """Asks for a look at the repositories in use whose address it `concerns`; returns their number."""
        found = [repo.url for repo in self._trees.in_use() if concerns(repo.url)]
        self._asked.update(found)
        if found:
            self._wake.set()
        return len(found)

    async def run(self) -> None:
        asked, self._asked = self._asked, set()
        outcomes = await asyncio.gather(*(self._look(url) for url in {*asked, *self._trees.due()}))
        if any(outcomes):
            self._moved()

    async def _look(self, url: str) -> bool:
        async with self._limit:
            before = {repo.url: repo.failed for repo in self._trees.in_use()}.get(url)
            moved = await self._trees.look(url)
            after = {repo.url: repo.failed for repo in self._trees.in_use()}.get(url)
            return moved or before != after
