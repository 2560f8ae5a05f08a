"""Gates against servers of the test's own: what is good, what is not, and what a gate cannot be made to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from argosy.errors import Invalid, Unavailable
from hub.gates import base, http, objects, prometheus
from hub.gates.base import Question, Sight


@dataclass
class Server:
    """Answers every request with `answer`, and remembers it."""

    url: str = ""
    answer: Callable[[web.Request], web.Response] = lambda request: web.Response(text="all is well")
    seen: list[web.Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        if request.path == "/slow":
            await asyncio.sleep(5)
        return self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def question(secret: dict[str, str] | None = None, **config: Any) -> Question:
    return Question(config, "argocd/web-7", "canary", {}, secret or {})


async def test_http_is_good_where_status_and_content_are_as_expected(server: Server) -> None:
    assert await http.ask(question(url=f"{server.url}/ok")) == (True, "answered 200")
    assert await http.ask(question(url=server.url, contains="well")) == (True, "answered 200")
    assert await http.ask(question(url=server.url, contains="ill")) == (
        False,
        "answered 200, but without 'ill'",
    )
    server.answer = lambda request: web.Response(status=503)
    assert await http.ask(question(url=server.url)) == (False, "answered 503, expected 2xx")
    assert (await http.ask(question(url=server.url, status=[503]))).good
    assert server.seen[0].headers["X-Argosy-Rollout"] == "argocd/web-7"
    assert server.seen[0].headers["X-Argosy-Stage"] == "canary"


async def test_http_follows_no_redirect_and_reads_no_more_than_a_little(server: Server) -> None:
    server.answer = lambda request: web.Response(status=302, headers={"Location": "http://169.254.169.254/"})
    assert await http.ask(question(url=server.url)) == (False, "answered 302, expected 2xx")
    assert len(server.seen) == 1
    server.answer = lambda request: web.Response(body=b"x" * base.LARGEST + b"the end")
    assert not (await http.ask(question(url=server.url, contains="the end"))).good


async def test_a_gate_that_does_not_answer_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "SECONDS", 0.3)
    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s"):
        await http.ask(question(url=f"{server.url}/slow"))
    with pytest.raises(Unavailable, match="cannot connect"):
        await http.ask(question(url="http://127.0.0.1:1/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "http://user:password@example.com/",
    ],
)
async def test_addresses_that_no_gate_may_ask_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match="url"):
        await http.ask(question(url=url))


async def test_a_name_that_resolves_to_a_forbidden_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()

    async def resolve(host: str, port: int, **options: Any) -> Any:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    with pytest.raises(Unavailable, match="may not be asked"):
        await http.ask(question(url="http://innocent.example.com/"))


async def test_a_token_goes_only_where_its_secret_says(server: Server) -> None:
    secret = {"token": "t0p", "url": f"{server.url}/checks"}
    assert (await http.ask(question(secret, url=f"{server.url}/checks/web"))).good
    assert server.seen[-1].headers["Authorization"] == "Bearer t0p"
    for elsewhere in (f"{server.url}/checksum", "http://127.0.0.2/checks", f"{server.url}/"):
        with pytest.raises(Invalid, match="secretRef"):
            await http.ask(question(secret, url=elsewhere))
    assert len(server.seen) == 1
    with pytest.raises(Invalid, match="secretRef"):
        await http.ask(question({"token": "t0p"}, url=server.url))


def vector(*values: str) -> Callable[[web.Request], web.Response]:
    results = [{"metric": {}, "value": [0, value]} for value in values]
    body = {"status": "success", "data": {"resultType": "vector", "result": results}}
    return lambda request: web.json_response(body)


@pytest.mark.parametrize(
    ("values", "limits", "good", "said"),
    [
        (("0.01", "0.02"), {"below": 0.05}, True, "0.02, has to be below 0.05"),
        (("0.01", "0.07"), {"below": 0.05}, False, "0.07, has to be below 0.05"),
        (("0.01", "NaN"), {"below": 0.05}, False, "nan, has to be below 0.05"),
        (("99.5", "99.9"), {"above": 99}, True, "99.5, has to be above 99"),
        (("99", "99.9"), {"above": 99}, False, "99, has to be above 99"),
        (("+Inf",), {"above": 99}, True, "inf, has to be above 99"),
        ((), {"below": 0.05}, False, "the query gives no value"),
    ],
)
async def test_prometheus_is_good_where_every_value_is(
    server: Server, values: tuple[str, ...], limits: dict[str, float], good: bool, said: str
) -> None:
    server.answer = vector(*values)
    asked = question(url=f"{server.url}/prom/", query='rate(errors{job="web"}[5m])', **limits)
    assert await prometheus.ask(asked) == (good, said)
    assert server.seen[0].path == "/prom/api/v1/query"
    assert server.seen[0].query["query"] == 'rate(errors{job="web"}[5m])'


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "{}",
        '{"data": {"resultType": "matrix"}}',
        '{"data": {"resultType": "vector", "result": [{}]}}',
    ],
)
async def test_what_is_no_answer_of_prometheus_is_no_good_one(server: Server, body: str) -> None:
    server.answer = lambda request: web.Response(text=body)
    with pytest.raises(Unavailable):
        await prometheus.ask(question(url=server.url, query="up", above=0))


async def test_an_object_has_to_have_its_condition_on_every_cluster_of_the_stage() -> None:
    config = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "web", "condition": "Promoted"}
    good, bad = Sight(True, {"Promoted": "True"}), Sight(True, {"Promoted": "False"})
    none, mute = Sight(True), Sight(error="the agent is not connected")

    async def said(status: str = "True", **sights: Sight) -> tuple[bool, str]:
        return await objects.ask(Question({**config, "status": status}, sights=sights))

    assert await said(one=good, two=good) == (True, "Promoted is True on 2 clusters")
    assert await said(one=good, two=bad) == (False, "Promoted is not True on two")
    assert await said("False", one=bad) == (True, "Promoted is False on 1 clusters")
    assert await said(one=none) == (False, "Promoted is not True on one")
    assert await said(one=good, two=Sight()) == (False, "not found on two")
    assert await said(one=good, two=mute) == (False, "no answer from two (the agent is not connected)")
    assert not (await said())[0]
