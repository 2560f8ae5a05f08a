"""Answers of hosting services, registries and plugins, without anybody waiting long for the slowest of them.

An answer that comes when nobody waits for it any more is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.core.generators.base import ProviderRequest
from hub.core.types import Answer, Failed
from hub.loops.appsets.asking import Provide
from hub.loops.repos.patience import NO_ANSWER, Patience

PATIENCE = 10.0
"""Seconds for which others wait for an answer."""
LATE_PATIENCE = 0.5
"""The same where the last answer came late."""

_Answer = Answer[Sequence[Mapping[str, Any]]]


class Provided:
    """`tell` is called with answers that came late. For one event loop."""

    def __init__(self, provide: Provide, tell: Callable[[ProviderRequest, _Answer], None]) -> None:
        self._provide = provide
        self._tell = tell
        self._slow: set[ProviderRequest] = set()
        """Requests whose last answer came late."""
        self._patience = Patience[ProviderRequest](self._slow.add, self._ended)

    async def answer(self, request: ProviderRequest) -> _Answer:
        """The answer, or a failure that says that there is none yet. Equal requests at one time are one."""

        async def ask() -> _Answer:
            return await self._provide(request)

        task = self._patience.once(request, ask)
        seconds = LATE_PATIENCE if request in self._slow else PATIENCE
        return task.result() if await self._patience.answers(request, task, seconds) else Failed(NO_ANSWER)

    def forget(self, concerns: Callable[[ProviderRequest], bool]) -> None:
        """What is being asked may have been looked up before something changed: the next who asks does so anew."""
        self._patience.forget(concerns)

    async def close(self) -> None:
        """Waits for nobody any more."""
        await self._patience.close()

    def _ended(self, request: ProviderRequest, task: asyncio.Task[_Answer], late: bool) -> None:
        if not late:
            self._slow.discard(request)
        elif task.exception() is None:
            self._tell(request, task.result())
