"""The in-memory cluster and a real API server, given the same seeded histories, end up the same and say the same."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from passes import AUTO, World
from testbed import controlplane

from agent.cluster import kube
from agent.cluster.base import ApplyConflict, ClusterApi
from agent.core import marks
from agent.sync.sync import Pass
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey

NAMES = "abc"
KINDS = {
    "ConfigMap": Gvk("", "v1", "ConfigMap"),
    "Service": Gvk("", "v1", "Service"),
    "Deployment": Gvk("apps", "v1", "Deployment"),
}
MANAGERS = ("kubectl-edit", "helm", "operator")
CONTROLLER = "kube-controller-manager"
"""Plays in memory, is absent on the real server: what it writes is nobody's outcome here."""
_numbers = itertools.count()


@dataclass
class Side:
    """One of the two clusters, with its agent."""

    world: World
    api: ClusterApi
    namespace: str
    bundle: tuple[Manifest, ...] = ()

    def placed(self, manifest: Manifest) -> Manifest:
        return {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}

    async def sync(self) -> Pass:
        assignment = self.world.assignment(
            *map(self.placed, self.bundle),
            policy=AUTO,
            id=self.namespace,
            destination_namespace=self.namespace,
        )
        wanted = {(item["kind"], item["metadata"]["name"]) for item in self.bundle}
        listed = [
            self.world.removal(
                str(ObjectKey(gvk.group, kind, self.namespace, name)), assignment=self.namespace
            )
            for kind, gvk in KINDS.items()
            for name in NAMES
            if (kind, name) not in wanted
        ]
        return await self.world.sync(assignment, *listed)

    async def caught_up(self) -> None:
        """Waits until the agent's cache shows what the cluster has."""
        for _ in range(3000):
            behind = await self._behind()
            if not behind:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"the watches do not catch up: {behind}")

    async def _behind(self) -> list[str]:
        """The objects of which the cache shows another version than the cluster."""
        found = []
        for kind, gvk in KINDS.items():
            for name in NAMES if self.world.syncer.watcher.listed(gvk.group, kind) else ():
                live = await self.api.get(gvk, self.namespace, name)
                seen = self.world.syncer.watcher.get(ObjectKey(gvk.group, kind, self.namespace, name))
                ours = live is not None and marks.PART_OF in (live["metadata"].get("labels") or {})
                version = live["metadata"]["resourceVersion"] if live and ours else None
                if version != (seen.resource_version if seen else None):
                    found.append(f"{kind}/{name} {version} {seen}")
        return found

    async def outcome(self, done: Pass) -> dict[str, Any]:
        """What is there, whose fields they are, and what the agent says, without what differs by nature."""
        live = {}
        for kind, gvk in KINDS.items():
            for name in NAMES:
                found = await self.api.get(gvk, self.namespace, name)
                if found is not None:
                    live[f"{kind}/{name}"] = _content(found)
        said = {
            f"{line.kind}/{line.name}": (line.sync, line.message.replace(self.namespace, "NS"))
            for line in done.status.resources
        }
        return {"live": live, "said": said, "sync": done.status.sync, "phase": done.status.phase}


def _content(live: Manifest) -> dict[str, Any]:
    metadata = live["metadata"]
    fields = {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in metadata["managedFields"]
        if entry["manager"] != CONTROLLER
    }
    ours = sorted(name for name in metadata.get("annotations") or {} if name.startswith("argosy"))
    if live["kind"] == "ConfigMap":
        return {"data": live.get("data"), "fields": fields, "notes": ours}
    spec = live["spec"]
    if live["kind"] == "Service":
        kept = {"selector": spec.get("selector"), "ports": [port["port"] for port in spec.get("ports", ())]}
        return {"spec": kept, "notes": ours, "managers": sorted(fields)}
    containers = spec["template"]["spec"]["containers"]
    images = {each["name"]: (each["image"], each.get("env")) for each in containers}
    return {
        "spec": {"replicas": spec["replicas"], "images": images},
        "notes": ours,
        "managers": sorted(fields),
    }


@dataclass(frozen=True)
class Event:
    """One thing that happens to a cluster between two passes."""

    what: str
    manifests: tuple[Manifest, ...] = ()
    manager: str = ""


