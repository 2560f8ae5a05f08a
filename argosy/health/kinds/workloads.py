"""Health of what runs containers: OpenKruise, OpenShift, Numaflow, Knative, KServe, Spark, Flink and more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import (
    NONE,
    Found,
    Malformed,
    degraded,
    dig,
    generation,
    healthy,
    items,
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
    both,
    by_conditions,
    by_phase,
    exact,
    find,
    needed,
    once_observed,
    only,
    rows,
    state,
    waiting,
    with_status,
)
from argosy.objects import Manifest


def _rolling(live: Manifest) -> Mapping[str, Any]:
    return mapping(mapping(spec(live), "updateStrategy"), "rollingUpdate")


def _clone_set(live: Manifest) -> Found:
    """OpenKruise: `partition` is how many replicas keep the old revision until somebody goes on."""
    now, strategy = status(live), mapping(spec(live), "updateStrategy")
    if strategy.get("paused") is True or now.get("updatedAvailableReplicas") is None:
        return suspended("CloneSet is paused")
    if strategy.get("partition") not in (None, 0):
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
    if needed(rolling, "partition") != 0:
        if needed(now, "updatedReplicas") > needed(now, "replicas") - needed(rolling, "partition"):
            return suspended("StatefulSet waits at its partition")
        return progressing("Waiting for the partition to be updated")
    return _all_available(live)


def _kruise_daemon_set(live: Manifest) -> Found:
    now, rolling = status(live), _rolling(live)
    desired, updated = now.get("desiredNumberScheduled"), now.get("updatedNumberScheduled")
    if rolling.get("paused") is True or updated is None:
        return suspended("DaemonSet is paused")
    if rolling.get("partition") not in (None, 0):
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
    if items(now, "active"):
        return progressing("AdvancedCronJob has active jobs")
    if spec(live).get("paused") is True:
        return suspended("AdvancedCronJob is paused")
    if now.get("lastScheduleTime") is None:
        return degraded("AdvancedCronJob has not run successfully")
    return healthy("AdvancedCronJob has run successfully")


def _broadcast_job(live: Manifest) -> Found:
    now = status(live)
    phase = now.get("phase")
    if phase == "completed" and now.get("desired") is not None and now.get("desired") == now.get("succeeded"):
        return healthy("BroadcastJob is completed")
    if phase == "failed" and number(now, "failed") > 0:
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
    return (
        healthy(f"{live['kind']} is {words[phase]}")
        if phase in words
        else progressing(f"{live['kind']} is {phase}")
    )


def _numaplane(live: Manifest) -> Found:
    now = status(live)
    if now.get("phase") == "Pending":
        return progressing("Update in progress")
    if now.get("phase") == "Failed":
        return degraded(text(now, "message"))
    if state(live, "ProgressiveUpgradeSucceeded") == "False":
        return degraded("Progressive upgrade failed")
    for condition in told(now):
        if condition.type.endswith("PausingOrPaused") and condition.state == "True":
            return healthy(condition.message)
    child = find(live, "ChildResourcesHealthy")
    if child is not None and child.state == "True":
        return healthy("Healthy")
    if child is not None and child.state == "False":
        if child.reason == "Progressing":
            return progressing("Child Progressing")
        if child.reason.endswith("Failed") or live["kind"] == "NumaflowControllerRollout":
            return degraded(child.message)
    return unknown(f"Unknown {live['kind']} status")


def _spin_app(live: Manifest) -> Found:
    if not present(live):
        return waiting(live)
    rollout, available = find(live, "Progressing"), find(live, "Available")
    if rollout is not None and rollout.state == "False" and rollout.reason == "ProgressDeadlineExceeded":
        return degraded(rollout.message)
    if available is None or available.state != "True":
        return degraded("Application is not available" if available is None else available.message)
    if rollout is not None and rollout.state == "True":
        return progressing(rollout.message)
    ready, replicas = number(status(live), "readyReplicas"), number(spec(live), "replicas")
    if ready < replicas:
        return progressing(f"{ready}/{replicas} replicas are ready")
    return healthy(f"{ready}/{replicas} replicas are ready")


_spot_conditions = by_conditions(
    When("InvalidSpec", "", DEGRADED),
    When("Progressing", "", DEGRADED, only("RolloutAborted")),
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


def _knative_service(live: Manifest) -> Found:
    """Ready sums up ConfigurationsReady and RoutesReady, each of which says for itself what it lacks."""
    found = told(status(live))
    for wanted, answer in (("False", degraded), ("Unknown", progressing)):
        bad = [item for item in found if item.state == wanted]
        if bad:
            said = ", ".join(f"{item.type} is {wanted}, since {item.reason}" for item in bad)
            return answer(said)
    states = {item.type: item.state for item in found}
    if all(states.get(part) == "True" for part in ("ConfigurationsReady", "RoutesReady", "Ready")):
        return healthy("Knative Service is healthy.")
    return waiting(live)


_EVENTING = ("InstallSucceeded", "Ready")
_LATE = ("DeploymentsAvailable", "Ready")
_SERVING = ("DependenciesInstalled", "DeploymentsAvailable", *_EVENTING)


def _knative_operator(live: Manifest) -> Found:
    """Of the conditions of KnativeServing and KnativeEventing the last ones may take their time."""
    found = told(status(live))
    said = "\n".join(f"{number}: {item.type} | {item.state}" for number, item in enumerate(found, 1))
    states = {item.type: item.state for item in found}
    if status(live).get("conditions") is None:
        return waiting(live)
    if "Unknown" in states.values() or any(states.get(part) == "False" for part in _LATE):
        return progressing(said)
    parts = _SERVING if live["kind"] == "KnativeServing" else _EVENTING
    well = all(states.get(part) == "True" for part in parts)
    return healthy(f"{live['kind']} is healthy.") if well else degraded(said)


def _inference_service(live: Manifest) -> Found:
    """KServe: Stopped on request, or ready in all conditions, with the model's transition done."""
    now = status(live)
    found = told(now)
    transition = mapping(now, "modelStatus").get("transitionStatus")
    if now.get("conditions") is None and transition is None:
        return waiting(live)
    if state(live, "Stopped") == "True":
        return suspended("InferenceService is Stopped")
    if transition not in (None, "UpToDate", "InProgress"):
        return degraded(f"transitionStatus: {transition}")
    bad = [item for item in found if item.state != ("False" if item.type == "Stopped" else "True")]
    if bad or transition == "InProgress":
        return progressing(" | ".join(f"{item.type}: {item.state}" for item in bad))
    return healthy("InferenceService is healthy.")


