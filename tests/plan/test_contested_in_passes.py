"""A field that is left to somebody who fights for it stays as it is, whatever else becomes of its object."""

from __future__ import annotations

from dataclasses import replace

import pytest
from passes import AUTO, CONFIG_MAP, World, config_map

from argosy.bundle import Assignment
from argosy.status import Sync

MODES = [(), ("ServerSideApply=false",)]


def edit(world: World, manager: str = "fighter", **data: str) -> None:
    world.now += 10
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": data}, manager=manager)


async def contested(world: World, options: tuple[str, ...]) -> Assignment:
    """An object whose field `k` was taken back three times from one manager."""
    policy = replace(AUTO, sync_options=options)
    wanted = world.assignment(config_map("a", k="1", other="1"), policy=policy)
    await world.sync(wanted)
    for number in range(3):
        edit(world, k=f"theirs-{number}")
        await world.sync(wanted)
        assert world.live()["a"]["data"] == {"k": "1", "other": "1"}
    return wanted


@pytest.mark.parametrize("options", MODES)
async def test_what_was_taken_back_last_stays_when_another_field_is_healed(
    world: World, options: tuple[str, ...]
) -> None:
    wanted = await contested(world, options)
    edit(world, other="x")
    await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "1", "other": "1"}


@pytest.mark.parametrize("options", MODES)
async def test_what_somebody_fights_for_stays_his_when_another_field_is_healed(
    world: World, options: tuple[str, ...]
) -> None:
    wanted = await contested(world, options)
    edit(world, k="theirs")
    await world.sync(wanted)
    for number in range(2):
        edit(world, manager=f"hand-{number}", other="x")
        done = await world.sync(wanted)
        assert world.live()["a"]["data"] == {"k": "theirs", "other": "1"}
        assert "contested" in done.status.resources[0].message


@pytest.mark.parametrize("options", MODES)
async def test_an_object_that_is_made_anew_has_all_its_fields(world: World, options: tuple[str, ...]) -> None:
    wanted = await contested(world, options)
    edit(world, k="theirs")
    await world.sync(wanted)
    world.cluster.remove(CONFIG_MAP, "default", "a")
    for _ in range(2):
        done = await world.sync(wanted)
        assert (done.status.sync, world.live()["a"]["data"]) == (Sync.SYNCED, {"k": "1", "other": "1"})


async def test_a_field_is_left_to_whom_it_was_taken_from_and_to_nobody_else(world: World) -> None:
    wanted = await contested(world, ())
    edit(world, manager="somebody", k="x")
    done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "1", "other": "1"}
    assert "contested" not in done.status.resources[0].message
    edit(world, k="theirs")
    done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "theirs", "other": "1"}
    assert 'contested: "fighter" owns .data.k' in done.status.resources[0].message


@pytest.mark.parametrize("options", MODES)
async def test_a_sync_that_is_asked_for_takes_it_back(world: World, options: tuple[str, ...]) -> None:
    wanted = await contested(world, options)
    edit(world, k="theirs")
    await world.sync(wanted)
    trying = replace(wanted.policy, sync_request="op-0", operation='{"sync": {"dryRun": true}}')
    await world.sync(replace(wanted, policy=trying))
    assert world.live()["a"]["data"] == {"k": "theirs", "other": "1"}
    done = await world.sync(replace(wanted, policy=replace(wanted.policy, sync_request="op-1")))
    assert world.live()["a"]["data"] == {"k": "1", "other": "1"}
    assert (done.status.operation, done.status.resources[0].message) == ("op-1", "")
