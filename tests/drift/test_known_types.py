"""Fields of custom resources that are of Kubernetes' own types: another form of the same is no difference."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, World

from agent.core import drift, known
from agent.core.known import Known
from argosy.bundle import Policy
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey
from argosy.status import Sync
from hub.core import comparing

ROLLOUT = Gvk("argoproj.io", "v1alpha1", "Rollout")
THING = Gvk("example.com", "v1", "Thing")
POD = Known("spec.template.spec", "core/v1/PodSpec")


def defined(gvk: Gvk, plural: str) -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": gvk.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{gvk.group}"},
        "spec": {
            "group": gvk.group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": plural[:-1],
                "kind": gvk.kind,
                "listKind": f"{gvk.kind}List",
            },
            "versions": [version],
        },
    }


def custom(gvk: Gvk, **spec: Any) -> Manifest:
    version = f"{gvk.group}/{gvk.version}"
    return {
        "apiVersion": version,
        "kind": gvk.kind,
        "metadata": {"name": "a", "namespace": "default"},
        "spec": spec,
    }


def pods(image: str = "web:1", **container: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "web", "image": image, **container}]}}}


@pytest.mark.parametrize(
    ("type_", "one", "other", "same"),
    [
        ("core/Quantity", "1000m", 1, True),
        ("core/Quantity", "0.5", "500m", True),
        ("core/Quantity", "1Gi", "1024Mi", True),
        ("core/Quantity", "1e3", "1k", True),
        ("core/Quantity", "1", "2", False),
        ("core/Quantity", "much", "more", False),
        ("meta/v1/Duration", "60m", "1h0m0s", True),
        ("meta/v1/Duration", "1.5h", "1h30m", True),
        ("meta/v1/Duration", "1h", "1m", False),
        ("meta/v1/Duration", "soon", "later", False),
        ("core/v1/ResourceRequirements", {"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}, True),
        ("core/v1/ResourceRequirements", {"limits": {}}, {}, True),
        ("core/v1/ResourceRequirements", {"limits": {"cpu": "1"}}, {"requests": {"cpu": "1"}}, False),
        ("core/v1/EnvVar", {"name": "A", "value": "1000m"}, {"name": "A", "value": "1"}, False),
        ("core/v1/EnvVar", {"name": "A", "value": ""}, {"name": "A"}, True),
        ("core/v1/Container", {"name": "a", "nosuch": 1}, {"name": "a", "args": None}, True),
        ("core/v1/Container", {"name": 1}, {"name": "1"}, False),
        ("core/v1/NoSuchType", {"a": []}, {}, False),
    ],
)
def test_a_type_has_one_form(type_: str, one: Any, other: Any, same: bool) -> None:
    fields = (Known("spec.x", type_),)
    left, right = (known.normal(custom(THING, x=value), fields) for value in (one, other))
    assert (left == right) is same


def test_every_item_of_a_list_is_meant() -> None:
    fields = (Known("spec.jobs.resources", "core/v1/ResourceRequirements"),)
    said = custom(THING, jobs=[{"resources": {"limits": {"cpu": amount}}} for amount in ("1000m", "0.5")])
    live = custom(THING, jobs=[{"resources": {"limits": {"cpu": amount}}} for amount in ("1", "500m")])
    assert known.normal(said, fields) == known.normal(live, fields)
    assert known.alike(said, live, fields) == live
    assert known.normal(custom(THING, jobs="none"), fields) == custom(THING, jobs="none")


def test_the_pods_of_rollouts_are_known_unless_the_settings_know_better() -> None:
    key, own = ObjectKey("argoproj.io", "Rollout", "default", "a"), Known("spec.x", "core/Quantity")
    assert drift.ignored((), key).known == (POD,)
    rules = drift.ignores(json.dumps([{"group": "argoproj.io", "kind": "Rollout", "knownTypeFields": [own]}]))
    assert drift.ignored(rules, key).known == (own,)
    assert drift.ignored(rules, ObjectKey("apps", "Deployment", "default", "a")) == drift.NOTHING


async def test_what_a_controller_writes_in_another_form_is_no_drift(world: World) -> None:
    world.cluster.put(defined(ROLLOUT, "rollouts"))
    resources = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    wanted = world.assignment(custom(ROLLOUT, replicas=1, **pods(resources=resources, env=[])))
    await world.sync(wanted)
    written = pods(resources={"limits": {"cpu": "1", "memory": "1Gi"}})
    world.cluster.edit(ROLLOUT, "default", "a", {"spec": written}, manager="rollouts-controller")
    before = world.api.writes
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    live = await world.cluster.get(ROLLOUT, "default", "a")
    assert live is not None
    assert (world.api.writes, live["spec"]["template"]) == (before, written["template"])

    world.cluster.edit(ROLLOUT, "default", "a", {"spec": pods("web:2")}, manager="kubectl-edit")
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    live = await world.cluster.get(ROLLOUT, "default", "a")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


@pytest.mark.parametrize("how", ["ServerSideApply=true", "ServerSideApply=false", "Replace=true"])
async def test_fields_that_the_settings_name_are_compared_by_their_type(world: World, how: str) -> None:
    settings, wrong = comparing.of(
        {
            "resource.customizations.knownTypeFields.example.com_Thing": (
                "- {field: spec.size, type: core/Quantity}\n- {field: spec.wait, type: meta/v1/Duration}"
            )
        }
    )
    assert wrong == ""
    policy: Policy = settings.applied(replace(AUTO, sync_options=(how,)), ("https://one", "one"))
    world.cluster.put(defined(THING, "things"))
    wanted = world.assignment(custom(THING, size="1024Mi", wait="60m", other="60m"), policy=policy)
    await world.sync(wanted)
    world.cluster.edit(THING, "default", "a", {"spec": {"size": "1Gi", "wait": "1h0m0s"}})
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    world.cluster.edit(THING, "default", "a", {"spec": {"other": "1h0m0s"}})
    await world.sync(wanted)
    live = await world.cluster.get(THING, "default", "a")
    assert live is not None
    assert live["spec"]["other"] == "60m"


def test_settings_that_are_no_types_are_told() -> None:
    inline = "example.com/Thing: {knownTypeFields: [{field: spec.x, type: core/v1/PodSpec}, {field: spec.y}]}"
    found, wrong = comparing.of(
        {
            "resource.customizations": inline,
            "resource.customizations.knownTypeFields.Thing": "[{field: spec.x, type: apps/v1/Deployment}]",
        }
    )
    rules = drift.ignores(found.applied(Policy(), ()).ignore_differences)
    assert [(rule.group, rule.kind, rule.known) for rule in rules] == [
        ("example.com", "Thing", (Known("spec.x", "core/v1/PodSpec"),))
    ]
    assert 'type "apps/v1/Deployment" is not supported' in wrong
    assert "expected a list of field and type" in wrong
