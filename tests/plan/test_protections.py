"""Nothing that is protected goes, with a reason for each object; what hangs is named; what another app wants is handed over."""

from __future__ import annotations

import pytest
from passes import CONFIG_MAP, World, annotated, config_map

from argosy.bundle import Policy
from argosy.kinds import CRD, Gvk
from argosy.objects import Manifest
from argosy.status import Sync

CLAIM, NAMESPACE = Gvk("", "v1", "PersistentVolumeClaim"), Gvk("", "v1", "Namespace")
GIZMO = Gvk("toys.dev", "v1", "Gizmo")
OPTIONS = "argocd.argoproj.io/sync-options"


def claim(**notes: str) -> Manifest:
    made: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return annotated(made, **notes)


def namespace(name: str, **notes: str) -> Manifest:
    return annotated({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, **notes)


def definition() -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gizmos.toys.dev"},
        "spec": {
            "group": "toys.dev",
            "scope": "Namespaced",
            "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def gizmo(name: str, where: str = "default") -> Manifest:
    return {
        "apiVersion": "toys.dev/v1",
        "kind": "Gizmo",
        "metadata": {"name": name, "namespace": where},
        "spec": {"size": 1},
    }


async def prune(world: World, doomed: Manifest, key: str, *rest: Manifest) -> str:
    """Applies, drops from the bundle, lists for removal; answers what is said of the object ("" where it is gone)."""
    await world.sync(world.assignment(config_map("a"), doomed, *rest))
    smaller = world.assignment(config_map("a"), *rest)
    done = await world.sync(smaller, world.removal(key))
    return said(done.status.resources, key)


def said(lines: object, key: str) -> str:
    found = [
        line.message
        for line in lines  # type: ignore[attr-defined]
        if f"{line.group}/{line.kind}/{line.namespace}/{line.name}" == key
    ]
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ({OPTIONS: "Prune=false"}, "sync option Prune=false"),
        ({OPTIONS: "Validate=false, Prune=confirm"}, "sync option Prune=confirm"),
        ({"helm.sh/resource-policy": "keep"}, "helm.sh/resource-policy: keep"),
        ({"argosy.dev/protect": "true"}, "argosy.dev/protect"),
    ],
)
async def test_a_protected_object_is_not_pruned_and_the_reason_is_told(
    world: World, notes: dict[str, str], reason: str
) -> None:
    message = await prune(world, annotated(config_map("b"), **notes), "/ConfigMap/default/b")

    assert reason in message
    assert "b" in world.live()


@pytest.mark.parametrize(
    "notes",
    [
        {OPTIONS: "Delete=false"},
        {"helm.sh/resource-policy": "keep"},
        {"argosy.dev/protect": "true"},
    ],
)
async def test_a_protected_object_outlives_its_app(world: World, notes: dict[str, str]) -> None:
    await world.sync(world.assignment(config_map("a"), annotated(config_map("b"), **notes)))
    world.syncer.know([])

    done = await world.syncer.remove(world.removal(""))

    assert done.status.gone
    assert set(world.live()) == {"b"}


async def test_a_live_annotation_protects_though_git_never_had_it(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.cluster.edit(
        CONFIG_MAP, "default", "b", {"metadata": {"annotations": {"argosy.dev/protect": "true"}}}
    )
    await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/b"))

    assert "b" in world.live()


async def test_a_volume_claim_stays_unless_the_user_lets_it_go(world: World) -> None:
    key = "/PersistentVolumeClaim/default/data"
    message = await prune(world, claim(), key)
    assert "data of a PersistentVolumeClaim" in message
    assert await world.cluster.get(CLAIM, "default", "data") is not None

    assert await prune(world, claim(**{"argosy.dev/protect": "false"}), key) == ""
    assert await world.cluster.get(CLAIM, "default", "data") is None


async def test_a_namespace_with_foreign_objects_stays_and_one_of_them_is_named(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), namespace("team"), config_map("ours", "team")))
    world.cluster.put(config_map("theirs", "team"))
    removals = [world.removal("/Namespace//team"), world.removal("/ConfigMap/team/ours")]
    smaller = world.assignment(config_map("a"))

    done = await world.sync(smaller, *removals)

    assert set(world.live("team")) == {"theirs"}
    message = said(done.status.resources, "/Namespace//team")
    assert "holds objects that stay: /ConfigMap/team/theirs" in message

    world.cluster.remove(CONFIG_MAP, "team", "theirs")
    done = await world.sync(smaller, *removals)
    assert await world.cluster.get(NAMESPACE, "", "team") is None
    assert set(done.status.removed) == {item.id for item in removals}


async def test_a_namespace_goes_with_what_the_cluster_itself_puts_there(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), namespace("team"), config_map("ours", "team")))
    world.cluster.put(config_map("kube-root-ca.crt", "team"))
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "team"},
    }
    world.cluster.put(account)
    removals = [world.removal("/Namespace//team"), world.removal("/ConfigMap/team/ours")]

    await world.sync(world.assignment(config_map("a")), *removals)

    assert await world.cluster.get(NAMESPACE, "", "team") is None


async def test_a_namespace_that_cannot_be_looked_through_stays(world: World) -> None:
    from agent.cluster.faults import Fault

    await world.sync(world.assignment(config_map("a"), namespace("team")))
    world.cluster.faults.inject(Fault("list", "forbidden", times=0, kind="Secret"))

    done = await world.sync(world.assignment(config_map("a")), world.removal("/Namespace//team"))

    assert "cannot be looked at" in said(done.status.resources, "/Namespace//team")
    assert await world.cluster.get(NAMESPACE, "", "team") is not None


