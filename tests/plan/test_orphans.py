"""Objects that no application brought: which they are, when they are told, and what looking for them costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hubs import until
from passes import AUTO, CONFIG_MAP, World, config_map

from agent.cluster.faults import Fault
from agent.core import orphans
from agent.core.orphans import Loose
from agent.sync.orphaning import FRESH
from agent.sync.sync import Pass
from argosy import bundle
from argosy.bundle import Assignment, Policy
from argosy.objects import ObjectKey
from hub.core.projects import orphans as asking
from hub.core.releases import releases


def asked(policy: Policy = AUTO, *, project: dict[str, Any] | None = None, **wanted: Any) -> Policy:
    """A policy as the hub tells it of a project that asks for orphans."""
    spec = {"orphanedResources": {"warn": True, **wanted}, **(project or {})}
    before = bundle.objects.canonical(bundle.plain(policy)).decode()
    return releases.policy(asking.told(before, {"metadata": {"name": "shop"}, "spec": spec}))


def loose(kind: str, name: str, *, group: str = "", namespace: str = "default", owner: str = "") -> Loose:
    return Loose(ObjectKey(group, kind, namespace, name), owner)


def names(found: list[Loose], policy: Policy, assigned: tuple[str, ...] = ()) -> list[str]:
    rules = orphans.rules(policy.sync_options)
    assert rules is not None
    return [key.name for key in orphans.orphans(found, rules, assigned, lambda key: False)]


def test_nothing_is_asked_of_projects_that_do_not_ask() -> None:
    told = bundle.objects.canonical(bundle.plain(AUTO)).decode()
    assert asking.told(told, {"spec": {}}) == asking.told(told, None) == told
    assert orphans.rules(AUTO.sync_options) is None
    assert not orphans.warns(asked(warn=False).sync_options)
    assert orphans.warns(asked().sync_options)


def test_what_every_namespace_has_is_no_orphan() -> None:
    found = [
        loose("Service", "kubernetes"),
        loose("Service", "kubernetes", namespace="shop"),
        loose("ServiceAccount", "default", namespace="shop"),
        loose("ConfigMap", "kube-root-ca.crt", namespace="shop"),
        loose("ConfigMap", "default"),
    ]
    assert names(found, asked()) == ["kubernetes", "default"]


def test_a_project_passes_over_by_globs_and_an_empty_group_is_the_core_one() -> None:
    found = [
        loose("ConfigMap", "leader-a"),
        loose("ConfigMap", "web"),
        loose("Secret", "tls-1"),
        loose("Deployment", "leader-b", group="apps"),
    ]
    assert names(found, asked(ignore=[{"name": "leader-*"}])) == ["web", "tls-1", "leader-b"]
    assert names(found, asked(ignore=[{"group": "*", "name": "leader-*"}])) == ["web", "tls-1"]
    assert names(found, asked(ignore=[{"kind": "{Secret,ConfigMap}"}])) == ["leader-b"]
    # A pattern that is none hits nothing.
    assert len(names(found, asked(ignore=[{"kind": "[a-"}]))) == 4


def test_kinds_that_a_project_does_not_permit_are_not_its_orphans() -> None:
    found = [loose("ConfigMap", "a"), loose("Secret", "b"), loose("Deployment", "c", group="apps")]
    only = {"namespaceResourceWhitelist": [{"group": "*", "kind": "Deployment"}]}
    assert names(found, asked(project=only)) == ["c"]
    assert names(found, asked(project={"namespaceResourceWhitelist": []})) == []
    without = {"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}
    assert names(found, asked(project=without)) == ["a", "c"]


def test_what_belongs_to_somebody_is_no_orphan() -> None:
    found = [loose("ConfigMap", "ours", owner="id-1"), loose("ConfigMap", "gone", owner="id-2")]
    assert names(found, asked(), ("id-1",)) == ["gone"]
    owned = {"ownerReferences": [{"kind": "ReplicaSet", "name": "x"}]}
    token = {"annotations": {"kubernetes.io/service-account.name": "default"}}
    key = loose("Pod", "web-1").key
    claim, other = (loose("PersistentVolumeClaim", name).key for name in ("data-db-0", "data-old-0"))
    database = loose("StatefulSet", "db", group="apps").key
    secret = loose("Secret", "default-token").key
    listed = [
        (key, "", owned),
        (secret, "", token),
        (claim, "", {}),
        (other, "", {}),
        (database, "", {"uid": "u1"}),
        (database._replace(group="extensions"), "", {"uid": "u1"}),
    ]
    # Served under two groups, it is one object.
    assert [one.key for one in orphans.loose(listed)] == [other, database]


def told(done: Pass) -> list[str]:
    return [text for kind, text in done.status.conditions if kind == orphans.WARNING]


async def passed(world: World, assignment: Assignment) -> list[str]:
    """What a pass tells once the listing that it asked for is done."""
    listings = world.syncer._orphans.listings
    await world.sync(assignment)
    place = world.syncer._orphans._namespaces.get("default")
    await until(lambda: place is None or place.task is None, "the listing is done")
    assert world.syncer._orphans.listings - listings <= 1
    return told(await world.sync(assignment))


async def test_a_namespace_is_looked_at_in_the_background_and_its_apps_are_woken(world: World) -> None:
    world.cluster.put(config_map("by-hand"))
    assignment = world.assignment(config_map("web"), policy=asked())
    assert told(await world.sync(assignment)) == []
    await until(lambda: "id-1" in world.changed, "the app is woken")
    assert told(await world.sync(assignment)) == ["Application has 1 orphaned resources"]
    assert [key.name for key in world.syncer.orphaned(assignment)] == ["by-hand"]


async def test_a_listing_counts_for_a_while_and_then_is_made_anew(world: World) -> None:
    assignment = world.assignment(config_map("web"), policy=asked())
    assert await passed(world, assignment) == []
    world.cluster.put(config_map("by-hand"))
    for _ in range(3):
        assert await passed(world, assignment) == []
    assert world.syncer._orphans.listings == 1
    world.now += FRESH
    assert await passed(world, assignment) == ["Application has 1 orphaned resources"]
    assert world.cluster.remove(CONFIG_MAP, "default", "by-hand")
    world.now += FRESH
    assert await passed(world, assignment) == []


async def test_nobody_looks_where_nobody_asks(world: World) -> None:
    world.cluster.put(config_map("by-hand"))
    await world.sync(world.assignment(config_map("web")))
    lists = world.api.calls["list"]
    await world.sync(world.assignment(config_map("web"), policy=asked(warn=False)))
    await world.quiet()
    assert (world.api.calls["list"], world.syncer._orphans.listings) == (lists, 0)


async def test_what_an_app_observes_without_a_mark_is_no_orphan(world: World) -> None:
    world.cluster.put(config_map("web"))
    observing = asked(replace(AUTO, mode="observe"))
    assert await passed(world, world.assignment(config_map("web"), policy=observing)) == []


@pytest.mark.parametrize("effect", ["forbidden", "unavailable"])
async def test_what_cannot_be_listed_harms_no_pass(world: World, effect: Any) -> None:
    world.cluster.put(config_map("by-hand"))
    assignment = world.assignment(config_map("web"), policy=asked())
    assert await passed(world, assignment) == ["Application has 1 orphaned resources"]
    world.cluster.faults.inject(Fault("list", effect, times=1, kind="Secret"))
    world.now += FRESH
    # Of a kind that it may not see an agent says nothing; where the server is away, what was known stays.
    assert await passed(world, assignment) == ["Application has 1 orphaned resources"]
    assert (await world.sync(assignment)).status.sync == "Synced"
