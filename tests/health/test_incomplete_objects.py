"""What lacks in an object counts: Argo CD's checks give no answer where one of their words is missing.

Each expectation was seen from Argo CD 3.6.1 for the same object.
"""

from __future__ import annotations

from typing import Any

import pytest

from argosy.health import table
from argosy.objects import Manifest
from argosy.status import Health

H, P, D, S, U = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED, Health.UNKNOWN
Told = dict[str, Any]


def live(kind: str, status: Any = None, *, spec: Any = None, **metadata: Any) -> Manifest:
    """`kind` as version/Kind; a part that is None is not there."""
    version, _, name = kind.rpartition("/")
    parts = {"spec": spec, "status": status}
    return {
        "apiVersion": version,
        "kind": name,
        "metadata": {"name": "x", **metadata},
        **{part: value for part, value in parts.items() if value is not None},
    }


def health(manifest: Manifest) -> Health | None:
    return table.assess(manifest).status


def told(type_: str, state: str | None = None, **more: Any) -> Told:
    return {"type": type_, **({} if state is None else {"status": state}), **more}


def saying(*conditions: Told, **more: Any) -> dict[str, Any]:
    return {"conditions": list(conditions), **more}


CANARY = "flagger.app/v1beta1/Canary"
ROLLOUT = "argoproj.io/v1alpha1/Rollout"
CLUSTER = "cluster.x-k8s.io/v1beta1/Cluster"
POSTGRES = "postgresql.cnpg.io/v1/Cluster"
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
BUDGET = "policy/v1/PodDisruptionBudget"
CRON = "batch/v1/CronJob"
READY = told("Ready", "True")


@pytest.mark.parametrize(
    ("kind", "whole", "expected"),
    [
        ("kustomize.toolkit.fluxcd.io/v1/Kustomization", saying(READY), H),
        ("source.toolkit.fluxcd.io/v1/GitRepository", saying(READY, told("ArtifactInStorage", "True")), H),
        ("notification.toolkit.fluxcd.io/v1/Receiver", saying(READY), H),
        (ROLLOUT, {"phase": "Healthy"}, H),
        (CLUSTER, {"phase": "Provisioned"}, H),
        ("cluster.x-k8s.io/v1beta1/MachineDeployment", {"phase": "Running"}, H),
        (CRON, {}, H),
        ("policy.open-cluster-management.io/v1/Policy", {"compliant": "Compliant"}, H),
    ],
)
def test_a_check_that_reads_the_spec_knows_nothing_without_one(
    kind: str, whole: Told, expected: Health
) -> None:
    assert health(live(kind, whole, spec={})) is expected
    assert health(live(kind, whole)) is U
    assert health(live(kind, whole, deletionTimestamp="2026-03-01T05:00:00Z")) is U


@pytest.mark.parametrize(
    ("kind", "rule", "missing", "expected"),
    [
        (CRD, told("NamesAccepted", "False", message="m"), "message", D),
        (CRD, told("Terminating", "True", message="m"), "message", P),
        (CRD, told("NonStructuralSchema", "True", message="m"), "message", D),
        (CRD, told("Established", "False", reason="InvalidCABundle", message="m"), "message", D),
        (BUDGET, told("DisruptionAllowed", "True", reason="SufficientPods"), "reason", H),
        (BUDGET, told("DisruptionAllowed", "False", reason="SyncFailed"), "reason", D),
        ("serving.knative.dev/v1/Service", READY | {"status": "False"}, "type", D),
        ("operator.knative.dev/v1beta1/KnativeServing", told("Ready", "Unknown"), "type", P),
        ("operators.coreos.com/v1alpha1/Subscription", told("ResolutionFailed", "True"), "type", D),
    ],
)
def test_a_condition_says_all_that_its_check_repeats(
    kind: str, rule: Told, missing: str, expected: Health
) -> None:
    silent = {name: word for name, word in rule.items() if name != missing}
    assert health(live(kind, saying(rule), spec={})) is expected
    assert health(live(kind, saying(silent), spec={})) is U


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, U),
        ({"phase": "Succeeded"}, U),
        ({"phase": "Succeeded", "canaryWeight": 0}, U),
        (saying(phase="Succeeded"), U),
        (saying(phase="Succeeded", canaryWeight=0), H),
        (saying(told("Promoted", "True"), phase="Succeeded", canaryWeight=0), U),
        (saying(told("Promoted", message="m"), phase="Failed", canaryWeight=0), D),
        (saying(canaryWeight=0), U),
        *((saying(phase=word, canaryWeight=0), P) for word in ("Progressing", "Promoting", "Finalising")),
        *(
            (saying(phase=word, canaryWeight=0), U)
            for word in ("Initializing", "Waiting", "WaitingPromotion", "Terminating", "Terminated")
        ),
    ],
)
def test_a_canary_tells_its_phase_weight_and_messages(status: Any, expected: Health) -> None:
    assert health(live(CANARY, status)) is expected


