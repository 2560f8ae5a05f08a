"""Whole passes against a real kube-apiserver: a CRD with its object, drift, a foreign field, a prune, a quick no-op."""

from __future__ import annotations

from passes import CONFIG_MAP, config_map
from realworld import RealWorld, normalised

from argosy.bundle import Policy
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.status import Sync


async def data(world: RealWorld, name: str) -> dict[str, str] | None:
    found = await world.real.get(CONFIG_MAP, world.namespace, name)
    return None if found is None else found["data"]


async def test_a_crd_and_its_object_arrive_in_one_pass(world: RealWorld) -> None:
    group = f"{world.namespace}.dev"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gizmos.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    gizmo = {"apiVersion": f"{group}/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "spec": {"size": 3}}
    config = config_map("a", world.namespace)

    done = await world.sync(world.assignment(gizmo, config, crd))

    assert done.status.phase == "Succeeded", done.status
    live = await world.real.get(Gvk(group, "v1", "Gizmo"), "", "g")
    assert live is not None
    assert live["spec"] == {"size": 3}


async def test_drift_is_healed_and_a_quiet_pass_asks_nothing(world: RealWorld) -> None:
    wanted = world.assignment(config_map("a", world.namespace), config_map("b", world.namespace))
    await world.sync(wanted)
    await world.real.apply(config_map("a", world.namespace, k="evil"), manager="other", force=True)

    done = await world.sync(wanted)
    assert await data(world, "a") == {"k": "1"}
    assert done.status.sync is Sync.SYNCED
    await world.quiet()
    before = dict(world.api.calls)
    await world.sync(wanted)
    after = dict(world.api.calls)
    assert {name: after[name] - before[name] for name in before if name != "kinds"} == {
        name: 0 for name in before if name != "kinds"
    }


async def test_a_conflict_names_the_other_manager(world: RealWorld) -> None:
    await world.real.apply(config_map("a", world.namespace, k="theirs"), manager="helm-of-old")

    done = await world.sync(world.assignment(config_map("a", world.namespace)))

    assert '"helm-of-old" owns .data.k' in done.status.resources[0].message
    assert await data(world, "a") == {"k": "theirs"}


async def test_a_listed_object_is_pruned_and_its_neighbours_stay(world: RealWorld) -> None:
    await world.real.apply(config_map("stranger", world.namespace), manager="other")
    await world.sync(world.assignment(config_map("a", world.namespace), config_map("b", world.namespace)))
    removal = world.removal(f"/ConfigMap/{world.namespace}/b", assignment=world.namespace)

    done = await world.sync(world.assignment(config_map("a", world.namespace)), removal)

    assert done.status.removed == (removal.id,)
    assert await data(world, "b") is None
    assert await data(world, "a") == await data(world, "stranger") == {"k": "1"}


async def test_an_object_of_a_wrong_type_fails_for_good_and_alone(world: RealWorld) -> None:
    wrong = {**config_map("wrong", world.namespace), "data": {"k": ["no text"]}}

    done = await world.sync(world.assignment(wrong, config_map("a", world.namespace)))
    applies = world.api.calls["apply"]
    await world.sync(world.assignment(wrong, config_map("a", world.namespace)))

    assert await data(world, "a") == {"k": "1"}
    assert done.status.phase == "Failed"
    assert world.api.calls["apply"] == applies


async def test_a_restarted_agent_goes_on_where_it_was(world: RealWorld) -> None:
    wanted = world.assignment(config_map("a", world.namespace), config_map("b", world.namespace))
    await world.sync(wanted)
    await world.restart()
    world.api.calls.clear()

    done = await world.sync(wanted)

    assert done.status.sync is Sync.SYNCED
    assert world.api.calls["apply"] == world.api.calls["dry run"] == 0


async def test_what_the_server_writes_otherwise_is_no_drift(world: RealWorld) -> None:
    manual = Policy(automated=False, sync_request="once")
    wanted = world.assignment(*normalised(world.namespace), policy=manual)
    done = await world.sync(wanted)
    assert done.status.phase == "Succeeded", done.status
    name = f"argosy-inventory-{world.namespace}"
    parent = await world.real.get(CONFIG_MAP, "argosy-system", name)
    assert parent is not None
    await world.real.delete(CONFIG_MAP, "argosy-system", name, uid=parent["metadata"]["uid"])
    await world.restart()
    world.api.calls.clear()

    done = await world.sync(world.assignment(*normalised(world.namespace), policy=Policy(automated=False)))

    assert {line.kind: line.message for line in done.status.resources if line.sync is not Sync.SYNCED} == {}
    assert world.api.calls["apply"] == 0
    assert world.api.calls["dry run"] == len(normalised(world.namespace))


async def test_objects_written_without_server_side_apply(world: RealWorld) -> None:
    merging = Policy(automated=True, self_heal=True, sync_options=("ServerSideApply=false",))
    replacing = Policy(automated=True, self_heal=True, sync_options=("Replace=true",))

    def here(**values: str) -> Manifest:
        return config_map("a", world.namespace, **values)

    await world.sync(world.assignment(here(k="1", old="x"), policy=merging))
    live = await world.real.get(CONFIG_MAP, world.namespace, "a")
    assert live is not None
    await world.real.update({**live, "data": {**live["data"], "theirs": "y"}}, manager="other")
    await world.sync(world.assignment(here(k="2"), policy=merging))
    assert await data(world, "a") == {"k": "2", "theirs": "y"}

    done = await world.sync(world.assignment(here(k="2"), policy=replacing))
    assert done.status.sync is Sync.SYNCED
    await world.sync(world.assignment(here(k="3"), policy=replacing))
    assert await data(world, "a") == {"k": "3"}


async def test_an_immutable_object_is_made_anew_by_force(world: RealWorld) -> None:
    options = {"argocd.argoproj.io/sync-options": "Force=true"}

    def frozen(value: str) -> Manifest:
        made = config_map("a", world.namespace, k=value)
        return {**made, "immutable": True, "metadata": {**made["metadata"], "annotations": options}}

    await world.sync(world.assignment(frozen("1")))
    done = await world.sync(world.assignment(frozen("2")))
    assert done.status.phase == "Succeeded"
    assert await data(world, "a") == {"k": "2"}


async def test_what_kubectl_applied_is_taken_over_whole(world: RealWorld) -> None:
    theirs = config_map("a", world.namespace, k="1", old="x")
    await world.real.create(theirs, manager="kubectl-client-side-apply")
    done = await world.sync(world.assignment(config_map("a", world.namespace, k="1")))
    assert done.status.sync is Sync.SYNCED
    assert await data(world, "a") == {"k": "1"}
    live = await world.real.get(CONFIG_MAP, world.namespace, "a")
    assert live is not None
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} == {"argosy"}
