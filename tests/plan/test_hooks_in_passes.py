"""Hooks run once per sync, in their phase, and hold back what comes after; waves wait for health."""

from __future__ import annotations

from typing import Any

import pytest
from passes import CONFIG_MAP, World, annotated, config_map

from argosy.bundle import Policy
from argosy.kinds import Gvk
from argosy.objects import Manifest

JOB = Gvk("batch", "v1", "Job")
HEAL = Policy(automated=True, self_heal=True)


pytestmark = pytest.mark.unsettled


def job(name: str, **notes: str) -> Manifest:
    made = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
        },
    }
    return annotated(made, **notes)


def end(world: World, name: str, condition: str) -> None:
    """Plays the Job controller."""
    status: dict[str, Any] = {"conditions": [{"type": condition, "status": "True", "message": "played"}]}
    world.cluster.edit(JOB, "default", name, {"status": status}, manager="controller", subresource="status")


async def test_a_hook_before_the_sync_holds_it_back_until_it_succeeded(world: World) -> None:
    wanted = world.assignment(job("migrate", hook="PreSync"), config_map("a"), policy=HEAL)

    done = await world.sync(wanted)
    assert world.live() == {}
    assert (done.status.phase, done.again is not None) == ("Running", True)
    assert "waiting for hook" in done.status.message
    first = await world.cluster.get(JOB, "default", "migrate")

    await world.sync(wanted)
    assert await world.cluster.get(JOB, "default", "migrate") == first

    end(world, "migrate", "Complete")
    done = await world.sync(wanted)
    assert set(world.live()) == {"a"}
    assert done.status.phase == "Succeeded"
    assert [line.hook for line in done.status.resources] == [False, True]


async def test_a_hook_before_the_sync_finds_the_namespace_that_is_asked_for(world: World) -> None:
    hook = job("migrate", hook="PreSync")
    hook["metadata"]["namespace"] = "team-a"
    policy = Policy(automated=True, sync_options=("CreateNamespace=true",))

    done = await world.sync(world.assignment(hook, policy=policy, destination_namespace="team-a"))

    assert done.status.phase == "Running"
    assert await world.cluster.get(JOB, "team-a", "migrate") is not None


async def test_a_hook_does_not_run_again_without_a_new_sync(world: World) -> None:
    hook = job("migrate", hook="PreSync")
    wanted = world.assignment(hook, config_map("a"), policy=HEAL)
    await world.sync(wanted)
    end(world, "migrate", "Complete")
    await world.sync(wanted)
    first = await world.cluster.get(JOB, "default", "migrate")
    await world.restart()
    await world.sync(wanted)
    assert await world.cluster.get(JOB, "default", "migrate") == first

    await world.sync(world.assignment(hook, config_map("a", k="2"), policy=HEAL))
    second = await world.cluster.get(JOB, "default", "migrate")
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


async def test_a_failed_hook_fails_the_sync_and_is_tried_again_later(world: World) -> None:
    wanted = world.assignment(job("migrate", hook="PreSync"), config_map("a"), policy=Policy())
    await world.sync(wanted)
    first = await world.cluster.get(JOB, "default", "migrate")
    end(world, "migrate", "Failed")

    done = await world.sync(wanted)
    assert done.status.phase == "Failed"
    assert "hook failed" in done.status.message
    assert world.live() == {}
    assert done.again is not None

    world.now += done.again + 1
    await world.sync(wanted)
    second = await world.cluster.get(JOB, "default", "migrate")
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


async def test_a_hook_of_policy_hook_succeeded_is_cleared_at_the_end(world: World) -> None:
    hook = job("notify", hook="PostSync", **{"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"})
    wanted = world.assignment(hook, config_map("a"), policy=HEAL)
    await world.sync(wanted)
    assert set(world.live()) == {"a"}
    end(world, "notify", "Complete")

    done = await world.sync(wanted)

    assert done.status.phase == "Succeeded"
    assert await world.cluster.get(JOB, "default", "notify") is None


