"""A TCP relay that counts what passes, in a process of its own: bytes, and the segments that carried them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

from bench.roles import talk

_SEGMENTS = struct.Struct("II")
_SEGMENTS_AT = 136
"""Where `struct tcp_info` of Linux has tcpi_segs_out and tcpi_segs_in."""


async def main(*, port: int) -> None:
    """Relays to 127.0.0.1:port."""
    passed = {"up": 0, "down": 0}
    clients: list[socket.socket] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                passed[way] += len(data)
                sink.write(data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        clients.append(writer.get_extra_info("socket"))
        for task in (copy(reader, back, "up"), copy(there, writer, "down")):
            tasks.add(asyncio.create_task(task))

    async def counts(_: dict[str, Any]) -> dict[str, Any]:
        """Since the start, on the clients' side."""
        return {**passed, "segments": sum(map(_segments, clients)), "connections": len(clients)}

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await talk.answer({"counts": counts}, port=server.sockets[0].getsockname()[1])
    server.close()


def _segments(link: Any) -> int:
    info = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SEGMENTS_AT + _SEGMENTS.size)
    return sum(_SEGMENTS.unpack_from(info, _SEGMENTS_AT))
