"""What anybody may send before he has said who he is costs the hub little memory and no connection for long."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hubapi import Client, RunningApi

from hub.api import server

MIB = 1024 * 1024
PATIENCE = 60.0


@contextlib.contextmanager
def connected(api: RunningApi) -> Iterator[ssl.SSLSocket]:
    place = urlsplit(api.url)
    context = ssl.create_default_context(cafile=str(api.ca))
    with (
        socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=place.hostname) as found,
    ):
        yield found


def sent(connection: ssl.SSLSocket, begin: bytes, more: bytes) -> int:
    """How many bytes are taken of a beginning and then more and more, 64 MiB at most."""
    connection.sendall(begin)
    for number in range(64 * MIB // len(more)):
        try:
            connection.sendall(more)
        except OSError:
            return number * len(more)
    return 64 * MIB


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /version HTTP/1.1\r\nhost: x\r\n", b"x-more: " + b"y" * 4000 + b"\r\n"),
        (b"GET /version HTTP/1.1\r\nhost: x\r\nx-more: ", b"y" * 4000),
        (b"GET /version?", b"y" * 4000),
        (
            b"POST /version HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            b"x-more: " + b"y" * 4000 + b"\r\n",
        ),
    ],
    ids=["headers", "header", "path", "trailers"],
)
def test_a_head_without_an_end_is_not_kept(api: RunningApi, begin: bytes, more: bytes) -> None:
    with connected(api) as connection:
        assert sent(connection, begin, more) < 32 * MIB
    with Client(api, "") as nobody:
        assert nobody.send("GET", "/version").status == 200


@pytest.mark.parametrize("begin", [b"", b"GET /version HTTP/1.1\r\nhost: x\r\n"], ids=["silent", "slow"])
def test_who_does_not_say_what_he_wants_is_not_waited_for(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    with connected(api) as connection, contextlib.suppress(ConnectionError, ssl.SSLError):
        connection.sendall(begin)
        assert connection.recv(1) == b""


def test_a_long_head_and_a_second_request_are_served(api: RunningApi) -> None:
    head = b"GET /version HTTP/1.1\r\nhost: x\r\nx-more: " + b"y" * 60_000 + b"\r\n\r\n"
    with connected(api) as connection:
        for _ in range(10):
            connection.sendall(head)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
