"""HTTP/1.1 to one API server: kept connections, answers that come whole and answers that stream.

An agent says little and keeps to one server, so it needs little: a general client costs it 9 MB and four times the CPU of
each request (bench B11). The bytes are taken apart by llhttp (`httptools`), Node's parser; here is what is around it:
connections, deadlines, bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS = 10.0
KEPT_SECONDS = 60.0
"""How long an idle connection is kept."""
MAX_HEAD = 256 * 1024
MAX_BODY = 512 * 1024 * 1024
"""Of an answer that comes whole, unpacked."""
HELD_BYTES = 1024 * 1024
"""What waits of a stream before the server is made to wait."""
_REPEATABLE = frozenset(("GET", "PUT", "DELETE"))
"""Methods that are asked again where a kept connection turns out to be closed."""


class Broken(Exception):
    """The server could not be reached, or the connection broke off; `str` says how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. Names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._news = asyncio.Event()
        self._ended = ""
        self.used = time.monotonic()
        self._begin()

    # --- one exchange

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self._head = 0
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._complete = False
        self._stays = False
        self.heard = False
        """Whether anything came in answer."""

    def send(self, request: bytes) -> None:
        """Begins an exchange."""
        self._begin()
        if self._transport is None or self._ended:
            raise Broken(self._ended or "the connection is closed")
        self._transport.write(request)

    async def head(self) -> None:
        """Waits for status and headers."""
        while not self.status and not self._complete:
            await self._more()

    async def body(self) -> bytes:
        """Waits for the rest of the answer."""
        while not self._complete:
            if self._held > MAX_BODY:
                raise Broken(f"an answer of more than {MAX_BODY} bytes")
            self._flow()
            await self._more()
        return b"".join(self._parts)

    async def chunk(self) -> bytes:
        """What has come of the answer since; b"" at its end."""
        while not self._parts:
            if self._complete:
                return b""
            self._flow()
            await self._more()
        found = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._flow()
        return found

    async def _more(self) -> None:
        if self._ended:
            raise Broken(self._ended)
        self._news.clear()
        await self._news.wait()

    def _flow(self) -> None:
        if self._transport is not None and not self._ended:
            self._transport.resume_reading()

    @property
    def reusable(self) -> bool:
        return self._complete and not self._ended and self._stays

    @property
    def open(self) -> bool:
        return not self._ended and time.monotonic() - self.used < KEPT_SECONDS

    def close(self) -> None:
        self._end("the connection was closed")
        if self._transport is not None:
            self._transport.abort()

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._news.set()

    # --- what asyncio and the parser tell

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        told = self.headers.keys() & {"content-length", "transfer-encoding"}
        if self.status and not told and error is None:
            # An answer that says nothing of its length ends with the connection.
            self._complete = True
        self._end(str(error) if error else "the server closed the connection")

    def data_received(self, data: bytes) -> None:
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"no HTTP: {error}")
            self.close()
            return
        if self._held > HELD_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._news.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD:
            raise ValueError(f"headers of more than {MAX_HEAD} bytes")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._held += len(data)

    def on_message_complete(self) -> None:
        if self.status:
            self._complete = True
            self._stays = bool(self._parser.should_keep_alive())
        else:
            # An interim answer (1xx); the one that counts follows.
            self.headers.clear()


@dataclass
class Client:
    """One server, `server` as `https://host[:port][/path]`. Use from one event loop; `close` when done."""

    server: str
    tls: ssl.SSLContext | None
    _idle: list[Connection] = field(default_factory=list)
    _streams: set[Connection] = field(default_factory=set)

    def __post_init__(self) -> None:
        parts = urlsplit(self.server)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._netloc = parts.netloc.rpartition("@")[2]

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, seconds: float
    ) -> Answer:
        """The whole answer. Raises `Broken`, `TimeoutError`."""
        raw = self._written(method, target, {"Accept-Encoding": "gzip", **headers}, body)
        async with asyncio.timeout(seconds):
            while True:
                kept = self._kept()
                connection = kept or await self._connected()
                try:
                    connection.send(raw)
                    await connection.head()
                    found = await connection.body()
                except Broken:
                    connection.close()
                    # The server may have closed a kept connection the moment it was taken up again.
                    if kept is None or kept.heard or method not in _REPEATABLE:
                        raise
                    continue
                except BaseException:
                    connection.close()
                    raise
                answer = Answer(connection.status, connection.headers, _unpacked(connection.headers, found))
                self._put_back(connection)
                return answer

    @contextlib.asynccontextmanager
    async def stream(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[Connection]:
        """An answer as it comes, on a connection of its own: `head` has come, `chunk` is next. Raises as `request`."""
        connection = await self._connected()
        self._streams.add(connection)
        try:
            connection.send(self._written("GET", target, {"Accept-Encoding": "identity", **headers}, b""))
            async with asyncio.timeout(CONNECT_SECONDS * 6):
                await connection.head()
            yield connection
        finally:
            self._streams.discard(connection)
            connection.close()

    async def close(self) -> None:
        for connection in (*self._idle, *self._streams):
            connection.close()
        self._idle.clear()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
            connection.close()
        return None

    def _put_back(self, connection: Connection) -> None:
        if not connection.reusable:
            connection.close()
            return
        connection.used = time.monotonic()
        self._idle.append(connection)
        if not self._idle[0].open:
            self._idle.pop(0).close()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    Connection,
                    self._host,
                    self._port,
                    ssl=self.tls,
                    server_hostname=self._host if self.tls else None,
                )
        except TimeoutError:
            raise Broken(f"{self._netloc} does not answer within {CONNECT_SECONDS:g} s") from None
        except (OSError, ssl.SSLError, ValueError) as error:
            raise Broken(f"cannot connect to {self._netloc}: {error or type(error).__name__}") from None
        return connection

    def _written(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {self._prefix}{target} HTTP/1.1", f"Host: {self._netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise Broken("a header with a line feed")
        return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape") + body


def _unpacked(headers: Mapping[str, str], body: bytes) -> bytes:
    coding = headers.get("content-encoding", "identity").lower()
    if coding == "identity" or not body:
        return body
    if coding != "gzip":
        raise Broken(f"an answer under {coding}, which was not asked for")
    tool = zlib.decompressobj(wbits=31)
    try:
        found = tool.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise Broken(f"an answer that cannot be unpacked: {error}") from None
    if not tool.eof:
        raise Broken("an answer that is cut, or unpacks to more than is taken")
    return found