def history(seed: int) -> list[Event]:
    roll = random.Random(seed)
    return [_event(roll) for _ in range(8)]


def _event(roll: random.Random) -> Event:
    what = roll.choice(["want", "want", "edit", "edit", "take", "delete", "restart"])
    if what == "want":
        chosen = roll.sample(list(itertools.product(KINDS, NAMES)), roll.randint(1, 5))
        return Event(what, tuple(_manifest(roll, kind, name) for kind, name in chosen))
    one = _manifest(roll, roll.choice(list(KINDS)), roll.choice(NAMES))
    return Event(what, (one,), roll.choice(MANAGERS))


def _manifest(roll: random.Random, kind: str, name: str) -> Manifest:
    labels = {"app": name}
    base: Manifest = {
        "apiVersion": f"{KINDS[kind].group}/v1".lstrip("/"),
        "kind": kind,
        "metadata": {"name": name},
    }
    if kind == "ConfigMap":
        keys = roll.sample(["k", "l", "m"], roll.randint(1, 3))
        return base | {"data": {key: str(roll.randint(0, 2)) for key in keys}}
    if kind == "Service":
        ports = [{"name": f"p{port}", "port": port} for port in roll.sample([80, 443], roll.randint(1, 2))]
        return base | {"spec": {"selector": labels, "ports": ports}}
    env = [{"name": each, "value": str(roll.randint(0, 2))} for each in roll.sample("AB", roll.randint(0, 2))]
    container = {"name": "web", "image": f"web:{roll.randint(1, 2)}", "env": env}
    return base | {
        "spec": {
            "replicas": roll.randint(1, 3),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
    }


async def happen(side: Side, event: Event) -> None:
    if event.what == "want":
        side.bundle = event.manifests
    elif event.what == "restart":
        await side.world.restart()
    elif event.what == "delete":
        await _delete(side, event.manifests[0])
    else:
        # `take` asks first and leaves what others own alone, `edit` takes it.
        force = event.what == "edit"
        with contextlib.suppress(ApplyConflict):
            await side.api.apply(side.placed(event.manifests[0]), manager=event.manager, force=force)


async def _delete(side: Side, manifest: Manifest) -> None:
    gvk = KINDS[manifest["kind"]]
    live = await side.api.get(gvk, side.namespace, manifest["metadata"]["name"])
    if live is not None:
        await side.api.delete(gvk, side.namespace, manifest["metadata"]["name"], uid=live["metadata"]["uid"])


async def run(side: Side, events: list[Event]) -> list[Mapping[str, Any]]:
    found = []
    for event in events:
        await happen(side, event)
        await side.caught_up()
        for _ in range(2):
            done = await side.sync()
            side.world.now += 700
            await side.caught_up()
        found.append(await side.outcome(done))
    await side.world.syncer.close()
    for name in NAMES:
        # A server has few addresses for Services: hundreds of histories would use them up.
        await _delete(side, {"kind": "Service", "metadata": {"name": name}})
    return found


async def compare(plane: controlplane.ControlPlane, seeds: range) -> None:
    real = await kube.connect(kubeconfig_file=plane.kubeconfig())
    try:
        for seed in seeds:
            events = history(seed)
            outcomes = []
            for api in (None, real):
                world = World()
                if api is not None:
                    world.api.cluster = api  # type: ignore[assignment]
                side = Side(world, api or world.cluster, f"same-{next(_numbers)}")
                made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": side.namespace}}
                await side.api.apply(made, manager="test")
                outcomes.append(await run(side, events))
            for number, (memory, live) in enumerate(zip(*outcomes, strict=True)):
                assert memory == live, f"seed {seed}, after event {number}: {events[number]}"
    finally:
        await real.close()


@pytest.fixture
def plane(control_planes: list[controlplane.ControlPlane]) -> controlplane.ControlPlane:
    return control_planes[1]


async def test_the_same_histories_have_the_same_outcome(plane: controlplane.ControlPlane) -> None:
    await compare(plane, range(12))


@pytest.mark.soak
async def test_very_many_histories_have_the_same_outcome(plane: controlplane.ControlPlane) -> None:
    await compare(plane, range(1000, 1400))
