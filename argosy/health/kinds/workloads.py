"""Health of what else runs containers: OpenShift, Numaflow, Flagger, KEDA, Tekton and more."""

from __future__ import annotations

from argosy.health.base import (
    NONE,
    Condition,
    Found,
    Malformed,
    degraded,
    healthy,
    listed,
    mapping,
    number,
    present,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
    unknown,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    READY,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    by_conditions,
    by_phase,
    find,
    needed,
    once_observed,
    only,
    rows,
    same,
    state,
    waiting,
)
from argosy.objects import Manifest


def _deployment_config(live: Manifest) -> Found:
    """OpenShift: Available, and Progressing for the reason that the newest replication controller is complete."""
    replicas = status(live).get("replicas")
    if replicas is None or status(live).get("conditions") is None:
        return waiting(live)
    if replicas == 0:
        return healthy("replication controller has no replicas")
    rollout, available = find(live, "Progressing"), state(live, "Available") == "True"
    done = rollout is not None and (rollout.state, rollout.reason) == (
        "True",
        "NewReplicationControllerAvailable",
    )
    if done and available:
        return healthy("replication controller successfully rolled out")
    if done or available:
        return progressing("replication controller is waiting for pods to run")
    return degraded("Deployment config is degraded")


def _numaflow(live: Manifest) -> Found:
    labels = mapping(mapping(live, "metadata"), "labels")
    if labels.get("numaplane.numaproj.io/progressive-result-state") == "failed":
        return degraded("Failed progressive upgrade")
    failed = next((item for item in told(status(live)) if item.state == "False"), None)
    if failed is not None:
        return degraded(failed.message or "Subresources are unhealthy")
    phase = status(live).get("phase")
    if phase == "Failed":
        return degraded(f"{live['kind']} failed")
    words = {"Running": "healthy", "Paused": "paused"}
    if live["kind"] == "Pipeline":
        words["Pausing"] = "paused"
    return (
        healthy(f"{live['kind']} is {words[phase]}")
        if phase in words
        else progressing(f"{live['kind']} is {phase}")
    )


def _numaplane(live: Manifest) -> Found:
    """What becomes of the child comes first, then the phase of the rollout."""
    now, kind = status(live), live["kind"]
    phase, child, is_controller = (
        now.get("phase"),
        find(live, "ChildResourcesHealthy"),
        kind == "NumaflowControllerRollout",
    )
    failed = {"ISBServiceRollout": "ISBSvcFailed"}.get(kind, f"{kind.removesuffix('Rollout')}Failed")
    if child is not None and (child.state, child.reason) == ("False", "Progressing"):
        return progressing("Child Progressing")
    if not is_controller and state(live, "ProgressiveUpgradeSucceeded") == "False":
        return degraded("Progressive upgrade failed")
    if phase == "Pending" or now.get("upgradeInProgress"):
        return progressing("Update in progress")
    if phase == "Failed":
        return degraded(text(now, "message"))
    if child is not None and child.state == "False" and (is_controller or child.reason == failed):
        return degraded(child.message)
    for condition in told(now):
        if condition.type.endswith("PausingOrPaused") and condition.state == "True":
            return healthy(condition.message)
    if child is not None and child.state == "True":
        return healthy("Healthy")
    return unknown(f"Unknown {kind} status")


def _spin_app(live: Manifest) -> Found:
    if not present(live):
        return waiting(live)
    rollout, available = find(live, "Progressing"), find(live, "Available")
    if rollout is not None and rollout.state == "False" and _gave_up(rollout):
        return degraded(rollout.message)
    if available is None or available.state != "True":
        return degraded("Application is not available" if available is None else available.message)
    if rollout is not None and rollout.state == "True":
        return progressing(rollout.message)
    if live.get("spec") is None:
        raise Malformed("SpinApp has no spec")
    ready, replicas = number(status(live), "readyReplicas"), number(spec(live), "replicas", 1)
    if ready < replicas:
        return progressing(f"{ready}/{replicas} replicas are ready")
    return healthy(f"{ready}/{replicas} replicas are ready")


def _gave_up(rollout: Condition) -> bool:
    told = rollout.message.lower()
    return rollout.reason == "ProgressDeadlineExceeded" or "failed" in told or "timeout" in told


_spot_conditions = by_conditions(
    When("InvalidSpec", "", DEGRADED),
    When("Progressing", "", DEGRADED, only("RolloutAborted", "ProgressDeadlineExceeded")),
    When("Paused", "True", SUSPENDED),
    otherwise=HEALTHY,
)


def _spot(live: Manifest) -> Found:
    """Spot Ocean's: as Argo Rollouts writes it."""
    if status(live).get("conditions") is None:
        return NONE
    found = _spot_conditions(live)
    phase = status(live).get("phase")
    return (
        progressing("Waiting for rollout to finish steps")
        if found.status is HEALTHY and phase == "Progressing"
        else found
    )


_CANARY = by_phase(
    "phase",
    {
        "Initialized": HEALTHY,
        "Succeeded": HEALTHY,
        "Progressing": PROGRESSING,
        "Promoting": PROGRESSING,
        "Finalising": PROGRESSING,
        "Failed": DEGRADED,
    },
    otherwise=UNKNOWN,
    absent=UNKNOWN,
    without=UNKNOWN,
)


def _canary(live: Manifest) -> Found:
    """Flagger writes the phase, the weight and the conditions at once, each with a message: a status that lacks one of
    them says nothing. Of the phases that are missing here Argo CD knows nothing."""
    if not present(live):
        return unknown("No status")
    needed(status(live), "canaryWeight")
    if status(live).get("phase") is None:
        raise Malformed("the Canary has no phase")
    listed(status(live), "conditions")
    for item in told(status(live)):
        item.must_say("message")
    return _CANARY(live)


def _scaled(live: Manifest) -> Found:
    """KEDA: a pause counts for what is ready otherwise. A job's trigger whose state KEDA does not know does not work."""
    found = {(item.type, item.state): item.message for item in told(status(live))}
    bad = [("Fallback", "True")] if live["kind"] == "ScaledObject" else [("Ready", "Unknown")]
    for word in (*bad, ("Ready", "False")):
        if word in found:
            return degraded(found[word])
    if ("Ready", "True") not in found:
        return waiting(live)
    if ("Paused", "True") in found:
        return suspended(found["Paused", "True"])
    return healthy(found["Ready", "True"])


_tekton = by_conditions(
    When("Succeeded", "True", HEALTHY),
    When("Succeeded", "False", DEGRADED),
    When("Succeeded", "", PROGRESSING),
)

CHECKS: Rows = {
    **rows("apps.openshift.io", _deployment_config, "DeploymentConfig"),
    **rows(
        "numaflow.numaproj.io",
        once_observed(_numaflow, same),
        "InterStepBufferService",
        "MonoVertex",
        "Pipeline",
        "Vertex",
    ),
    **rows(
        "numaplane.numaproj.io",
        once_observed(_numaplane, same),
        "ISBServiceRollout",
        "MonoVertexRollout",
        "NumaflowControllerRollout",
        "PipelineRollout",
    ),
    **rows("core.spinkube.dev", _spin_app, "SpinApp"),
    **rows("spot.io", _spot, "SpotDeployment"),
    **rows("camel.apache.org", by_conditions(*READY), "Integration"),
    **rows("flagger.app", _canary, "Canary"),
    **rows("keda.sh", _scaled, "ScaledObject", "ScaledJob"),
    **rows("tekton.dev", _tekton, "PipelineRun", "TaskRun"),
}
