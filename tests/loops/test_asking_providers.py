"""Hosting services in a running hub: what is asked when, and what a bad answer may do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import hubs
import pytest
from aiohttp import web
from hubs import Repo

from hub.assembly import Hub
from hub.core.served import table
from hub.loops.appsets import provided


@dataclass
class Host:
    """GitHub's list of pull requests, as far as the hub asks for it. It answers while `speaks` is set, with what was open
    when it was asked.
    """

    open: list[int] = field(default_factory=list)
    broken: str = ""
    asked: int = 0
    url: str = ""
    speaks: asyncio.Event = field(default_factory=asyncio.Event)

    async def pulls(self, request: web.Request) -> web.Response:
        self.asked += 1
        found = [_pull(number) for number in self.open]
        await self.speaks.wait()
        if self.broken:
            return web.Response(text=self.broken, content_type="text/html")
        return web.json_response(found)


def _pull(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Change {number}",
        "head": {"ref": f"change-{number}", "sha": f"{number:040d}"},
        "base": {"ref": "main"},
        "user": {"login": "alice"},
        "labels": [],
    }


@contextlib.asynccontextmanager
async def serving(host: Host) -> AsyncIterator[Host]:
    app = web.Application()
    app.router.add_get("/api/v3/repos/team/shop/pulls", host.pulls)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    host.speaks.set()
    try:
        yield host
    finally:
        await runner.cleanup()


def appset(repo: Repo, host: Host) -> dict[str, Any]:
    manifest = hubs.appset(repo)
    question = {"owner": "team", "repo": "shop", "api": host.url}
    pulls = {"pullRequest": {"github": question, "requeueAfterSeconds": 3600}}
    clusters = {"clusters": {"selector": {"matchLabels": {"env": "prod"}}}}
    manifest["spec"]["generators"] = [{"matrix": {"generators": [clusters, pulls]}}]
    template = manifest["spec"]["template"]
    template["metadata"]["name"] = "pr-{{.number}}-{{.name}}"
    template["spec"]["source"]["path"] = "apps/web"
    return manifest


async def names_are(hub: Hub, wanted: set[str]) -> bool:
    return set(await hubs.apps(hub)) == wanted


def opened(hub: Hub) -> None:
    """GitHub's webhook of an opened pull request."""
    body = {
        "action": "opened",
        "repository": {"full_name": "team/shop", "clone_url": "https://github.com/team/shop"},
    }
    hub._on_push({"X-GitHub-Event": "pull_request"}, json.dumps(body).encode())


async def test_pull_requests_are_asked_for_once_and_again_when_a_webhook_says_so(
    hub: Hub, repo: Repo
) -> None:
    async with serving(Host([1, 2])) as host:
        await hubs.add_cluster(hub, "one", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, appset(repo, host))
        await hubs.until(lambda: names_are(hub, {"pr-1-one", "pr-2-one"}), "an application for each")
        assert host.asked == 1

        await hubs.add_cluster(hub, "two", env="prod")
        await hubs.until(
            lambda: names_are(hub, {"pr-1-one", "pr-2-one", "pr-1-two", "pr-2-two"}), "the second cluster's"
        )
        assert host.asked == 1, "a cluster that joins is nothing to ask the hosting service about"

        host.open.append(3)
        other = {"action": "opened", "repository": {"full_name": "team/other"}}
        hub._on_push({"X-GitHub-Event": "pull_request"}, json.dumps(other).encode())
        await hubs.settled(hub)
        assert host.asked == 1
        opened(hub)
        await hubs.until(lambda: count_is(hub, 6), "the third request's")
        assert host.asked == 2


async def test_a_webhook_in_the_middle_of_the_first_question_asks_again(hub: Hub, repo: Repo) -> None:
    async with serving(Host([1])) as host:
        host.speaks.clear()
        await hubs.add_cluster(hub, "one", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, appset(repo, host))
        await hubs.until(lambda: host.asked == 1, "the question")
        host.open.append(2)
        opened(hub)
        host.speaks.set()
        await hubs.until(lambda: names_are(hub, {"pr-1-one", "pr-2-one"}), "what was opened meanwhile")


async def count_is(hub: Hub, wanted: int) -> bool:
    return len(await hubs.apps(hub)) == wanted


@pytest.mark.parametrize("answer", ["<html>sorry</html>", "", '[{"number": 1', '{"errors": ["no"]}', "{}"])
async def test_a_bad_answer_is_a_failure_and_removes_nothing(hub: Hub, repo: Repo, answer: str) -> None:
    async with serving(Host([1])) as host:
        await hubs.add_cluster(hub, "one", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, appset(repo, host))
        await hubs.until(lambda: names_are(hub, {"pr-1-one"}), "the application")
        host.broken = answer or " "
        opened(hub)

        async def told() -> bool:
            found = (await hubs.listed(hub, table.APPLICATION_SET))["fleet"]
            return hubs.condition(found, "Stale").get("status") == "True"

        await hubs.until(told, "the set is stale")
        assert await names_are(hub, {"pr-1-one"})
        host.broken = ""
        opened(hub)
        await hubs.until(lambda: fresh(hub), "the set is fresh again")


async def fresh(hub: Hub) -> bool:
    return not hubs.condition((await hubs.listed(hub, table.APPLICATION_SET))["fleet"], "Stale")


async def test_others_go_on_while_one_service_says_nothing(
    hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provided, "PATIENCE", 0.5)
    # The service's own time must not be what ends it.
    monkeypatch.setattr("hub.assembly.PROVIDER_SECONDS", 3600.0)
    async with serving(Host([1])) as host:
        host.speaks.clear()
        await hubs.add_cluster(hub, "one", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, appset(repo, host))
        await hubs.until(lambda: host.asked, "it is asked")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo, "other"))
        await hubs.until(lambda: names_are(hub, {"web-one"}), "the other set's application")

        async def told() -> bool:
            found = (await hubs.listed(hub, table.APPLICATION_SET))["fleet"]
            return "no answer yet, still waiting for one" in json.dumps(found["status"]["conditions"])

        await hubs.until(told, "the set says what it waits for")
        host.speaks.set()
        await hubs.until(lambda: names_are(hub, {"web-one", "pr-1-one"}), "what the late answer says")
        assert host.asked == 1, "an answer that comes late is an answer"

        host.speaks.clear()
        opened(hub)
        await hubs.until(lambda: host.asked == 2, "it is asked again")
        host.open.append(2)
        opened(hub)
        await hubs.until(lambda: host.asked == 3, "what was asked before is not what is so now")
        host.speaks.set()
        await hubs.until(lambda: names_are(hub, {"web-one", "pr-1-one", "pr-2-one"}), "what is so now")
