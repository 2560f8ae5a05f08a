"""What one change costs follows the change, never the size of the estate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hubs
import pytest
from hubs import Repo, config_map

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import apps
from hub.store.base import Tx


@dataclass
class Cost:
    """What a change cost, in counts."""

    evaluated: int = 0
    """Sets."""
    listings: int = 0
    fetches: int = 0
    rendered: int = 0
    rows: int = 0
    """Rows that the store's writer inserted, updated or deleted."""
    told: list[str] = field(default_factory=list)
    """Clusters whose agents are told, once for each message."""


@contextmanager
def counted(hub: Hub, repo: Repo) -> Iterator[Cost]:
    cost = Cost()
    end = hub.store.on_touch("desired:", lambda topic: cost.told.append(topic))
    before = _counts(hub, repo)
    with rows_counted(hub, cost):
        yield cost
    end()
    after = _counts(hub, repo)
    cost.evaluated, cost.listings, cost.fetches, cost.rendered = (
        now - then for now, then in zip(after, before, strict=True)
    )


@contextmanager
def rows_counted(hub: Hub, cost: Cost) -> Iterator[None]:
    """Without the row that each commit has for itself: how many jobs share a commit is a matter of time."""
    tx = hub.store._tx
    connection, run, many = tx._connection, tx.run, tx.many

    def counting(sql: str, params: Any = ()) -> int:
        before = connection.total_changes
        touched: int = run(sql, params)
        cost.rows += 0 if "UPDATE meta" in sql else connection.total_changes - before
        return touched

    def counting_many(sql: str, rows: Any) -> None:
        before = connection.total_changes
        many(sql, rows)
        cost.rows += connection.total_changes - before

    tx.run, tx.many = counting, counting_many  # type: ignore[method-assign]
    try:
        yield
    finally:
        del tx.run, tx.many


def _counts(hub: Hub, repo: Repo) -> tuple[int, ...]:
    counters = hub.mirrors.counters
    return hub.expander.evaluated, counters.listings, counters.fetches, hub.renderer.rendered


async def create(hub: Hub, served: Served, manifests: list[Manifest]) -> None:
    def job(tx: Tx) -> None:
        for manifest in manifests:
            hub.resources.create(tx, served, manifest, manager="tester", now=time.time())

    await hub.store.write(job)


def cluster(number: int, groups: int) -> Manifest:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": f"c{number}", "labels": {"group": f"g{number % groups}"}},
    }


def team_set(repo: Repo, number: int, groups: int, path: str) -> Manifest:
    """The folders of one team on the clusters of one group."""
    manifest = hubs.appset(repo, f"team-{number}", path=path)
    children: list[dict[str, Any]] = manifest["spec"]["generators"][0]["matrix"]["generators"]
    children[0] = {"clusters": {"selector": {"matchLabels": {"group": f"g{number % groups}"}}}}
    manifest["spec"]["template"]["metadata"]["name"] = f"t{number}-{{{{.path.basename}}}}-{{{{.name}}}}"
    return manifest


async def assigned(hub: Hub, wanted: int) -> bool:
    states = await hub.store.read(apps.every)
    return len([state for state in states if state.rolled]) == wanted


async def cost_of_one_file(folder: Path, number: int) -> tuple[Cost, Cost]:
    """The costs of (one changed file, one more folder) with `number` applications on two clusters."""
    with hubs.repository(folder) as repo:
        folders = number // 2
        repo.commit({f"apps/a{one}/cm.yaml": config_map(f"a{one}") for one in range(folders)})
        async with hubs.running(folder / "hub") as hub:
            await create(hub, table.CLUSTER, [cluster(one, 1) for one in range(2)])
            await create(hub, table.APPLICATION_SET, [team_set(repo, 0, 1, "apps/*")])
            await hubs.until(lambda: assigned(hub, number), "all applications assigned", seconds=120)
            await hubs.settled(hub)
            repo.commit({"apps/a3/cm.yaml": config_map("a3", "2")})
            with counted(hub, repo) as file:
                await hubs.pushed(hub)
            repo.commit({"apps/more/cm.yaml": config_map("more")})
            with counted(hub, repo) as one_more:
                await hubs.pushed(hub)
            return file, one_more


async def test_one_changed_file_costs_the_same_however_many_applications_there_are(tmp_path: Path) -> None:
    small = await cost_of_one_file(tmp_path / "small", 100)
    large = await cost_of_one_file(tmp_path / "large", 1000)
    for few, many in zip(small, large, strict=True):
        few.told, many.told = ["one"] * len(few.told), ["one"] * len(many.told)
        assert few == many
    file, one_more = large
    assert (file.evaluated, file.listings, file.fetches, file.rendered, len(file.told)) == (0, 1, 1, 2, 2)
    assert (one_more.evaluated, one_more.fetches, one_more.rendered, len(one_more.told)) == (1, 1, 2, 2)


@pytest.mark.parametrize(("sets", "clusters"), [(200, 500), pytest.param(200, 2000, marks=pytest.mark.soak)])
async def test_one_commit_for_many_sets_and_clusters_is_one_fetch_and_renders_what_it_touched(
    tmp_path: Path, sets: int, clusters: int
) -> None:
    groups = sets
    members = {number: len(range(number % groups, clusters, groups)) for number in range(sets)}
    with hubs.repository(tmp_path) as repo:
        repo.commit({f"teams/{one}/web/cm.yaml": config_map(f"web-{one}") for one in range(sets)})
        async with hubs.running(tmp_path / "hub") as hub:
            await create(hub, table.CLUSTER, [cluster(one, groups) for one in range(clusters)])
            await create(
                hub,
                table.APPLICATION_SET,
                [team_set(repo, one, groups, f"teams/{one}/*") for one in range(sets)],
            )
            await hubs.until(
                lambda: assigned(hub, sum(members.values())), "all applications assigned", seconds=240
            )
            await hubs.settled(hub)
            assert hub.mirrors.counters.fetches == 1

            repo.commit({"teams/7/web/cm.yaml": config_map("web-7", "2")})
            fetched = repo.server.requests["fetch"]
            with counted(hub, repo) as file:
                await hubs.pushed(hub)
            assert (file.evaluated, file.fetches, file.rendered) == (0, 1, members[7])
            assert len(file.told) == len(set(file.told)) == members[7]
            # At the server, in protocol 2: the fetch asks for refs and then for objects; the listing takes neither.
            assert repo.server.requests["fetch"] - fetched == 2

            repo.commit({"teams/8/db/cm.yaml": config_map("db-8")})
            with counted(hub, repo) as folder:
                await hubs.pushed(hub)
            assert (folder.evaluated, folder.fetches, folder.rendered) == (1, 1, members[8])

            with counted(hub, repo) as label:
                await hubs.patch(hub, table.CLUSTER, "c9", {"metadata": {"labels": {"group": "g10"}}}, "")
                await hubs.settled(hub)
            assert label.evaluated <= 3, "the sets of both groups, one of them again to confirm what goes"
            assert (label.fetches, label.rendered, len(label.told)) == (0, 1, 1)

            with counted(hub, repo) as note:
                await hubs.patch(hub, table.CLUSTER, "c9", {"metadata": {"labels": {"note": "x"}}}, "")
                await hubs.settled(hub)
            assert (note.rendered, note.told) == (0, [])
