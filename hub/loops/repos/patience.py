"""Waiting for others, and not long: who has not answered after a moment goes on being waited for aside.

So nobody waits for another's repository or hosting service; whoever asks meanwhile learns at once that there is no
answer yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

NO_ANSWER = "no answer yet, still waiting for one"

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Patience(Generic[K]):
    """Questions under way, each about something. For one event loop.

    `late` is called when somebody first gives up waiting for an answer, and `ended` with the task when a question ends by
    itself, with True where somebody had given up; both with what the question is about.
    """

    def __init__(
        self, late: Callable[[K], None], ended: Callable[[K, asyncio.Task[Any], bool], None]
    ) -> None:
        self._tell_late = late
        self._tell_ended = ended
        self._once: dict[K, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._late: dict[asyncio.Task[Any], K] = {}
        self._forgotten: set[asyncio.Task[Any]] = set()

    def ask(self, about: K, question: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A question that is begun now."""
        task = asyncio.create_task(question)
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(about, task))
        return task

    def once(self, about: K, ask: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The question about this that is under way, else a new one: however many want to know, it is asked once."""
        task = self._once.get(about)
        if task is None:
            task = self._once[about] = self.ask(about, ask())
        return task

    async def answers(self, about: K, task: asyncio.Task[Any], seconds: float) -> bool:
        """Whether there is an answer within this time. For what somebody gave up already, nobody waits at all."""
        if not task.done() and task not in self._late:
            await asyncio.wait({task}, timeout=seconds)
        if not task.done() and task not in self._late:
            self._late[task] = about
            self._tell_late(about)
        return task.done()

    def waits(self, concerns: Callable[[K], bool]) -> bool:
        """Whether the answer to a question that it `concerns` is waited for aside."""
        return any(map(concerns, self._late.values()))

    def forget(self, concerns: Callable[[K], bool]) -> None:
        """Who asks next asks anew, and what is answered meanwhile is told to nobody but those who wait."""
        for about in [about for about in self._once if concerns(about)]:
            self._forgotten.add(self._once.pop(about))

    async def close(self) -> None:
        """Waits for nobody any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, about: K, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        late = self._late.pop(task, None) is not None
        if self._once.get(about) is task:
            del self._once[about]
        if task in self._forgotten:
            self._forgotten.discard(task)
        elif not task.cancelled():
            self._tell_ended(about, task, late)
