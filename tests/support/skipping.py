"""An event loop whose clock jumps to the next timer where there is nothing to do: hours of waiting cost no time, timers
of one moment fall due in one turn, and what threads are asked for is done at once, in the order of asking.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import selectors
from collections.abc import Callable
from typing import Any


class _AtOnce(concurrent.futures.ThreadPoolExecutor):
    """No thread at all: the work is done before `submit` returns."""

    def submit(
        self, job: Callable[..., Any], /, *args: Any, **options: Any
    ) -> concurrent.futures.Future[Any]:
        done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            done.set_result(job(*args, **options))
        except Exception as error:
            done.set_exception(error)
        return done


class _Jumping(selectors.DefaultSelector):
    """Waits for no timer: tells how long it was to."""

    skip: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Without any timer it is the end of the loop's executor that is waited for, which a thread tells.
        found = super().select(0 if timeout is not None else 60)
        if not found and timeout is None:
            raise RuntimeError("nothing is left to happen, and somebody waits")
        if not found and timeout:
            self.skip(timeout)
        return found


class SkippingLoop(asyncio.SelectorEventLoop):
    """Begins at second 0. Only timers make its time go on."""

    def __init__(self) -> None:
        self._seconds = 0.0
        selector = _Jumping()
        selector.skip = self._skip
        super().__init__(selector)
        self.set_default_executor(_AtOnce())

    def time(self) -> float:
        return self._seconds

    def _skip(self, seconds: float) -> None:
        self._seconds += seconds
