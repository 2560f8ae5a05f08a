"""The agent's health over HTTP: `/livez` and `/healthz` say that it runs, `/readyz` that its hub knows it,
`/status` what it is at.

Plain text and JSON, read only, no credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import orjson

from argosy import tls
from argosy.errors import Unavailable

REQUEST_SECONDS = 5.0
MAX_REQUEST = 8192


async def probe(address: str, status: Callable[[], dict[str, Any]]) -> None:
    """Serves at HOST:PORT until cancelled. `status()` has "ready" and whatever else is worth showing.

    Raises `Unavailable` where the address cannot be had.
    """
    host, port = tls.split_address(address)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(request.split(b"\r\n", 1)[0].decode("latin-1"), status()))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(serve, host, port, limit=MAX_REQUEST)
    except OSError as error:
        raise Unavailable(f"{address}: cannot listen there: {error.strerror}") from None
    async with server:
        await server.serve_forever()


def _answer(line: str, status: dict[str, Any]) -> bytes:
    path = line.split(" ")[1].partition("?")[0] if line.startswith("GET ") else ""
    ready = bool(status.get("ready"))
    if path == "/status":
        return _response(200, "application/json", orjson.dumps(status, option=orjson.OPT_INDENT_2))
    if path in ("/livez", "/healthz"):
        return _response(200, "text/plain", b"ok")
    if path == "/readyz":
        return (
            _response(200, "text/plain", b"ok") if ready else _response(503, "text/plain", b"not connected")
        )
    return _response(404, "text/plain", b"not found")


def _response(code: int, kind: str, body: bytes) -> bytes:
    reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[code]
    head = f"HTTP/1.1 {code} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