async def test_a_nameless_hook_gets_one_name_per_sync(world: World) -> None:
    hook = job("x", hook="PreSync")
    del hook["metadata"]["name"]
    hook["metadata"]["generateName"] = "migrate-"
    wanted = world.assignment(hook, policy=HEAL)
    await world.sync(wanted)
    await world.sync(wanted)

    page = await world.cluster.list(JOB)

    assert [item["metadata"]["name"] for item in page.items] == [f"migrate-abc1234-presync-{int(world.now)}"]


async def test_a_wave_waits_for_the_health_of_the_one_before(world: World) -> None:
    wanted = world.assignment(job("first"), annotated(config_map("second"), wave="1"), policy=HEAL)
    done = await world.sync(wanted)
    assert world.live() == {}
    assert "waiting for batch/Job/default/first" in done.status.message
    end(world, "first", "Complete")

    done = await world.sync(wanted)

    assert set(world.live()) == {"second"}
    assert done.status.phase == "Succeeded"


async def test_hooks_for_failure_run_only_after_one(world: World) -> None:
    alarm = job("alarm", hook="SyncFail")
    wanted = world.assignment(job("migrate", hook="PreSync"), alarm, policy=HEAL)
    await world.sync(wanted)
    assert await world.cluster.get(JOB, "default", "alarm") is None
    end(world, "migrate", "Failed")

    await world.sync(wanted)

    assert await world.cluster.get(JOB, "default", "alarm") is not None


async def test_drift_that_is_seen_while_a_stage_waits_is_not_taken_for_known(world: World) -> None:
    first = world.assignment(annotated(job("slow"), wave="-1"), config_map("a"), policy=HEAL)
    await world.sync(first)
    end(world, "slow", "Complete")
    await world.sync(first)
    world.cluster.remove(JOB, "default", "slow")
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})

    again = world.assignment(annotated(job("slow"), wave="-1"), config_map("a"), config_map("b"), policy=HEAL)
    done = await world.sync(again)
    assert done.status.phase == "Running"
    assert [line.sync.value for line in done.status.resources if line.name == "a"] == ["OutOfSync"]
    end(world, "slow", "Complete")
    await world.sync(again)
    assert world.live()["a"]["data"] == {"k": "1"}


async def test_a_hook_of_two_phases_runs_in_both(world: World) -> None:
    wanted = world.assignment(job("check", hook="PreSync,PostSync"), config_map("a"), policy=HEAL)
    await world.sync(wanted)
    first = await world.cluster.get(JOB, "default", "check")
    end(world, "check", "Complete")
    done = await world.sync(wanted)
    second = await world.cluster.get(JOB, "default", "check")
    assert first is not None
    assert second is not None
    assert (set(world.live()), done.status.phase) == ({"a"}, "Running")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]

    await world.restart()
    done = await world.sync(wanted)
    assert done.status.phase == "Running", "it is not made a third time"
    assert await world.cluster.get(JOB, "default", "check") == second
    end(world, "check", "Complete")
    assert (await world.sync(wanted)).status.phase == "Succeeded"


@pytest.mark.parametrize(
    ("policy", "after_failure", "after_success"),
    [("HookSucceeded", True, False), ("HookFailed", False, False), ("BeforeHookCreation", True, True)],
)
async def test_a_hook_of_failures_runs_to_its_end_and_goes_as_its_policy_says(
    world: World, policy: str, after_failure: bool, after_success: bool
) -> None:
    """Its policy is of the whole sync, also of a later one in which it has nothing to do."""

    async def there() -> bool:
        return await world.cluster.get(JOB, "default", "tell") is not None

    told = job("tell", hook="SyncFail", **{"argocd.argoproj.io/hook-delete-policy": policy})
    automatic = Policy(automated=True, retry='{"limit": 0}')
    bad = world.assignment(job("check", hook="PreSync"), told, policy=automatic)
    await world.sync(bad)
    end(world, "check", "Failed")
    for _ in range(3):
        done = await world.sync(bad)
        assert (done.status.phase, await there(), done.again is not None) == ("Running", True, True)
    end(world, "tell", "Complete")
    done = await world.sync(bad)
    assert (done.status.phase, await there()) == ("Failed", after_failure)
    assert "hook failed: batch/Job/default/check" in done.status.message

    done = await world.sync(world.assignment(told, config_map("a"), policy=automatic))
    assert (done.status.phase, await there()) == ("Succeeded", after_success)
