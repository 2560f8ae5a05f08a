"""Clients of the API that ask for the same list again and again, each on its own connection."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from bench.figures import percentile
from bench.roles import talk


class Listers:
    """They read their answers and no more: this process shares the cores with the one under test."""

    def __init__(self, server: str, certificate: str, key: str) -> None:
        address = urlsplit(server)
        self._host, self._port = str(address.hostname), int(address.port or 443)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The server is this machine's own; what is measured is its answers.
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._tls.load_cert_chain(certificate, key)

    async def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """`clients` ask for `path` for `seconds`, after one answer each that is not counted."""
        request = (
            f"GET {asked['path']} HTTP/1.1\r\nHost: {self._host}\r\nAccept: {asked['accept']}\r\n\r\n"
        ).encode()
        took: list[float] = []
        sizes: set[int] = set()
        start = asyncio.Event()

        async def one() -> None:
            reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, limit=1 << 22
            )
            await _answer(reader, writer, request)
            ready.release()
            await start.wait()
            until = time.monotonic() + asked["seconds"]
            while (began := time.monotonic()) < until:
                sizes.add(await _answer(reader, writer, request))
                took.append(time.monotonic() - began)
            writer.close()

        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(one()) for _ in range(asked["clients"])]
        for _ in tasks:
            await ready.acquire()
        start.set()
        await asyncio.gather(*tasks)
        return {
            "rate": len(took) / asked["seconds"],
            "p50": percentile(took, 0.5),
            "p99": percentile(took, 0.99),
            "bytes": max(sizes),
        }


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(head.decode("latin-1"))
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    left = length
    while left:
        left -= len(await reader.read(min(left, 1 << 20)))
    return length


async def main(*, server: str, certificate: str, key: str) -> None:
    listers = Listers(server, certificate, key)
    await talk.answer({"ask": listers.ask})
