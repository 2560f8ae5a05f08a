"""A loop that is woken again and again deals with what comes in a burst together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import hubs
import pytest

from argosy import loop
from argosy.loop import Loop


@contextlib.asynccontextmanager
async def driven(every: float = 3600.0) -> AsyncIterator[Loop]:
    """A loop whose every run wakes it."""

    async def body() -> None:
        one.wake.set()

    one = Loop("one", body, every=every)
    task = asyncio.create_task(loop.drive(one))
    try:
        yield one
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_more_than_a_burst_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BURST_SECONDS", 3600.0)
    async with driven() as one:
        await hubs.until(lambda: one.record.runs == loop.BURST, "a burst of runs")
        for _ in range(100):
            await asyncio.sleep(0)
        assert one.record.runs == loop.BURST


async def test_what_came_meanwhile_is_dealt_with_after_it() -> None:
    async with driven() as one:
        await hubs.until(lambda: one.record.runs > 3 * loop.BURST, "more runs than a burst")
