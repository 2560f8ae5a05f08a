"""A bad line between an agent and its hub: faults for tests, each of them counted.

`Proxy` sits in the path as TCP and cuts, delays or swallows. `Shuffler` wraps a gRPC channel and drops,
doubles and reorders single messages of the stream, which TCP below TLS cannot do without breaking it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

import grpc


class Proxy:
    """A TCP proxy on 127.0.0.1. Set its attributes at any time; `faults` counts what it did.

    `delay` seconds are added to each chunk, `blackhole` swallows everything and answers nothing, `refuse`
    closes new connections at once, `cut_after` ends each connection after so many bytes to the client (0:
    never).
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay = 0.0
        self.blackhole = False
        self.refuse = False
        self.cut_after = 0
        self.faults: Counter[str] = Counter()
        self.bytes_up = 0
        self.bytes_down = 0
        self.connections = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def retarget(self, target: tuple[str, int]) -> None:
        """New connections go elsewhere: the hub came back on another port."""
        self._target = target

    def cut(self) -> int:
        """Resets every open connection; returns how many."""
        cut = sum(1 for writer in self._writers if not writer.is_closing()) // 2
        self.faults["cut"] += cut
        self._abort()
        return cut

    def _abort(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.refuse:
                self.faults["refuse"] += 1
                writer.transport.abort()
                return
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            except OSError:
                writer.transport.abort()
                return
            self.connections += 1
            self._writers |= {writer, far_writer}
            try:
                await asyncio.gather(
                    self._pump(reader, far_writer, down=False), self._pump(far_reader, writer, down=True)
                )
            finally:
                self._writers -= {writer, far_writer}
                writer.transport.abort()
                far_writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if self.delay:
                    self.faults["delay"] += 1
                    await asyncio.sleep(self.delay)
                if self.blackhole:
                    self.faults["blackhole"] += 1
                    continue
                passed += len(chunk)
                if down:
                    self.bytes_down += len(chunk)
                else:
                    self.bytes_up += len(chunk)
                if down and 0 < self.cut_after < passed:
                    self.faults["cut"] += 1
                    break
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()


class Shuffler:
    """Wraps a channel so that messages of `Connect` get lost, come twice or change places, by a seeded
    chance.

    The first message in each direction stays: without Hello and Welcome there is no stream. `quiet` stops
    the faults.
    """

    def __init__(self, seed: int, *, drop: float = 0.1, double: float = 0.1, swap: float = 0.1) -> None:
        self._random = random.Random(seed)
        self._drop, self._double, self._swap = drop, double, swap
        self.quiet = False
        self.faults: Counter[str] = Counter()

    def channel(self, inner: grpc.aio.Channel) -> Any:
        return _ShuffledChannel(inner, self)

    def fate(self, message: Any, waiting: list[Any]) -> list[Any]:
        """What goes on instead of this message; `waiting` keeps what is held back until the next one."""
        held = waiting[:]
        waiting.clear()
        if self.quiet:
            return [*held, message]
        roll = self._random.random()
        if roll < self._drop:
            self.faults["drop"] += 1
            return held
        if roll < self._drop + self._double:
            self.faults["double"] += 1
            return [*held, message, message]
        if roll < self._drop + self._double + self._swap:
            self.faults["swap"] += 1
            waiting.append(message)
            return held
        return [message, *held]


class _ShuffledChannel:
    def __init__(self, inner: grpc.aio.Channel, shuffler: Shuffler) -> None:
        self._inner = inner
        self._shuffler = shuffler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def stream_stream(self, *args: Any, **more: Any) -> Any:
        inner = self._inner.stream_stream(*args, **more)
        return lambda *a, **m: _ShuffledCall(inner(*a, **m), self._shuffler)


class _ShuffledCall:
    def __init__(self, inner: Any, shuffler: Shuffler) -> None:
        self._inner = inner
        self._shuffler = shuffler
        self._ready: list[Any] = []
        self._held_in: list[Any] = []
        self._held_out: list[Any] = []
        self._greeted = self._welcomed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, message: Any) -> None:
        going = [message] if not self._greeted else self._shuffler.fate(message, self._held_out)
        self._greeted = True
        for one in going:
            await self._inner.write(one)

    async def read(self) -> Any:
        while not self._ready:
            message = await self._inner.read()
            if message is grpc.aio.EOF or not self._welcomed:
                self._welcomed = True
                return message
            self._ready = self._shuffler.fate(message, self._held_in)
        return self._ready.pop(0)
