"""Health of what the cluster itself is made of: custom kinds, API services, Ingresses, autoscalers,
budgets.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from argosy.health.base import (
    Condition,
    Found,
    Malformed,
    conditions,
    degraded,
    healthy,
    mapping,
    present,
    progressing,
    status,
    text,
    told,
)
from argosy.objects import Manifest

HPA_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_UNABLE = frozenset({"FailedGetScale", "FailedUpdateScale"})
_INACTIVE = frozenset(
    {
        "FailedGetResourceMetric",
        "FailedGetObjectMetric",
        "FailedGetPodsMetric",
        "FailedGetExternalMetric",
        "FailedComputeMetricsReplicas",
        "InvalidSelector",
    }
)


def ingress(live: Manifest) -> Found:
    """Looks at one list and no type: what else stands there is nothing to wait for."""
    now = live.get("status")
    balancer = now.get("loadBalancer") if isinstance(now, dict) else None
    found = balancer.get("ingress") if isinstance(balancer, dict) else None
    return healthy() if found and isinstance(found, list) else progressing()


def api_service(live: Manifest) -> Found:
    for kind, state, reason, message in conditions(live):
        if kind == "Available":
            said = f"{reason}: {message}"
            return healthy(said) if state == "True" else progressing(said)
    return progressing("Waiting to be processed")


def autoscaler(live: Manifest) -> Found:
    return _scaling(conditions(live))


def autoscaler_v1(live: Manifest) -> Found:
    """autoscaling/v1 has its conditions as JSON in an annotation."""
    notes = mapping(mapping(live, "metadata"), "annotations")
    if HPA_CONDITIONS not in notes:
        return progressing("Waiting to Autoscale")
    said = text(notes, HPA_CONDITIONS)
    try:
        return _scaling(list(conditions({"status": {"conditions": orjson.loads(said)}})))
    except orjson.JSONDecodeError:
        raise Malformed(f"annotation {HPA_CONDITIONS} is no JSON") from None


def _scaling(found: Iterable[tuple[str, str, str, str]]) -> Found:
    able: str | None = None
    for kind, state, reason, message in found:
        if (kind == "AbleToScale" and reason in _UNABLE) or (kind == "ScalingActive" and reason in _INACTIVE):
            return degraded(message)
        if kind in ("AbleToScale", "ScalingLimited") and state == "True" and able is None:
            able = message
    return progressing("Waiting to Autoscale") if able is None else healthy(able)


def custom_resource_definition(live: Manifest) -> Found:
    """The first condition that says something bad, or that it is on its way; without a status nothing is known."""
    if mapping(live, "metadata").get("deletionTimestamp"):
        return progressing("CRD is terminating")
    if not present(live):
        raise Malformed("CustomResourceDefinition has no status")
    found = told(status(live))
    if not found:
        return progressing("Status conditions not found")
    for item in found:
        bad = _crd_problem(item)
        if bad:
            item.must_say("message")
            return degraded(f"{bad}: {item.message}")
        if (item.type, item.state) == ("Terminating", "True"):
            item.must_say("message")
            return progressing(f"CRD is terminating: {item.message}")
        if (item.type, item.reason) == ("Established", "Installing") and item.state != "True":
            return progressing("CRD is being installed")
    if any((item.type, item.state) == ("Established", "True") for item in found):
        return healthy("CRD is healthy")
    return progressing("CRD is not established")


def _crd_problem(item: Condition) -> str:
    if (item.type, item.state) == ("NamesAccepted", "False"):
        return "CRD names have not been accepted"
    if (item.type, item.state) == ("NonStructuralSchema", "True"):
        return "Schema violations found"
    invalid = (item.type, item.reason) == ("Established", "InvalidCABundle") and item.state != "True"
    return "CRD is not established" if invalid else ""


def disruption_budget(live: Manifest) -> Found:
    """Too few pods to evict one is no fault of the budget's."""
    found = told(status(live))
    if not found:
        return progressing("Waiting for status")
    for item in found:
        item.must_say("reason")
        if item.state == "False" and item.reason != "InsufficientPods":
            return degraded(f"PodDisruptionBudget has {item.reason}")
    return healthy(f"PodDisruptionBudget has {found[-1].reason}")
