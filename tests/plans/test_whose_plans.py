"""Who may only look learns by a plan nothing that he may not see, and has nobody shown a Secret."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hubs
import pytest
import users
from hubs import Repo

from argosy.errors import Forbidden, Invalid, NotFound
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli.client import Client
from hub.core.access import access
from hub.core.served import table
from hub.store import accounts

SETS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets"
READER, ANN = "token-of-a-reader", "token-of-ann"
POLICY = """
p, ann, applicationsets, plan, shop/*, allow
p, ann, applicationsets, preview, shop/*, allow
"""


class Host:
    """A Git hosting service without repositories that remembers whom it was asked by."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                host.shown.append(self.headers.get("Authorization", ""))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"[]")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/v3/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as made:
        made.commit({"apps/web/a.yaml": hubs.config_map("web-a")})
        yield made


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as started:
        await hubs.add_cluster(started, "one", env="prod")
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": "argocd"}}
        await hubs.add(started, table.SECRET, {**secret, "stringData": {"token": "open-sesame"}})
        metadata = {"name": "argocd-rbac-cm", "namespace": "argocd"}
        policy = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"policy.csv": POLICY},
        }
        await hubs.add(started, table.CONFIG_MAP, policy)

        def known(tx: Any) -> None:
            accounts.offer(tx, READER, "ruth", [access.READERS], time.time())
            accounts.offer(tx, ANN, "ann", [], time.time())

        await started.store.write(known)
        yield started


def asking(host: Host, repo: Repo, name: str = "asking", organization: str = "acme") -> Manifest:
    """A set that asks the hosting service, with a Secret."""
    github = {
        "organization": organization,
        "api": host.url,
        "tokenRef": {"secretName": "git", "key": "token"},
    }
    made = hubs.appset(repo, name)
    generators = [{"scmProvider": {"github": github}}]
    template = {**made["spec"]["template"], "metadata": {"name": "{{.repository}}"}}
    return {**made, "spec": {**made["spec"], "generators": generators, "template": template}}


def plan(**spec: Any) -> Callable[[Client], Manifest]:
    body = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Plan", "spec": spec}
    return lambda client: client.create("/plan", body)


async def test_nobody_is_shown_a_secret_for_who_may_only_look(hub: Hub, repo: Repo, host: Host) -> None:
    mine = asking(host, repo)
    for job in (plan(objects=[mine]), lambda c: c.create(f"{SETS}/asking/preview", mine)):
        found = await users.asks(hub, job, READER)
        assert "no set asks this so far" in str(found["status"])
    assert host.shown == []
    assert "no set asks this" not in str((await users.asks(hub, plan(objects=[mine])))["status"])
    assert set(host.shown) == {"Bearer open-sesame"}

    # What a set asks anyway may be a part of anybody's plan.
    await hubs.add(hub, table.APPLICATION_SET, mine)
    await hubs.settled(hub)
    labelled = {**mine, "metadata": {**mine["metadata"], "labels": {"a": "b"}}}
    found = await users.asks(hub, plan(objects=[labelled]), READER)
    assert "no set asks this" not in str(found["status"])
    found = await users.asks(hub, plan(objects=[asking(host, repo, organization="another")]), READER)
    assert "no set asks this" in str(found["status"])
    assert all("/acme/" in path for path in host.asked)


async def test_clusters_are_not_asked_about_what_somebody_made_up_who_may_only_look(
    hub: Hub, repo: Repo
) -> None:
    asked = plan(objects=[hubs.appset(repo)], dryRun={"on": "clusters"})
    with pytest.raises(Forbidden, match=r"spec\.dryRun"):
        await users.asks(hub, asked, READER)
    assert (await users.asks(hub, asked))["status"]["applications"]


async def test_who_may_ask_about_some_sets_asks_about_one_of_them(hub: Hub, repo: Repo) -> None:
    def of(project: str, name: str = "fleet") -> Manifest:
        made = hubs.appset(repo, name)
        made["spec"]["template"]["spec"]["project"] = project
        return made

    await hubs.add(hub, table.APPLICATION_SET, of("shop"))
    await hubs.add(hub, table.APPLICATION_SET, of("default", "other"))

    def preview(name: str, body: Manifest) -> Callable[[Client], Manifest]:
        return lambda client: client.create(f"{SETS}/{name}/preview", body)

    def about(name: str, **spec: Any) -> Callable[[Client], Manifest]:
        return lambda client: client.create(f"{SETS}/{name}/plan", {"spec": spec})

    async def taken_up() -> bool:
        try:
            return bool(await users.asks(hub, preview("fleet", of("shop")), ANN))
        except Forbidden:
            await asyncio.sleep(0.05)
            return False

    await hubs.until(taken_up, "the policy is taken up")
    assert await users.asks(hub, about("fleet", objects=[of("shop")]), ANN)
    assert await users.asks(hub, preview("new", of("shop", "new")), ANN)
    for job in (
        preview("fleet", of("default")),
        preview("new", of("default", "new")),
        preview("other", of("shop", "other")),
        about("fleet", objects=[of("default")]),
        about("fleet", objects=[of("shop", "another")]),
        about("fleet", deletions=[{"kind": "ConfigMap", "name": "argocd-rbac-cm"}]),
        about("fleet", labels=[{"cluster": "one", "set": {"env": "test"}}]),
        about("fleet", leaves=["one"]),
    ):
        with pytest.raises(Forbidden):
            await users.asks(hub, job, ANN)
    for job in (about("new"), about("new", deletions=[{"kind": "ApplicationSet", "name": "new"}])):
        with pytest.raises((NotFound, Invalid)):
            await users.asks(hub, job, ANN)