def _llm_service(live: Manifest) -> Found:
    ready = find(live, "Ready")
    if ready is None:
        return waiting(live)
    if both(ready.generation, generation(live)):
        return progressing(f"Waiting for generation {generation(live)} to be observed")
    if ready.state == "True":
        return healthy("LLMInferenceService is healthy.")
    if any(item.reason == "Stopped" for item in told(status(live))):
        return suspended("LLMInferenceService is Stopped")
    return degraded(ready.message) if ready.state == "False" else progressing(ready.message)


def _spark(live: Manifest) -> Found:
    """An application that runs is well once as many executors run as were asked for."""
    if present(live) and status(live).get("applicationState") is None:
        raise Malformed("the status has no applicationState")
    app = text(mapping(status(live), "applicationState"), "state")
    if app in ("FAILED", "SUBMISSION_FAILED", "FAILING", "UNKNOWN"):
        return degraded(text(mapping(status(live), "applicationState"), "errorMessage") or f"Job {app}")
    if app in ("COMPLETED", "SUCCEEDING"):
        return healthy("SparkApplication was Completed")
    if app == "RUNNING" and _executors_fit(live):
        return healthy("SparkApplication is Running")
    return progressing(f"SparkApplication is {app}" if app else "Waiting for the SparkApplication")


def _executors_fit(live: Manifest) -> bool:
    running = sum(1 for each in mapping(status(live), "executorState").values() if each == "RUNNING")
    conf, dynamic = mapping(spec(live), "sparkConf"), mapping(spec(live), "dynamicAllocation")
    for prefix in ("spark.dynamicAllocation", "spark.streaming.dynamicAllocation"):
        if conf.get(f"{prefix}.enabled") == "true":
            least, most = (_count(conf.get(f"{prefix}.{end}Executors")) for end in ("min", "max"))
            return (least or 0) <= running and (most is None or running <= most)
    if dynamic.get("enabled") is True:
        most = _count(dynamic.get("maxExecutors"))
        return (_count(dynamic.get("minExecutors")) or 0) <= running and (most is None or running <= most)
    wanted = mapping(spec(live), "executor").get("instances")
    return running > 0 if wanted is None else running == wanted


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return int(value)
    raise Malformed(f"{value!r} is no number of executors")


def _flink_deployment(live: Manifest) -> Found:
    """What became of the last reconciliation, then of the job manager; a job that is to be suspended from the beginning
    is well."""
    now = status(live)
    done, manager = mapping(now, "reconciliationStatus"), now.get("jobManagerDeploymentStatus")
    if done.get("success") is True or done.get("state") == "DEPLOYED":
        return healthy()
    if manager == "ERROR":
        return degraded(text(done, "error") or text(now, "error"))
    if manager in ("DEPLOYED_NOT_READY", "DEPLOYING"):
        return progressing("Waiting for deploying")
    if done.get("lastReconciledSpec") is None and dig(live, "spec.job.state") == "suspended":
        return healthy("Job is suspended")
    return progressing("Waiting for the Flink operator")


