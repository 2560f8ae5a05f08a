"""An agent that dies at any call of a pass, before or after the call took effect, converges on its next pass."""

from __future__ import annotations

import random
from typing import Any

import pytest
from edits import BYSTANDER, Play, sequence
from passes import CONFIG_MAP, Counting, Crash, World, annotated, config_map

from argosy.bundle import Assignment, Removal
from argosy.objects import Manifest

RUNS = 240
PER_CASE = 20


def _bundle(roll: random.Random) -> list[Manifest]:
    names = roll.sample("abcdefgh", roll.randint(1, 6))
    return [
        annotated(config_map(name, k=str(roll.randint(0, 3))), wave=str(roll.choice([-1, 0, 0, 1])))
        for name in names
    ]


def _removals(world: World, assignment: Assignment) -> list[Removal]:
    """What a hub would list: all that is live and no longer wanted."""
    wanted = {manifest["metadata"]["name"] for manifest in world.bundles[assignment.bundle]}
    return [world.removal(f"/ConfigMap/default/{name}") for name in "abcdefgh" if name not in wanted]


async def _die_somewhere(world: World, api: Counting, assignment: Assignment, roll: random.Random) -> bool:
    api.dies_at, api.dies_after = api.total + roll.randint(1, 14), roll.random() < 0.5
    try:
        await world.sync(assignment, *_removals(world, assignment))
    except (Crash, BaseExceptionGroup):
        return True
    finally:
        api.dies_at = 0
    return False


@pytest.mark.parametrize("seed", range(RUNS // PER_CASE))
async def test_live_is_inventory_is_desired_after_any_crash(seed: int) -> None:
    await _crash_often(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1100))
async def test_live_is_inventory_is_desired_after_very_many_crashes(seed: int) -> None:
    await _crash_often(seed)


async def _crash_often(seed: int) -> None:
    died = 0
    for number in range(PER_CASE):
        roll = random.Random(seed * 1000 + number)
        world = World()
        world.cluster.put(config_map("bystander"))
        for _ in range(3):
            assignment = world.assignment(*_bundle(roll))
            if await _die_somewhere(world, world.api, assignment, roll):
                died += 1
                await world.restart()
            world.now += 400
            if roll.random() < 0.5:
                for name in world.live():
                    if name != "bystander":
                        world.cluster.edit(CONFIG_MAP, "default", name, {"data": {"k": "drift"}})
        for _ in range(4):
            done = await world.sync(assignment, *_removals(world, assignment))
            world.now += 400

        wanted = {item["metadata"]["name"]: item["data"] for item in world.bundles[assignment.bundle]}
        live = world.live()
        assert {name: item["data"] for name, item in live.items() if name != "bystander"} == wanted, number
        assert "bystander" in live
        assert done.status.sync.value == "Synced", (number, done.status)
        parent = world.live("argosy-system")["argosy-inventory-id-1"]["data"]["inventory"]
        assert all((f"/ConfigMap/default/{name}" in parent) == (name in wanted) for name in "abcdefgh")
        await world.syncer.close()
    assert died >= PER_CASE


@pytest.mark.parametrize("cascade", [True, False])
async def test_a_whole_removal_survives_crashes(cascade: bool) -> None:
    died = 0
    for dies_at in range(1, 12):
        world = World()
        await world.sync(world.assignment(*(config_map(name) for name in "abc")))
        world.syncer.know([])
        world.api.dies_at, world.api.dies_after = world.api.total + dies_at, bool(dies_at % 2)
        try:
            await world.syncer.remove(world.removal("", cascade=cascade))
        except (Crash, BaseExceptionGroup):
            died += 1
        await world.restart()

        done = await world.syncer.remove(world.removal("", cascade=cascade))

        assert done.status.gone
        assert set(world.live()) == (set() if cascade else set("abc"))
        assert world.live("argosy-system") == {}
        await world.syncer.close()
    assert died >= (6 if cascade else 1)


@pytest.mark.parametrize("seed", range(4))
async def test_an_agent_may_die_at_every_write(seed: int) -> None:
    assert await _die_at_every_write(seed) >= 10


@pytest.mark.soak
@pytest.mark.parametrize("start", range(1000, 2000, 50))
async def test_an_agent_may_die_at_every_write_of_a_thousand_sequences(start: int) -> None:
    for seed in range(start, start + 50):
        await _die_at_every_write(seed)


async def _die_at_every_write(seed: int) -> int:
    """Plays one sequence once for every write of it, before and after it took effect; how often the agent died."""
    edits = sequence(seed)
    deaths = 0
    for number in range(len(edits)):
        for after in (False, True):
            dies_at = 1
            while True:
                world = World()
                world.cluster.put(config_map(BYSTANDER, k="theirs"))
                play = Play(world, "default", "id-1")
                for edit in edits[:number]:
                    await play.step(edit)
                died = await play.step(edits[number], dies_at, after=after)
                for edit in edits[number + 1 :]:
                    await play.step(edit)
                assert await play.wrong(edits[-1]) == "", (seed, number, dies_at, after)
                await world.syncer.close()
                if not died:
                    break
                deaths, dies_at = deaths + 1, dies_at + 1
    return deaths


async def test_an_object_made_anew_for_one_that_went_during_the_pass_is_known_after_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    await world.sync(world.assignment(config_map("a"), annotated(config_map("b"), wave="1")))
    apply = world.cluster.apply

    async def applying(manifest: Manifest, **options: Any) -> Manifest:
        name = manifest["metadata"]["name"]
        if name == "a":
            world.cluster.remove(CONFIG_MAP, "default", "a")
        elif name == "b":
            raise Crash
        return await apply(manifest, **options)

    monkeypatch.setattr(world.cluster, "apply", applying)
    with pytest.raises(BaseExceptionGroup):
        await world.sync(
            world.assignment(config_map("a", k="2"), annotated(config_map("b", k="2"), wave="1"))
        )
    monkeypatch.undo()
    await world.restart()
    assert world.live()["a"]["data"] == {"k": "2"}

    removal = world.removal("/ConfigMap/default/a")
    done = await world.sync(world.assignment(config_map("b")), removal)

    assert (set(world.live()), done.status.removed) == ({"b"}, (removal.id,))
    await world.syncer.close()
