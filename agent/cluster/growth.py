"""Toy controllers: what the status of a workload becomes when all goes well, at once and always the same.

An image whose name contains `broken` never starts, so that failing rollouts can be shown and tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from argosy.objects import Manifest

MANAGER = "kube-controller-manager"
BROKEN = "broken"

Status = dict[str, Any]


def grown(manifest: Manifest, now: str) -> Status | None:
    """The status the object's controller would give it now; None where there is no controller for its kind."""
    grow = _GROWERS.get((manifest["apiVersion"].rpartition("/")[0], manifest["kind"]))
    return grow(manifest, now) if grow is not None else None


def _spec(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("spec") or {}


def _broken(manifest: Manifest) -> bool:
    spec = _spec(manifest)
    pod = spec if manifest["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    return any(BROKEN in str(container.get("image")) for container in pod.get("containers") or ())


def _generation(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("generation") or 1)


def _condition(kind: str, true: bool, reason: str, message: str, now: str, old: Manifest) -> dict[str, Any]:
    """A condition that keeps its transition time while its value stays."""
    status = "True" if true else "False"
    conditions: list[dict[str, Any]] = (old.get("status") or {}).get("conditions") or []
    before = next((each for each in conditions if each.get("type") == kind), {})
    since = before.get("lastTransitionTime", now) if before.get("status") == status else now
    out = {"type": kind, "status": status, "lastTransitionTime": since}
    if reason:
        out["reason"] = reason
    if message:
        out["message"] = message
    return out


def _deployment(manifest: Manifest, now: str) -> Status:
    replicas = int(_spec(manifest).get("replicas", 1))
    name = manifest["metadata"]["name"]
    good = not _broken(manifest)
    out: Status = {"observedGeneration": _generation(manifest)}
    counted = (
        ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        if good
        else ("replicas", "updatedReplicas")
    )
    if replicas:
        out |= dict.fromkeys(counted, replicas)
        if not good:
            out["unavailableReplicas"] = replicas
    available = (
        "Deployment has minimum availability." if good else "Deployment does not have minimum availability."
    )
    reason = "MinimumReplicasAvailable" if good else "MinimumReplicasUnavailable"
    conditions = [_condition("Available", good, reason, available, now, manifest)]
    if good:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        conditions.append(_condition("Progressing", True, "NewReplicaSetAvailable", message, now, manifest))
    else:
        message = f'ReplicaSet "{name}" has timed out progressing.'
        conditions.append(
            _condition("Progressing", False, "ProgressDeadlineExceeded", message, now, manifest)
        )
    return out | {"conditions": conditions}


def _stateful_set(manifest: Manifest, now: str) -> Status:
    replicas = int(_spec(manifest).get("replicas", 1))
    revision = f"{manifest['metadata']['name']}-{_generation(manifest)}"
    ready = 0 if _broken(manifest) else replicas
    return {
        "observedGeneration": _generation(manifest),
        "replicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": replicas,
        "updatedReplicas": replicas,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }


def _daemon_set(manifest: Manifest, now: str) -> Status:
    ready = 0 if _broken(manifest) else 1
    return {
        "observedGeneration": _generation(manifest),
        "desiredNumberScheduled": 1,
        "currentNumberScheduled": 1,
        "updatedNumberScheduled": 1,
        "numberMisscheduled": 0,
        "numberReady": ready,
        "numberAvailable": ready,
        "numberUnavailable": 1 - ready,
    }


def _replica_set(manifest: Manifest, now: str) -> Status:
    replicas = int(_spec(manifest).get("replicas", 1))
    ready = 0 if _broken(manifest) else replicas
    return {
        "observedGeneration": _generation(manifest),
        "replicas": replicas,
        "fullyLabeledReplicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
    }


def _job(manifest: Manifest, now: str) -> Status:
    if _spec(manifest).get("suspend"):
        return {"conditions": [_condition("Suspended", True, "JobSuspended", "Job suspended", now, manifest)]}
    old = manifest.get("status") or {}
    started = old.get("startTime", now)
    if _broken(manifest):
        message = "Job has reached the specified backoff limit"
        failed = _condition("Failed", True, "BackoffLimitExceeded", message, now, manifest)
        return {"startTime": started, "failed": 1, "conditions": [failed]}
    done = _condition(
        "Complete", True, "CompletionsReached", "Reached expected number of succeeded pods", now, manifest
    )
    completions = int(_spec(manifest).get("completions") or 1)
    return {
        "startTime": started,
        "completionTime": old.get("completionTime", now),
        "succeeded": completions,
        "conditions": [done],
    }


def _pod(manifest: Manifest, now: str) -> Status:
    good = not _broken(manifest)
    old = manifest.get("status") or {}
    started = old.get("startTime", now)
    conditions = [
        _condition(kind, good or kind == "PodScheduled", "", "", now, manifest)
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    containers = []
    for container in _spec(manifest).get("containers") or ():
        state: dict[str, Any] = {"running": {"startedAt": started}}
        if not good:
            state = {
                "waiting": {
                    "reason": "ImagePullBackOff",
                    "message": f"Back-off pulling image {container['image']}",
                }
            }
        containers.append(
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": "",
                "ready": good,
                "restartCount": 0,
                "started": good,
                "state": state,
                "lastState": {},
            }
        )
    return {
        "phase": "Running" if good else "Pending",
        "startTime": started,
        "conditions": conditions,
        "containerStatuses": containers,
        "qosClass": old.get("qosClass", "BestEffort"),
    }


def _claim(manifest: Manifest, now: str) -> Status:
    spec = _spec(manifest)
    requests = (spec.get("resources") or {}).get("requests") or {}
    return {"phase": "Bound", "accessModes": spec.get("accessModes") or [], "capacity": requests}


def _balanced(manifest: Manifest, now: str) -> Status | None:
    if manifest["kind"] == "Service" and _spec(manifest).get("type") != "LoadBalancer":
        return None
    return {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


def _definition(manifest: Manifest, now: str) -> Status:
    spec = _spec(manifest)
    names = _condition("NamesAccepted", True, "NoConflicts", "no conflicts found", now, manifest)
    established = _condition(
        "Established", True, "InitialNamesAccepted", "the initial names have been accepted", now, manifest
    )
    stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
    return {
        "conditions": [names, established],
        "acceptedNames": spec.get("names") or {},
        "storedVersions": stored,
    }


def _budget(manifest: Manifest, now: str) -> Status:
    allowed = _condition("DisruptionAllowed", True, "SufficientPods", "", now, manifest)
    return {
        "observedGeneration": _generation(manifest), "conditions": [allowed], "currentHealthy": 0, "desiredHealthy": 0,
        "disruptionsAllowed": 0, "expectedPods": 0,
    }  # fmt: skip


_GROWERS: dict[tuple[str, str], Callable[[Manifest, str], Status | None]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _balanced,
    ("networking.k8s.io", "Ingress"): _balanced,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("policy", "PodDisruptionBudget"): _budget,
}

GROWN = frozenset(_GROWERS)
"""(group, kind) of all that grows."""
