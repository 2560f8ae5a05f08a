"""An app is settled, and a stage open, only on a status that was written after the apply, for the generation applied."""

from __future__ import annotations

from typing import Any

import pytest
from passes import AUTO, World, annotated, config_map

from argosy.bundle import Policy
from argosy.health import waiting
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.status import Health, Sync

BUDGET = Gvk("policy", "v1", "PodDisruptionBudget")


pytestmark = pytest.mark.unsettled


def budget(least: int, **notes: str) -> Manifest:
    made = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}},
    }
    return annotated(made, **notes)


async def observed(world: World, generation: int) -> None:
    """Plays the controller: it has looked at this generation, and all is well."""
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": [{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods"}],
    }
    world.cluster.edit(
        BUDGET, "default", "web", {"status": status}, manager="controller", subresource="status"
    )
    await world.quiet()


async def test_a_health_of_the_generation_before_is_not_settled(world: World) -> None:
    first = world.assignment(budget(1))
    await world.sync(first)
    await observed(world, 1)
    done = await world.sync(first)
    assert (done.status.health, done.status.settled, done.status.waiting) == (Health.HEALTHY, True, "")

    second = world.assignment(budget(2))
    done = await world.sync(second)
    assert (done.status.health, done.status.sync) == (Health.HEALTHY, Sync.SYNCED), "the health users know"
    assert not done.status.settled
    assert "policy/PodDisruptionBudget:default/web: its status speaks of generation 1" in done.status.waiting
    assert [item.waiting != "" for item in done.status.resources] == [True]

    await observed(world, 2)
    done = await world.sync(second)
    assert done.status.settled
    assert done.status.bundle == second.bundle


@pytest.mark.parametrize("kind", ["Reconciling", "Stalled"])
async def test_a_stage_opens_on_health_where_a_rollout_is_held_by_more(world: World, kind: str) -> None:
    wanted = world.assignment(budget(1), annotated(config_map("later"), wave="1"), policy=AUTO)
    await world.sync(wanted)
    assert world.live() == {}, "nobody has looked at the first wave yet"
    status: dict[str, Any] = {
        "observedGeneration": 1,
        "conditions": [
            {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods"},
            {"type": kind, "status": "True", "message": "needs what comes later"},
        ],
    }
    world.cluster.edit(
        BUDGET, "default", "web", {"status": status}, manager="controller", subresource="status"
    )
    await world.quiet()

    done = await world.sync(wanted)

    assert set(world.live()) == {"later"}, "as in Argo CD"
    assert done.status.health is Health.HEALTHY
    assert not done.status.settled
    assert f"{kind}: needs what comes later" in done.status.waiting


async def test_what_the_sync_says_and_whose_health_is_not_well_are_two_things(world: World) -> None:
    done = await world.sync(world.assignment(budget(1)))
    status = {"observedGeneration": 1, "conditions": [{"type": "DisruptionAllowed", "status": "False"}]}
    world.cluster.edit(
        BUDGET, "default", "web", {"status": status}, manager="controller", subresource="status"
    )
    await world.quiet()
    done = await world.sync(world.assignment(budget(1)))
    assert done.status.health is not Health.HEALTHY
    assert done.status.message == "successfully synced (all tasks run)"
    assert done.status.health_message == "Caused by policy/PodDisruptionBudget:default/web"


async def test_an_object_that_opts_out_has_no_health_and_nothing_waits_for_it(world: World) -> None:
    out = {"argocd.argoproj.io/ignore-healthcheck": "true"}
    wanted = budget(1)
    wanted["metadata"]["annotations"] = out
    await world.sync(world.assignment(wanted))
    changed = budget(2)
    changed["metadata"]["annotations"] = out
    await observed(world, 1)
    done = await world.sync(world.assignment(changed))
    assert (done.status.health, done.status.settled) == (Health.HEALTHY, True)
    assert [(item.health, item.waiting) for item in done.status.resources] == [(None, "")]


async def test_a_stage_waits_for_a_status_of_the_new_generation(world: World) -> None:
    await world.sync(world.assignment(budget(1), annotated(config_map("a"), wave="1")))
    await observed(world, 1)
    await world.sync(world.assignment(budget(1), annotated(config_map("a"), wave="1")))

    wanted = world.assignment(budget(2), annotated(config_map("b"), wave="1"))
    done = await world.sync(wanted)
    assert "b" not in world.live()
    assert done.status.phase == "Running"
    assert "generation 1" in done.status.message

    await observed(world, 2)
    await world.sync(wanted)
    assert "b" in world.live()


async def test_what_is_not_applied_is_not_settled(world: World) -> None:
    by_hand = Policy(automated=False)
    done = await world.sync(world.assignment(config_map("a"), policy=by_hand))
    assert (done.status.settled, "not applied" in done.status.waiting) == (False, True)

    done = await world.sync(world.assignment(config_map("a"), policy=AUTO))
    assert done.status.settled

    done = await world.sync(world.assignment(config_map("a", k="2"), policy=by_hand))
    assert not done.status.settled, "an older bundle was applied"


async def test_what_names_no_generation_counts_a_moment_after_a_change(world: World) -> None:
    issuer = Gvk("cert-manager.io", "v1", "Issuer")
    await world.cluster.apply(definition(issuer, "issuers"))
    world.cluster.settle()
    for text in ("a", "b"):
        wanted = world.assignment(
            {
                "apiVersion": issuer.api_version,
                "kind": issuer.kind,
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"text": text},
            }
        )
        done = await world.sync(wanted)
        if text == "a":
            ready = {"conditions": [{"type": "Ready", "status": "True"}]}
            world.cluster.edit(
                issuer, "default", "web", {"status": ready}, manager="controller", subresource="status"
            )
            world.now += 60
    assert (done.status.health, done.status.settled) == (Health.HEALTHY, False)
    assert done.again == waiting.LAG

    world.now += waiting.LAG
    done = await world.sync(wanted)
    assert (done.status.settled, done.again) == (True, None)


def definition(gvk: Gvk, plural: str) -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{gvk.group}"},
        "spec": {
            "group": gvk.group,
            "scope": "Namespaced",
            "names": {"kind": gvk.kind, "plural": plural},
            "versions": [
                {
                    "name": gvk.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
