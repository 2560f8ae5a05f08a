"""The removal of a whole app: its own hooks before and after, each to its end, and nothing of it before its time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from passes import AUTO, Crash, NoKeeper, World, annotated, config_map

from agent.core.epoch import Held
from agent.link.ledger import Ledger
from agent.link.outbox import Outbox
from agent.loops.applier import Applier
from agent.state.cache import Cache
from agent.sync.sync import Pass
from argosy import bundle, stages
from argosy.bundle import Desired, Removal
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.stages import Phase

JOB = Gvk("batch", "v1", "Job")


pytestmark = pytest.mark.unsettled


def job(name: str, **notes: str) -> Manifest:
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}
    metadata = {"name": name, "namespace": "default"}
    return annotated({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}, **notes)


def jobs(world: World) -> dict[str, Manifest]:
    return {key[3]: item for key, item in world.cluster.objects().items() if key[1] == "Job"}


def end(world: World, name: str, condition: str = "Complete") -> None:
    """Plays the Job controller."""
    status = {"conditions": [{"type": condition, "status": "True", "message": "played"}]}
    world.cluster.edit(JOB, "default", name, {"status": status}, manager="controller", subresource="status")


async def started(world: World, *manifests: Manifest, **changes: object) -> Removal:
    """An app that runs, and the removal of it as a whole."""
    wanted = world.assignment(*manifests)
    await world.sync(wanted)
    world.syncer.know([])
    made = world.removal("", bundle=wanted.bundle, namespace="default", hooks="PreDelete,PostDelete")
    return replace(made, **changes)  # type: ignore[arg-type]


async def remove(world: World, removal: Removal) -> Pass:
    await world.quiet()
    return await world.syncer.remove(removal)


BEFORE = job("before", hook="PreDelete")
AFTER = job("after", hook="PostDelete")


def test_either_annotation_makes_a_hook_of_a_removal() -> None:
    assert stages.ends(BEFORE) == (Phase.PRE_DELETE,)
    assert stages.ends(job("x", **{"helm.sh/hook": "pre-delete,post-delete"})) == stages.ENDINGS
    assert stages.ends(job("x", hook="PreSync,PostDelete")) == (Phase.POST_DELETE,)
    assert stages.role(job("x", hook="PreSync,PostDelete")).phases == (Phase.PRE_SYNC,)
    assert stages.ends(job("x", hook="PreSync")) == ()
    assert stages.role(BEFORE).phases == ()


async def test_hooks_run_before_and_after_the_objects_go(world: World) -> None:
    removal = await started(world, BEFORE, AFTER, config_map("a"))
    assert jobs(world) == {}, "no sync runs them"

    done = await remove(world, removal)
    assert (set(jobs(world)), set(world.live())) == ({"before"}, {"a"})
    assert "PreDelete hook: running" in done.status.message

    end(world, "before")
    done = await remove(world, removal)
    assert (set(jobs(world)), world.live()) == ({"before", "after"}, {})
    assert not done.status.gone

    end(world, "after")
    done = await remove(world, removal)
    assert done.status.gone
    assert set(jobs(world)) == {"before", "after"}, "without a policy they stay, as in Argo CD"


async def test_hooks_are_cleared_as_their_policy_says(world: World) -> None:
    policy = {"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"}
    removal = await started(world, annotated(BEFORE, **policy), annotated(AFTER, **policy), config_map("a"))
    await remove(world, removal)
    end(world, "before")
    await remove(world, removal)
    end(world, "after")
    assert (await remove(world, removal)).status.gone
    assert jobs(world) == {}


async def test_a_failed_hook_is_made_anew_and_nothing_goes_until_then(world: World) -> None:
    removal = await started(world, BEFORE, config_map("a"))
    await remove(world, removal)
    first = jobs(world)["before"]["metadata"]["uid"]
    end(world, "before", "Failed")
    done = await remove(world, removal)
    assert "PreDelete hook: failed" in done.status.message
    await world.restart()
    world.syncer.know([])
    world.now += 6
    await remove(world, removal)
    await remove(world, removal)
    assert set(world.live()) == {"a"}
    assert jobs(world)["before"]["metadata"]["uid"] != first
    end(world, "before")
    assert (await remove(world, removal)).status.gone
    assert world.live() == {}


async def test_waves_order_the_hooks(world: World) -> None:
    first, second = annotated(job("one", hook="PreDelete"), wave="-1"), job("two", hook="PreDelete")
    removal = await started(world, second, first)
    await remove(world, removal)
    assert set(jobs(world)) == {"one"}
    end(world, "one")
    await remove(world, removal)
    assert set(jobs(world)) == {"one", "two"}


async def test_only_phases_that_count_run(world: World) -> None:
    removal = await started(world, BEFORE, AFTER, config_map("a"), hooks="PostDelete")
    await remove(world, removal)
    assert (set(jobs(world)), world.live()) == ({"after"}, {})
    done = await remove(world, replace(removal, hooks=""))
    assert done.status.gone, "whoever takes the finalizer away does not wait for the hook"


async def test_hooks_run_also_where_the_objects_stay(world: World) -> None:
    removal = await started(world, BEFORE, config_map("a"), cascade=False)
    await remove(world, removal)
    end(world, "before")
    assert (await remove(world, removal)).status.gone
    assert set(world.live()) == {"a"}


async def test_without_its_hooks_at_hand_nothing_goes(world: World) -> None:
    removal = await started(world, BEFORE, config_map("a"))
    world.bundles.clear()
    done = await remove(world, removal)
    assert "has not arrived yet" in done.status.message
    assert set(world.live()) == {"a"}


async def test_a_nameless_hook_gets_a_name(world: World) -> None:
    hook = job("x", hook="PreDelete")
    del hook["metadata"]["name"]
    hook["metadata"]["generateName"] = "bye-"
    removal = await started(world, hook, config_map("a"))
    await remove(world, removal)
    await remove(world, removal)
    (name,) = jobs(world)
    assert name.startswith("bye-")
    assert "-predelete-" in name


@pytest.mark.parametrize("after", [False, True])
async def test_a_removal_with_hooks_survives_a_death_at_any_call(after: bool) -> None:
    deaths = 0
    for dies_at in range(1, 40):
        world = World()
        removal = await started(world, BEFORE, AFTER, config_map("a"), config_map("b"))
        world.cluster.put(config_map("bystander"))
        world.api.dies_at, world.api.dies_after = world.api.total + dies_at, after
        try:
            for _ in range(4):
                await remove(world, removal)
        except (Crash, BaseExceptionGroup):
            deaths += 1
        await world.restart()
        world.syncer.know([])
        for _ in range(6):
            done = await remove(world, removal)
            world.now += 200
            if done.status.gone:
                break
        assert done.status.gone, (dies_at, done.status.message)
        assert set(world.live()) == {"bystander"}
        assert set(jobs(world)) == {"before", "after"}, "each hook ran"
        assert world.live("argosy-system") == {}
        await world.syncer.close()
    assert deaths >= 20


async def test_an_app_that_was_only_adopted_runs_no_hooks(world: World) -> None:
    world.cluster.put(config_map("a"))
    wanted = world.assignment(BEFORE, config_map("a"), policy=replace(AUTO, mode="adopt"))
    await world.sync(wanted)
    world.syncer.know([])
    removal = world.removal("", bundle=wanted.bundle, namespace="default", hooks="PreDelete")
    assert (await remove(world, removal)).status.gone
    assert (jobs(world), set(world.live())) == ({}, {"a"})


SUCCEEDED = {"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"}


async def test_a_removal_that_is_over_runs_no_hook_again(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The agent is woken by the end of the last object, before the hub has heard of it and takes the removal back."""
    removal = await started(world, annotated(BEFORE, **SUCCEEDED), config_map("a"), hooks="PreDelete")
    desired = Desired("epoch", 2, (), (removal,))

    async def fetch(digest: str, before: object) -> bytes:
        return bundle.pack(world.bundles[digest])[1]

    cache = Cache(tmp_path_factory.mktemp("cache"))
    applier = Applier(world.syncer, cache, Ledger(NoKeeper(), Held(), desired), Outbox(), fetch)
    applier.adopt(desired)
    app = applier._apps[removal.assignment]
    while not jobs(world):
        await applier._pass(removal.assignment, app)
        await world.quiet()
    end(world, "before")
    while app.over != removal.id:
        await world.quiet()
        await applier._pass(removal.assignment, app)
    await applier._pass(removal.assignment, app)
    assert (jobs(world), world.live()) == ({}, {})