COUNTED = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, U),
        ({}, {"phase": ""}, U),
        ({}, saying(), P),
        ({}, saying(controllerPause=True), P),
        ({}, saying(pauseConditions=[{"reason": "CanaryPauseStep"}]), S),
        ({"paused": True}, saying(), S),
        ({}, saying(told("Progressing", "False", reason="RolloutAborted")), D),
        ({}, saying(**COUNTED, currentPodHash="a"), U),
        ({"strategy": {}}, saying(**COUNTED, currentPodHash="a"), H),
        ({"strategy": {"canary": {}}}, saying(**COUNTED, stableRS="a"), P),
        ({"strategy": {"canary": {}}}, saying(**COUNTED, currentPodHash="a", stableRS="b"), P),
        ({"strategy": {"canary": {}}}, saying(**COUNTED, currentPodHash="a", stableRS="a"), H),
        ({"strategy": {"canary": {}}}, saying(**COUNTED | {"replicas": 2}, currentPodHash="a"), P),
        ({"strategy": {"blueGreen": {}}}, saying(**COUNTED, currentPodHash="a"), P),
        (
            {"strategy": {"blueGreen": {}}},
            saying(**COUNTED, currentPodHash="a", blueGreen={"activeSelector": "a"}),
            H,
        ),
    ],
)
def test_an_old_rollout_is_told_by_its_fields(spec: Any, status: Any, expected: Health) -> None:
    assert health(live(ROLLOUT, status, spec=spec)) is expected


