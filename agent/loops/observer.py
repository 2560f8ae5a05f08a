"""From what the cluster's watches see to who looks at it: a burst of changes of one app is one wake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SETTLE = 0.03
"""Seconds that changes of one app are gathered: a controller writes a rollout's objects in bursts."""


class Observer:
    """Give `changed` to the syncer; `wake` is called on the event loop, once for each burst."""

    def __init__(self, *, settle: float = SETTLE) -> None:
        self._settle = settle
        self._waiting: set[str] = set()
        self.wake: Callable[[str], None] = lambda _: None

    def changed(self, assignment: str) -> None:
        if assignment not in self._waiting:
            self._waiting.add(assignment)
            asyncio.get_running_loop().call_later(self._settle, self._go, assignment)

    def _go(self, assignment: str) -> None:
        self._waiting.discard(assignment)
        self.wake(assignment)
