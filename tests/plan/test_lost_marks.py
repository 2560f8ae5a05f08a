"""Somebody takes our marks off an object along with his edit, as `kubectl replace` does: it is ours for all that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, World, config_map

from agent.core import marks
from argosy.status import Sync

THEIRS = {"data": {"k": "theirs"}}
TAKEN = {
    "label": {"labels": {marks.PART_OF: None}},
    "tracking": {"annotations": {marks.TRACKING: None}},
    "both": {"labels": {marks.PART_OF: None}, "annotations": {marks.TRACKING: None, marks.APPLIED: None}},
    "applied": {"annotations": {marks.APPLIED: "somewhat"}},
}


@pytest.mark.parametrize("taken", TAKEN.values(), ids=TAKEN)
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_edit_that_takes_marks_away_is_healed(
    world: World, taken: dict[str, Any], restarted: bool
) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    if restarted:
        await world.restart()
        await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {**THEIRS, "metadata": taken})

    done = await world.sync(wanted)

    live = world.live()["a"]
    assert (done.status.sync, live["data"]) == (Sync.SYNCED, {"k": "1"})
    assert marks.seen(live).owner == wanted.id
    assert marks.PART_OF in live["metadata"]["labels"]


async def test_an_object_that_is_replaced_waits_without_self_heal_for_a_sync_that_takes_it_back(
    world: World,
) -> None:
    policy = replace(AUTO, self_heal=False)
    wanted = world.assignment(config_map("a"), policy=policy)
    await world.sync(wanted)
    world.cluster.put(config_map("a", k="theirs"), manager="kubectl-replace")
    for _ in range(2):
        done = await world.sync(wanted)
        assert (done.status.sync, world.live()["a"]["data"]) == (Sync.OUT_OF_SYNC, {"k": "theirs"})
        world.now += 200

    done = await world.sync(replace(wanted, policy=replace(policy, sync_request="op-1")))

    assert (done.status.sync, world.live()["a"]["data"]) == (Sync.SYNCED, {"k": "1"})


async def test_an_object_that_is_replaced_is_healed_also_with_new_content(world: World) -> None:
    await world.sync(world.assignment(config_map("a", k="1")))
    world.cluster.put(config_map("a", k="theirs"), manager="kubectl-replace")

    done = await world.sync(world.assignment(config_map("a", k="2")))

    assert (done.status.sync, world.live()["a"]["data"]) == (Sync.SYNCED, {"k": "2"})


async def test_another_object_of_the_same_name_is_a_first_contact(world: World) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.cluster.remove(CONFIG_MAP, "default", "a")
    world.cluster.put(config_map("a", k="theirs"), manager="other-tool")

    done = await world.sync(wanted)

    assert world.live()["a"]["data"] == {"k": "theirs"}
    assert '"other-tool" owns .data.k' in done.status.resources[0].message