def test_a_rollout_of_a_workload_follows_the_workloads_generation() -> None:
    spec, noted = {"workloadRef": {"kind": "Deployment"}}, "rollout.argoproj.io/workload-generation"
    seen = {"phase": "Healthy", "workloadObservedGeneration": "1"}
    assert health(live(ROLLOUT, seen, spec=spec)) is H
    assert health(live(ROLLOUT, seen, spec=spec, annotations={})) is P
    assert health(live(ROLLOUT, seen, spec=spec, annotations={noted: "1"})) is H
    assert health(live(ROLLOUT, seen, spec=spec, annotations={noted: "2"})) is P


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (POSTGRES, {"phase": "Cluster in healthy state"}, P),
        (POSTGRES, saying(phase="Cluster in healthy state"), H),
        (POSTGRES, saying(), U),
        ("argoproj.io/v1alpha1/Experiment", {"phase": "Inconclusive"}, None),
        (
            "argoproj.io/v1alpha1/CronWorkflow",
            saying(told("Completed", "True"), told("SpecError", "True")),
            H,
        ),
        ("argoproj.io/v1alpha1/CronWorkflow", saying(told("SpecError", "True")), D),
        ("s3.aws.upbound.io/v1beta1/Bucket", saying(told("Healthy", "True")), P),
        ("kubernetes.crossplane.io/v1alpha2/Object", saying(told("Healthy", "True")), H),
        ("pkg.crossplane.io/v1/Provider", saying(told("Installed", "True"), told("Healthy", "False")), P),
        (
            "pkg.crossplane.io/v1/Provider",
            saying(told("Installed", "True", reason="r"), told("Healthy", "False")),
            D,
        ),
        ("snapshot.storage.k8s.io/v1/VolumeSnapshot", {"error": {}}, D),
        ("snapshot.storage.k8s.io/v1/VolumeSnapshot", {"error": {"message": "m"}, "readyToUse": True}, H),
        ("operators.coreos.com/v1alpha1/Subscription", {"state": "AtLatestKnown"}, P),
        ("operators.coreos.com/v1alpha1/Subscription", saying(state="AtLatestKnown"), H),
        ("policies.kyverno.io/v1/ValidatingPolicy", {"conditionStatus": {}}, D),
        ("policies.kyverno.io/v1/ValidatingPolicy", {"conditionStatus": saying(told("A", "False"))}, U),
        ("tower.ansible.com/v1alpha1/AnsibleJob", {"ansibleJobResult": {"status": "failed"}}, U),
        ("tower.ansible.com/v1alpha1/AnsibleJob", {"ansibleJobResult": {"status": "failed", "url": ""}}, D),
        (
            "helm.toolkit.fluxcd.io/v2/HelmRelease",
            saying(READY, told("Released", "True"), told("TestSuccess", "True")),
            D,
        ),
        (
            "helm.toolkit.fluxcd.io/v2/HelmRelease",
            saying(told("Released", "True"), told("TestSuccess", "True")),
            H,
        ),
        (
            "source.toolkit.fluxcd.io/v1/OCIRepository",
            saying(READY, told("ArtifactOutdated", "True", reason="NewRevision")),
            U,
        ),
        (
            "source.toolkit.fluxcd.io/v1/OCIRepository",
            saying(READY | {"reason": "r"}, told("ArtifactOutdated", "True", reason="NewRevision")),
            D,
        ),
        (
            "image.toolkit.fluxcd.io/v1/ImagePolicy",
            saying(told("Ready", "False"), told("Reconciling", "True", reason="ApplyingPolicy")),
            P,
        ),
        ("keda.sh/v1alpha1/ScaledObject", saying(READY, told("Ready", "False")), D),
    ],
)
def test_what_is_there_decides(kind: str, status: Any, expected: Health | None) -> None:
    assert health(live(kind, status, spec={})) is expected


