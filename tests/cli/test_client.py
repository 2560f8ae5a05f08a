"""The command's client against a server that misbehaves: what the real hub does only on its worst days."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from argosy.errors import ArgosyError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from hub.cli import follow
from hub.cli.client import Client
from hub.cli.errors import Late
from hub.cli.follow import Selection
from hub.cli.kubeconfig import Access

Answer = Callable[["Handler", dict[str, str]], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Answer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        type(self).answer(self, {"path": url.path, **query})

    def json(self, value: Any, status: int = 200) -> None:
        data = orjson.dumps(value)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, *events: Any) -> None:
        """A watch of these events that the server then ends."""
        self.send_response(200)
        self.end_headers()
        for event in events:
            self.wfile.write(orjson.dumps(event) + b"\n")
        self.close_connection = True


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Access]]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answer: Answer) -> Access:
        handler = type("One", (Handler,), {"answer": staticmethod(answer)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return Access(f"http://127.0.0.1:{server.server_address[1]}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Serve = Callable[[Answer], Access]


def item(uid: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid}, **more}


def test_lists_are_read_page_by_page(serve: Serve) -> None:
    def answer(handler: Handler, asked: dict[str, str]) -> None:
        assert asked["limit"] == "500"
        at = int(asked.get("continue", "0"))
        metadata = {"continue": str(at + 1)} if at < 2 else {}
        handler.json({"metadata": metadata, "items": [item(str(at))]})

    assert [found["metadata"]["uid"] for found in Client(serve(answer)).items("/x")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (422, Invalid),
        (503, Unavailable),
    ],
)
def test_a_status_becomes_our_error_with_its_message(
    serve: Serve, status: int, kind: type[ArgosyError]
) -> None:
    access = serve(lambda handler, asked: handler.json({"kind": "Status", "message": "because"}, status))
    with pytest.raises(kind, match="because"):
        Client(access).get("/x")


def test_a_proxys_page_is_no_answer(serve: Serve) -> None:
    def answer(handler: Handler, asked: dict[str, str]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    with pytest.raises(Unavailable, match="not an answer of a Kubernetes API"):
        Client(serve(answer)).get("/x")


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(serve: Serve) -> None:
    def answer(handler: Handler, asked: dict[str, str]) -> None:
        handler.json({"asked": asked["path"]})
        # Ends it without a word, as servers do with idle connections.
        handler.close_connection = True

    client = Client(serve(answer))
    assert [client.get(path)["asked"] for path in ("/a", "/b", "/c")] == ["/a", "/b", "/c"]


def test_nobody_there_is_unavailable_and_says_where() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match=f"{address}: Connection refused"):
        Client(Access(address)).get("/x")


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
            Client(Access(f"http://127.0.0.1:{silent.getsockname()[1]}"), timeout=0.2).get("/x")
    assert time.monotonic() - began < 20


def test_following_sees_changes_and_lists_again_when_the_version_is_too_old(serve: Serve) -> None:
    lists: list[str] = []

    def answer(handler: Handler, asked: dict[str, str]) -> None:
        if asked.get("watch"):
            if asked["resourceVersion"] == "1":
                gone = {"kind": "Status", "code": 410, "message": "too old"}
                changes = [
                    {"type": "MODIFIED", "object": item("a", n=1)},
                    {"type": "ADDED", "object": item("b")},
                    {"type": "DELETED", "object": item("a")},
                    {"type": "ERROR", "object": gone},
                ]
                handler.events(*changes)
            else:
                time.sleep(0.5)
                handler.events()
            return
        lists.append(asked["path"])
        version = str(len(lists))
        names = ["a"] if version == "1" else ["c"]
        handler.json({"metadata": {"resourceVersion": version}, "items": [item(name) for name in names]})

    seen: list[set[str]] = []
    for (state,) in follow.states(serve(answer), [Selection("/x")], seconds=60):
        seen.append({found["metadata"]["uid"] for found in state})
        if seen[-1] == {"c"}:
            break
    assert len(lists) >= 2
    assert seen[-1] == {"c"}


def test_following_goes_on_when_a_hub_that_was_there_restarts(serve: Serve) -> None:
    count = 0

    def answer(handler: Handler, asked: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if asked.get("watch"):
            handler.events()
        elif count in (3, 5):
            handler.json({"message": "starting"}, 503)
        else:
            handler.json({"metadata": {"resourceVersion": "1"}, "items": [item(str(count))]})

    for (state,) in follow.states(serve(answer), [Selection("/x")], seconds=60):
        if state and int(state[0]["metadata"]["uid"]) > 5:
            return
    raise AssertionError("not reached")


def test_following_a_hub_that_never_answers_says_so_at_once(serve: Serve) -> None:
    access = serve(lambda handler, asked: handler.json({"message": "who are you"}, 401))
    with pytest.raises(Forbidden, match="who are you"):
        list(follow.states(access, [Selection("/x")], seconds=60))


def test_following_ends_at_its_deadline(serve: Serve) -> None:
    def answer(handler: Handler, asked: dict[str, str]) -> None:
        if asked.get("watch"):
            time.sleep(1)
            handler.events()
        else:
            handler.json({"metadata": {"resourceVersion": "1"}, "items": []})

    with pytest.raises(Late):
        list(follow.states(serve(answer), [Selection("/x")], seconds=0.3))
