"""An agent keeps to freezes and sync windows it has heard of, with its hub away as well."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, World, config_map

from agent.core.epoch import Held
from agent.state.cache import Cache, State
from argosy import bundle, convert
from argosy.bundle import Assignment, Desired, Restraint
from argosy.convert import Delta
from argosy.v1 import link_pb2 as pb

NOON = datetime.datetime(2026, 5, 4, 12, tzinfo=datetime.UTC).timestamp()
WRITES = ("apply", "create", "update", "delete")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    made.now = NOON
    yield made
    await made.syncer.close()


def freeze(until: float = NOON + 3600, **more: Any) -> Restraint:
    return Restraint(
        "freeze/f", bundle.FREEZE, reason="frozen by alice: audit (freeze f)", until=until, **more
    )


def window(kind: str, schedule: str, duration: str = "1h", **more: Any) -> Restraint:
    return Restraint(f"window/{kind}", kind, ("id-1",), schedule=schedule, duration=duration, **more)


def writes(world: World) -> int:
    return sum(world.api.calls[verb] for verb in WRITES)


def changed_by_hand(world: World) -> None:
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "by hand"}})


async def test_nothing_is_written_during_a_freeze_and_all_of_it_after(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))
    world.restraints = [freeze()]
    before = writes(world)
    wanted = world.assignment(config_map("a", k="2"), config_map("b"))
    done = await world.sync(wanted, world.removal("/ConfigMap/default/a"))
    assert writes(world) == before
    assert ("Held", "frozen by alice: audit (freeze f)") in done.status.conditions
    assert done.status.waiting == "frozen by alice: audit (freeze f)"
    assert done.again is not None
    assert done.again <= 3600
    world.now = NOON + 3601
    done = await world.sync(wanted)
    assert {name: item["data"] for name, item in world.live().items()} == {"a": {"k": "2"}, "b": {"k": "1"}}
    assert not done.status.waiting


@pytest.mark.parametrize("heal", [False, True])
async def test_healing_during_a_freeze_is_as_the_freeze_says(world: World, heal: bool) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.restraints = [freeze(heal=heal)]
    changed_by_hand(world)
    done = await world.sync(wanted)
    assert world.live()["a"]["data"]["k"] == ("1" if heal else "by hand")
    assert not done.status.waiting


async def test_healing_during_a_freeze_brings_nothing_new(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))
    world.restraints = [freeze(heal=True)]
    await world.sync(world.assignment(config_map("a", k="2")))
    assert world.live()["a"]["data"]["k"] == "1"


async def test_a_whole_application_is_not_removed_during_a_freeze(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))
    removal = world.removal("", expires=NOON + 7200)
    world.syncer.know([], [freeze()])
    done = await world.syncer.remove(removal)
    assert "frozen" in done.status.message
    assert set(world.live()) == {"a"}
    world.now = NOON + 3601
    assert (await world.syncer.remove(removal)).status.gone
    assert not world.live()


async def test_a_freeze_of_others_is_none_of_ours_and_an_override_lifts_it(world: World) -> None:
    world.restraints = [freeze(apps=("id-2",))]
    await world.sync(world.assignment(config_map("a")))
    assert set(world.live()) == {"a"}
    world.restraints = [freeze(), Restraint("override/o", bundle.OVERRIDE, ("id-1",), until=NOON + 60)]
    await world.sync(world.assignment(config_map("b")))
    assert set(world.live()) == {"a", "b"}


async def test_closed_windows_stop_syncs_and_self_heal(world: World) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.restraints = [window("allow", "0 22 * * *")]
    changed_by_hand(world)
    await world.sync(wanted)
    assert world.live()["a"]["data"]["k"] == "by hand"
    done = await world.sync(world.assignment(config_map("b")))
    assert set(world.live()) == {"a"}
    assert done.status.waiting == "blocked by the sync windows of project default"
    world.now = NOON + 10.5 * 3600
    await world.sync(world.assignment(config_map("b")))
    assert set(world.live()) == {"a", "b"}


@pytest.mark.parametrize("manual_sync", [False, True])
async def test_a_sync_asked_for_by_hand_passes_where_the_window_says_so(
    world: World, manual_sync: bool
) -> None:
    world.restraints = [window("deny", "0 11 * * *", "3h", manual_sync=manual_sync)]
    policy = dataclasses.replace(AUTO, automated=False, self_heal=False, sync_request="one")
    await world.sync(world.assignment(config_map("a"), policy=policy))
    assert bool(world.live()) is manual_sync


@pytest.mark.parametrize("overrun", [False, True])
async def test_a_sync_under_way_goes_on_where_the_window_permits_an_overrun(
    world: World, overrun: bool
) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "d",
            "namespace": "default",
            "annotations": {"argocd.argoproj.io/sync-wave": "0"},
        },
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    later = config_map("late")
    later["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "1"}
    wanted = world.assignment(deployment, later)
    world.restraints = [window("allow", "30 11 * * *", "45m", sync_overrun=overrun)]
    done = await world.sync(wanted)
    assert done.status.phase == "Running"
    world.now = NOON + 1800
    world.cluster.settle()
    await world.sync(wanted)
    assert ("late" in world.live()) is overrun


def test_restraints_are_kept_on_disk_and_survive_the_wire(tmp_path: Path) -> None:
    held = (freeze(apps=("id-1",)), window("deny", "0 11 * * *", time_zone="Europe/Berlin"))
    item = Assignment("id-1", "a", "argocd", "default", "default", "sha256:00", "r", "c")
    digest = bundle.set_digest([item], (), held)
    delta = Delta("e", 3, 0, (item,), (), (), digest, held)
    parts = [pb.ConnectResponse.FromString(raw).desired for raw in convert.delta_to(delta)]
    found = convert.delta_from(parts)
    assert found.restraints == held
    assert bundle.set_digest(found.assignments, found.removals, found.restraints) == digest
    assert digest != bundle.set_digest([item], ())
    cache = Cache(tmp_path)
    cache.write(State(Desired("e", 3, (item,), (), held), Held("e", 3)))
    assert Cache(tmp_path).read().desired.restraints == held
