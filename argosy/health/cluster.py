"""Health of what the cluster itself is made of: custom kinds, API services, Ingresses, autoscalers,
budgets.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from argosy.health.base import (
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
    balancer = status(live).get("loadBalancer")
    return healthy() if isinstance(balancer, dict) and balancer.get("ingress") else progressing()


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
    said = text(mapping(mapping(live, "metadata"), "annotations"), HPA_CONDITIONS)
    if not said:
        return progressing("Waiting to Autoscale")
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
    if not present(live):
        if mapping(live, "metadata").get("deletionTimestamp"):
            return progressing("CRD is terminating")
        raise Malformed("CustomResourceDefinition has no status")
    found = list(conditions(live))
    if not found:
        return progressing("Status conditions not found")
    for kind, state, reason, message in found:
        if (kind, state) == ("Terminating", "True"):
            return progressing(f"CRD is terminating: {message}")
        if (kind, state) == ("NamesAccepted", "False"):
            return degraded(f"CRD names have not been accepted: {message}")
        if (kind, reason) == ("Established", "Installing") and state != "True":
            return progressing("CRD is being installed")
        if (kind, reason) == ("Established", "InvalidCABundle") and state != "True":
            return degraded(f"CRD is not established: {message}")
        if (kind, state) == ("NonStructuralSchema", "True"):
            return degraded(f"Schema violations found: {message}")
    if any((kind, state) == ("Established", "True") for kind, state, _, _ in found):
        return healthy("CRD is healthy")
    return progressing("CRD is not established")


def disruption_budget(live: Manifest) -> Found:
    """Too few pods to evict one is no fault of the budget's."""
    found = told(status(live))
    if not found:
        return progressing("Waiting for status")
    for item in found:
        if item.state == "False" and item.reason != "InsufficientPods":
            return degraded(f"PodDisruptionBudget has {item.reason}")
    return healthy(f"PodDisruptionBudget has {found[-1].reason}")
