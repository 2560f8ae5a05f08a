"""How many clusters may lose an application at once: by default the larger of one and five percent, of the set and of
the fleet; other numbers stand in `argocd-cm`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import hubs
import pytest
from hubs import Repo

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.removals import removals
from hub.core.removals.removals import Cap, Caps, Member
from hub.core.served import table

CLUSTERS = ("one", "two", "three")


def test_without_a_word_set_and_fleet_have_the_larger_of_one_cluster_and_five_percent() -> None:
    assert removals.caps({}) == Caps(Cap(1, 5.0), Cap(1, 5.0))
    assert [Cap().limit(total) for total in (0, 1, 3, 39, 40, 100, 1000)] == [1, 1, 1, 1, 2, 5, 50]


def test_several_sets_together_take_no_more_from_the_fleet_than_its_cap() -> None:
    assert removals.crowded({"a", "b"}, set(), 3) == "", "a set alone is bounded by its own cap"
    assert removals.crowded({"a"}, {"a"}, 3) == "", "the same cluster counts once"
    assert "2 clusters of the fleet" in removals.crowded({"a"}, {"b"}, 3)
    assert "6 clusters of the fleet" in removals.crowded({"a"}, {"b", "c", "d", "e", "f"}, 100)
    assert removals.crowded({"a"}, {"b", "c", "d", "e"}, 100) == ""
    assert removals.crowded({"a"}, {"b"}, 3, removals.caps({"argosy.fleetRemovalCap": "2"})) == ""


def test_the_settings_say_other_caps_and_a_sets_own_word_counts_more() -> None:
    limits = removals.caps({"argosy.removalCap": "50%", "argosy.fleetRemovalCap": "3"})
    assert limits == Caps(Cap(0, 50.0), Cap(3, 0.0))
    members = [Member(f"app-{n}", f"c{n}") for n in range(4)]
    assert removals.over_cap(members[:2], members, {}, limits) == ""
    assert "the cap of 2" in removals.over_cap(members[:3], members, {}, limits)
    assert "the cap of 1" in removals.over_cap(members[:2], members, {removals.CAP_ANNOTATION: "1"}, limits)


def test_a_cap_that_cannot_be_read_permits_nothing_and_names_its_key() -> None:
    limits = removals.caps({"argosy.removalCap": "many", "argosy.fleetRemovalCap": "-1"})
    members = [Member("a", "one"), Member("b", "two")]
    why = removals.over_cap(members[:1], members, {}, limits)
    assert 'argocd-cm data[argosy.removalCap]: found "many", expected a number of clusters' in why
    assert "argocd-cm data[argosy.fleetRemovalCap]" in removals.crowded({"a"}, {"a"}, 100, limits)


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    """Two sets, each on the clusters that carry its name as a label."""
    async with hubs.running(tmp_path / "hub") as hub:
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
