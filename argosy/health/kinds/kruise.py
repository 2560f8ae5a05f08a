"""Health of OpenKruise's workloads, rollouts and game servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import (
    Check,
    Found,
    Malformed,
    degraded,
    healthy,
    items,
    mapping,
    number,
    progressing,
    spec,
    status,
    suspended,
    told,
    unknown,
)
from argosy.health.rules import (
    Rows,
    needed,
    once_observed,
    requiring,
    rows,
    same,
)
from argosy.objects import Manifest


def _rolling(live: Manifest) -> Mapping[str, Any]:
    return mapping(mapping(spec(live), "updateStrategy"), "rollingUpdate")


def _changed(live: Manifest) -> bool:
    """A partition keeps pods of an old revision; the first generation has none. Raises `Malformed` without one."""
    return needed(mapping(live, "metadata"), "generation") > 1


def _clone_set(live: Manifest) -> Found:
    """OpenKruise: `partition` is how many replicas keep the old revision until somebody goes on."""
    now, strategy = status(live), mapping(spec(live), "updateStrategy")
    if strategy.get("paused") is True or now.get("updatedAvailableReplicas") is None:
        return suspended("CloneSet is paused")
    if strategy.get("partition") != 0 and _changed(live):
        if needed(now, "updatedReplicas") < needed(now, "expectedUpdatedReplicas"):
            return progressing("Waiting for the partition to be updated")
        return suspended("CloneSet waits at its partition")
    return _all_available(live)


def _all_available(live: Manifest) -> Found:
    now = status(live)
    if now.get("updatedAvailableReplicas") == now.get("replicas"):
        return healthy("All replicas are updated and available")
    return degraded("Some replicas are not updated or not available")


def _kruise_stateful_set(live: Manifest) -> Found:
    now, rolling = status(live), _rolling(live)
    if rolling.get("paused") is True or now.get("updatedAvailableReplicas") is None:
        return suspended("StatefulSet is paused")
    if rolling.get("partition") != 0 and _changed(live):
        if needed(now, "updatedReplicas") > needed(now, "replicas") - needed(rolling, "partition"):
            return suspended("StatefulSet waits at its partition")
        return progressing("Waiting for the partition to be updated")
    return _all_available(live)


def _kruise_daemon_set(live: Manifest) -> Found:
    now, rolling = status(live), _rolling(live)
    desired, updated = now.get("desiredNumberScheduled"), now.get("updatedNumberScheduled")
    if rolling.get("paused") is True or updated is None:
        return suspended("DaemonSet is paused")
    if rolling.get("partition") not in (None, 0) and _changed(live):
        if updated > needed(now, "desiredNumberScheduled") - number(rolling, "partition"):
            return suspended("DaemonSet waits at its partition")
        return progressing("Waiting for the partition to be updated")
    if desired is not None and updated == desired == now.get("numberAvailable"):
        return healthy("All pods are updated and available")
    if desired is not None and updated == desired == now.get("numberUnavailable"):
        return degraded("No pod is available")
    return progressing("Waiting for pods to be updated")


def _advanced_cron_job(live: Manifest) -> Found:
    now = status(live)
    active = bool(items(now, "active"))
    if now.get("lastScheduleTime") is not None:
        return (
            progressing("It has active jobs") if active else healthy("AdvancedCronJob has run successfully")
        )
    if live.get("spec") is None:
        raise Malformed("AdvancedCronJob has no spec")
    if spec(live).get("paused") is True:
        return suspended("AdvancedCronJob is paused")
    return (
        progressing("It has active jobs") if active else degraded("AdvancedCronJob has not run successfully")
    )


def _broadcast_job(live: Manifest) -> Found:
    now = status(live)
    phase = now.get("phase")
    if phase == "completed" and now.get("desired") == now.get("succeeded"):
        return healthy("BroadcastJob is completed")
    if phase == "failed" and now.get("failed") != 0:
        return degraded("BroadcastJob failed")
    if phase == "paused" and spec(live).get("paused") is True:
        return suspended("BroadcastJob is paused")
    return progressing("BroadcastJob is running")


def _kruise_rollout(live: Manifest) -> Found:
    now = status(live)
    phase, step = now.get("phase"), mapping(now, "canaryStatus").get("currentStepState")
    if phase == "Healthy" and step == "Completed":
        return healthy("Rollout is completed")
    if step == "StepPaused" and phase == "Progressing":
        return suspended("Rollout is paused and waits for somebody")
    if step == "StepPaused" and phase in ("Disabled", "Terminating"):
        return degraded(f"Rollout is {phase}")
    return progressing("Rollout is going on")


def _game_server(live: Manifest) -> Found:
    now = status(live)
    is_, wanted = now.get("currentState"), now.get("desiredState")
    if is_ is None and wanted is None:
        return unknown("Waiting for the GameServer to be ready")
    if is_ != wanted:
        return progressing(f"{is_} is to become {wanted}")
    for condition in told(mapping(now, "podStatus")):
        if condition.type == "KruisePodReady" and condition.state != "True":
            return degraded("The GameServer's pod is not ready")
    if is_ != "Ready":
        return unknown("Waiting for the GameServer to be ready")
    return healthy(f"GameServer is {is_}")


def _game_server_set(live: Manifest) -> Found:
    now, rolling = status(live), _rolling(live)
    if rolling.get("paused") is True:
        return suspended("GameServerSet is paused")
    replicas, partition = number(now, "replicas"), number(rolling, "partition")
    if partition:
        if number(now, "updatedReplicas") >= replicas - partition:
            return suspended("GameServerSet waits at its partition")
        return progressing("Waiting for the partition to be updated")
    ready = number(now, "updatedReadyReplicas")
    return (
        healthy("All replicas are updated and ready")
        if ready == replicas
        else progressing(f"{ready} of {replicas} replicas are updated and ready")
    )


_ROLLING = "spec.updateStrategy.rollingUpdate"


def _updated(check: Check, strategy: str) -> Check:
    """What is rolled out tells how, once its generation was observed."""
    return once_observed(requiring(check, strategy), same)


CHECKS: Rows = {
    **rows("apps.kruise.io", _updated(_clone_set, "spec.updateStrategy"), "CloneSet"),
    **rows("apps.kruise.io", _updated(_kruise_stateful_set, _ROLLING), "StatefulSet"),
    **rows("apps.kruise.io", _updated(_kruise_daemon_set, _ROLLING), "DaemonSet"),
    **rows("apps.kruise.io", requiring(_advanced_cron_job, "status"), "AdvancedCronJob"),
    **rows("apps.kruise.io", _broadcast_job, "BroadcastJob"),
    **rows(
        "rollouts.kruise.io", requiring(_updated(_kruise_rollout, "status.canaryStatus"), "status"), "Rollout"
    ),
    **rows("game.kruise.io", _game_server, "GameServer"),
    **rows("game.kruise.io", once_observed(requiring(_game_server_set, "spec"), same), "GameServerSet"),
}
