"""HTTP to one server: whole answers or none, kept connections, streams that wait for their reader."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from agent.cluster import http
from agent.cluster.http import Answer, Broken, Client

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Runs one script for each connection, in turn; the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.connections = 0
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(reader, writer)
        writer.close()

    async def asked(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(x[15:]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        return self.requests[-1]


@contextlib.asynccontextmanager
async def served(server: Server, path: str = "") -> AsyncIterator[Client]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}{path}", None)
    try:
        yield client
    finally:
        await client.close()
        listening.close()


def answering(*answers: bytes, server: list[Server]) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await server[0].asked(reader)
            writer.write(answer)
            await writer.drain()

    return script


async def ask(client: Client, method: str = "GET", body: bytes = b"", seconds: float = 60) -> Answer:
    return await client.request(method, "/api?x=y", {"Accept": "*/*"}, body, seconds=seconds)


async def one(answer: bytes, method: str = "GET") -> Answer:
    """What a client makes of one answer."""
    here: list[Server] = []
    here.append(Server(answering(answer, server=here)))
    async with served(here[0]) as client:
        return await ask(client, method)


async def test_a_connection_is_kept_and_the_path_of_the_server_stays() -> None:
    here: list[Server] = []
    here.append(Server(answering(OK, OK, OK, server=here)))
    async with served(here[0], "/k8s/clusters/c-1") as client:
        for _ in range(3):
            assert (await ask(client, "PATCH", b"{}")).body == b"ok"
    assert here[0].connections == 1
    assert here[0].requests[0].startswith(b"PATCH /k8s/clusters/c-1/api?x=y HTTP/1.1\r\nHost: 127.0.0.1:")
    assert here[0].requests[0].endswith(b"\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
            % (len(gzip.compress(b"x" * 5000)), gzip.compress(b"x" * 5000)),
            b"x" * 5000,
        ),
    ],
    ids=["chunked", "interim", "to the end", "empty", "gzip"],
)
async def test_every_form_of_a_body_comes_whole(answer: bytes, body: bytes) -> None:
    assert (await one(answer)).body == body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * (http.MAX_HEAD + 1) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=[
        "nothing",
        "half a head",
        "short",
        "cut chunks",
        "no HTTP",
        "long head",
        "no gzip",
        "unknown coding",
    ],
)
async def test_what_is_no_whole_answer_is_broken(answer: bytes) -> None:
    with pytest.raises(Broken):
        await one(answer)


async def test_what_unpacks_without_bound_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1000)
    packed = gzip.compress(b"x" * 100_000)
    with pytest.raises(Broken, match="more than is taken"):
        await one(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
            % (len(packed), packed)
        )


@pytest.mark.parametrize(
    ("method", "repeated"), [("GET", True), ("PUT", True), ("POST", False), ("PATCH", False)]
)
async def test_a_kept_connection_that_was_closed_is_made_anew_where_that_repeats_nothing(
    method: str, repeated: bool
) -> None:
    here: list[Server] = []

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(OK, server=here)(reader, writer)
        await here[0].asked(reader)

    here.append(Server(hangs_up, answering(OK, server=here)))
    async with served(here[0]) as client:
        assert (await ask(client)).body == b"ok"
        if repeated:
            assert (await ask(client, method)).body == b"ok"
        else:
            with pytest.raises(Broken):
                await ask(client, method)
    assert here[0].connections == (2 if repeated else 1)


async def test_a_silent_server_costs_its_time_and_its_connection() -> None:
    here: list[Server] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here[0].asked(reader)
        await asyncio.sleep(5)

    here.append(Server(silent, answering(OK, server=here)))
    async with served(here[0]) as client:
        with pytest.raises(TimeoutError):
            await ask(client, seconds=0.1)
        assert (await ask(client)).body == b"ok"
    assert here[0].connections == 2


async def test_nobody_listens() -> None:
    with pytest.raises(Broken, match=r"cannot connect to 127\.0\.0\.1:1:"):
        await ask(Client("http://127.0.0.1:1", None))


async def test_no_header_brings_another() -> None:
    here: list[Server] = []
    here.append(Server(answering(OK, server=here)))
    async with served(here[0]) as client:
        with pytest.raises(Broken):
            await client.request("GET", "/", {"Authorization": "Bearer x\r\nX-Evil: 1"}, seconds=60)
    assert here[0].requests == []


async def test_a_stream_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HELD_BYTES", 64 * 1024)
    here: list[Server] = []
    sent = 0

    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await here[0].asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            writer.write(b"10000\r\n" + b"z" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    here.append(Server(pours))
    async with served(here[0]) as client, client.stream("/watch", {}) as answer:
        assert answer.status == 200
        await asyncio.sleep(0.3)
        assert sent < 32 * 1024 * 1024, "the server was not made to wait"
        got = 0
        while chunk := await answer.chunk():
            got += len(chunk)
        assert got == 1000 * 65536


async def test_a_stream_that_breaks_off_says_so() -> None:
    here: list[Server] = []
    here.append(
        Server(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", server=here))
    )
    async with served(here[0]) as client, client.stream("/watch", {}) as answer:
        assert await answer.chunk() == b"abc"
        with pytest.raises(Broken):
            await answer.chunk()
