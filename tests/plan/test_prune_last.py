"""What is pruned last stays until what the sync applied is healthy; anything else goes when all is applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, World, annotated, config_map

from argosy import convert
from argosy.kinds import Gvk
from argosy.objects import Manifest

DEPLOYMENT = Gvk("apps", "v1", "Deployment")
OPTION = "PruneLast=true"


pytestmark = pytest.mark.unsettled


def deployment(name: str, image: str = "1") -> Manifest:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def report(world: World, name: str, **status: Any) -> None:
    """Plays the Deployment controller."""
    live = next(item for item in world.cluster.objects().values() if item["metadata"]["name"] == name)
    told = {
        "observedGeneration": live["metadata"]["generation"],
        "replicas": 1,
        "updatedReplicas": 1,
        **status,
    }
    world.cluster.edit(
        DEPLOYMENT, "default", name, {"status": told}, manager="controller", subresource="status"
    )


def well(world: World, name: str) -> None:
    report(world, name, readyReplicas=1, availableReplicas=1, conditions=[])


async def pruning(world: World, *, app: bool, own: bool) -> Any:
    """A Deployment takes the place of an object; (the assignment that wants it so, the removal)."""
    policy = replace(AUTO, sync_options=(OPTION,) if app else ())
    old = config_map("old")
    if own:
        old = annotated(old, **{"argocd.argoproj.io/sync-options": OPTION})
    await world.sync(world.assignment(old, policy=policy))
    return world.assignment(deployment("new"), policy=policy), world.removal("/ConfigMap/default/old")


@pytest.mark.parametrize("app", [True, False])
async def test_it_waits_for_the_health_of_what_takes_its_place(world: World, app: bool) -> None:
    wanted, removal = await pruning(world, app=app, own=not app)
    done = await world.sync(wanted, removal)
    line = next(line for line in done.status.resources if line.name == "old")
    assert "old" in world.live()
    assert "PruneLast=true: waiting for apps/Deployment/default/new: Progressing" in line.message
    assert done.again is not None

    report(
        world,
        "new",
        conditions=[{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    )
    await world.sync(wanted, removal)
    assert "old" in world.live(), "what is Degraded takes nobody's place"

    well(world, "new")
    world.now += 120
    await world.sync(wanted, removal)
    assert "old" not in world.live()


async def test_a_health_that_speaks_of_an_earlier_version_does_not_count(world: World) -> None:
    policy = replace(AUTO, sync_options=(OPTION,))
    await world.sync(world.assignment(config_map("old"), deployment("new"), policy=policy))
    well(world, "new")
    wanted = world.assignment(deployment("new", "2"), policy=policy)
    removal = world.removal("/ConfigMap/default/old")
    await world.sync(wanted, removal)
    assert "old" in world.live()
    well(world, "new")
    world.now += 120
    await world.sync(wanted, removal)
    assert "old" not in world.live()


async def test_without_the_option_nothing_waits_for_health(world: World) -> None:
    wanted, removal = await pruning(world, app=False, own=False)
    await world.sync(wanted, removal)
    assert "old" not in world.live()


async def test_a_sync_tells_what_it_pruned_until_the_next_one(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("old")))
    wanted, removal = world.assignment(config_map("a")), world.removal("/ConfigMap/default/old")
    done = await world.sync(wanted, removal)
    assert done.status.pruned == (("", "v1", "ConfigMap", "default", "old"),)
    assert (await world.sync(wanted)).status.pruned == done.status.pruned
    assert b'"pruned":[["","v1","ConfigMap","default","old"]]' in convert.detail_of(done.status)

    done = await world.sync(world.assignment(config_map("a", k="2")))
    assert done.status.pruned == ()
    assert b"pruned" not in convert.detail_of(done.status)