_FLINK_JOB = {
    "RUNNING": HEALTHY,
    "FINISHED": HEALTHY,
    "SUSPENDED": SUSPENDED,
    "CANCELED": SUSPENDED,
    "FAILED": DEGRADED,
}
_FLINK_GOING = ("CREATED", "RECONCILING", "INITIALIZING", "RESTARTING", "CANCELLING", "FAILING")
_flink_state = by_phase("jobStatus.state", _FLINK_JOB)


def _flink_session_job(live: Manifest) -> Found:
    error, found = text(status(live), "error"), _flink_state(live)
    going = found.status in (HEALTHY, SUSPENDED) or dig(live, "status.jobStatus.state") in _FLINK_GOING
    return degraded(error) if error and not going else found


def _function(live: Manifest) -> Found:
    """OpenFaaS: a function that is in order may be scaled to nothing."""
    stalled, ready = find(live, "Stalled"), find(live, "Ready")
    if stalled is not None and stalled.state == "True":
        return degraded(stalled.message)
    if ready is None or ready.state not in ("True", "False"):
        return waiting(live)
    if ready.state == "False":
        return degraded(ready.message)
    return healthy(ready.message) if number(status(live), "replicas") else suspended("No replicas available")


_canary = by_phase(
    "phase",
    {
        "Initialized": HEALTHY,
        "Succeeded": HEALTHY,
        "Initializing": PROGRESSING,
        "Waiting": PROGRESSING,
        "Progressing": PROGRESSING,
        "WaitingPromotion": PROGRESSING,
        "Promoting": PROGRESSING,
        "Finalising": PROGRESSING,
        "Terminating": PROGRESSING,
        "Failed": DEGRADED,
    },
    otherwise=UNKNOWN,
    absent=UNKNOWN,
    without=UNKNOWN,
)
_scaled_object = by_conditions(
    *READY, before=(When("Paused", "True", SUSPENDED), When("Fallback", "True", DEGRADED))
)
_scaled_job = by_conditions(
    *READY, When("Ready", "Unknown", DEGRADED), before=(When("Paused", "True", SUSPENDED),)
)
"""KEDA. A job's trigger whose state KEDA does not know is one that does not work."""
_tekton = by_conditions(When("Succeeded", "True", HEALTHY), When("Succeeded", "False", DEGRADED))

CHECKS: Rows = {
    **rows("apps.kruise.io", once_observed(_clone_set, exact), "CloneSet"),
    **rows("apps.kruise.io", once_observed(_kruise_stateful_set, exact), "StatefulSet"),
    **rows("apps.kruise.io", once_observed(_kruise_daemon_set, exact), "DaemonSet"),
    **rows("apps.kruise.io", with_status(_advanced_cron_job), "AdvancedCronJob"),
    **rows("apps.kruise.io", _broadcast_job, "BroadcastJob"),
    **rows("rollouts.kruise.io", with_status(once_observed(_kruise_rollout, exact)), "Rollout"),
    **rows("game.kruise.io", _game_server, "GameServer"),
    **rows("game.kruise.io", once_observed(_game_server_set, exact), "GameServerSet"),
    **rows("apps.openshift.io", _deployment_config, "DeploymentConfig"),
    **rows(
        "numaflow.numaproj.io",
        once_observed(_numaflow, exact),
        "InterStepBufferService",
        "MonoVertex",
        "Pipeline",
        "Vertex",
    ),
    **rows(
        "numaplane.numaproj.io",
        once_observed(_numaplane, exact),
        "ISBServiceRollout",
        "MonoVertexRollout",
        "NumaflowControllerRollout",
        "PipelineRollout",
    ),
    **rows("core.spinkube.dev", _spin_app, "SpinApp"),
    **rows("spot.io", _spot, "SpotDeployment"),
    **rows("serving.knative.dev", _knative_service, "Service"),
    **rows("operator.knative.dev", _knative_operator, "KnativeServing", "KnativeEventing"),
    **rows("serving.kserve.io", _inference_service, "InferenceService"),
    **rows("serving.kserve.io", once_observed(_llm_service), "LLMInferenceService"),
    **rows("sparkoperator.k8s.io", _spark, "SparkApplication"),
    **rows("flink.apache.org", _flink_deployment, "FlinkDeployment"),
    **rows("flink.apache.org", _flink_session_job, "FlinkSessionJob"),
    **rows("openfaas.com", _function, "Function"),
    **rows("camel.apache.org", by_conditions(*READY), "Integration"),
    **rows("flagger.app", _canary, "Canary"),
    **rows("keda.sh", _scaled_object, "ScaledObject"),
    **rows("keda.sh", _scaled_job, "ScaledJob"),
    **rows("tekton.dev", _tekton, "PipelineRun", "TaskRun"),
}
