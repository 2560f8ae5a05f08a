"""An agent that dies at any write to a real API server: live = inventory = desired afterwards, nothing foreign touched."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from edits import BYSTANDER, Play, sequence
from passes import config_map
from realworld import RealWorld
from testbed import controlplane

from agent.cluster import kube

_numbers = itertools.count()


@pytest.fixture
async def world(control_planes: list[controlplane.ControlPlane]) -> AsyncIterator[RealWorld]:
    cluster = await kube.connect(kubeconfig_file=control_planes[1].kubeconfig())
    made = RealWorld(cluster)
    yield made
    await made.syncer.close()
    await cluster.close()


async def test_an_agent_may_die_at_every_write(world: RealWorld) -> None:
    assert await _die_at_every_write(world, seed=1, edits=2) >= 10


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 125))
async def test_an_agent_may_die_at_every_write_of_more_sequences(world: RealWorld, seed: int) -> None:
    await _die_at_every_write(world, seed, edits=3)


async def _die_at_every_write(world: RealWorld, seed: int, edits: int) -> int:
    listed = sequence(seed, edits)
    deaths = 0
    for number, after in itertools.product(range(len(listed)), (False, True)):
        dies_at = 1
        while True:
            name = f"crash-{seed}-{next(_numbers)}"
            await world.real.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="test"
            )
            await world.real.apply(config_map(BYSTANDER, name, k="theirs"), manager="somebody")
            play = Play(world, name, name)
            for edit in listed[:number]:
                await play.step(edit)
            died = await play.step(listed[number], dies_at, after=after)
            for edit in listed[number + 1 :]:
                await play.step(edit)
            assert await play.wrong(listed[-1]) == "", (seed, number, dies_at, after)
            if not died:
                break
            deaths, dies_at = deaths + 1, dies_at + 1
    return deaths
