"""Verbs that are no CRUD: an extension point beside the objects' own paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hubapi import READER_TOKEN, ApiThread, Client, RunningApi
from starlette.responses import Response

from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web"


async def _echo(call: Call) -> Response:
    body, _ = bodies.decode(await bodies.read(call.request), bodies.media_type(call.request))
    return wire.json_answer({"name": call.target.name, "by": call.user.name, "body": body})


async def _named(call: Call) -> Response:
    return wire.json_answer({"name": call.target.name})


@pytest.fixture(scope="module")
def acting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    sync = Subresource("argoproj.io/applications", "sync", "Application", ("create",))
    look = Subresource("argoproj.io/applications", "look", "Application", ("get",))
    thread = ApiThread(tmp_path_factory.mktemp("hub"), actions=(Action(sync, _echo), Action(look, _named)))
    yield thread.start()
    thread.stop()


def test_an_action_takes_chunked_bodies_without_a_type(acting: RunningApi) -> None:
    with Client(acting) as client:
        headers = {"Authorization": "Bearer admin-token", "Transfer-Encoding": "chunked"}
        parts = (part for part in (b'{"revision":', b'"main"}'))
        client.connection.request("POST", f"{PATH}/sync", parts, headers, encode_chunked=True)
        answer = client.connection.getresponse()
        assert (answer.status, answer.read()) == (
            200,
            b'{"body":{"revision":"main"},"by":"ada","name":"web"}',
        )


def test_actions_are_discovered_and_guarded(acting: RunningApi) -> None:
    with Client(acting) as client:
        listed = client.ask("GET", "/apis/argoproj.io/v1alpha1")[1]["resources"]
        assert {"name": "applications/sync", "kind": "Application", "verbs": ["create"]}.items() <= next(
            each for each in listed if each["name"] == "applications/sync"
        ).items()
        code, status = client.ask("POST", f"{PATH}/nosuch", {})
        assert code == 404
        assert 'has no subresource "nosuch"' in status["message"]
    with Client(acting, READER_TOKEN) as reader:
        code, status = reader.ask("POST", f"{PATH}/sync", {})
        assert code == 403
        assert 'cannot create resource "applications/sync"' in status["message"]


@pytest.mark.parametrize(
    ("path", "offered"), [("sync", {"POST"}), ("look", {"GET", "HEAD"}), ("look?watch=true", set[str]())]
)
def test_an_action_answers_the_verbs_it_offers_and_no_other(
    acting: RunningApi, path: str, offered: set[str]
) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    with Client(acting) as client:
        answers = {}
        for method in methods:
            answer = client.send(
                method, f"{PATH}/{path}", b"{}", headers={"Content-Type": "application/json"}
            )
            answer.read()
            answers[method] = answer.status
        refused = client.ask("DELETE", f"{PATH}/{path}")[1]
    assert answers == {method: 200 if method in offered else 405 for method in methods}
    assert refused["message"] == 'delete is not supported on resources of kind "applications.argoproj.io"'
