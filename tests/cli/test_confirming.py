"""Confirming many clusters at once: counted first, confirmed by a word of its own, one record of the audit for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import hubs
import pytest
from commands import argosy

from hub.assembly import Hub
from hub.core.served import table
from hub.store import agents, audit
from hub.store.audit import Asked

HOLD = {"one": "EpochUnknown", "two": "EpochUnknown", "three": "EpochOlder", "four": ""}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """Three clusters that hold, one that follows, one whose agent is away."""
    async with hubs.running(tmp_path / "hub") as hub:
        for name, holding in HOLD.items():
            env = "prod" if name != "three" else "test"
            uid = (await hubs.add_cluster(hub, name, env=env))["metadata"]["uid"]
            await hub.store.write(lambda tx, uid=uid, holding=holding: here(hub, tx, uid, holding))  # type: ignore[misc]
        await hubs.add_cluster(hub, "away", env="prod")
        yield hub


def here(hub: Hub, tx: object, uid: str, holding: str) -> None:
    agents.bind(tx, uid, f"uid-{uid}", f"key-{uid}", "1", 4e9)  # type: ignore[arg-type]
    agents.connected(tx, uid, "1", "{}", 1.0)  # type: ignore[arg-type]
    agents.held(tx, uid, "old", 1, "d", holding, life=hub.store.epoch, now=1.0)  # type: ignore[arg-type]


async def confirmed(hub: Hub) -> set[str]:
    """Who is, and a record for each in the audit."""
    found = await hubs.listed(hub, table.CLUSTER)
    rows = await hub.store.read(agents.every)
    by_uid = {one["metadata"]["uid"]: name for name, one in found.items()}
    names = {by_uid[row.cluster] for row in rows if row.confirmed_epoch == hub.store.epoch}
    records = await hub.store.read(lambda tx: audit.found(tx, Asked(resource="clusters/confirm"), 100))
    assert {record.name for _, record in records} == names
    return names


async def test_nobody_is_confirmed_before_somebody_says_so(hub: Hub) -> None:
    said = await argosy(hub, "cluster", "confirm", "--all")
    assert said.returncode == 2
    assert "3 of 5 clusters hold: one, three, two" in said.stdout
    assert "2 EpochUnknown" in said.stdout
    assert "1 EpochOlder" in said.stdout
    assert "0 applications are assigned to them, none to 3 of them" in said.stdout
    assert "0 removals that are under way concern them" in said.stdout
    assert "1 more are not connected" in said.stdout
    assert "with --yes, these 3 are" in said.stderr
    assert await confirmed(hub) == set()


async def test_those_that_hold_are_confirmed_together(hub: Hub) -> None:
    said = await argosy(hub, "cluster", "confirm", "-l", "env=prod", "--yes")
    assert (said.returncode, said.stderr) == (0, "")
    assert "2 of 4 clusters hold: one, two" in said.stdout
    assert await confirmed(hub) == {"one", "two"}
    said = await argosy(hub, "cluster", "confirm", "--all", "--yes")
    assert said.returncode == 0
    assert await confirmed(hub) == {"one", "two", "three"}


async def test_names_are_confirmed_at_once_and_one_that_is_wrong_stops_no_other(hub: Hub) -> None:
    said = await argosy(hub, "cluster", "confirm", "one", "nowhere", "three")
    assert said.returncode == 1
    assert said.stdout.splitlines() == ["cluster/one confirmed", "cluster/three confirmed"]
    assert "nowhere" in said.stderr
    assert await confirmed(hub) == {"one", "three"}


@pytest.mark.parametrize("wrong", [(), ("one", "--all"), ("one", "-l", "env=prod")])
async def test_what_is_meant_has_to_be_said(hub: Hub, wrong: tuple[str, ...]) -> None:
    assert (await argosy(hub, "cluster", "confirm", *wrong)).returncode == 2
