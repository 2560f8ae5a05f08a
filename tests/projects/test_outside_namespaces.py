"""What is outside namespaces only its cluster knows for sure: the agent keeps to the project's lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, World, annotated, config_map

from agent.core import options
from agent.core import outside as agents
from argosy import objects
from argosy.bundle import OUTSIDE, Policy, plain
from argosy.objects import Manifest, ObjectKey
from hub.core.apps import policy
from hub.core.apps.policy import Asked
from hub.core.projects import outside, projects
from hub.core.releases import releases

ANY = {"group": "*", "kind": "*"}
NOTHING = f'{OUTSIDE}={{"black":[],"white":[]}}'


def told(**spec: Any) -> tuple[str, ...]:
    project = {"metadata": {"name": "shop"}, "spec": spec}
    text = objects.canonical(plain(Policy(sync_options=("Prune=false",)))).decode()
    return releases.policy(outside.told(text, project)).sync_options


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"clusterResourceWhitelist": [ANY]},
        {"clusterResourceWhitelist": [{"group": "toys.*", "kind": "G*"}]},
        {"clusterResourceWhitelist": [{"group": "toys.*", "kind": "?adget"}]},
        {"clusterResourceWhitelist": [{**ANY, "name": "a-*"}]},
        {"clusterResourceWhitelist": [{**ANY, "name": "b-*"}]},
        {"clusterResourceWhitelist": [{"group": "*", "kind": "[a"}]},
        {"clusterResourceWhitelist": [ANY], "clusterResourceBlacklist": [{"group": "toys.dev", "kind": "*"}]},
        {"clusterResourceWhitelist": [ANY], "clusterResourceBlacklist": [{**ANY, "name": "a-1"}]},
        {"clusterResourceWhitelist": [ANY], "clusterResourceBlacklist": [{"group": "*", "kind": "[a"}]},
    ],
)
def test_agents_judge_as_the_hub_does(spec: dict[str, Any]) -> None:
    project = {"metadata": {"name": "shop"}, "spec": spec}
    for group, kind, name in (("toys.dev", "Gadget", "a-1"), ("", "Node", "b-2"), ("x", "y", "a/b")):
        permitted = projects.permits_kind(project, group, kind, name, False)
        assert agents.refused(told(**spec), ObjectKey(group, kind, "", name)) is not permitted, (kind, spec)
        assert not agents.refused(told(**spec), ObjectKey(group, kind, "inside", name))


def test_a_project_that_permits_everything_costs_nothing() -> None:
    assert told(clusterResourceWhitelist=[ANY]) == ("Prune=false",)
    assert told() == ("Prune=false", NOTHING)


@pytest.mark.parametrize("name", [OUTSIDE, "ResourceExclusions"])
def test_nobody_says_for_himself_what_others_decide(name: str) -> None:
    option = f'{name}={{"white":[[".*",".*",""]]}}'
    spec = {"syncPolicy": {"syncOptions": [option, "Prune=false"]}}
    assert policy.of(spec, Asked(), {}).sync_options == ("Prune=false",)
    assert options.merged((NOTHING,), (option, "Replace=true")) == ("Replace=true", NOTHING)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.syncer.close()


def gizmo(name: str) -> Manifest:
    """As the hub sends what it takes for an object of a namespace."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "toys.dev/v1", "kind": "Gizmo", "metadata": metadata, "spec": {"size": 1}}


def defined(world: World) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"}
    world.cluster.put(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "gizmos.toys.dev"},
            "spec": {"group": "toys.dev", "scope": "Cluster", "names": names, "versions": [version]},
        }
    )


def gizmos(world: World) -> set[str]:
    return {key[3] for key in world.cluster.objects() if key[1] == "Gizmo"}


async def test_what_the_project_does_not_permit_outside_namespaces_is_not_applied(world: World) -> None:
    defined(world)
    shut = replace(AUTO, sync_options=(NOTHING,))
    hook = annotated(gizmo("hook"), hook="PreSync")

    done = await world.sync(world.assignment(config_map("a"), gizmo("b"), hook, policy=shut))

    assert gizmos(world) == set()
    assert set(world.live()) == {"a"}
    assert (
        "resource toys.dev/Gizmo b is not permitted in project 'default': this cluster has it outside namespaces"
        in str(done.status)
    )
    named = replace(AUTO, sync_options=(f'{OUTSIDE}={{"white":[["toys[.]dev","Gizmo","b"]]}}',))
    await world.sync(world.assignment(config_map("a"), gizmo("b"), gizmo("c"), policy=named))
    assert gizmos(world) == {"b"}


async def test_nor_as_a_hook_of_the_end(world: World) -> None:
    defined(world)
    shut = replace(AUTO, sync_options=(NOTHING,))
    hooks = [annotated(gizmo(name), hook=name) for name in ("PreDelete", "PostDelete")]
    for hook in hooks:
        hook["metadata"]["name"] = hook["metadata"]["name"].lower()
    wanted = world.assignment(config_map("a"), *hooks, policy=shut)
    await world.sync(wanted)
    world.syncer.know([])
    removal = world.removal("", bundle=wanted.bundle, namespace="default", hooks="PreDelete,PostDelete")
    await world.quiet()
    await world.syncer.remove(removal)
    assert world.live() == {}
    assert gizmos(world) == set()
