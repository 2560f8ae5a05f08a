"""Runs that those who ask at the same time share.

Who asks before a run has begun shares it; who asks while it runs shares the next one, since the running one may have
looked before what he asks about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Turns:
    """One run at a time per key."""

    def __init__(self) -> None:
        self._next: dict[Hashable, asyncio.Task[Any]] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, key: Hashable, body: Callable[[], Awaitable[T]]) -> T:
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._turn(key, body))
            self._next[key] = task
            self._tasks.add(task)
            task.add_done_callback(self._done)
        result: T = await asyncio.shield(task)
        return result

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _turn(self, key: Hashable, body: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._locks.setdefault(key, asyncio.Lock()):
                del self._next[key]
                return await body()
        finally:
            # Who waits for the next turn is still in `_next` here, and needs the lock.
            if key not in self._next:
                self._locks.pop(key, None)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()
