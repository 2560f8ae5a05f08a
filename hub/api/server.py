"""The API on a socket: uvicorn inside the hub's own event loop, TLS with optional client certificates.

Whoever serves decides when it ends: signals are the hub's, not uvicorn's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argosy.errors import Unavailable
from hub.api.app import Api
from hub.api.auth import PEER

STOP_SECONDS = 3.0
"""How long requests in flight, and clients that do not close their side, may take after `stop`."""
BACKLOG = 1024
KEEP_ALIVE_SECONDS = 75
HEAD_SECONDS = 30.0
"""How long a client may take for the head of a request, from its first byte or the connection's begin on."""
MAX_HEAD = 256 * 1024
"""Bytes of a request's head, and of trailers: more than the longest token and the most groups take."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Config:
    """Where and how to listen. `port` 0 takes a free one. `client_ca` holds the CA that signs users'
    certificates.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None


class _Protocol(HttpToolsProtocol):
    """Tells the application who is at the other end of the connection, and bounds what nobody has asked for yet: the
    parser itself would keep any amount of headers, and wait for them for ever.
    """

    peer: dict[str, Any] | None = None
    _loose = 0
    """Bytes that are neither a whole head nor part of a body so far."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.peer = tls.getpeercert() if tls is not None else None
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waited()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)
        if self._loose > MAX_HEAD and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["extensions"] = {PEER: self.peer or {}}
        self._wait(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._loose = 0
        self._waited()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._loose = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            # What is left of a body that nobody reads counts as silence.
            self._wait(KEEP_ALIVE_SECONDS + HEAD_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._waited()
        self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _waited(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Uvicorn(uvicorn.Server):
    """Without uvicorn's own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """A serving API. Made by `serve`."""

    def __init__(
        self, api: Api, uvicorn_server: uvicorn.Server, listener: socket.socket, *, secure: bool
    ) -> None:
        self._api = api
        self._uvicorn = uvicorn_server
        self._task = asyncio.create_task(uvicorn_server.serve([listener]), name="api")
        host, port = listener.getsockname()[:2]
        self.host: str = host
        self.port: int = port
        self.url = f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    async def started(self) -> None:
        """Waits until connections are taken. Raises `Unavailable` where that failed."""
        while not self._uvicorn.started:
            if self._task.done():
                raise Unavailable("the API could not start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Ends watches, lets requests in flight finish, closes."""
        await self._api.stop()
        self._uvicorn.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self) -> None:
        """Waits until the server has ended, for whatever reason."""
        await asyncio.wait((self._task,))


def tls_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS of the API: users may show a certificate of the CA and need not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def serve(api: Api, config: Config) -> Server:
    """Starts the API and its server; returns once connections are taken. Raises `Unavailable` where the port
    is taken.
    """
    await api.start()
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Said to be TCP: asyncio turns off Nagle's algorithm only then, and with it 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        await api.stop()
        raise Unavailable(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from None
    settings = uvicorn.Config(
        api.asgi,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="critical",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(STOP_SECONDS),
        h11_max_incomplete_event_size=None,
    )
    secure = config.certificate is not None and config.key is not None
    settings.load()
    if secure:
        assert config.certificate is not None
        assert config.key is not None
        settings.ssl = tls_context(config.certificate, config.key, config.client_ca)
    server = Server(api, _Uvicorn(settings), listener, secure=secure)
    await server.started()
    return server
