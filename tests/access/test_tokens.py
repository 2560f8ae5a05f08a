"""Tokens of accounts and of projects' roles: made and ended through the API, shown once, kept as a hash."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from asyncio import create_subprocess_exec, create_task, gather, timeout, to_thread
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import hubs
import pytest
from hubs import Clock

from argosy.errors import ArgosyError, Conflict, Forbidden, Invalid
from argosy.objects import Manifest
from hub.api.auth import CACHE_SECONDS
from hub.assembly import Hub
from hub.cli import kubeconfig
from hub.cli.client import Client
from hub.cli.resources import API_TOKENS, APPS
from hub.core.access import holders
from hub.core.served import table
from hub.store import audit

T = TypeVar("T")
DAY = 86400.0
POLICY = """
p, role:issuer, accounts, update, ci, allow
p, role:issuer, accounts, update, proj:shop:*, allow
p, role:issuer, accounts, get, *, allow
p, role:issuer, applications, get, none/*, allow
g, issuer, role:issuer
p, ci, applications, get, shop/*, allow
"""
SETTINGS = {"accounts.ci": "apiKey, login", "accounts.issuer": "apiKey", "accounts.ann": "login"}


def config(name: str, data: dict[str, str]) -> Manifest:
    metadata = {"name": name, "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def project(*roles: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "roles": list(roles),
        },
    }


READER = {"name": "reader", "policies": ["p, proj:shop:reader, applications, get, shop/*, allow"]}


def app(name: str, of: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": of,
            "source": {"repoURL": "https://git.test/x", "path": "a"},
            "destination": {"name": "nowhere", "namespace": "default"},
        },
    }


@pytest.fixture
async def hub(tmp_path: Path, clock: Clock) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        await hubs.add(hub, table.CONFIG_MAP, config("argocd-rbac-cm", {"policy.csv": POLICY}))
        await hubs.add(hub, table.CONFIG_MAP, config("argocd-cm", SETTINGS))
        await hubs.add(hub, table.APP_PROJECT, project(READER))
        for name, of in (("web", "shop"), ("other", "default")):
            await hubs.add(hub, table.APPLICATION, app(name, of))
        yield hub


async def ask(hub: Hub, token: str, question: Callable[[Client], T]) -> T:
    """As the holder of a token, or "" as the administrator."""
    access = kubeconfig.resolve(kubeconfig.Choice(kubeconfig=str(hub.settings.kubeconfig)), {}, Path("/"))
    if token:
        access = dataclasses.replace(access, token=token, certificate=b"", key=b"")

    def call() -> T:
        with contextlib.closing(Client(access)) as client:
            return question(client)

    return await to_thread(call)


def wanted(account: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "ApiToken",
        "metadata": {"generateName": "t-"},
        "spec": {"account": account, **spec},
    }


async def issued(hub: Hub, account: str, *, by: str = "", **spec: Any) -> tuple[str, str]:
    """(name, token)."""
    made = await ask(hub, by, lambda client: client.create(API_TOKENS.path(), wanted(account, **spec)))
    return made["metadata"]["name"], made["status"]["token"]


def visible(client: Client) -> list[str]:
    return [item["metadata"]["name"] for item in client.items(APPS.path("argocd"))]


async def sees(hub: Hub, token: str, *names: str) -> None:
    async def so() -> bool:
        try:
            return await ask(hub, token, visible) == list(names)
        except ArgosyError:
            return False

    await hubs.until(so, f"the holder sees {names}")


async def test_an_account_gets_in_with_a_token_and_may_what_the_policy_says(hub: Hub) -> None:
    name, token = await issued(hub, "ci", reason="the pipeline")
    await sees(hub, token, "web")
    with pytest.raises(Forbidden):
        await ask(hub, token, lambda client: client.create(API_TOKENS.path(), wanted("ci")))
    # Nobody sees it again, and nothing of the hub has it.
    again = await ask(hub, "", lambda client: client.get(API_TOKENS.path(name=name)))
    assert set(again["status"]) == {"expires"}
    for file in hub.settings.data.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file
    record = await hub.store.read(lambda tx: audit.found(tx, audit.Asked(resource="apitokens"), 5))
    assert [(one.verb, one.name, one.username) for _, one in record] == [("create", name, "admin")]
    assert b"the pipeline" in record[0][1].change


async def test_a_projects_role_holds_tokens_too(hub: Hub) -> None:
    _, token = await issued(hub, "proj:shop:reader")
    await sees(hub, token, "web")
    await hubs.patch(hub, table.APP_PROJECT, "shop", {"spec": {"roles": []}})

    async def out() -> bool:
        return await refused(hub, token)

    await hubs.until(out, "a role that is gone lets nobody in")


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ("nobody", "argocd-cm has no key accounts.nobody"),
        ("ann", "without apiKey"),
        ("proj:shop:none", "project shop has no role none"),
        ("proj:none:reader", "project none does not exist"),
        ("proj:shop", "expected proj:PROJECT:ROLE"),
    ],
)
async def test_nobody_holds_a_token_who_is_not_there(hub: Hub, account: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        await issued(hub, account)


@pytest.mark.parametrize("seconds", [0, 59, 366 * 86400])
async def test_no_token_lives_for_ever(hub: Hub, seconds: int) -> None:
    with pytest.raises(Invalid, match="ttlSeconds"):
        await issued(hub, "ci", ttlSeconds=seconds)


async def refused(hub: Hub, token: str) -> bool:
    """Whether the hub does not know the token (any more)."""
    try:
        await ask(hub, token, visible)
    except Forbidden as error:
        return "token is not accepted" in error.message
    return False


async def test_a_token_ends_with_its_time(hub: Hub, clock: Clock) -> None:
    _, short = await issued(hub, "ci", ttlSeconds=3600)
    _, usual = await issued(hub, "ci")
    await sees(hub, short, "web")
    clock.ahead = 3600 + 1
    assert await refused(hub, short)
    await sees(hub, usual, "web")
    clock.ahead = 31 * DAY
    assert await refused(hub, usual)


async def test_what_ended_long_ago_is_swept_away(hub: Hub, clock: Clock) -> None:
    await issued(hub, "ci", ttlSeconds=3600)
    (sweep,) = [loop for loop in hub.loops if loop.name == "sweeper"]
    for days, left in ((1, 1), (9, 0)):
        clock.ahead = days * DAY
        runs = sweep.record.runs
        sweep.wake.set()
        await hubs.until(lambda runs=runs: sweep.record.runs > runs, "swept")
        assert len(await hubs.listed(hub, table.API_TOKEN)) == left


async def test_a_token_ends_when_its_object_is_deleted(hub: Hub, clock: Clock) -> None:
    name, token = await issued(hub, "ci")
    _, other = await issued(hub, "ci")
    await sees(hub, token, "web")
    await ask(hub, "", lambda client: client.delete(API_TOKENS.path(name=name)))
    clock.ahead = CACHE_SECONDS + 1
    assert await refused(hub, token)
    await sees(hub, other, "web")


async def test_an_account_that_is_disabled_is_shut_out_and_let_in_again(hub: Hub, clock: Clock) -> None:
    _, token = await issued(hub, "ci")
    await sees(hub, token, "web")
    await hubs.patch(hub, table.CONFIG_MAP, "argocd-cm", {"data": {"accounts.ci.enabled": "false"}})
    clock.ahead = CACHE_SECONDS + 1
    assert await refused(hub, token)
    with pytest.raises(Invalid, match="ci is disabled"):
        await issued(hub, "ci")
    await hubs.patch(hub, table.CONFIG_MAP, "argocd-cm", {"data": {"accounts.ci.enabled": None}})
    await sees(hub, token, "web")


async def test_who_may_issue_is_said_by_the_policy(hub: Hub) -> None:
    _, issuer = await issued(hub, "issuer")
    await sees(hub, issuer)
    name, token = await issued(hub, "ci", by=issuer)
    await sees(hub, token, "web")
    await issued(hub, "proj:shop:reader", by=issuer)
    with pytest.raises(Forbidden):
        # Not for itself: nobody said so.
        await issued(hub, "issuer", by=issuer)
    with pytest.raises(Forbidden):
        await ask(hub, token, lambda client: client.delete(API_TOKENS.path(name=name)))
    await ask(hub, issuer, lambda client: client.delete(API_TOKENS.path(name=name)))


class Watching:
    """A watch of all Applications that somebody has open: what it was sent, and how it ended."""

    def __init__(self, hub: Hub, token: str) -> None:
        self.seen: list[str] = []
        self._task = create_task(ask(hub, token, self._watch))

    def _watch(self, client: Client) -> None:
        for verb, item in client.watch(APPS.path("argocd"), {"resourceVersion": "0"}):
            label = (item["metadata"].get("labels") or {}).get("seen", "")
            self.seen.append(f"{verb} {item['metadata']['name']} {label}".strip())

    async def sees(self, wanted: str) -> None:
        await hubs.until(lambda: self._task.done() or wanted in self.seen, f"{wanted} was seen")
        assert not self._task.done()

    async def is_dismissed(self) -> None:
        with pytest.raises(Conflict, match="list again"):
            async with timeout(60):
                await self._task

    async def close(self, hub: Hub) -> None:
        """Lets the holder of an unending watch go: by the end of the hub's API."""
        await hub.stop()
        await gather(self._task, return_exceptions=True)


async def test_a_watch_ends_with_its_token_and_nobody_elses(hub: Hub, clock: Clock) -> None:
    name, token = await issued(hub, "ci")
    _, short = await issued(hub, "ci", ttlSeconds=3600)
    _, other = await issued(hub, "proj:shop:reader")
    revoked, timed, stays, admins = (Watching(hub, each) for each in (token, short, other, ""))
    for watch in (revoked, timed, stays, admins):
        await watch.sees("ADDED web")
    await ask(hub, "", lambda client: client.delete(API_TOKENS.path(name=name)))
    await revoked.is_dismissed()
    clock.ahead = 3600 + 1
    await timed.is_dismissed()
    await hubs.patch(hub, table.APPLICATION, "web", {"metadata": {"labels": {"seen": "yes"}}})
    await stays.sees("MODIFIED web yes")
    await admins.sees("MODIFIED web yes")
    await hubs.patch(hub, table.APP_PROJECT, "shop", {"spec": {"roles": []}})
    await stays.is_dismissed()
    await admins.close(hub)


async def test_a_watch_ends_where_the_policy_says_otherwise_of_its_user(hub: Hub) -> None:
    _, token = await issued(hub, "ci")
    _, other = await issued(hub, "proj:shop:reader")
    concerned, stays = Watching(hub, token), Watching(hub, other)
    for watch in (concerned, stays):
        await watch.sees("ADDED web")
    await hubs.patch(
        hub, table.CONFIG_MAP, "argocd-rbac-cm", {"data": {"policy.csv": f"{POLICY}g, eve, role:admin\n"}}
    )
    await hubs.until(lambda: "eve" in hub.configurer.policy.roles, "somebody else's rights are others")
    await hubs.patch(hub, table.APPLICATION, "web", {"metadata": {"labels": {"seen": "yes"}}})
    for watch in (concerned, stays):
        await watch.sees("MODIFIED web yes")
    fewer = POLICY.replace("p, ci, applications, get, shop/*, allow\n", "")
    await hubs.patch(hub, table.CONFIG_MAP, "argocd-rbac-cm", {"data": {"policy.csv": fewer}})
    await concerned.is_dismissed()
    await hubs.patch(hub, table.APPLICATION, "web", {"metadata": {"labels": {"seen": "still"}}})
    await stays.sees("MODIFIED web still")
    await stays.close(hub)


async def test_a_token_cannot_be_given_to_somebody_else(hub: Hub) -> None:
    name, _ = await issued(hub, "ci")
    with pytest.raises(Invalid, match="a token cannot be changed"):
        await ask(
            hub, "", lambda client: client.merge(API_TOKENS.path(name=name), {"spec": {"account": "issuer"}})
        )


def test_accounts_are_read_as_argo_cd_writes_them() -> None:
    assert holders.problem("ci", {"accounts.ci": "login,apiKey"}, None) == ""
    assert holders.problem("ci", {"accounts.ci": "apiKey", "accounts.ci.enabled": "true"}, None) == ""
    assert holders.problem("ci", {"accounts.ci.enabled": "true"}, None)
    assert (holders.project_of("proj:shop:reader"), holders.project_of("projector")) == ("shop", "")


async def test_the_command_makes_lists_and_revokes_tokens(hub: Hub, clock: Clock) -> None:
    async def argosy(*arguments: str) -> str:
        process = await create_subprocess_exec(
            str(Path(sys.executable).parent / "argosy"),
            *arguments,
            env={**os.environ, "ARGOSY_KUBECONFIG": str(hub.settings.kubeconfig)},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    token = (await argosy("token", "create", "proj:shop:reader", "--name", "mine", "--ttl", "3600")).strip()
    await sees(hub, token, "web")
    listed = await argosy("token", "list")
    assert "proj:shop:reader" in listed
    assert token not in listed
    assert "mine revoked" in await argosy("token", "revoke", "mine")
    clock.ahead = CACHE_SECONDS + 1
    assert await refused(hub, token)
