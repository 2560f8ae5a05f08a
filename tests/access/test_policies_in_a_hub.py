"""API users who are neither administrators nor readers, under `argocd-rbac-cm` and projects' roles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import hubs
import pytest
import users

from argosy.errors import ArgosyError, Forbidden, Invalid
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli.client import Client
from hub.cli.resources import APPS, OVERRIDES, Resource
from hub.core.served import table
from hub.store import accounts

T = TypeVar("T")

POLICY = """
p, role:shop, applications, get, shop/*, allow
p, role:shop, applications, update, shop/web, allow
p, role:responder, overrides, create, *, allow
p, ben, applications, sync, shop/*, allow
p, eve, applications, sync, shop/*, allow
p, eve, applications, override, shop/web, allow
g, shop-team, role:shop
g, responders, role:responder
"""


def config(policy: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-rbac-cm", "namespace": "argocd"},
        "data": {"policy.csv": policy},
    }


def app(name: str, project: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": project,
            "source": {"repoURL": "https://git.test/x", "path": "a"},
            "destination": {"name": "nowhere", "namespace": "default"},
        },
    }


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        await hubs.add(hub, table.CONFIG_MAP, config(POLICY))
        for name, project in (("web", "shop"), ("pay", "shop"), ("other", "default")):
            await hubs.add(hub, table.APPLICATION, app(name, project))

        def known(tx: Any) -> None:
            now = time.time()
            accounts.offer(tx, "secret-ann", "ann", ["shop-team"], now)
            accounts.offer(tx, "secret-ron", "ron", ["responders"], now)
            accounts.offer(tx, "secret-ci", "ci", ["robots"], now)
            accounts.offer(tx, "secret-ben", "ben", [], now)
            accounts.offer(tx, "secret-eve", "eve", [], now)

        await hub.store.write(known)
        yield hub


async def as_user(hub: Hub, name: str, ask: Callable[[Client], T]) -> T:
    """Asks by a user's token, with "" as the administrator."""
    return await users.asks(hub, ask, f"secret-{name}" if name else "")


async def settled(hub: Hub, name: str, ask: Callable[[Client], T]) -> T:
    """Asks until the policy is taken up."""
    last: ArgosyError | None = None
    for _ in range(1200):
        try:
            return await as_user(hub, name, ask)
        except Forbidden as error:
            last = error
            await asyncio.sleep(0.05)
    raise AssertionError(last)


def listing(resource: Resource) -> Callable[[Client], list[str]]:
    return lambda client: [item["metadata"]["name"] for item in client.items(resource.path("argocd"))]


async def test_a_user_sees_and_changes_what_the_policy_names_and_no_more(hub: Hub) -> None:
    assert await settled(hub, "ann", listing(APPS)) == ["pay", "web"]
    assert (await as_user(hub, "ann", lambda c: c.get(APPS.path("argocd", "web"))))["kind"] == "Application"
    for refused in (
        lambda c: c.get(APPS.path("argocd", "other")),
        lambda c: c.merge(APPS.path("argocd", "pay"), {"metadata": {"labels": {"a": "b"}}}),
        lambda c: c.merge(APPS.path("argocd", "other"), {"metadata": {"labels": {"a": "b"}}}),
        # Out of what one may change into what one may not: neither.
        lambda c: c.merge(APPS.path("argocd", "web"), {"spec": {"project": "default"}}),
        lambda c: c.create(APPS.path("argocd"), app("new", "shop")),
        lambda c: c.delete(APPS.path("argocd", "web")),
        lambda c: c.create(APPS.path("argocd", "web", "sync"), {}),
        lambda c: c.items("/api/v1/namespaces/argocd/secrets"),
    ):
        with pytest.raises(Forbidden):
            await as_user(hub, "ann", refused)
    changed = await as_user(
        hub, "ann", lambda c: c.merge(APPS.path("argocd", "web"), {"metadata": {"labels": {"a": "b"}}})
    )
    assert changed["metadata"]["labels"] == {"a": "b"}


async def test_breaking_the_glass_is_a_permission(hub: Hub) -> None:
    """argoproj/argo-cd#29558: responders may, others are refused, and it is on record who did."""
    body = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Override",
        "metadata": {"name": "fire"},
        "spec": {"applications": ["web"], "reason": "fire", "duration": "1h"},
    }
    made = await settled(hub, "ron", lambda c: c.create(OVERRIDES.path(), body))
    assert made["spec"]["person"] == "ron"
    for name in ("ci", "ann"):
        with pytest.raises(Forbidden):
            await as_user(
                hub, name, lambda c: c.create(OVERRIDES.path(), {**body, "metadata": {"name": "x"}})
            )


async def test_a_projects_role_gives_its_groups_what_it_says(hub: Hub) -> None:
    role = {
        "name": "ci",
        "groups": ["robots"],
        "policies": ["p, proj:shop:ci, applications, get, shop/web, allow"],
    }
    project = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"roles": [role]},
    }
    await hubs.add(hub, table.APP_PROJECT, project)
    assert await settled(hub, "ci", listing(APPS)) == ["web"]


async def test_a_policy_with_a_mistake_leaves_the_one_before(hub: Hub) -> None:
    await settled(hub, "ann", listing(APPS))
    await hubs.patch(
        hub, table.CONFIG_MAP, "argocd-rbac-cm", {"data": {"policy.csv": POLICY + "p, ann, oops\n"}}
    )
    await asyncio.sleep(0.3)
    assert await as_user(hub, "ann", listing(APPS)) == ["pay", "web"]


async def test_a_watch_of_one_named_object_shows_nobody_more_than_he_may_see(hub: Hub) -> None:
    await settled(hub, "ann", listing(APPS))
    before = (await as_user(hub, "", lambda c: c.listing(APPS.path("argocd"))))["metadata"]["resourceVersion"]
    for name in ("other", "web"):
        await hubs.patch(hub, table.APPLICATION, name, {"metadata": {"labels": {"a": "b"}}})

    def told(path: str, query: dict[str, str]) -> Callable[[Client], set[str]]:
        def watch(client: Client) -> set[str]:
            asked = {"resourceVersion": before, "timeoutSeconds": "1", **query}
            return {found["metadata"]["name"] for _, found in client.watch(path, asked)}

        return watch

    # What the administrator was shown from that version on, was there for everybody to be shown.
    for _ in range(60):
        if await as_user(hub, "", told(APPS.path("argocd"), {})) >= {"other", "web"}:
            break
    for path, query in (
        (APPS.path("argocd"), {"fieldSelector": "metadata.name=other"}),
        (APPS.path("argocd", "other"), {}),
    ):
        assert await as_user(hub, "", told(path, query)) == {"other"}
        assert await as_user(hub, "ann", told(path, query)) == set()
    assert await as_user(hub, "ann", told(APPS.path("argocd", "web"), {})) == {"web"}


async def test_the_rest_of_a_list_is_for_whom_it_was_read(hub: Hub) -> None:
    await settled(hub, "ann", listing(APPS))
    await hubs.add(hub, table.APPLICATION, app("zoo", "default"))
    for name in ("first", "second"):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "argocd"}}
        await hubs.add(hub, table.SECRET, {**secret, "stringData": {"password": "open sesame"}})
    secrets, apps = "/api/v1/namespaces/argocd/secrets", APPS.path("argocd")

    def page(path: str, token: str = "") -> Callable[[Client], Manifest]:
        query = {"limit": "1", **({"continue": token} if token else {})}
        return lambda client: client.get(path, query)

    async def more(path: str) -> str:
        return str((await as_user(hub, "", page(path)))["metadata"]["continue"])

    taken = [await more(path) for path in (secrets, apps)]
    # The token of a list of Secrets leads to no other list, whoever has it.
    for user in ("ann", ""):
        with pytest.raises(Invalid, match="of another list"):
            await as_user(hub, user, page(apps, taken[0]))
    found = await as_user(hub, "ann", lambda c: c.get(apps, {"continue": taken[1]}))
    assert [item["metadata"]["name"] for item in found["items"]] == ["pay", "web"]


async def test_who_may_sync_brings_what_is_followed_and_nothing_else(hub: Hub) -> None:
    def sync(name: str, **operation: Any) -> Callable[[Client], Manifest]:
        return lambda client: client.create(APPS.path("argocd", name, "sync"), operation)

    foreign = {"repoURL": "https://git.test/of-ben", "path": "evil"}
    await settled(hub, "eve", sync("pay"))
    for other in ({"source": foreign}, {"sync": {"sources": [foreign]}}, {"manifests": ["kind: Secret"]}):
        for user, name in (("ben", "web"), ("eve", "pay")):
            with pytest.raises(Forbidden, match="applications/override"):
                await as_user(hub, user, sync(name, **other))
    asked = await as_user(hub, "eve", sync("web", source=foreign))
    assert asked["operation"]["sync"]["source"] == foreign
