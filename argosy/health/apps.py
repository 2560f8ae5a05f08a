"""Health of workloads: apps/v1."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    conditions,
    degraded,
    healthy,
    mapping,
    number,
    progressing,
    spec,
    stale,
    status,
    suspended,
    text,
)
from argosy.objects import Manifest


def deployment(live: Manifest) -> Found:
    """Availability below the wanted replicas is examined by numbers, the Available condition is not."""
    wants, now = spec(live), status(live)
    if wants.get("paused") is True:
        return suspended("Deployment is paused")
    if stale(live):
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation"
        )
    if _first(live, "Progressing")[2] == "ProgressDeadlineExceeded":
        return degraded(f'Deployment "{live["metadata"]["name"]}" exceeded its progress deadline')
    updated, replicas = number(now, "updatedReplicas"), number(wants, "replicas")
    if updated < replicas:
        return progressing(
            f"Waiting for rollout to finish: {updated} out of {replicas} new replicas have been updated..."
        )
    old = number(now, "replicas") - updated
    if old > 0:
        return progressing(f"Waiting for rollout to finish: {old} old replicas are pending termination...")
    available = number(now, "availableReplicas")
    if available < updated:
        return progressing(
            f"Waiting for rollout to finish: {available} of {updated} updated replicas are available..."
        )
    return healthy()


def stateful_set(live: Manifest) -> Found:
    """With a `rollingUpdate` block revisions are not compared, only counts."""
    wants, now = spec(live), status(live)
    if number(now, "observedGeneration") == 0 or stale(live):
        return progressing("Waiting for statefulset spec update to be observed...")
    replicas, ready = number(wants, "replicas"), number(now, "readyReplicas")
    if ready < replicas:
        return progressing(f"Waiting for {replicas - ready} pods to be ready...")
    strategy = mapping(wants, "updateStrategy")
    if text(strategy, "type") == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        rolling = mapping(strategy, "rollingUpdate")
        updated = number(now, "updatedReplicas")
        counted = rolling.get("partition") is not None and wants.get("replicas") is not None
        if counted and updated < replicas - number(rolling, "partition"):
            return progressing(
                "Waiting for partitioned roll out to finish: "
                f"{updated} out of {replicas - number(rolling, 'partition')} new pods have been updated..."
            )
        return healthy(f"partitioned roll out complete: {updated} new pods have been updated...")
    if text(strategy, "type") == "OnDelete":
        return healthy(f"statefulset has {ready} ready pods")
    if text(now, "updateRevision") != text(now, "currentRevision"):
        return progressing(
            f"waiting for statefulset rolling update to complete {number(now, 'updatedReplicas')} pods at "
            f"revision {text(now, 'updateRevision')}..."
        )
    return healthy(
        f"statefulset rolling update complete {number(now, 'currentReplicas')} pods at "
        f"revision {text(now, 'currentRevision')}..."
    )


def daemon_set(live: Manifest) -> Found:
    wants, now = spec(live), status(live)
    if stale(live):
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation"
        )
    desired, updated = number(now, "desiredNumberScheduled"), number(now, "updatedNumberScheduled")
    if text(mapping(wants, "updateStrategy"), "type") == "OnDelete":
        return healthy(f"daemon set {updated} out of {desired} new pods have been updated")
    if updated < desired:
        return progressing(
            f'Waiting for daemon set "{live["metadata"]["name"]}" rollout to finish: '
            f"{updated} out of {desired} new pods have been updated..."
        )
    available = number(now, "numberAvailable")
    if available < desired:
        return progressing(
            f'Waiting for daemon set "{live["metadata"]["name"]}" rollout to finish: '
            f"{available} of {desired} updated pods are available..."
        )
    return healthy()


def replica_set(live: Manifest) -> Found:
    wants, now = spec(live), status(live)
    if stale(live):
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation"
        )
    failure = _first(live, "ReplicaFailure")
    if failure[1] == "True":
        return degraded(failure[3])
    available, replicas = number(now, "availableReplicas"), number(wants, "replicas")
    if available < replicas:
        return progressing(
            f"Waiting for rollout to finish: {available} out of {replicas} new replicas are available..."
        )
    return healthy()


def _first(live: Manifest, type_: str) -> tuple[str, str, str, str]:
    """The first condition of a type is the one that counts; empty words where there is none."""
    return next((found for found in conditions(live) if found[0] == type_), ("", "", "", ""))
