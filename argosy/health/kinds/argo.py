"""Health of what Argo's own projects bring: Workflows, Rollouts, analyses, ApplicationSets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import (
    Found,
    Malformed,
    conditions,
    degraded,
    healthy,
    is_set,
    listed,
    mapping,
    number,
    present,
    progressing,
    spec,
    status,
    suspended,
    text,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    by_conditions,
    by_phase,
    needed,
    requiring,
    rows,
)
from argosy.objects import Manifest

WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
_PHASES = {
    "Healthy": HEALTHY,
    "Progressing": PROGRESSING,
    "Degraded": DEGRADED,
    "Paused": SUSPENDED,
    "Suspended": SUSPENDED,
}

_ANALYSIS = {
    "Pending": PROGRESSING,
    "Running": PROGRESSING,
    "Successful": HEALTHY,
    "Failed": DEGRADED,
    "Error": DEGRADED,
}
_experiment = by_phase("phase", _ANALYSIS, otherwise=None, absent=None)
_analysis = by_phase("phase", {**_ANALYSIS, "Inconclusive": UNKNOWN}, otherwise=None, absent=None)
"""No health where the phase is none of these; that of an Experiment may be Inconclusive without one."""

_application_set = by_conditions(
    before=(
        When("ErrorOccurred", "True", DEGRADED),
        When("ResourcesUpToDate", "False", DEGRADED),
        When("RolloutProgressing", "True", PROGRESSING),
        When("ResourcesUpToDate", "True", HEALTHY),
    )
)
_cron_workflow = by_conditions(
    When("Completed", "True", HEALTHY),
    When("SpecError", "True", DEGRADED),
    When("SubmissionError", "True", DEGRADED),
    otherwise=HEALTHY,
    without=HEALTHY,
)
_event_bus = by_conditions(
    When("Deployed", "False", DEGRADED),
    When("Deployed", "True", HEALTHY),
)


def _rollout(live: Manifest) -> Found:
    """The phase that Rollouts 1.0 and newer report, else what older ones leave to be seen from their fields."""
    if not present(live):
        return progressing("Waiting for rollout spec update to be observed")
    if not _observed(live):
        return progressing("Waiting for rollout spec update to be observed")
    return _observed_rollout(live)


def _described(live: Manifest) -> Found:
    wants, now = spec(live), status(live)
    if now.get("phase") is not None:
        return Found(_PHASES.get(text(now, "phase"), UNKNOWN), text(now, "message"))
    failed = _failure(live)
    if failed is not None:
        return failed
    if is_set(wants.get("paused")) or now.get("pauseConditions"):
        return suspended("Rollout is paused")
    if not now.get("currentPodHash"):
        return progressing("Waiting for rollout to finish: status has not been reconciled")
    return _counted(wants, now) or _switched(live) or healthy()


_observed_rollout = requiring(_described, "spec")


def _observed(live: Manifest) -> bool:
    """Rollouts writes the observed generation as text; before 1.0 a hash stood there, which says nothing."""
    metadata, now = mapping(live, "metadata"), status(live)
    if spec(live).get("workloadRef") is not None and metadata.get("annotations") is not None:
        noted = mapping(metadata, "annotations").get(WORKLOAD_GENERATION)
        if str(noted) != str(now.get("workloadObservedGeneration")):
            return False
    observed = str(now.get("observedGeneration", ""))
    if not observed.isdecimal():
        return True
    # A hash may consist of digits alone; it is then far greater than any generation.
    return int(observed) >= needed(metadata, "generation")


def _failure(live: Manifest) -> Found | None:
    listed(status(live), "conditions")
    for kind, _, reason, message in conditions(live):
        if kind == "InvalidSpec":
            return degraded(message)
        if kind == "Progressing" and reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return degraded(message)
    return None


def _counted(wants: Mapping[str, Any], now: Mapping[str, Any]) -> Found | None:
    replicas, updated = number(wants, "replicas", 1), number(now, "updatedReplicas")
    if updated < replicas:
        return progressing("Waiting for rollout to finish: more replicas need to be updated")
    if "canary" in mapping(wants, "strategy") and number(now, "replicas") > updated:
        return progressing("Waiting for rollout to finish: old replicas are pending termination")
    if number(now, "availableReplicas") < updated:
        return progressing("Waiting for rollout to finish: updated replicas are still becoming available")
    return None


def _switched(live: Manifest) -> Found | None:
    """Whether users are served by the newest pods."""
    now, strategy = status(live), mapping(spec(live), "strategy")
    if spec(live).get("strategy") is None:
        raise Malformed("the Rollout has no strategy")
    newest = text(now, "currentPodHash")
    if "blueGreen" in strategy:
        active = text(mapping(now, "blueGreen"), "activeSelector")
        return None if active and active == newest else progressing("active service cutover pending")
    stable = text(now, "stableRS") or text(mapping(now, "canary"), "stableRS")
    if "canary" not in strategy or (stable and stable == newest):
        return None
    return progressing("Waiting for rollout to finish steps")


CHECKS: Rows = {
    **rows("argoproj.io", _rollout, "Rollout"),
    **rows("argoproj.io", _analysis, "AnalysisRun"),
    **rows("argoproj.io", _experiment, "Experiment"),
    **rows("argoproj.io", _application_set, "ApplicationSet"),
    **rows("argoproj.io", _cron_workflow, "CronWorkflow"),
    **rows("argoproj.io", _event_bus, "EventBus"),
}