BOUND = {"aggregatedStatus": [{"health": "Healthy", "applied": True}]}
SHA = {"active": {"dry": {"sha": "a"}}, "proposed": {"dry": {"sha": "b"}}}
DONE = {"observedGeneration": 1}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("route.openshift.io/v1/Route", {}, {"ingress": []}, H),
        ("route.openshift.io/v1/Route", {}, {"ingress": [{}]}, U),
        ("tekton.dev/v1/TaskRun", {}, saying(told("Succeeded"), told("Succeeded", "True")), P),
        ("velero.io/v1/Schedule", {}, {"phase": "Enabled"}, H),
        (
            "monitoring.coreos.com/v1/Prometheus",
            {},
            saying(told("Available", "False"), told("Available", "True")),
            H,
        ),
        ("aws.upbound.io/v1beta1/ProviderConfig", {}, None, H),
        ("aws.upbound.io/v1beta1/EnvironmentConfig", {}, None, P),
        ("apiextensions.crossplane.io/v1beta1/EnvironmentConfig", {}, None, H),
        ("rollouts.kruise.io/v1beta1/Rollout", {}, {"phase": "Healthy"}, U),
        ("astra.netapp.io/v1/Application", {}, saying(READY), U),
        ("astra.netapp.io/v1/Application", {}, saying(READY, protectionState="full"), H),
        ("batch/v1/CronJob", {}, {"lastScheduleTime": "2026-03-01T06:30:00Z", "lastSuccessfulTime": 1}, U),
        ("velero.io/v1/Schedule", {}, {"phase": "Completed"}, P),
        ("velero.io/v1/Backup", {}, {"phase": "Enabled"}, P),
        ("pulumi.com/v1/Stack", {}, saying(told("Reconciling", "True"), READY), P),
        ("k8s.mariadb.com/v1alpha1/SqlJob", {}, saying(told("Complete", "True", reason="JobComplete")), U),
        (
            "k8s.mariadb.com/v1alpha1/SqlJob",
            {},
            saying(told("Complete", "True", reason="JobComplete", message="m")),
            H,
        ),
        (
            "k8s.mariadb.com/v1alpha1/SqlJob",
            {},
            saying(
                told("Complete", "False", reason="JobRunning", message="m"),
                told("Complete", "True", reason="JobFailed", message="m"),
            ),
            D,
        ),
        ("apps.3scale.net/v1alpha1/APIManager", {}, {"deployments": {}}, P),
        ("apps.3scale.net/v1alpha1/APIManager", {}, {"deployments": {"ready": ["a"]}}, H),
        ("cassandra.rook.io/v1alpha1/Cluster", {}, {"racks": {"a": {"members": 2}}}, H),
        ("cassandra.rook.io/v1alpha1/Cluster", {}, {"racks": {"a": {"members": 2, "readyMembers": 1}}}, P),
        ("serving.kserve.io/v1beta1/InferenceService", {}, saying(told("Ready")), U),
        ("k8s.keycloak.org/v2alpha1/Keycloak", {}, saying(told("HasErrors", "True")), U),
        ("serving.kserve.io/v1beta1/InferenceService", {}, saying(READY, modelStatus={}), U),
        ("serving.kserve.io/v1beta1/InferenceService", {}, saying(READY), H),
        ("spot.io/v1beta1/SpotDeployment", {}, saying(told("Paused", "True")), S),
        ("pxc.percona.com/v1/PerconaXtraDBCluster", {}, {"state": "ready"}, U),
        ("pxc.percona.com/v1/PerconaXtraDBCluster", {}, {"state": "ready", "ready": 1, "size": 1}, H),
        ("pxc.percona.com/v1/PerconaXtraDBCluster", {}, {"state": "error", "message": "m"}, U),
        ("pxc.percona.com/v1/PerconaXtraDBCluster", {}, {"state": "error", "message": ["m"]}, D),
        ("psmdb.percona.com/v1/PerconaServerMongoDB", {}, {"state": "error"}, U),
        ("medusa.k8ssandra.io/v1alpha1/MedusaBackupJob", {}, DONE | {"failed": [], "finished": ["a"]}, H),
        ("medusa.k8ssandra.io/v1alpha1/MedusaTask", {}, DONE | {"failed": [], "finished": ["a"]}, D),
        ("solr.apache.org/v1beta1/SolrCloud", {}, {"solrNodes": []}, H),
        ("work.karmada.io/v1alpha2/ResourceBinding", {}, BOUND, H),
        ("work.karmada.io/v1alpha2/ResourceBinding", {"clusters": []}, BOUND, P),
        ("work.karmada.io/v1alpha2/ResourceBinding", None, BOUND, U),
        ("work.karmada.io/v1alpha2/ClusterResourceBinding", {}, BOUND, P),
        ("apps.kruise.io/v1alpha1/CloneSet", {}, DONE | {"updatedAvailableReplicas": 1, "replicas": 1}, U),
        ("apps.kruise.io/v1alpha1/AdvancedCronJob", {"paused": True}, {"lastScheduleTime": "t"}, H),
        ("game.kruise.io/v1alpha1/GameServer", {}, {"currentState": "Crash", "desiredState": "Crash"}, U),
        ("promoter.argoproj.io/v1alpha1/PullRequest", {}, saying(told("Reconciled", "False")), D),
        ("promoter.argoproj.io/v1alpha1/PromotionStrategy", {}, saying(READY, environments=[SHA]), U),
        (
            "promoter.argoproj.io/v1alpha1/PromotionStrategy",
            {},
            saying(READY, environments=[{"branch": "prod", **SHA}]),
            H,
        ),
        ("opentelemetry.io/v1beta1/OpenTelemetryCollector", {"mode": "sidecar"}, {}, H),
        (
            "opentelemetry.io/v1beta1/OpenTelemetryCollector",
            {"mode": "sidecar"},
            {"scale": {"statusReplicas": "0/1"}},
            D,
        ),
        ("core.spinkube.dev/v1alpha1/SpinApp", None, saying(told("Available", "True")), U),
        ("core.spinkube.dev/v1alpha1/SpinApp", {}, saying(told("Available", "True")), P),
        ("gloo.solo.io/v1/Upstream", {}, {"state": 1, "statuses": {"gloo": {"state": "Rejected"}}}, D),
        ("kro.run/v1alpha1/ResourceGraphDefinition", {}, saying(told("KindReady", "False")), P),
        (
            "kro.run/v1alpha1/ResourceGraphDefinition",
            {},
            saying(told("KindReady", "False", observedGeneration=1)),
            D,
        ),
    ],
)
def test_less_common_kinds_are_judged_by_the_same_words(
    kind: str, spec: Any, status: Any, expected: Health
) -> None:
    generation = {"generation": 1} if "observedGeneration" in str(status) else {}
    assert health(live(kind, status, spec=spec, **generation)) is expected


