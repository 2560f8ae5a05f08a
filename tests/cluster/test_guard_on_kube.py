"""What the agent promises not to do, on a real kube-apiserver: generations, ownership, RBAC and finalizers are its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, annotated, config_map
from realworld import RealWorld, normalised

from agent.cluster.base import Refused
from argosy.errors import Forbidden
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.status import Sync

DEPLOYMENT, SERVICE = Gvk("apps", "v1", "Deployment"), Gvk("", "v1", "Service")
RBAC = "rbac.authorization.k8s.io"
OBSERVE, ADOPT, RELEASE = (replace(AUTO, mode=word) for word in ("observe", "adopt", "release"))


def stack(namespace: str) -> list[Manifest]:
    """A Deployment, a Service and a ConfigMap."""
    labels = {"app.kubernetes.io/name": "web"}
    metadata = {"name": "web", "namespace": namespace, "labels": dict(labels)}
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "1"}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
        config_map("web", namespace),
    ]


def as_left_by(tool: str, manifest: Manifest) -> Manifest:
    """With the marks that a tool puts on what it brings."""
    name = manifest["metadata"]["name"]
    marks = {
        "argocd-controller": {
            "argocd.argoproj.io/tracking-id": f"shop:{manifest['kind']}:x/{name}",
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(manifest),
        },
        "kubectl-client-side-apply": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(manifest)
        },
        "helm": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "x"},
        "kustomize-controller": {},
    }[tool]
    labels = {
        "argocd-controller": {"app.kubernetes.io/instance": "shop"},
        "helm": {"app.kubernetes.io/managed-by": "Helm"},
        "kustomize-controller": {"kustomize.toolkit.fluxcd.io/name": "shop"},
    }.get(tool, {})
    marked = annotated(manifest, **marks) if marks else manifest
    found = {**marked["metadata"].get("labels", {}), **labels}
    return {**marked, "metadata": {**marked["metadata"], "labels": found}}


async def states(world: RealWorld) -> dict[str, Manifest]:
    found = {}
    for gvk in (DEPLOYMENT, SERVICE, CONFIG_MAP):
        live = await world.real.get(gvk, world.namespace, "web")
        assert live is not None
        found[gvk.kind] = live
    return found


def identity(live: Manifest) -> tuple[Any, ...]:
    metadata = live["metadata"]
    return (
        metadata["uid"],
        metadata.get("generation"),
        metadata["creationTimestamp"],
        live.get("spec"),
        live.get("data"),
    )


@pytest.mark.parametrize(
    "tool", ["argocd-controller", "kubectl-client-side-apply", "helm", "kustomize-controller"]
)
async def test_adopt_manage_and_release_move_nothing(world: RealWorld, tool: str) -> None:
    manifests = stack(world.namespace)
    for manifest in manifests:
        left = as_left_by(tool, manifest)
        if tool == "kustomize-controller":
            await world.real.apply(left, manager=tool)
        else:
            await world.real.create(left, manager=tool)
    before = await states(world)

    done = await world.sync(world.assignment(*manifests, policy=ADOPT))
    assert done.status.sync is Sync.SYNCED, [line.message for line in done.status.resources]
    adopted = await states(world)
    done = await world.sync(world.assignment(*manifests))
    assert done.status.phase == "Succeeded", done.status
    managed = await states(world)
    done = await world.sync(world.assignment(*manifests, policy=RELEASE))
    released = await states(world)

    for kind, old in before.items():
        assert identity(adopted[kind]) == identity(managed[kind]) == identity(released[kind]) == identity(old)
        notes = [state["metadata"].get("annotations", {}) for state in (managed[kind], old)]
        assert notes[0].items() >= notes[1].items()
        managers = {entry["manager"] for entry in managed[kind]["metadata"]["managedFields"]}
        assert "argosy" in managers
        assert released[kind]["metadata"].get("labels") == old["metadata"].get("labels")
        assert released[kind]["metadata"].get("annotations") == old["metadata"].get("annotations")
        assert "argosy" not in json.dumps(released[kind])


async def test_what_was_adopted_can_be_changed_and_lose_fields(world: RealWorld) -> None:
    await world.real.create(
        config_map("web", world.namespace, k="1", old="x"), manager="kubectl-client-side-apply"
    )
    await world.sync(world.assignment(config_map("web", world.namespace, k="1", old="x"), policy=ADOPT))

    done = await world.sync(world.assignment(config_map("web", world.namespace, k="2")))

    assert done.status.sync is Sync.SYNCED, done.status
    live = await world.real.get(CONFIG_MAP, world.namespace, "web")
    assert live is not None
    assert live["data"] == {"k": "2"}


async def test_what_differs_is_left_and_told(world: RealWorld) -> None:
    deployment, service, config = stack(world.namespace)
    for manifest in (deployment, service, config):
        await world.real.create(manifest, manager="argocd-controller")
    before = await states(world)
    changed = json.loads(json.dumps(deployment))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"

    done = await world.sync(world.assignment(changed, service, config, policy=ADOPT))

    line = next(line for line in done.status.resources if line.kind == "Deployment")
    assert [(item.field, item.desired, item.live, item.manager) for item in line.differences] == [
        ('.spec.template.spec.containers[name="web"].image', '"web:2"', '"web:1"', "argocd-controller")
    ]
    assert (await states(world))["Deployment"] == before["Deployment"]


async def account(world: RealWorld, name: str, *rules: dict[str, Any], cluster_wide: bool = False) -> str:
    """A ServiceAccount with these rights in the namespace, or everywhere; answers `namespace:name`."""
    kind = "ClusterRole" if cluster_wide else "Role"
    metadata = {
        "name": f"{world.namespace}-{name}",
        **({} if cluster_wide else {"namespace": world.namespace}),
    }
    subject = {"kind": "ServiceAccount", "name": name, "namespace": world.namespace}
    ref = {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]}
    for manifest in (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": world.namespace},
        },
        {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": ref,
            "subjects": [subject],
        },
    ):
        await world.real.apply(manifest, manager="test")
    return f"{world.namespace}:{name}"


READ = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}


async def test_an_observing_agent_needs_no_right_but_to_read_and_sees_no_drift_where_there_is_none(
    world: RealWorld,
) -> None:
    manifests = normalised(world.namespace)
    for manifest in manifests:
        await world.real.create(manifest, manager="argocd-controller")
    reader = world.real.acting(await account(world, "reader", READ, cluster_wide=True))
    await world.eventually(lambda: reader.list(CONFIG_MAP))
    with pytest.raises(Forbidden):
        await reader.apply(config_map("x", world.namespace), dry_run=True)
    world.api.cluster = reader  # type: ignore[assignment]
    await world.restart()

    changed = config_map("drifted", world.namespace, k="1")
    await world.real.create({**changed, "data": {"k": "2"}}, manager="other")
    done = await world.sync(world.assignment(*manifests, changed, policy=OBSERVE))

    assert {line.kind: line.message for line in done.status.resources if line.sync is not Sync.SYNCED} == {
        "ConfigMap": "differs in .data.k"
    }
    assert sum(world.api.calls[name] for name in ("apply", "dry run", "create", "update", "delete")) == 0


async def test_a_tenants_objects_are_written_with_the_tenants_rights_alone(world: RealWorld) -> None:
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    }
    name = await account(world, "deployer", rule)
    deployer = world.real.acting(name)
    await world.eventually(lambda: deployer.list(CONFIG_MAP, namespace=world.namespace))
    policy = replace(AUTO, account=name)
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{world.namespace}-root"},
    }
    elsewhere = config_map(f"{world.namespace}-x", "default")
    wanted = world.assignment(config_map("web", world.namespace), role, elsewhere, policy=policy)

    done = await world.sync(wanted)

    assert await world.real.get(CONFIG_MAP, world.namespace, "web") is not None
    assert await world.real.get(CONFIG_MAP, "default", elsewhere["metadata"]["name"]) is None
    assert await world.real.get(Gvk(RBAC, "v1", "ClusterRole"), "", role["metadata"]["name"]) is None
    messages = {line.name: line.message for line in done.status.resources}
    for refused in (role, elsewhere):
        assert f"system:serviceaccount:{name}" in messages[refused["metadata"]["name"]]
        assert "cannot" in messages[refused["metadata"]["name"]]

    world.syncer.know([])
    done = await world.syncer.remove(world.removal("", assignment=world.namespace))
    assert done.status.gone, done.status
    assert await world.real.get(CONFIG_MAP, world.namespace, "web") is None


async def test_a_hand_over_between_apps_changes_neither_uid_nor_generation(world: RealWorld) -> None:
    manifests = stack(world.namespace)
    await world.sync(world.assignment(*manifests, config_map("stays", world.namespace)))
    before = await states(world)
    left = world.assignment(config_map("stays", world.namespace))
    heir = world.assignment(*manifests, id=f"{world.namespace}-heir", app="cart")
    world.syncer.know([left, heir])
    keys = [
        f"apps/Deployment/{world.namespace}/web",
        f"/Service/{world.namespace}/web",
        f"/ConfigMap/{world.namespace}/web",
    ]
    removals = [world.removal(key, assignment=world.namespace) for key in keys]

    await world.syncer.sync(left, removals)
    taken = await world.syncer.sync(heir)
    await world.quiet()
    done = await world.syncer.sync(left, removals)

    assert taken.status.sync is done.status.sync is Sync.SYNCED, (taken.status, done.status)
    assert set(done.status.removed) == {item.id for item in removals}
    after = await states(world)
    for kind, old in before.items():
        assert identity(after[kind]) == identity(old)
        assert f"{world.namespace}-heir" in json.dumps(after[kind]["metadata"])


async def test_protected_objects_and_hanging_finalizers(world: RealWorld) -> None:
    claim = next(item for item in normalised(world.namespace) if item["kind"] == "PersistentVolumeClaim")
    inner = f"{world.namespace}-inner"
    occupied = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}
    hanging = config_map("hanging", world.namespace)
    await world.sync(world.assignment(claim, occupied, hanging, config_map("stays", world.namespace)))
    await world.real.create(config_map("theirs", inner), manager="other")
    live = await world.real.get(CONFIG_MAP, world.namespace, "hanging")
    assert live is not None
    live["metadata"]["finalizers"] = ["backup.dev/hold"]
    held = await world.real.update(live, manager="backup-operator")
    keys = [
        f"/PersistentVolumeClaim/{world.namespace}/n",
        f"/Namespace//{inner}",
        f"/ConfigMap/{world.namespace}/hanging",
    ]
    removals = [world.removal(key, assignment=world.namespace) for key in keys]

    for _ in range(2):
        done = await world.sync(world.assignment(config_map("stays", world.namespace)), *removals)

    messages = {line.kind: line.message for line in done.status.resources if line.requires_pruning}
    assert "data of a PersistentVolumeClaim" in messages["PersistentVolumeClaim"]
    assert f"holds objects that stay: /ConfigMap/{inner}/theirs" in messages["Namespace"]
    assert 'held by finalizer backup.dev/hold (set by "backup-operator")' in messages["ConfigMap"]
    assert await world.real.get(CONFIG_MAP, inner, "theirs") is not None
    gone = await world.real.get(CONFIG_MAP, world.namespace, "hanging")
    assert gone is not None
    assert gone["metadata"]["finalizers"] == held["metadata"]["finalizers"]
    gone["metadata"]["finalizers"] = []
    await world.real.update(gone, manager="test")


async def test_a_service_account_that_may_nothing_is_told_from_a_wrong_manifest(world: RealWorld) -> None:
    nobody = world.real.acting(f"{world.namespace}:nobody")
    with pytest.raises(Forbidden, match=f"system:serviceaccount:{world.namespace}:nobody"):
        await nobody.apply(config_map("x", world.namespace))
    with pytest.raises(Refused):
        await world.real.apply({**config_map("x", world.namespace), "data": {"k": ["no text"]}})
