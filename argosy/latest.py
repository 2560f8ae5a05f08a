"""One current value and a wake-up when it changes: what stands between two loops instead of a queue."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds the newest value only; a slow reader skips what lay between. For one event loop, not for threads."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def value(self) -> T:
        return self._value

    @property
    def version(self) -> int:
        """Grows by one with every `set`."""
        return self._version

    def set(self, value: T) -> None:
        self._value = value
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, version: int) -> tuple[T, int]:
        """Waits until something newer than `version` is there; returns (value, its version)."""
        while self._version <= version:
            await self._changed.wait()
        return self._value, self._version
