"""How many clusters may lose an application at once: by default the larger of one and five percent, of the set and of
the fleet; other numbers stand in `argocd-cm`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import hubs
import pytest
from hubs import Repo

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.plans.model import Plan
from hub.core.removals import caps, judging, removals
from hub.core.removals.caps import Cap, Caps
from hub.core.removals.judging import Member
from hub.core.served import table
from hub.store import plans
from hub.store.base import Tx

CLUSTERS = ("one", "two", "three")


def test_without_a_word_set_and_fleet_have_the_larger_of_one_cluster_and_five_percent() -> None:
    assert caps.of({}) == Caps(Cap(1, 5.0), Cap(1, 5.0))
    assert [Cap().limit(total) for total in (0, 1, 3, 39, 40, 100, 1000)] == [1, 1, 1, 1, 2, 5, 50]


def test_several_sets_together_take_no_more_from_the_fleet_than_its_cap() -> None:
    assert caps.crowded({"a", "b"}, set(), 3) == "", "a set alone is bounded by its own cap"
    assert caps.crowded({"a"}, {"a"}, 3) == "", "the same cluster counts once"
    assert "2 clusters of the fleet" in caps.crowded({"a"}, {"b"}, 3)
    assert "6 clusters of the fleet" in caps.crowded({"a"}, {"b", "c", "d", "e", "f"}, 100)
    assert caps.crowded({"a"}, {"b", "c", "d", "e"}, 100) == ""
    assert caps.crowded({"a"}, {"b"}, 3, caps.of({"argosy.fleetRemovalCap": "2"})) == ""


def test_the_settings_say_other_caps_and_a_sets_own_word_counts_more() -> None:
    limits = caps.of({"argosy.removalCap": "50%", "argosy.fleetRemovalCap": "3"})
    assert limits == Caps(Cap(0, 50.0), Cap(3, 0.0))
    members = [Member(f"app-{n}", f"c{n}") for n in range(4)]
    assert judging.over_cap(members[:2], members, {}, limits) == ""
    assert "the cap of 2" in judging.over_cap(members[:3], members, {}, limits)
    assert "the cap of 1" in judging.over_cap(members[:2], members, {caps.CAP_ANNOTATION: "1"}, limits)


def test_a_cap_that_cannot_be_read_permits_nothing_and_names_its_key() -> None:
    limits = caps.of({"argosy.removalCap": "many", "argosy.fleetRemovalCap": "-1"})
    members = [Member("a", "one"), Member("b", "two")]
    why = judging.over_cap(members[:1], members, {}, limits)
    assert 'argocd-cm data[argosy.removalCap]: found "many", expected a number of clusters' in why
    assert "argocd-cm data[argosy.fleetRemovalCap]" in caps.crowded({"a"}, {"a"}, 100, limits)


@contextlib.asynccontextmanager
async def two_sets(folder: Path, repo: Repo, clock: Callable[[], float] = time.time) -> AsyncIterator[Hub]:
    """Each on the clusters that carry its name as a label."""
    async with hubs.running(folder, clock=clock) as hub:
        for name in CLUSTERS:
            await hubs.add_cluster(hub, name, left="yes", right="yes")
        for name in ("left", "right"):
            made = hubs.appset(repo, name)
            made["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {name: "yes"}}}}]
            made["spec"]["template"]["metadata"]["name"] = f"{name}-{{{{.name}}}}"
            made["spec"]["template"]["spec"]["source"]["path"] = "apps/web"
            await hubs.add(hub, table.APPLICATION_SET, made)
        await hubs.until(lambda: names(hub, 6), "all applications")
        await hubs.settled(hub)
        yield hub


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with two_sets(tmp_path / "hub", repo) as hub:
        yield hub


async def names(hub: Hub, count: int) -> bool:
    return len(await hubs.apps(hub)) == count


async def unlabel(hub: Hub, cluster: str, label: str) -> None:
    await hubs.patch(hub, table.CLUSTER, cluster, {"metadata": {"labels": {label: None}}}, "")


async def waiting(hub: Hub) -> Manifest | None:
    found = await hubs.listed(hub, table.REMOVAL)
    return next((one for one in found.values() if one["status"]["phase"] == removals.WAITING), None)


async def settings(hub: Hub, **data: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {f"argosy.{key}": text for key, text in data.items()},
    }
    await hubs.add(hub, table.CONFIG_MAP, manifest)


async def test_two_sets_on_two_clusters_are_one_blow_until_the_settings_permit_it(hub: Hub) -> None:
    await unlabel(hub, "one", "left")
    await hubs.until(lambda: names(hub, 5), "the first is within both caps")
    await unlabel(hub, "two", "right")
    plan = await hubs.until(lambda: waiting(hub), "the second waits")
    assert "2 clusters of the fleet would lose applications" in plan["status"]["message"]
    assert await names(hub, 5)
    await settings(hub, fleetRemovalCap="2")
    await hubs.until(lambda: names(hub, 4), "the settings permit it")


async def test_the_settings_give_sets_another_cap(hub: Hub) -> None:
    await settings(hub, removalCap="2")
    for cluster in ("one", "two"):
        await unlabel(hub, cluster, "left")
    await hubs.until(lambda: names(hub, 4), "two clusters at once")
    assert await waiting(hub) is None


def test_clusters_that_lost_something_of_a_set_just_now_count_with_those_that_would() -> None:
    members = [Member(f"app-{n}", f"c{n}") for n in range(40)]
    assert judging.over_cap(members[:1], members, {}, lately=1) == "", "two of forty"
    why = judging.over_cap(members[:1], members, {}, lately=2)
    assert "1 clusters, and 2 more lost some within 60 s, more than the cap of 2" in why
    assert "goes by itself 60 s after the last" in why
    assert "goes by itself" not in judging.over_cap(members[:3], members, {}, lately=1)
    assert judging.over_cap(members[:1], members, {}, absent={"app-0"}, lately=9) == "", "nothing goes there"


async def test_a_set_that_loses_one_cluster_after_another_is_stopped_by_its_cap(
    tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them alone is within the cap; a minute later the next one may go, unless others came to it."""
    clock = hubs.Clock()
    async with two_sets(tmp_path / "hub", repo, clock=clock) as hub:
        await unlabel(hub, "one", "left")
        await hubs.until(lambda: names(hub, 5), "the first is within the cap")
        monkeypatch.setattr(caps, "TOGETHER", 3.0)
        clock.ahead = -1e6  # however long the test takes, the first went just now
        await unlabel(hub, "two", "left")
        plan = await hubs.until(lambda: waiting(hub), "the second waits")
        assert "and 1 more lost some within" in plan["status"]["message"]
        assert await names(hub, 5)
        clock.ahead = 120.0
        await hubs.until(lambda: names(hub, 4), "the second goes by itself after its minute")


