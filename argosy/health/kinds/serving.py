"""Health of what serves requests and crunches data: Knative, KServe, OpenFaaS, Spark, Flink."""

from __future__ import annotations

from typing import Any

from argosy.health.base import (
    Found,
    Malformed,
    degraded,
    dig,
    generation,
    healthy,
    mapping,
    number,
    present,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    MISSING,
    SUSPENDED,
    Rows,
    both,
    by_phase,
    find,
    once_observed,
    rows,
    waiting,
)
from argosy.objects import Manifest


def _knative_service(live: Manifest) -> Found:
    """Ready sums up ConfigurationsReady and RoutesReady, each of which says for itself what it lacks."""
    found = told(status(live))
    for item in found:
        if item.state in ("False", "Unknown"):
            item.must_say("type")
    for wanted, answer in (("False", degraded), ("Unknown", progressing)):
        bad = [item for item in found if item.state == wanted]
        if bad:
            said = ", ".join(f"{item.type} is {wanted}, since {item.reason}" for item in bad)
            return answer(said)
    if sum(item.type in _SERVICE and item.state == "True" for item in found) == len(_SERVICE):
        return healthy("Knative Service is healthy.")
    return waiting(live)


_SERVICE = ("ConfigurationsReady", "RoutesReady", "Ready")
_EVENTING = ("InstallSucceeded", "Ready")


_LATE = ("DeploymentsAvailable", "Ready")


_SERVING = ("DependenciesInstalled", "DeploymentsAvailable", *_EVENTING)


def _knative_operator(live: Manifest) -> Found:
    """Of the conditions of KnativeServing and KnativeEventing the last ones may take their time."""
    found = told(status(live))
    if status(live).get("conditions") is None:
        return waiting(live)
    for item in found:
        item.must_say("type", "status")
    said = "\n".join(f"{number}: {item.type} | {item.state}" for number, item in enumerate(found, 1))
    if any(item.state == "Unknown" or (item.type in _LATE and item.state == "False") for item in found):
        return progressing(said)
    parts = _SERVING if live["kind"] == "KnativeServing" else _EVENTING
    well = sum(item.type in parts and item.state == "True" for item in found) == len(parts)
    return healthy(f"{live['kind']} is healthy.") if well else degraded(said)


def _inference_service(live: Manifest) -> Found:
    """KServe: Stopped on request, or ready in all conditions, with the model's transition done."""
    now = status(live)
    found = told(now)
    transition = mapping(now, "modelStatus").get("transitionStatus")
    if now.get("conditions") is None:
        return waiting(live)
    if now.get("modelStatus") is not None and transition is None:
        raise Malformed("modelStatus has no transitionStatus")
    for item in found:
        if (item.type, item.state) == ("Stopped", "True"):
            return suspended("InferenceService is Stopped")
        if item.type != "Stopped" and item.state != "True":
            item.must_say("type", "status")
    if transition not in (None, "UpToDate", "InProgress"):
        return degraded(f"transitionStatus: {transition}")
    bad = [item for item in found if item.state != ("False" if item.type == "Stopped" else "True")]
    if bad or transition == "InProgress":
        return progressing(" | ".join(f"{item.type}: {item.state}" for item in bad))
    return healthy("InferenceService is healthy.")


def _llm_service(live: Manifest) -> Found:
    for item in told(status(live)):
        if item.type != "Ready" and item.state != "True":
            item.must_say("type", "status")
    ready = find(live, "Ready")
    if ready is not None and both(ready.generation, generation(live)):
        return progressing(f"Waiting for generation {generation(live)} to be observed")
    if any(item.reason == "Stopped" for item in told(status(live))):
        return suspended("LLMInferenceService is Stopped")
    if ready is None:
        return waiting(live)
    if ready.state == "True":
        return healthy("LLMInferenceService is healthy.")
    return degraded(ready.message) if ready.state == "False" else progressing(ready.message)


def _spark(live: Manifest) -> Found:
    """An application that runs is well once as many executors run as were asked for."""
    if present(live) and status(live).get("applicationState") is None:
        raise Malformed("the status has no applicationState")
    app = text(mapping(status(live), "applicationState"), "state")
    if app in ("FAILED", "SUBMISSION_FAILED", "FAILING"):
        return degraded(text(mapping(status(live), "applicationState"), "errorMessage") or f"Job {app}")
    if app == "INVALIDATING":
        return Found(MISSING, "SparkApplication is in InvalidatingState")
    if app == "COMPLETED":
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


CHECKS: Rows = {
    **rows("serving.knative.dev", _knative_service, "Service"),
    **rows("operator.knative.dev", _knative_operator, "KnativeServing", "KnativeEventing"),
    **rows("serving.kserve.io", _inference_service, "InferenceService"),
    **rows("serving.kserve.io", once_observed(_llm_service), "LLMInferenceService"),
    **rows("sparkoperator.k8s.io", _spark, "SparkApplication"),
    **rows("flink.apache.org", _flink_deployment, "FlinkDeployment"),
    **rows("flink.apache.org", _flink_session_job, "FlinkSessionJob"),
    **rows("openfaas.com", _function, "Function"),
}
