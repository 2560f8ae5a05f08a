"""Ignored fields keep their live value where an object is compared, and where it is applied if the user asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, World, annotated

from agent.core import drift, keeping, plan
from agent.core.contested import Claim
from agent.core.drift import Ignored
from agent.core.marks import MANAGER, Wanted, marked, seen
from agent.core.plan import Situation
from agent.core.steps import Apply, Check, Conflicted
from argosy.bundle import Policy
from argosy.kinds import Gvk
from argosy.objects import Manifest, key_of
from argosy.status import Sync

DEPLOYMENT = Gvk("apps", "v1", "Deployment")
WAYS = ("ServerSideApply=true", "ServerSideApply=false", "Replace=true")
CONTAINERS = "/spec/template/spec/containers"
MESH = '.spec.template.spec.containers[] | select(.name == "mesh")'


def deployment(image: str = "1", **spec: Any) -> Manifest:
    containers = [{"name": "mesh", "image": "m"}, {"name": "web", "image": image}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}
    selector = {"matchLabels": {"app": "web"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 3, "selector": selector, "template": template, **spec},
    }


def policy(rule: dict[str, Any], *options: str) -> Policy:
    rules = json.dumps([{"group": "*", "kind": "*", **rule}])
    return replace(AUTO, ignore_differences=rules, sync_options=options)


def live(world: World) -> Any:
    return next(item for item in world.cluster.objects().values() if item["kind"] == "Deployment")


def images(world: World) -> list[tuple[str, str]]:
    return [(each["name"], each["image"]) for each in live(world)["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("respect", ["true", "false"])
@pytest.mark.parametrize(
    "rule",
    [
        {"jsonPointers": ["/spec/replicas"]},
        {"jqPathExpressions": [".spec.replicas"]},
        {"jsonPointers": [f"{CONTAINERS}/0"]},
        {"jsonPointers": [f"{CONTAINERS}/0/image"]},
        {"jqPathExpressions": [MESH]},
    ],
)
async def test_what_is_ignored_is_neither_lost_nor_reset(
    world: World, how: str, respect: str, rule: dict[str, Any]
) -> None:
    """Nobody else owns it: left out of what is applied, it would go, or become the server's default."""
    ignoring = policy(rule, how, f"RespectIgnoreDifferences={respect}")
    await world.sync(world.assignment(deployment("1"), policy=ignoring))
    done = await world.sync(world.assignment(deployment("2"), policy=ignoring))
    assert done.status.sync is Sync.SYNCED
    assert (live(world)["spec"]["replicas"], images(world)) == (3, [("mesh", "m"), ("web", "2")])


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("keeps", [True, False], ids=["in the source", "gone from the source"])
async def test_a_release_leaves_what_others_changed(world: World, how: str, keeps: bool) -> None:
    ignoring = policy({"jsonPointers": ["/spec/replicas"]}, how, "RespectIgnoreDifferences=true")
    await world.sync(world.assignment(deployment("1"), policy=ignoring))
    world.cluster.edit(DEPLOYMENT, "default", "web", {"spec": {"replicas": 9}}, manager="autoscaler")
    new = deployment("2")
    if not keeps:
        del new["spec"]["replicas"]
    done = await world.sync(world.assignment(new, policy=ignoring))
    assert done.status.sync is Sync.SYNCED
    assert (live(world)["spec"]["replicas"], images(world)[1]) == (9, ("web", "2"))


async def test_a_field_that_leaves_the_source_stays_where_it_was_ours_alone(world: World) -> None:
    ignoring = policy({"jsonPointers": ["/spec/replicas"]}, "RespectIgnoreDifferences=true")
    await world.sync(world.assignment(deployment("1"), policy=ignoring))
    new = deployment("2")
    del new["spec"]["replicas"]
    await world.sync(world.assignment(new, policy=ignoring))
    assert (live(world)["spec"]["replicas"], images(world)[1]) == (3, ("web", "2"))


async def test_what_others_own_does_not_become_ours(world: World) -> None:
    ignoring = policy({"jsonPointers": ["/spec/minReadySeconds"]}, "RespectIgnoreDifferences=true")
    await world.sync(world.assignment(deployment("1"), policy=ignoring))
    world.cluster.edit(DEPLOYMENT, "default", "web", {"spec": {"minReadySeconds": 5}}, manager="tuner")
    await world.sync(world.assignment(deployment("2"), policy=ignoring))
    assert live(world)["spec"]["minReadySeconds"] == 5
    ours = [entry for entry in live(world)["metadata"]["managedFields"] if entry["manager"] == MANAGER]
    assert not any("f:minReadySeconds" in entry["fieldsV1"]["f:spec"] for entry in ours)


