"""Applications whose clusters are away cost nothing while nothing is said of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import hubs
import pytest
from hubs import config_map

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.loops.releases import inheriting
from hub.store.base import Tx

AWAY = ("one", "two", "three")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """Three clusters without agents; their Applications are deleted, and the clusters told to."""
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/cm.yaml": config_map("web")})
        async with hubs.running(tmp_path / "hub") as hub:
            for name in AWAY:
                await hubs.add_cluster(hub, name, env="prod")
            await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
            await hubs.until(lambda: assigned(hub, len(AWAY)), "all are assigned")
            await hubs.settled(hub)
            for app in (await hubs.apps(hub)).values():
                await hub.store.write(lambda tx, app=app: delete(hub, tx, app))  # type: ignore[misc]
            await hubs.until(lambda: told(hub, len(AWAY)), "all clusters are told")
            await hubs.settled(hub)
            yield hub


def delete(hub: Hub, tx: Tx, app: Manifest) -> None:
    hub.resources.delete(tx, table.APPLICATION, "argocd", app["metadata"]["name"], now=0.0)


async def assigned(hub: Hub, wanted: int) -> bool:
    return await hub.store.read(lambda tx: tx.one("SELECT count(*) FROM assignments")) == (wanted,)


async def told(hub: Hub, wanted: int) -> bool:
    rows = await hub.store.read(lambda tx: tx.one("SELECT count(*) FROM removals"))
    return rows == (wanted,)


async def looks(hub: Hub) -> int:
    before = hub.remover.looked_at
    await hubs.settled(hub)
    return hub.remover.looked_at - before


async def test_who_waits_for_an_agent_is_not_looked_at_again(hub: Hub) -> None:
    hub.remover._everybody = float("inf")  # the run that looks at everybody is not to come in between
    assert await looks(hub) == 0
    (first, *_) = (await hubs.listed(hub, table.APPLICATION)).values()
    annotated = {"metadata": {"annotations": {"note": "x"}}}
    await hub.store.write(
        lambda tx: hub.resources.patch(
            tx, table.APPLICATION, "argocd", first["metadata"]["name"], annotated, manager="x", now=0.0
        )
    )
    assert await looks(hub) >= 1, "its object changed"


async def test_a_word_of_one_agent_concerns_its_own_cluster(hub: Hub) -> None:
    hub.remover._everybody = float("inf")
    before = hub.remover.looked_at
    cluster = (await hubs.listed(hub, table.CLUSTER))["two"]["metadata"]["uid"]
    await hub.store.write(lambda tx: tx.touch(f"removed:{cluster}"))
    await hubs.until(lambda: hub.remover.looked_at > before, "the remover looked")
    assert await looks(hub) == 0
    assert hub.remover.looked_at == before + 1


async def test_an_heir_assigned_while_it_is_looked_for_is_not_missed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at who is to come and the one at who goes, an assignment has to wake the remover again."""
    waiting = []
    real = inheriting.coming

    def coming(tx: Tx) -> inheriting.Coming:
        waiting.append(hub.remover.waiting)
        return real(tx)

    monkeypatch.setattr(inheriting, "coming", coming)
    hub.remover.again()
    await hubs.settled(hub)
    assert waiting
    assert all(waiting)
    assert not hub.remover.waiting, "nobody has an heir here"


async def test_everybody_is_looked_at_now_and_then_and_when_holds_change(hub: Hub) -> None:
    hub.remover.again()
    assert await looks(hub) >= len(AWAY)