async def test_an_approval_does_not_wait_for_the_minute(hub: Hub) -> None:
    for number, cluster in enumerate(("one", "two", "three")):
        await unlabel(hub, cluster, "left")
        if number:
            plan = await hubs.until(lambda: waiting(hub), f"{cluster} waits")
            await hub.store.write(lambda tx, plan=plan: approve(hub, tx, plan))  # type: ignore[misc]
        await hubs.until(lambda number=number: names(hub, 5 - number), f"{cluster} goes")


def approve(hub: Hub, tx: Tx, plan: Manifest) -> None:
    said = plans.decide(tx, hub.resources, plan["metadata"]["name"], "ada", "", time.time(), yes=True)
    assert said == ""


async def test_what_no_cluster_was_ever_told_of_goes_without_a_question(hub: Hub, repo: Repo) -> None:
    """A mistyped set: its applications could not even be rendered."""
    for name, path in (("typo", "apps/wbe"), ("sound", "apps/web")):
        made = hubs.appset(repo, name)
        made["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {"right": "yes"}}}}]
        made["spec"]["template"]["metadata"]["name"] = f"{name}-{{{{.name}}}}"
        made["spec"]["template"]["spec"]["source"]["path"] = path
        await hubs.add(hub, table.APPLICATION_SET, made)
    await hubs.until(lambda: names(hub, 12), "all applications")
    await hubs.settled(hub)
    for name in ("sound", "typo"):
        await hubs.delete(hub, table.APPLICATION_SET, name)

    async def left() -> bool:
        return set(await hubs.listed(hub, table.APPLICATION_SET)) == {"left", "right", "sound"}

    await hubs.until(left, "the mistyped set is gone")
    gone = (await hubs.listed(hub, table.REMOVAL)).values()
    (told,) = [one["status"]["message"] for one in gone if one["spec"]["owner"]["name"] == "typo"]
    assert told == "no cluster has anything of it"
    plan = await hubs.until(lambda: waiting(hub), "what clusters have waits")
    assert plan["spec"]["owner"]["name"] == "sound"
    assert await names(hub, 9)
    # It took nothing from any cluster, so it does not count against the fleet's cap either.
    await unlabel(hub, "one", "left")
    await hubs.until(lambda: names(hub, 8), "another set's removal within its cap")


async def test_a_plan_says_what_would_wait_for_the_removals_of_the_last_minute(hub: Hub) -> None:
    async def planned(cluster: str, *labels: str) -> Plan:
        return await hub.planner.plan({"labels": [{"cluster": cluster, "remove": list(labels)}]})

    alone = await planned("two", "right")
    assert [(one.appset, one.held, one.crowded) for one in alone.removals] == [("right", "", "")]
    await unlabel(hub, "one", "left")
    await hubs.until(lambda: names(hub, 5), "a set lost a cluster")
    (others,) = (await planned("two", "right")).removals
    assert "with the other removals within 60 s, 2 clusters of the fleet" in others.crowded
    assert others.document()["aboveCap"]
    (own,) = (await planned("two", "left")).removals
    assert "and 1 more lost some within 60 s" in own.crowded
    (same,) = (await planned("one", "right")).removals
    assert same.crowded == "", "the same cluster counts once"
    assert (await planned("two", "right")).digest == alone.digest, "the minute changes no plan"


async def test_a_plan_says_which_removals_would_wait_for_each_other(hub: Hub) -> None:
    spec = {"labels": [{"cluster": "one", "remove": ["left"]}, {"cluster": "two", "remove": ["right"]}]}
    plan = await hub.planner.plan(spec)
    assert ["2 clusters of the fleet" in one.crowded for one in plan.removals] == [True, True]
