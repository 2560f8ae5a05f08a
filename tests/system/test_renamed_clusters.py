"""A cluster under another name is the same cluster: its agent, its objects and its server stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import spokes
import users
from hubs import Repo
from spokes import System, merged

from argosy.errors import ArgosyError
from argosy.objects import Manifest
from hub.cli.client import TABLE
from hub.cli.resources import APPS, CLUSTERS
from hub.core.served import table
from hub.store import agents, audit

FIRST = {"web": {"web-a": "1", "web-b": "1"}}
SECOND = {"web": {"web-a": "2", "web-b": "1"}}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, FIRST) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """Two clusters; the set's applications carry the names of their clusters."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await system.deploys(FIRST, ("one", "two"), hubs.appset(repo))
        yield system


async def rename(system: System, old: str, new: str) -> Manifest:
    """As `argosy cluster rename` does."""
    path = CLUSTERS.path(name=old, subresource="rename")
    return await users.asks(system.hub, lambda user: user.create(path, {"name": new}))


async def named(system: System, wanted: set[str]) -> bool:
    return set(await hubs.listed(system.hub, table.APPLICATION)) == wanted


async def test_what_runs_stays_and_what_is_called_after_it_is_handed_over(system: System, repo: Repo) -> None:
    one = system.spokes["one"]
    before = {name: uid for name, (uid, _) in one.versions().items()}
    was = (await hubs.listed(system.hub, table.CLUSTER))["one"]
    now = await rename(system, "one", "first")
    assert now["metadata"]["uid"] == was["metadata"]["uid"]
    assert now["spec"] == was["spec"], "the server, too"
    await hubs.until(lambda: named(system, {"web-first", "web-two"}), "its application has the new name")
    spokes.commit(repo, SECOND)
    system.pull()
    await system.settles(dict.fromkeys(("one", "two"), merged(SECOND)))
    assert {name: uid for name, (uid, _) in one.versions().items()} == before
    assert one.deleted == []
    agent = await system.read(lambda tx: agents.get(tx, one.uid))
    assert agent is not None
    assert agent.connected, "the agent never knew"
    assert set(await hubs.listed(system.hub, table.CLUSTER)) == {"first", "two"}
    last = await system.read(lambda tx: audit.newest(tx, 1))
    assert (last[0].verb, last[0].resource, last[0].name) == ("create", "argosy.dev/clusters/rename", "one")


async def test_names_that_do_not_say_the_clusters_are_not_even_written(system: System, repo: Repo) -> None:
    lone = hubs.appset(repo)["spec"]["template"]["spec"]
    server = (await hubs.listed(system.hub, table.CLUSTER))["two"]["spec"]["server"]
    lone = {
        **lone,
        "source": {**lone["source"], "path": "apps/web"},
        "destination": {"server": server, "namespace": "elsewhere"},
    }
    await hubs.add(
        system.hub,
        table.APPLICATION,
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "lone", "namespace": "argocd"},
            "spec": lone,
        },
    )
    await hubs.settled(system.hub)
    await rename(system, "two", "second")
    await hubs.until(lambda: named(system, {"web-one", "web-second", "lone"}), "the set followed")
    found = (await hubs.listed(system.hub, table.APPLICATION))["lone"]
    assert found["spec"]["destination"] == {"server": server, "namespace": "elsewhere"}
    path = APPS.path("argocd", "lone")
    shown = await users.asks(system.hub, lambda user: user.get(path, accept=TABLE))
    columns = [column["name"] for column in shown["columnDefinitions"]]
    assert shown["rows"][0]["cells"][columns.index("Cluster")] == "second"
    assert "InvalidSpecError" not in str(found.get("status"))


async def test_a_new_cluster_of_the_former_name_is_another_one(system: System) -> None:
    await rename(system, "one", "first")
    made = await hubs.add_cluster(system.hub, "one", env="test")
    was = (await hubs.listed(system.hub, table.CLUSTER))["first"]
    assert made["metadata"]["uid"] != was["metadata"]["uid"]
    assert made["spec"]["server"] != was["spec"]["server"], "the former one's server stays its own"


async def test_a_cluster_that_lost_something_under_its_former_name_counts_once(
    system: System, repo: Repo
) -> None:
    made = hubs.appset(repo, "other")
    made["spec"]["template"]["metadata"]["name"] = "other-{{.name}}"
    made["spec"]["generators"] = [
        {"list": {"elements": [{"name": name, "path": "web"} for name in ("one", "two")]}}
    ]
    made["spec"]["template"]["spec"]["destination"] = {"name": "{{.name}}", "namespace": "elsewhere"}
    made["spec"]["template"]["spec"]["source"]["path"] = "apps/web"
    await hubs.add(system.hub, table.APPLICATION_SET, made)
    await hubs.until(lambda: named(system, {"web-one", "web-two", "other-one", "other-two"}), "both sets")
    await hubs.settled(system.hub)
    fewer = {"spec": {"generators": [{"list": {"elements": [{"name": "two", "path": "web"}]}}]}}
    await hubs.patch(system.hub, table.APPLICATION_SET, "other", fewer)
    await hubs.until(lambda: named(system, {"web-one", "web-two", "other-two"}), "one lost an application")
    await rename(system, "one", "first")
    await hubs.until(lambda: named(system, {"web-first", "web-two", "other-two"}), "nobody is asked")


async def test_what_cannot_be_done_says_why(system: System) -> None:
    with pytest.raises(ArgosyError, match="already exists"):
        await rename(system, "one", "two")
    with pytest.raises(ArgosyError, match="not found"):
        await rename(system, "none", "three")
    with pytest.raises(ArgosyError, match="lowercase RFC 1123"):
        await rename(system, "one", "No Name")
    freeze = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "still"},
        "spec": {"clusters": ["one"], "reason": "not now", "duration": "1h"},
    }
    await hubs.add(system.hub, table.FREEZE, freeze)
    with pytest.raises(ArgosyError, match="Freeze still names it"):
        await rename(system, "one", "first")
    assert set(await hubs.listed(system.hub, table.CLUSTER)) == {"one", "two"}
