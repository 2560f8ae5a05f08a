"""Health says what Argo CD says: what a controller has not looked at is never Healthy, and nonsense is Unknown."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.health import table
from argosy.objects import Manifest
from argosy.status import Health

H, P, D, S, U = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED, Health.UNKNOWN
Case = tuple[str, dict[str, Any], dict[str, Any], Health | None]


def live(version: str, kind: str, **parts: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "generation": 2}, **parts}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


def rolled(**changes: Any) -> dict[str, Any]:
    done = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    return {**done, **changes}


def sts(**changes: Any) -> dict[str, Any]:
    done = {"observedGeneration": 2, "readyReplicas": 3, "updatedReplicas": 3}
    return {**done, "currentRevision": "a", "updateRevision": "a", **changes}


ROLLING = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
THREE = {"replicas": 3}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", THREE, rolled(), H),
        ("Deployment", {**THREE, "paused": True}, {}, S),
        ("Deployment", THREE, rolled(observedGeneration=1), P),
        ("Deployment", THREE, rolled(updatedReplicas=2), P),
        ("Deployment", THREE, rolled(replicas=4), P),
        ("Deployment", THREE, rolled(availableReplicas=2), P),
        ("Deployment", THREE, {**rolled(), **condition("Progressing", "False", "ProgressDeadlineExceeded")}, D),
        ("Deployment", THREE, {**rolled(), **condition("Available", "False")}, H),
        ("Deployment", {"replicas": "three"}, rolled(), U),
        ("StatefulSet", THREE, sts(), H),
        ("StatefulSet", THREE, sts(observedGeneration=0), P),
        ("StatefulSet", THREE, sts(readyReplicas=2), P),
        ("StatefulSet", THREE, sts(updateRevision="b"), P),
        ("StatefulSet", {**THREE, **ROLLING}, sts(updatedReplicas=1), P),
        ("StatefulSet", {**THREE, **ROLLING}, sts(updatedReplicas=2, updateRevision="b"), H),
        ("StatefulSet", {**THREE, "updateStrategy": {"type": "OnDelete"}}, sts(updateRevision="b"), H),
        ("DaemonSet", {}, {"observedGeneration": 1}, P),
        ("DaemonSet", {}, {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, P),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, {"observedGeneration": 2, "desiredNumberScheduled": 2}, H),
        ("ReplicaSet", THREE, rolled(), H),
        ("ReplicaSet", THREE, {**rolled(), **condition("ReplicaFailure", message="quota")}, D),
    ],
)  # fmt: skip
def test_workloads(kind: str, spec: dict[str, Any], status: dict[str, Any], expected: Health) -> None:
    assert table.assess(live("apps/v1", kind, spec=spec, status=status)).status is expected


def container(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "c", **state}]}


BACKOFF = container(state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}})


@pytest.mark.parametrize(
    ("policy", "status", "expected"),
    [
        ("Always", {"phase": "Running", **BACKOFF}, D),
        ("OnFailure", {"phase": "Running", **BACKOFF}, P),
        ("Always", {"phase": "Running", **condition("Ready")}, H),
        ("Always", {"phase": "Running", **container(lastState={"terminated": {"exitCode": 1}})}, D),
        ("Always", {"phase": "Running"}, P),
        ("Never", {"phase": "Running", **condition("Ready")}, P),
        ("Never", {"phase": "Succeeded"}, H),
        ("Never", {"phase": "Failed"}, D),
        ("Always", {"phase": "Pending"}, P),
        ("Always", {"phase": "Dreaming"}, U),
    ],
)
def test_pods(policy: str, status: dict[str, Any], expected: Health) -> None:
    assert table.assess(live("v1", "Pod", spec={"restartPolicy": policy}, status=status)).status is expected


@pytest.mark.parametrize(
    ("version", "kind", "parts", "expected"),
    [
        ("v1", "PersistentVolumeClaim", {"status": {"phase": "Bound"}}, H),
        ("v1", "PersistentVolumeClaim", {"status": {"phase": "Lost"}}, D),
        ("v1", "Service", {"spec": {"type": "ClusterIP"}}, H),
        ("v1", "Service", {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}, P),
        ("networking.k8s.io/v1", "Ingress", {"status": {"loadBalancer": {"ingress": [{"ip": "1"}]}}}, H),
        ("networking.k8s.io/v1", "Ingress", {}, P),
        ("batch/v1", "Job", {"status": condition("Failed", "False")}, D),
        ("batch/v1", "Job", {"status": condition("Complete")}, H),
        ("batch/v1", "Job", {"status": condition("Suspended")}, S),
        ("batch/v1", "Job", {"status": condition("Suspended", "False")}, H),
        ("batch/v1", "Job", {"status": condition("SuccessCriteriaMet")}, P),
        ("batch/v1", "CronJob", {"spec": {"suspend": True}}, H),
        ("batch/v1", "CronJob", {"spec": {}}, P),
        (
            "batch/v1",
            "CronJob",
            {
                "spec": {},
                "status": {"lastScheduleTime": "2026-01-02T00:00:00Z", "lastSuccessfulTime": "2026-01-01T00:00:00Z"},
            },
            D,
        ),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": condition("AbleToScale")}, H),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": condition("ScalingActive", "False", "InvalidSelector")}, D),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", {}, U),
        ("apiregistration.k8s.io/v1", "APIService", {"status": condition("Available", "False")}, P),
        ("policy/v1", "PodDisruptionBudget", {"status": condition("DisruptionAllowed", "False", "SyncFailed")}, D),
        ("policy/v1", "PodDisruptionBudget", {"status": condition("DisruptionAllowed", "False", "InsufficientPods")}, H),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"status": condition("Established")}, H),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"status": condition("Established", "False", "Installing")}, P),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"status": condition("NamesAccepted", "False")}, D),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, U),
        ("argoproj.io/v1alpha1", "Workflow", {"status": {"phase": "Error"}}, D),
        ("apps/v1beta1", "Deployment", {}, U),
        ("v1", "ConfigMap", {"data": {"k": "v"}}, None),
        ("example.dev/v1", "Deployment", {"status": {"phase": "Failed"}}, None),
    ],
)  # fmt: skip
def test_other_kinds(version: str, kind: str, parts: dict[str, Any], expected: Health | None) -> None:
    assert table.assess(live(version, kind, **parts)).status is expected


def test_a_crd_is_healthy_when_established_with_its_names_accepted() -> None:
    both = [*condition("Established")["conditions"], *condition("NamesAccepted")["conditions"]]
    crd = live("apiextensions.k8s.io/v1", "CustomResourceDefinition", status={"conditions": both})
    assert table.assess(crd).status is H


def test_what_is_being_deleted_is_progressing_unless_a_hook() -> None:
    going = live("v1", "ConfigMap")
    going["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.dev/hold"]}
    assert table.assess(going).status is P
    assert "x.dev/hold" in table.assess(going).message
    going["metadata"]["finalizers"] = [table.HOOK_FINALIZER]
    assert table.assess(going).status is None


@pytest.mark.parametrize(
    "status", [[], "text", {"conditions": "none"}, {"conditions": ["x"]}, {"replicas": True}]
)
def test_nonsense_is_unknown_and_never_an_exception(status: Any) -> None:
    looked_at = {"observedGeneration": 2, **status} if isinstance(status, dict) else status
    assert table.assess(live("apps/v1", "Deployment", status=looked_at)).status is U


@pytest.mark.parametrize(
    ("manifest", "where"),
    [
        (
            live("apps/v1", "Deployment", spec={"paused": "yes"}),
            "spec.paused is 'yes', expected true or false",
        ),
        (
            live("apps/v1", "Deployment", spec={"replicas": 1.5}),
            "spec.replicas is 1.5, expected a whole number",
        ),
        (
            live("batch/v1", "Job", status={"startTime": "soon"}),
            "status.startTime is 'soon', expected a time",
        ),
        (
            live("v1", "Pod", status={"containerStatuses": [{"name": 1}]}),
            "status.containerStatuses[0].name is 1, expected text",
        ),
        (
            live("v1", "PersistentVolumeClaim", status={"phase": "Bound", "capacity": {"storage": "much"}}),
            "status.capacity.storage is 'much', expected a quantity",
        ),
        (live("v1", "Service", spec={"ports": {"port": 80}}), "expected a list"),
        (live("autoscaling/v2", "HorizontalPodAutoscaler", spec=[]), "spec is [], expected an object"),
    ],
)
def test_what_no_api_server_would_take_is_unknown_and_says_where(manifest: Manifest, where: str) -> None:
    found = table.assess(manifest, unverified=True)
    assert found.status is U
    assert found.message.startswith("failed to convert unstructured ")
    assert where in found.message


def test_what_fits_its_type_is_judged_as_if_an_api_server_vouched_for_it() -> None:
    fits = live(
        "v1",
        "Pod",
        spec={"restartPolicy": "Always", "containers": [{"name": "c", "unheardOf": 1}]},
        status={
            "phase": "Running",
            "startTime": "2026-01-01T00:00:00.5+02:00",
            "podIP": None,
            **condition("Ready"),
        },
    )
    assert table.assess(fits, unverified=True) == table.assess(fits)
    assert table.assess(fits).status is H


def test_a_version_that_argo_cd_does_not_know_is_unknown_even_while_it_goes() -> None:
    going = live("apps/v1beta1", "Deployment")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert table.assess(going) == (U, "unsupported Deployment GVK: apps/v1beta1, Kind=Deployment")
    ingress = live(
        "networking.k8s.io/v7", "Ingress", status={"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    )
    assert table.assess(ingress).status is H


@pytest.mark.parametrize(
    ("policy", "note", "expected"),
    [("Never", "true", H), ("Never", "false", P), ("", "", U), ("Always", "", H)],
)
def test_a_running_pod_is_well_when_ready_where_it_is_meant_to_last(
    policy: str, note: str, expected: Health
) -> None:
    pod = live("v1", "Pod", spec={"restartPolicy": policy}, status={"phase": "Running", **condition("Ready")})
    pod["metadata"]["annotations"] = {"argocd.argoproj.io/ignore-restart-policy": note}
    assert table.assess(pod).status is expected


def seen(*conditions: dict[str, Any]) -> dict[str, Any]:
    found = [item for each in conditions for item in each["conditions"]]
    return {"observedGeneration": 2, "conditions": found}


def test_of_two_conditions_of_one_type_the_first_counts() -> None:
    on_time, late = condition("Progressing"), condition("Progressing", reason="ProgressDeadlineExceeded")
    assert table.assess(live("apps/v1", "Deployment", status=seen(on_time, late))).status is H
    assert table.assess(live("apps/v1", "Deployment", status=seen(late, on_time))).status is D
    well, failed = condition("ReplicaFailure", "False"), condition("ReplicaFailure")
    assert table.assess(live("apps/v1", "ReplicaSet", status=seen(well, failed))).status is H
    assert table.assess(live("apps/v1", "ReplicaSet", status=seen(failed, well))).status is D


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({}, H),
        ({"argocd.argoproj.io/hook": "PreSync"}, P),
        ({"argocd.argoproj.io/hook": "Skip"}, H),
        ({"helm.sh/hook": "post-install"}, P),
        ({"helm.sh/hook": "crd-install"}, H),
    ],
)
def test_a_pod_is_told_to_last_unless_it_is_a_hook(notes: dict[str, str], expected: Health) -> None:
    lasting = {"argocd.argoproj.io/ignore-restart-policy": "true", **notes}
    running = live(
        "v1",
        "Pod",
        metadata={"name": "x", "annotations": lasting},
        spec={"restartPolicy": "OnFailure"},
        status={"phase": "Running", **condition("Ready")},
    )
    assert table.assess(running).status is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [(None, P), ("", U), ("[]", P), ("[{", U), ('[{"type": "AbleToScale", "status": "True"}]', H)],
)
def test_an_autoscaler_of_v1_tells_its_conditions_in_a_note(said: str | None, expected: Health) -> None:
    notes = {} if said is None else {"autoscaling.alpha.kubernetes.io/conditions": said}
    scaled = live("autoscaling/v1", "HorizontalPodAutoscaler", metadata={"name": "x", "annotations": notes})
    assert table.assess(scaled).status is expected


def test_whole_numbers_may_be_written_with_a_point_and_foreign_fields_are_passed_over() -> None:
    counted = live("apps/v1", "Deployment", spec={"replicas": 1.0}, status={"currentReplicas": "many"})
    assert table.assess(counted, unverified=True).status is P
    halved = live("apps/v1", "Deployment", spec={"replicas": 0.5})
    assert table.assess(halved, unverified=True).status is U
    odd = live("networking.k8s.io/v1", "Ingress", status={"loadBalancer": {"ingress": "1.2.3.4"}})
    assert table.assess(odd).status is P