async def test_a_field_that_must_be_there_may_be_ignored(world: World) -> None:
    """Drift beside it is seen and healed: the comparison asks the server about a whole object."""
    ignoring = policy({"jsonPointers": [f"{CONTAINERS}/0/image"]})
    wanted = world.assignment(deployment(), policy=ignoring)
    await world.sync(wanted)
    world.cluster.edit(DEPLOYMENT, "default", "web", {"spec": {"replicas": 7}})
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    assert (live(world)["spec"]["replicas"], images(world)) == (3, [("mesh", "m"), ("web", "1")])


@pytest.mark.parametrize("path", ["/metadata", "/metadata/labels", "/kind"])
async def test_marks_are_kept_whatever_is_ignored(world: World, path: str) -> None:
    ignoring = policy({"jsonPointers": [path]}, "RespectIgnoreDifferences=true")
    await world.sync(world.assignment(deployment("1"), policy=ignoring))
    done = await world.sync(world.assignment(deployment("2"), policy=ignoring))
    assert (done.status.sync, images(world)[1]) == (Sync.SYNCED, ("web", "2"))
    assert seen(live(world)).owner == "id-1"
    world.cluster.edit(DEPLOYMENT, "default", "web", {"spec": {"replicas": 7}})
    await world.sync(world.assignment(deployment("2"), policy=ignoring))
    assert live(world)["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("jsonPointers:\n  - /spec/replicas", 7),
        ("jsonPointers: [/spec/other, /spec/replicas]", 7),
        ("jqPathExpressions: [.spec.replicas]", 3),
        ("jsonPointers: /spec/replicas", 3),
        ("jsonPointers: [", 3),
        ("", 3),
    ],
)
async def test_an_object_says_itself_what_is_ignored_of_it(world: World, text: str, left: int) -> None:
    wanted = world.assignment(annotated(deployment(), **{drift.NOTE: text}))
    await world.sync(wanted)
    world.cluster.edit(DEPLOYMENT, "default", "web", {"spec": {"replicas": 7}})
    done = await world.sync(wanted)
    assert (done.status.sync, live(world)["spec"]["replicas"]) == (Sync.SYNCED, left)


# --- the rule itself ----------------------------------------------------------------------------------------------


def thing(**spec: Any) -> Manifest:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("pointer", "said", "there", "made"),
    [
        ("/spec/a", {"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 2, "b": 1}),
        ("/spec/a", {"a": 1, "b": 1}, {"b": 2}, {"b": 1}),
        ("/spec/a", {"b": 1}, {"a": 2}, {"a": 2, "b": 1}),
        ("/spec/a/b", {}, {"a": {"b": 2, "c": 2}}, {"a": {"b": 2}}),
        ("/spec/a/b", {"a": 1}, {"a": {"b": 2}}, {"a": 1}),
        ("/spec/a/1", {"a": ["x", "y"]}, {"a": ["u", "v"]}, {"a": ["x", "v"]}),
        (
            "/spec/a/1/n",
            {"a": [{"n": 1}, {"n": 1}]},
            {"a": [{"n": 2}, {"n": 3}]},
            {"a": [{"n": 1}, {"n": 3}]},
        ),
        (
            "/spec/a/0/n",
            {"a": [{"name": "x", "n": 1}, {"name": "y", "n": 1}]},
            {"a": [{"name": "y", "n": 2}]},
            {"a": [{"name": "x"}, {"name": "y", "n": 2}]},
        ),
        ("/spec/a/1", {"a": [1, 2, 3, 4]}, {"a": [1, 2]}, {"a": [1, 2, 3, 4]}),
    ],
)
def test_the_live_value_stands_in_each_ignored_place(
    pointer: str, said: dict[str, Any], there: dict[str, Any], made: dict[str, Any]
) -> None:
    found = keeping.kept(thing(**said), thing(**there), Ignored((pointer,)))
    assert found == thing(**made)


def _situation(wanted: Wanted, *, respects: bool = False) -> Situation:
    ignored = Ignored(("/spec/replicas",))
    return Situation(
        *("id-1", wanted, None, None, None, None, {}, True, lambda _: wanted.manifest),
        ignored=ignored,
        respect_ignored=respects,
    )


def test_a_change_of_an_ignored_field_in_between_is_no_conflict() -> None:
    """It is looked at anew; other fields count as ever."""
    said = deployment(minReadySeconds=1)
    wanted = marked(said, key_of(said), "id-1")
    there = seen(marked(deployment(replicas=9), wanted.key, "id-1").manifest)
    replicas, other = Claim("autoscaler", ".spec.replicas"), Claim("kubectl", ".spec.minReadySeconds")

    now = _situation(wanted)
    asked = Check(wanted, wanted.manifest, keeping=now.ignored)
    assert plan.then(now, asked, Conflicted((replicas,), "", there), 0.0) == replace(asked, live=there)

    now = _situation(wanted, respects=True)
    applied = Apply(wanted, wanted.manifest, keeping=now.ignored)
    assert plan.then(now, applied, Conflicted((replicas,), "", there), 0.0) == applied
    again = plan.then(now, applied, Conflicted((replicas, other), "", there), 0.0)
    assert isinstance(again, Apply)
    assert again.taken == (other,)