async def test_a_definition_with_foreign_instances_stays(world: World) -> None:
    key = "apiextensions.k8s.io/CustomResourceDefinition//gizmos.toys.dev"
    await world.sync(world.assignment(config_map("a"), definition(), gizmo("ours")))
    world.cluster.put(gizmo("theirs"))
    removals = [world.removal(key), world.removal("toys.dev/Gizmo/default/ours")]

    done = await world.sync(world.assignment(config_map("a")), *removals)

    assert "has instances that stay: toys.dev/Gizmo/default/theirs" in said(done.status.resources, key)
    assert await world.cluster.get(GIZMO, "default", "theirs") is not None
    assert await world.cluster.get(GIZMO, "default", "ours") is None

    world.cluster.remove(GIZMO, "default", "theirs")
    await world.sync(world.assignment(config_map("a")), *removals)
    assert await world.cluster.get(CRD, "", "gizmos.toys.dev") is None


async def test_a_finalizer_that_hangs_is_named_with_who_set_it_and_never_taken_away(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.cluster.edit(
        CONFIG_MAP,
        "default",
        "b",
        {"metadata": {"finalizers": ["backup.dev/hold"]}},
        manager="backup-operator",
    )

    done = await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/b"))

    message = said(done.status.resources, "/ConfigMap/default/b")
    assert 'held by finalizer backup.dev/hold (set by "backup-operator")' in message
    assert world.live()["b"]["metadata"]["finalizers"] == ["backup.dev/hold"]
    assert done.again is not None


async def test_an_object_that_another_app_wants_is_handed_over_in_one_step(world: World) -> None:
    first = world.assignment(config_map("a"), config_map("moves", k="1", old="x"))
    await world.sync(first)
    before = world.live()["moves"]["metadata"]
    left = world.assignment(config_map("a"))
    heir = world.assignment(config_map("moves", k="1"), id="id-2", app="cart")
    world.syncer.know([left, heir])
    await world.quiet()

    done = await world.syncer.sync(left, [world.removal("/ConfigMap/default/moves")])
    assert "argocd/cart wants it" in said(done.status.resources, "/ConfigMap/default/moves")
    assert world.live()["moves"]["metadata"]["uid"] == before["uid"]
    taken = await world.syncer.sync(heir)
    await world.quiet()
    done = await world.syncer.sync(left, [world.removal("/ConfigMap/default/moves")])

    assert taken.status.sync is done.status.sync is Sync.SYNCED
    after = world.live()["moves"]
    assert after["metadata"]["uid"] == before["uid"]
    assert after["metadata"]["annotations"]["argosy.dev/tracking"].startswith("id-2:")
    assert after["data"] == {"k": "1"}
    assert done.status.removed == ("rm-/ConfigMap/default/moves",)


@pytest.mark.parametrize("automated", [True, False])
async def test_an_app_that_goes_leaves_what_another_app_wants(world: World, automated: bool) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("moves")))
    uid = world.live()["moves"]["metadata"]["uid"]
    policy = Policy(automated=automated, prune=True, self_heal=True)
    heir = world.assignment(config_map("moves"), id="id-2", app="cart", policy=policy)
    world.syncer.know([heir])

    done = await world.syncer.remove(world.removal(""))
    await world.quiet()
    await world.syncer.sync(heir)

    assert done.status.gone
    assert set(world.live()) == {"moves"}
    assert world.live()["moves"]["metadata"]["uid"] == uid


async def test_an_app_that_goes_waits_for_what_an_heir_wants_to_be_known(world: World) -> None:
    """The heir is assigned, and its bundle is still on its way: nothing is deleted on a guess."""
    mine = world.assignment(config_map("a"), config_map("moves"))
    await world.sync(mine)
    uid = world.live()["moves"]["metadata"]["uid"]
    heir = world.assignment(config_map("moves", k="1"), id="id-2", app="cart")
    bundle = world.bundles.pop(heir.bundle)
    world.syncer.know([heir])

    done = await world.syncer.remove(world.removal(""))
    assert not done.status.gone
    assert done.again is not None
    assert set(world.live()) == {"a", "moves"}

    world.bundles[heir.bundle] = bundle
    done = await world.syncer.remove(world.removal(""))
    await world.quiet()
    await world.syncer.sync(heir)
    assert done.status.gone
    assert set(world.live()) == {"moves"}
    assert world.live()["moves"]["metadata"]["uid"] == uid


async def test_a_hook_does_not_delete_somebody_elses_object_of_its_name(world: World) -> None:
    world.cluster.put(config_map("migrate", k="theirs"))
    hook = annotated(config_map("migrate"), **{"argocd.argoproj.io/hook": "PreSync"})

    done = await world.sync(world.assignment(config_map("a"), hook))

    assert world.live()["migrate"]["data"] == {"k": "theirs"}
    assert "a" not in world.live()
    assert any("is no hook: it is not deleted" in line.health_message for line in done.status.resources)

    world.cluster.remove(CONFIG_MAP, "default", "migrate")
    world.cluster.put(annotated(config_map("migrate", k="old"), **{"argocd.argoproj.io/hook": "PreSync"}))
    world.now += 400
    await world.sync(world.assignment(config_map("a"), hook))
    assert world.live()["migrate"]["data"] == {"k": "1"}
