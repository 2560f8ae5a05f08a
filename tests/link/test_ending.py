"""An agent that is told to end ends, whatever its line does at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import linkbed
import pytest
from linkbed import Hub, Spoke, until

from agent.link import channels

BROKEN = grpc.aio.InternalError('Failed "execute_batch"')
"""What gRPC raises for a half-close on a line that just broke."""
REMOVED = grpc.aio.AioRpcError(
    grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "Stream removed"
)


class Line:
    """Channels whose stream has some of its methods replaced, while `bad`."""

    def __init__(self, **faults: Callable[[], Awaitable[Any]]) -> None:
        self._faults = faults
        self.bad = True
        self.hits = 0

    def dial(self, own: Any, key: bytes) -> Any:
        return _Channel(channels.mutual(own, key), self)

    def of(self, call: Any, name: str) -> Any:
        if not self.bad or name not in self._faults:
            return getattr(call, name)

        async def fault(*_: Any) -> Any:
            self.hits += 1
            return await self._faults[name]()

        return fault


class _Channel:
    def __init__(self, inner: grpc.aio.Channel, line: Line) -> None:
        self._inner = inner
        self._line = line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def stream_stream(self, *args: Any, **more: Any) -> Any:
        inner = self._inner.stream_stream(*args, **more)
        return lambda *a, **m: _Call(inner(*a, **m), self._line)


class _Call:
    def __init__(self, inner: Any, line: Line) -> None:
        self._inner = inner
        self._line = line

    def __getattr__(self, name: str) -> Any:
        return self._line.of(self._inner, name)


async def ends(spoke: Spoke, line: Line) -> None:
    """Tells the link to end, once, and fails where it tries again instead."""
    task, link = spoke.task, spoke.link
    assert task is not None
    assert link is not None
    before = link.state.attempts
    task.cancel()
    try:
        await until(lambda: task.done() or link.state.attempts != before, "its end")
        assert line.hits == 1
        assert task.cancelled(), f"tries again: {link.state}"
    finally:
        line.bad = False
        await spoke.stop()


@pytest.mark.parametrize("error", [BROKEN, REMOVED, asyncio.InvalidStateError("RPC already finished.")])
async def test_a_goodbye_that_fails_keeps_no_agent_from_ending(
    hub: Hub, tmp_path: Path, error: Exception
) -> None:
    async def fails() -> None:
        raise error

    line = Line(done_writing=fails)
    async with linkbed.joined(hub, tmp_path) as spoke:
        await spoke.stop()
        await spoke.start(dial=line.dial)
        await until(lambda: spoke.connected, "connected")
        await ends(spoke, line)


async def test_a_stream_that_breaks_while_it_is_given_up_is_not_tried_again(hub: Hub, tmp_path: Path) -> None:
    line = Line(read=_status_for_cancellation)
    async with linkbed.joined(hub, tmp_path) as spoke:
        await spoke.stop()
        await spoke.start(dial=line.dial)
        await until(lambda: line.hits == 1, "waits for the Welcome")
        await ends(spoke, line)


async def test_a_call_that_fails_while_it_is_given_up_is_cancelled() -> None:
    waits = asyncio.Event()

    async def call() -> None:
        with channels.translated():
            waits.set()
            await _status_for_cancellation()

    task = asyncio.create_task(call())
    await waits.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def _status_for_cancellation() -> None:
    """A call that ends by itself at the moment of its cancellation: gRPC raises its status."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise REMOVED from None
