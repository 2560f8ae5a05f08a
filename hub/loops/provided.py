"""Answers of hosting services, registries and plugins, without anybody waiting long for the slowest of them.

Who has not answered after a moment goes on being waited for aside; who asks meanwhile learns that at once, and the
answer is told when it comes.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.core.generators.base import ProviderRequest
from hub.core.types import Answer, Failed
from hub.loops.asking import Provide

PATIENCE = 10.0
"""Seconds for which others wait for an answer."""
LATE_PATIENCE = 0.5
"""The same where the last answer came late."""

_Answer = Answer[Sequence[Mapping[str, Any]]]
_Task = asyncio.Task[_Answer]


class Provided:
    """`tell` is called with answers that came late. For one event loop."""

    def __init__(self, provide: Provide, tell: Callable[[ProviderRequest, _Answer], None]) -> None:
        self._provide = provide
        self._tell = tell
        self._asked: dict[ProviderRequest, _Task] = {}
        self._tasks: set[_Task] = set()
        self._late: set[_Task] = set()
        self._slow: set[ProviderRequest] = set()
        """Requests whose last answer came late."""

    async def answer(self, request: ProviderRequest) -> _Answer:
        """The answer, or a failure that says that there is none yet. Equal requests at one time are one."""
        task = self._asked.get(request) or self._begun(request)
        if task not in self._late:
            await asyncio.wait({task}, timeout=LATE_PATIENCE if request in self._slow else PATIENCE)
        if task.done():
            return task.result()
        self._late.add(task)
        self._slow.add(request)
        return Failed("no answer yet, still waiting for one")

    def forget(self, concerns: Callable[[ProviderRequest], bool]) -> None:
        """What is being asked may have been looked up before something changed: the next who asks does so anew."""
        for request in [request for request in self._asked if concerns(request)]:
            del self._asked[request]

    async def close(self) -> None:
        """Waits for nobody any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begun(self, request: ProviderRequest) -> _Task:
        async def ask() -> _Answer:
            return await self._provide(request)

        task = self._asked[request] = asyncio.create_task(ask())
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, request))
        return task

    def _ended(self, request: ProviderRequest, task: _Task) -> None:
        self._tasks.discard(task)
        late = task in self._late
        self._late.discard(task)
        if self._asked.get(request) is task:
            del self._asked[request]
            if not late:
                self._slow.discard(request)
            elif not task.cancelled() and task.exception() is None:
                self._tell(request, task.result())
