"""A cluster that was away for longer than its order to remove something counts: nothing goes by an old paper, and nothing
is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import users
from commands import argosy, said
from hubs import Clock, Repo, config_map

from argosy import convert
from argosy.bundle import Removal
from argosy.objects import Manifest
from argosy.status import AppStatus, Health, Sync
from hub.assembly import Hub
from hub.cli.resources import APPS
from hub.core.releases.releases import REMOVAL_LIFE
from hub.core.removals import removals
from hub.core.served import table
from hub.store import desired, reports

MONTH = REMOVAL_LIFE + 60.0


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/cm.yaml": config_map("web")})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo, clock: Clock) -> AsyncIterator[Hub]:
    """The cluster `away` was told to remove its Application, and is not there to do so."""
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        await hubs.add_cluster(hub, "away", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo, allow_empty="true"))
        await hubs.until(lambda: assigned(hub), "assigned")
        await hubs.patch(hub, table.CLUSTER, "away", {"metadata": {"labels": {"env": None}}}, "")
        await hubs.until(lambda: told(hub), "told")
        yield hub


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def cluster(hub: Hub) -> str:
    return str((await hubs.listed(hub, table.CLUSTER))["away"]["metadata"]["uid"])


async def assigned(hub: Hub) -> bool:
    uid = await cluster(hub)
    return bool(await hub.store.read(lambda tx: desired.assigned(tx, uid)))


async def told(hub: Hub) -> list[Removal]:
    uid = await cluster(hub)
    found: list[Removal] = await hub.store.read(lambda tx: desired.removals(tx, uid))
    return found


async def waiting(hub: Hub) -> Manifest | None:
    found = await hubs.listed(hub, table.REMOVAL)
    return next((one for one in found.values() if removals.phase(one) == removals.WAITING), None)


async def lapses(hub: Hub, clock: Clock) -> Manifest:
    clock.ahead += MONTH
    hub.remover.again()
    await hubs.settled(hub)
    found: Manifest = await hubs.until(lambda: waiting(hub), "a decision is asked for")
    return found


async def told_anew(hub: Hub, before: Removal) -> Removal:
    async def anew() -> Removal | None:
        (now,) = await told(hub)
        return now if now.id != before.id else None

    found: Removal = await hubs.until(anew, "the cluster is told anew")
    return found


async def test_what_lapsed_asks_is_shown_and_is_told_anew_by_one_command(hub: Hub, clock: Clock) -> None:
    (before,) = await told(hub)
    plan = await lapses(hub, clock)
    assert plan["spec"]["owner"]["kind"] == "Application"
    assert plan["spec"]["kinds"] == {"ConfigMap": 1}
    assert "cluster away was told on" in plan["status"]["message"]
    assert await told(hub) == [before], "nothing is said without a decision"
    name = plan["metadata"]["name"]
    shown = await users.asks(hub, lambda user: user.get(APPS.path("argocd", "web-away")))
    assert f"removal {name} waits for `argosy removal approve`" in hubs.condition(shown, "Held")["message"]
    assert name in await said(hub, "removal", "list")

    await said(hub, "removal", "approve", name)
    now = await told_anew(hub, before)
    assert now.cascade
    assert (now.by, now.reason) == ("admin", before.reason)
    assert now.expires - now.created == REMOVAL_LIFE
    assert (await hubs.listed(hub, table.REMOVAL))[name]["status"]["phase"] == removals.DONE
    again = await lapses(hub, clock)
    assert again["metadata"]["name"] != name, "an approval counts once"


async def test_what_is_rejected_stays_on_the_cluster_and_is_let_go(hub: Hub, clock: Clock) -> None:
    (before,) = await told(hub)
    plan = await lapses(hub, clock)
    await said(hub, "removal", "reject", plan["metadata"]["name"])
    now = await told_anew(hub, before)
    assert not now.cascade
    clock.ahead += 12 * MONTH
    hub.remover.again()
    await hubs.settled(hub)
    assert await told(hub) == [now], "letting go harms nobody, and is said for good"

    uid, gone = (
        await cluster(hub),
        AppStatus(now.assignment, "", "", "", Sync.SYNCED, Health.HEALTHY, gone=True),
    )
    state = reports.hashed(convert.state_of(gone))
    await hub.store.write(lambda tx: reports.put(tx, uid, [state], 0.0))

    async def over() -> bool:
        return not await hubs.listed(hub, table.APPLICATION)

    await hubs.until(over, "the Application is gone")


async def test_several_removals_are_decided_by_one_command(hub: Hub, clock: Clock) -> None:
    name = (await lapses(hub, clock))["metadata"]["name"]
    answer = await argosy(hub, "removal", "approve", f"removal.argosy.dev/{name}", "none")
    assert answer.returncode == 1
    assert "none" in answer.stderr
    assert "approved" in answer.stdout


async def test_an_object_whose_pruning_lapsed_is_pruned_by_a_sync_that_asks_for_it(
    tmp_path: Path, repo: Repo, clock: Clock
) -> None:
    repo.commit({"apps/web/more.yaml": config_map("more")})
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        await hubs.add_cluster(hub, "away", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.until(lambda: assigned(hub), "assigned")
        repo.commit({"apps/web/more.yaml": None})
        await hubs.pushed(hub)
        (before,) = await hubs.until(lambda: told(hub), "the cluster is told to prune")
        clock.ahead += MONTH

        async def synced(**sync: bool) -> None:
            asked = {"operation": {"sync": sync}}
            await hubs.patch(hub, table.APPLICATION, "web-away", asked)

            async def taken() -> bool:
                return "operation" not in (await hubs.listed(hub, table.APPLICATION))["web-away"]

            await hubs.until(taken, "the operation is taken up")
            await hubs.settled(hub)

        await synced(dryRun=True)
        assert await told(hub) == [before], "nobody asked to prune"
        await synced(prune=True)
        now = await told_anew(hub, before)
        assert (now.key, now.cascade, now.by) == (before.key, True, before.by)
        assert now.expires - now.created == REMOVAL_LIFE
        clock.ahead += MONTH
        repo.commit({"apps/web/cm.yaml": config_map("web", "2")})
        await hubs.pushed(hub)
        assert await told(hub) == [now], "it was asked for once"
