"""A user's sync does what it asks, once, and can be ended; a failed sync is tried again as its policy says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, World, annotated, config_map

from agent.core import requests
from argosy.bundle import Assignment, Policy
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey
from argosy.status import Sync

JOB = Gvk("batch", "v1", "Job")
MANUAL = Policy(automated=False)


pytestmark = pytest.mark.unsettled


def ask(policy: Policy, name: str, *, retry: Any = None, **sync: Any) -> Policy:
    operation = {"sync": sync, **({"retry": retry} if retry else {})}
    return replace(policy, sync_request=name, operation=json.dumps(operation))


def chosen(name: str) -> dict[str, str]:
    return {"kind": "ConfigMap", "name": name}


def job(name: str, **notes: str) -> Manifest:
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}
    made = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
    return annotated(made, **notes)


def end(world: World, name: str, condition: str) -> None:
    """Plays the Job controller."""
    status = {"conditions": [{"type": condition, "status": "True", "message": "played"}]}
    world.cluster.edit(JOB, "default", name, {"status": status}, manager="controller", subresource="status")


def broken(name: str) -> Manifest:
    """What no server takes."""
    return {**config_map(name), "data": {"k": 1}}


def test_an_operation_is_read_as_argo_cd_writes_it() -> None:
    operation = {
        "initiatedBy": {"username": "eve"},
        "retry": {"limit": 2, "backoff": {"duration": "10", "factor": 3, "maxDuration": "60"}},
        "sync": {
            "revision": "abc",
            "prune": True,
            "syncOptions": ["Replace=true"],
            "syncStrategy": {"apply": {"force": True}},
            "resources": [{"group": "apps", "kind": "Deployment", "name": "web"}],
        },
    }
    found = requests.parse(json.dumps(operation))
    assert (found.prune, found.force, found.hooks, found.whole) == (True, True, False, False)
    assert found.concerns(ObjectKey("apps", "Deployment", "anywhere", "web"))
    assert not found.concerns(ObjectKey("", "Deployment", "anywhere", "web"))
    assert found.retry is not None
    assert [found.retry.delay(attempt) for attempt in (1, 2, 3)] == [10.0, 30.0, 60.0]


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", "nonsense", '{"sync": 3}'])
def test_an_operation_that_says_nothing_is_a_whole_sync(text: str) -> None:
    assert requests.parse(text).whole


async def test_a_request_is_answered_once(world: World) -> None:
    asked = ask(MANUAL, "op-1")
    done = await world.sync(world.assignment(config_map("a"), policy=asked))
    assert (done.status.phase, done.status.operation, json.loads(done.status.asked)) == (
        "Succeeded",
        "op-1",
        {"sync": {}},
    )
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})
    done = await world.sync(world.assignment(config_map("a"), policy=asked))
    assert (done.status.sync, done.status.phase) == (Sync.OUT_OF_SYNC, "Succeeded")

    done = await world.sync(world.assignment(config_map("a"), policy=ask(MANUAL, "op-2")))
    assert (done.status.sync, done.status.operation) == (Sync.SYNCED, "op-2")


async def test_chosen_objects_are_synced_without_hooks_and_without_the_rest(world: World) -> None:
    hook = job("migrate", hook="PreSync")
    wanted = world.assignment(
        hook, config_map("a"), config_map("b"), policy=ask(MANUAL, "op", resources=[chosen("b")])
    )
    done = await world.sync(wanted)
    assert set(world.live()) == {"b"}
    assert (done.status.phase, done.status.sync) == ("Succeeded", Sync.OUT_OF_SYNC)
    assert await world.cluster.get(JOB, "default", "migrate") is None


async def test_what_is_chosen_and_none_of_its_objects_is_named(world: World) -> None:
    policy = ask(MANUAL, "op", resources=[chosen("b"), chosen("typo"), {**chosen("b"), "kind": "Secret"}])
    done = await world.sync(world.assignment(config_map("a"), config_map("b"), policy=policy))
    assert (set(world.live()), done.status.phase) == ({"b"}, "Succeeded")
    said = "2 of 3 chosen objects are none of the application's: :ConfigMap:typo, :Secret:b"
    assert done.status.message.endswith(said)

    policy = ask(MANUAL, "op-2", prune=True, resources=[chosen("b")])
    done = await world.sync(world.assignment(config_map("a"), policy=policy))
    assert "chosen" not in done.status.message, "it left the content, and is the application's still"


async def test_what_is_not_chosen_neither_fails_nor_delays_a_sync(world: World) -> None:
    first = annotated(job("slow"), wave="-1")
    wanted = world.assignment(
        first,
        annotated(broken("a"), wave="-1"),
        config_map("b"),
        policy=ask(MANUAL, "op", resources=[chosen("b")]),
    )
    done = await world.sync(wanted)
    assert (set(world.live()), done.status.phase) == ({"b"}, "Succeeded")


async def test_an_automatic_sync_follows_one_of_chosen_objects(world: World) -> None:
    await world.sync(
        world.assignment(config_map("a"), config_map("b"), policy=replace(AUTO, self_heal=False))
    )
    policy = ask(replace(AUTO, self_heal=False), "op", resources=[chosen("b")])
    wanted = world.assignment(config_map("a", k="2"), config_map("b", k="2"), policy=policy)
    done = await world.sync(wanted)
    assert (world.live()["a"]["data"], world.live()["b"]["data"]) == ({"k": "1"}, {"k": "2"})
    assert done.again is not None
    assert done.again < 1

    done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "2"}
    assert (done.status.sync, done.status.phase, done.status.asked) == (Sync.SYNCED, "Succeeded", "")


async def test_a_dry_run_writes_nothing_and_says_what_would_fail(world: World) -> None:
    wanted = world.assignment(
        job("hook", hook="PreSync"), config_map("a"), policy=ask(MANUAL, "op", dryRun=True)
    )
    done = await world.sync(wanted)
    assert (done.status.phase, done.status.message) == ("Succeeded", "dry run: nothing was written")
    assert world.live() == {}
    assert [key for key in world.cluster.objects() if key[1] == "Job"] == []

    wanted = world.assignment(config_map("a"), broken("b"), policy=ask(MANUAL, "op-2", dryRun=True))
    done = await world.sync(wanted)
    assert done.status.phase == "Failed"
    assert "b" in done.status.message
    assert world.live() == {}

    done = await world.sync(world.assignment(config_map("a"), policy=ask(MANUAL, "op-3")))
    assert (done.status.phase, set(world.live())) == ("Succeeded", {"a"})


@pytest.mark.parametrize(
    ("policy", "pruned"),
    [
        (AUTO, True),
        (replace(AUTO, prune=False), False),
        (MANUAL, False),
        (ask(MANUAL, "op"), False),
        (ask(MANUAL, "op", prune=True), True),
        (ask(MANUAL, "op", prune=True, dryRun=True), False),
        (ask(MANUAL, "op", prune=True, resources=[chosen("a")]), False),
        (ask(MANUAL, "op", prune=True, resources=[chosen("b")]), True),
    ],
)
async def test_only_who_may_prune_prunes(world: World, policy: Policy, pruned: bool) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    removal = world.removal("/ConfigMap/default/b")
    done = await world.sync(world.assignment(config_map("a"), policy=policy), removal)
    assert ("b" not in world.live()) is pruned
    if not pruned:
        line = next(line for line in done.status.resources if line.name == "b")
        assert line.requires_pruning
        assert done.status.sync is Sync.OUT_OF_SYNC


async def test_a_request_to_prune_does_not_outlive_its_content(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b"), config_map("c")))
    asked = ask(MANUAL, "op", prune=True)
    b, c = world.removal("/ConfigMap/default/b"), world.removal("/ConfigMap/default/c")
    await world.sync(world.assignment(config_map("a"), config_map("c"), policy=asked), b)
    assert set(world.live()) == {"a", "c"}
    await world.sync(world.assignment(config_map("a"), policy=asked), c)
    assert set(world.live()) == {"a", "c"}


@pytest.mark.parametrize("allowed", [True, False])
async def test_an_automatic_sync_does_not_prune_everything_unless_allowed(
    world: World, allowed: bool
) -> None:
    await world.sync(world.assignment(config_map("a")))
    policy = replace(AUTO, allow_empty=allowed)
    await world.sync(world.assignment(policy=policy), world.removal("/ConfigMap/default/a"))
    assert ("a" not in world.live()) is allowed


async def test_a_deletion_that_asks_for_it_waits_for_a_person(world: World) -> None:
    kept = annotated(config_map("b"), **{"argocd.argoproj.io/sync-options": "Prune=confirm"})
    await world.sync(world.assignment(config_map("a"), kept))
    removal = world.removal("/ConfigMap/default/b")
    done = await world.sync(world.assignment(config_map("a")), removal)
    assert "b" in world.live()
    assert (done.status.phase, done.status.message) == (
        "Running",
        "waiting for pruning confirmation of /ConfigMap/default/b",
    )
    early = replace(AUTO, deletion_approved=removal.created - 1)
    await world.sync(world.assignment(config_map("a"), policy=early), removal)
    assert "b" in world.live()

    approved = replace(AUTO, deletion_approved=float(int(removal.created)))
    done = await world.sync(world.assignment(config_map("a"), policy=approved), removal)
    assert "b" not in world.live()
    assert done.status.phase == "Succeeded"


async def test_an_app_waits_as_a_whole_for_the_approval_of_one_object(world: World) -> None:
    kept = annotated(config_map("b"), **{"argocd.argoproj.io/sync-options": "Delete=confirm"})
    await world.sync(world.assignment(config_map("a"), kept))
    world.syncer.know([])
    removal = world.removal("")
    done = await world.syncer.remove(removal)
    assert set(world.live()) == {"a", "b"}
    assert "deletion-approved" in done.status.message
    assert not done.status.gone

    done = await world.syncer.remove(replace(removal, approved=True))
    assert (world.live(), done.status.gone) == ({}, True)


async def hooked(world: World, policy: Policy) -> Assignment:
    wanted = world.assignment(job("migrate", hook="PreSync"), config_map("a"), policy=policy)
    done = await world.sync(wanted)
    assert done.status.phase == "Running"
    return replace(wanted, policy=replace(policy, terminate=done.status.token))


@pytest.mark.parametrize("policy", [AUTO, ask(MANUAL, "op")])
async def test_a_running_sync_can_be_ended(world: World, policy: Policy) -> None:
    ended = await hooked(world, policy)
    done = await world.sync(ended)
    assert (done.status.phase, done.status.message) == ("Failed", "Operation terminated")
    assert await world.cluster.get(JOB, "default", "migrate") is None

    await world.restart()
    again = await world.sync(ended)
    assert (again.status.phase, again.again) == ("Failed", None)

    policy = ask(ended.policy, "op-2")
    done = await world.sync(replace(ended, policy=policy))
    assert done.status.phase == "Running", "a new request is another sync"


async def test_what_was_ended_once_may_come_back(world: World) -> None:
    ended = await hooked(world, replace(AUTO, self_heal=False))
    await world.sync(ended)
    other = world.assignment(config_map("b"), policy=ended.policy)
    assert (await world.sync(other)).status.phase == "Succeeded"
    done = await world.sync(ended)
    assert done.status.phase == "Running"


async def test_a_failed_sync_is_tried_again_as_its_policy_says(world: World) -> None:
    retry = json.dumps({"limit": 2, "backoff": {"duration": "10", "factor": 3, "maxDuration": "20"}})
    wanted = world.assignment(broken("a"), config_map("b"), policy=Policy(automated=True, retry=retry))
    begun = world.now
    tries = {0: 0.0}
    done = await world.sync(wanted)
    while done.again is not None and len(tries) < 9:
        assert done.status.phase == "Failed"
        world.now += done.again
        done = await world.sync(wanted)
        tries.setdefault(done.status.retries, round(world.now - begun))
    assert tries == {0: 0.0, 1: 10, 2: 30}
    assert (done.status.phase, done.status.retries) == ("Failed", 2)
    world.now += 10_000
    assert (await world.sync(wanted)).again is None

    done = await world.sync(world.assignment(config_map("a"), config_map("b"), policy=wanted.policy))
    assert done.status.phase == "Succeeded", "other content is another sync"


@pytest.mark.parametrize(("limit", "tries"), [(0, 1), (1, 2), (3, 4)])
async def test_a_request_brings_its_own_retries(world: World, limit: int, tries: int) -> None:
    asked = ask(MANUAL, "op", retry={"limit": limit, "backoff": {"duration": "1"}})
    wanted = world.assignment(broken("a"), policy=asked)
    count, again = 0, 0.0
    while again is not None:
        world.now += again
        before = world.api.calls["apply"]
        done = await world.sync(wanted)
        count += world.api.calls["apply"] > before
        again = done.again  # type: ignore[assignment]
        assert count < 9
    assert count == tries


async def test_a_failed_sync_runs_its_hook_for_that(world: World) -> None:
    wanted = world.assignment(job("alarm", hook="SyncFail"), broken("a"), policy=Policy(automated=True))
    assert (await world.sync(wanted)).status.phase == "Running"
    end(world, "alarm", "Complete")
    done = await world.sync(wanted)
    assert (done.status.phase, "1 objects failed: /ConfigMap/default/a" in done.status.message) == (
        "Failed",
        True,
    )
    assert await world.cluster.get(JOB, "default", "alarm") is not None


async def test_a_stage_has_its_time(world: World) -> None:
    policy = replace(AUTO, sync_options=("StageTimeout=60",))
    wanted = world.assignment(annotated(job("slow"), wave="-1"), config_map("a"), policy=policy)
    done = await world.sync(wanted)
    assert done.status.phase == "Running"
    assert "waiting for batch/Job/default/slow: Progressing" in done.status.message
    world.now += 61
    done = await world.sync(wanted)
    assert done.status.phase == "Failed"
    assert "batch/Job/default/slow: Progressing, for longer than the 60 s" in done.status.message
    assert ("SyncError", done.status.message) in done.status.conditions
    assert world.live() == {}

    end(world, "slow", "Complete")
    done = await world.sync(wanted)
    assert (done.status.phase, set(world.live())) == ("Succeeded", {"a"})
