"""Whether an object of Kubernetes' own kinds converts to its type: Argo CD says Unknown of one that does not.

Only fields that tell of health or stand next to such are looked at; an API server lets no other object pass, but files
that people write may hold anything. Fields that the type does not have are passed over, as is null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from argosy.health.base import Malformed
from argosy.objects import Manifest

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    "time": "a time",
    "quantity": "a quantity",
    "port": "a number or text",
}

Shape = Any
"""A type, "time", "quantity" or "port"; [shape] for a list; {name: shape} for an object, "*" for any name."""

_CONDITIONS = [
    {
        "type": str,
        "status": str,
        "reason": str,
        "message": str,
        "lastTransitionTime": "time",
        "lastUpdateTime": "time",
        "lastProbeTime": "time",
    }
]
_TEXTS = {"*": str}
_METADATA = {
    "name": str,
    "generation": int,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "finalizers": [str],
    "creationTimestamp": "time",
    "deletionTimestamp": "time",
}
_SELECTOR = {"matchLabels": _TEXTS}
_RESOURCES = {"limits": {"*": "quantity"}, "requests": {"*": "quantity"}}
_CONTAINERS = [
    {
        "name": str,
        "image": str,
        "command": [str],
        "args": [str],
        "ports": [{"name": str, "containerPort": int, "protocol": str}],
        "env": [{"name": str, "value": str}],
        "resources": _RESOURCES,
    }
]
_POD_SPEC = {
    "restartPolicy": str,
    "nodeName": str,
    "serviceAccountName": str,
    "terminationGracePeriodSeconds": int,
    "containers": _CONTAINERS,
    "initContainers": _CONTAINERS,
}
_TEMPLATE = {"metadata": {"labels": _TEXTS, "annotations": _TEXTS}, "spec": _POD_SPEC}
_STARTED = {"startedAt": "time"}
_ENDED = {"exitCode": int, "signal": int, "reason": str, "message": str, "finishedAt": "time", **_STARTED}
_STATE = {"waiting": {"reason": str, "message": str}, "running": _STARTED, "terminated": _ENDED}
_CONTAINER_STATUSES = [
    {
        "name": str,
        "ready": bool,
        "restartCount": int,
        "started": bool,
        "image": str,
        "state": _STATE,
        "lastState": _STATE,
    }
]
_ROLLING = {"type": str, "rollingUpdate": {"maxUnavailable": "port", "maxSurge": "port", "partition": int}}
_INGRESS = {"ingress": [{"ip": str, "hostname": str}]}
_REPLICAS = dict.fromkeys(("observedGeneration", "replicas", "readyReplicas", "availableReplicas"), int)
_UPDATED = {**_REPLICAS, "updatedReplicas": int, "collisionCount": int}
_WORKLOAD = {"replicas": int, "minReadySeconds": int, "selector": _SELECTOR, "template": _TEMPLATE}
_NODES = dict.fromkeys(
    (
        "observedGeneration",
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberAvailable",
        "numberMisscheduled",
        "numberReady",
        "numberUnavailable",
        "updatedNumberScheduled",
    ),
    int,
)

_SCALING = {
    "minReplicas": int,
    "maxReplicas": int,
    "scaleTargetRef": {"kind": str, "name": str, "apiVersion": str},
}
_SCALED = {
    "currentReplicas": int,
    "desiredReplicas": int,
    "observedGeneration": int,
    "lastScaleTime": "time",
}

_SHAPES: Mapping[str, Shape] = {
    "Deployment": {
        "spec": {**_WORKLOAD, "paused": bool, "progressDeadlineSeconds": int, "strategy": _ROLLING},
        "status": {**_UPDATED, "unavailableReplicas": int, "conditions": _CONDITIONS},
    },
    "StatefulSet": {
        "spec": {**_WORKLOAD, "updateStrategy": _ROLLING, "serviceName": str},
        "status": {
            **_UPDATED,
            "currentReplicas": int,
            "currentRevision": str,
            "updateRevision": str,
            "conditions": _CONDITIONS,
        },
    },
    "DaemonSet": {
        "spec": {**_WORKLOAD, "updateStrategy": _ROLLING},
        "status": {**_NODES, "conditions": _CONDITIONS},
    },
    "ReplicaSet": {
        "spec": _WORKLOAD,
        "status": {**_REPLICAS, "fullyLabeledReplicas": int, "conditions": _CONDITIONS},
    },
    "Pod": {
        "spec": _POD_SPEC,
        "status": {
            "phase": str,
            "reason": str,
            "message": str,
            "podIP": str,
            "startTime": "time",
            "conditions": _CONDITIONS,
            "containerStatuses": _CONTAINER_STATUSES,
            "initContainerStatuses": _CONTAINER_STATUSES,
        },
    },
    "PersistentVolumeClaim": {
        "spec": {"accessModes": [str], "storageClassName": str, "volumeName": str, "resources": _RESOURCES},
        "status": {
            "phase": str,
            "accessModes": [str],
            "capacity": {"*": "quantity"},
            "conditions": _CONDITIONS,
        },
    },
    "Service": {
        "spec": {
            "type": str,
            "clusterIP": str,
            "externalName": str,
            "externalIPs": [str],
            "loadBalancerClass": str,
            "loadBalancerIP": str,
            "selector": _TEXTS,
            "ports": [{"name": str, "port": int, "nodePort": int, "targetPort": "port", "protocol": str}],
        },
        "status": {"loadBalancer": _INGRESS, "conditions": _CONDITIONS},
    },
    "Job": {
        "spec": {
            "suspend": bool,
            "parallelism": int,
            "completions": int,
            "backoffLimit": int,
            "activeDeadlineSeconds": int,
            "template": _TEMPLATE,
        },
        "status": {
            "active": int,
            "succeeded": int,
            "failed": int,
            "ready": int,
            "startTime": "time",
            "completionTime": "time",
            "conditions": _CONDITIONS,
        },
    },
    "HorizontalPodAutoscaler": {
        "spec": _SCALING,
        "status": {**_SCALED, "conditions": _CONDITIONS},
    },
    "HorizontalPodAutoscaler of autoscaling/v1": {
        "spec": {**_SCALING, "targetCPUUtilizationPercentage": int},
        "status": {**_SCALED, "currentCPUUtilizationPercentage": int},
    },
    "APIService": {
        "spec": {
            "group": str,
            "version": str,
            "groupPriorityMinimum": int,
            "versionPriority": int,
            "service": {"name": str, "namespace": str, "port": int},
        },
        "status": {"conditions": _CONDITIONS},
    },
}
"""By kind, or by kind and version where these differ."""


def convert(live: Manifest) -> None:
    """Raises `Malformed` naming the first field that does not fit the kind's type."""
    kind = live["kind"]
    shape = _SHAPES.get(f"{kind} of {live['apiVersion']}") or _SHAPES[kind]
    try:
        _fit(live.get("metadata"), _METADATA, "metadata")
        _fit(live.get("spec"), shape["spec"], "spec")
        _fit(live.get("status"), shape["status"], "status")
    except Malformed as error:
        raise Malformed(f"failed to convert unstructured {_short(live)} to typed: {error}") from None


def unsupported(live: Manifest) -> Malformed:
    """What is to be raised for a version of the kind that Argo CD does not know."""
    return Malformed(f"unsupported {_short(live)} GVK: {live['apiVersion']}, Kind={live['kind']}")


def _short(live: Manifest) -> str:
    return "HPA" if live["kind"] == "HorizontalPodAutoscaler" else str(live["kind"])


def _fit(value: Any, shape: Shape, path: str) -> None:
    if value is None:
        return
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Malformed(f"{path} is {value!r}, expected an object")
        rest = shape.get("*")
        for name, item in value.items():
            inner = rest or shape.get(name)
            if inner is not None:
                _fit(item, inner, f"{path}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise Malformed(f"{path} is {value!r}, expected a list")
        for index, item in enumerate(value):
            _fit(item, shape[0], f"{path}[{index}]")
    elif not _is(value, shape):
        raise Malformed(f"{path} is {value!r}, expected {_NAMES[shape]}")


def _is(value: Any, shape: Shape) -> bool:
    if shape == "time":
        return isinstance(value, str) and _TIME.fullmatch(value) is not None
    if shape == "quantity":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number or (isinstance(value, str) and _QUANTITY.fullmatch(value) is not None)
    if shape == "port":
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    if shape is int and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
