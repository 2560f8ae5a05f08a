"""A cluster that fails, loses answers, throttles and forgets: the app still arrives, and nothing is wrongly deleted."""

from __future__ import annotations

import random

import pytest
from passes import CONFIG_MAP, World, annotated, config_map

from agent.cluster.faults import Effect, Fault, Verb

EFFECTS: tuple[Effect, ...] = ("unavailable", "lost", "error", "busy", "throttled", "conflict", "forbidden")


@pytest.mark.parametrize("seed", range(8))
async def test_it_converges_through_faults(seed: int) -> None:
    roll, injected = random.Random(seed), 0
    for _ in range(8):
        world = World()
        world.cluster.put(config_map("bystander"))
        names: list[str] = []
        for _ in range(3):
            names = roll.sample("abcdef", roll.randint(1, 6))
            assignment = world.assignment(
                *(
                    annotated(config_map(name, k=str(roll.random())), wave=str(roll.randint(0, 1)))
                    for name in names
                )
            )
            removals = [world.removal(f"/ConfigMap/default/{name}") for name in "abcdef" if name not in names]
            for _ in range(4):
                verb = roll.choice(("apply", "get", "delete", "kinds"))
                world.cluster.faults.inject(Fault(verb, roll.choice(EFFECTS), after=roll.randint(0, 6)))  # type: ignore[arg-type]
            for _ in range(3):
                if roll.random() < 0.3:
                    world.cluster.drop_watches()
                if roll.random() < 0.3:
                    world.cluster.expire_watches()
                await world.sync(assignment, *removals)
                world.now += roll.choice((1, 20, 200))
        injected += sum(world.cluster.faults.counts.values())
        world.cluster.faults.clear()
        world.now += 400
        for _ in range(3):
            done = await world.sync(assignment, *removals)
            world.now += 400

        assert set(world.live()) == {*names, "bystander"}
        assert done.status.sync.value == "Synced", done.status
        await world.syncer.close()
    assert injected >= 40


async def test_an_unreachable_cluster_is_unknown_and_keeps_what_was_known() -> None:
    world = World()
    await world.sync(world.assignment(config_map("a")))
    world.cluster.faults.inject(Fault("any", "unavailable", times=0))

    done = await world.sync(world.assignment(config_map("a", k="2")))

    assert done.status.sync.value == "Unknown"
    assert [line.name for line in done.status.resources] == ["a"]
    assert done.again is not None
    world.cluster.faults.clear()
    await world.sync(world.assignment(config_map("a", k="2")))
    assert (await world.cluster.get(CONFIG_MAP, "default", "a") or {})["data"] == {"k": "2"}
    await world.syncer.close()


@pytest.mark.parametrize("verb", ["get", "delete"])
@pytest.mark.parametrize("effect", EFFECTS)
async def test_a_removal_that_meets_a_fault_is_tried_again_soon(verb: Verb, effect: Effect) -> None:
    world = World()
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    wanted, removal = world.assignment(config_map("a")), world.removal("/ConfigMap/default/b")
    world.cluster.faults.inject(Fault(verb, effect, name="b"))

    done = await world.sync(wanted, removal)

    if removal.id not in done.status.removed:
        assert done.again is not None
        assert done.again <= 10.0
        done = await world.sync(wanted, removal)
    assert (set(world.live()), done.status.removed) == ({"a"}, (removal.id,))
    await world.syncer.close()