def test_a_flag_that_is_set_counts_whatever_it_says() -> None:
    assert health(live(CLUSTER, {"phase": "Provisioned"}, spec={"paused": "yes"})) is S
    assert health(live(CLUSTER, {"phase": "Provisioned"}, spec={"paused": False})) is H


def test_a_node_claim_waits_for_its_generation() -> None:
    kind, status = "karpenter.sh/v1/NodeClaim", saying(READY, observedGeneration=1)
    assert health(live(kind, status, generation=1)) is H
    assert health(live(kind, status, generation=2)) is P


def gateway(kind: str) -> str:
    return f"gateway.networking.k8s.io/v1/{kind}"


ACCEPTED, RESOLVED = told("Accepted", "True"), told("ResolvedRefs", "True")
REFUSED = told("Accepted", "False", message="m")


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("HTTPRoute", {"parents": [saying(REFUSED)]}, U),
        ("HTTPRoute", {"parents": [saying(REFUSED, parentRef={})]}, D),
        ("GRPCRoute", {"parents": [saying(told("Programmed"))]}, U),
        ("TLSRoute", {"parents": [saying(REFUSED)]}, D),
        ("TLSRoute", {"parents": [saying(ACCEPTED)]}, P),
        ("TLSRoute", {"parents": [saying(ACCEPTED), saying(ACCEPTED, RESOLVED)]}, H),
        ("Gateway", {"listeners": []}, P),
        ("Gateway", {"listeners": [saying(told("Programmed", "False"))]}, P),
        ("Gateway", {"listeners": [{}]}, H),
        ("Gateway", {"listeners": [saying(REFUSED)]}, D),
        ("GatewayClass", saying(ACCEPTED | {"observedGeneration": 2}, told("Accepted", "False")), D),
        ("BackendTLSPolicy", {"ancestors": [{}]}, U),
        ("BackendTLSPolicy", {"ancestors": [saying(REFUSED)]}, U),
        ("BackendTLSPolicy", {"ancestors": [saying(REFUSED, ancestorRef={"name": "gw"})]}, D),
        ("BackendTLSPolicy", {"ancestors": [saying(), saying(ACCEPTED)]}, H),
        ("BackendTLSPolicy", {"ancestors": [saying(RESOLVED)]}, P),
        ("ListenerSet", {}, U),
        ("ListenerSet", saying(), P),
        ("ListenerSet", saying(ACCEPTED | {"status": "False"}), U),
        ("ListenerSet", saying(REFUSED), D),
        ("ListenerSet", saying(RESOLVED | {"status": "False"}), P),
        ("ListenerSet", saying(ACCEPTED, listeners=[saying(told("Conflicted", "True"))]), D),
    ],
)
def test_who_refuses_is_named(kind: str, status: Any, expected: Health) -> None:
    assert health(live(gateway(kind), status, generation=1)) is expected
