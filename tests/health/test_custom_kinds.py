"""Custom kinds are as well as their controllers say; a kind without a row has no health."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.health import custom, table
from argosy.objects import Manifest
from argosy.status import Health

H, P, D, S, U = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED, Health.UNKNOWN
Told = dict[str, str]
WITHOUT_STATUS = {
    ("argoproj.io", "CronWorkflow"),
    ("notification.toolkit.fluxcd.io", "Alert"),
    ("notification.toolkit.fluxcd.io", "Provider"),
}
"""What their controllers may leave without a status."""


def live(kind: str, status: Any = None, *, spec: Any = None, generation: int = 2, **told: str) -> Manifest:
    """`kind` as version/Kind; `told` are conditions, `True` or `False/Reason`."""
    version, _, name = kind.rpartition("/")
    conditions = []
    for condition, text in told.items():
        state, _, reason = text.partition("/")
        conditions.append({"type": condition.replace("__", "."), "status": state, "reason": reason})
    whole = {**(status or {}), **({"conditions": conditions} if conditions else {})}
    metadata = {"name": "x", "generation": generation}
    found = {"apiVersion": version, "kind": name, "metadata": metadata, "spec": spec or {}}
    return {**found, "status": whole} if whole else found


def health(manifest: Manifest) -> Health | None:
    return table.assess(manifest).status


@pytest.mark.parametrize(
    ("kind", "told", "expected"),
    [
        ("cert-manager.io/v1/Certificate", {"Ready": "True"}, H),
        ("cert-manager.io/v1/Certificate", {"Ready": "False", "Issuing": "True"}, P),
        ("cert-manager.io/v1/Certificate", {"Ready": "False"}, D),
        ("cert-manager.io/v1/ClusterIssuer", {}, P),
        ("external-secrets.io/v1/ExternalSecret", {"Ready": "False/SecretSyncedError"}, D),
        ("bitnami.com/v1alpha1/SealedSecret", {}, P),
        ("bitnami.com/v1alpha1/SealedSecret", {"Synced": "False"}, D),
        ("serving.knative.dev/v1/Service", {"Ready": "Unknown"}, P),
        ("serving.knative.dev/v1/Service", {"Ready": "True"}, H),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Paused": "True"}, S),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Fallback": "True"}, D),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Fallback": "False"}, H),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "True", "Ready": "False"}, P),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "True", "Ready": "True"}, H),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "False", "Ready": "True"}, D),
        ("aws.upbound.io/v1/ProviderConfig", {}, H),
        ("pkg.crossplane.io/v1/Provider", {"Installed": "True", "Healthy": "True"}, H),
        ("pkg.crossplane.io/v1/Provider", {"Installed": "True", "Healthy": "False"}, D),
        ("s3.services.k8s.aws/v1/Bucket", {"ACK__ResourceSynced": "True"}, H),
        ("s3.services.k8s.aws/v1/Bucket", {"ACK__Terminal": "True", "ACK__ResourceSynced": "True"}, D),
        ("kafka.strimzi.io/v1/Kafka", {"NotReady": "True/Creating"}, P),
        ("kafka.strimzi.io/v1/Kafka", {"NotReady": "True/FatalProblem"}, D),
        ("argoproj.io/v1alpha1/ApplicationSet", {"ErrorOccurred": "True", "ResourcesUpToDate": "True"}, D),
        ("argoproj.io/v1alpha1/ApplicationSet", {"ErrorOccurred": "False", "ResourcesUpToDate": "True"}, H),
        ("gateway.networking.k8s.io/v1/GatewayClass", {"Accepted": "Unknown/Pending"}, P),
        ("gateway.networking.k8s.io/v1/Gateway", {"Accepted": "True", "Programmed": "False/Invalid"}, D),
        ("kustomize.toolkit.fluxcd.io/v1/Kustomization", {"Ready": "True"}, H),
        ("kustomize.toolkit.fluxcd.io/v1/Kustomization", {"Ready": "False", "Reconciling": "True"}, D),
        ("kustomize.toolkit.fluxcd.io/v1/Kustomization", {"Ready": "Unknown", "Reconciling": "True"}, P),
        ("helm.toolkit.fluxcd.io/v2/HelmRelease", {"Ready": "True", "Released": "True"}, H),
        ("helm.toolkit.fluxcd.io/v2/HelmRelease", {"Ready": "True"}, D),
        ("source.toolkit.fluxcd.io/v1/GitRepository", {"Ready": "True", "ArtifactInStorage": "True"}, H),
        ("tekton.dev/v1/TaskRun", {"Succeeded": "Unknown/Running"}, P),
        ("argoproj.io/v1alpha1/Application", {"Ready": "False"}, None),
        ("argoproj.io/v1alpha1/AppProject", {}, None),
        ("platform.corp.test/v1/XDatabase", {"Ready": "False"}, None),
        ("keda.sh/v1alpha1/TriggerAuthentication", {}, None),
    ],
)
def test_conditions_decide(kind: str, told: Told, expected: Health | None) -> None:
    assert health(live(kind, **told)) is expected


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("argoproj.io/v1alpha1/AnalysisRun", {"phase": "Successful"}, H),
        ("argoproj.io/v1alpha1/AnalysisRun", {"phase": "Inconclusive"}, U),
        ("argoproj.io/v1alpha1/Experiment", {}, P),
        ("flagger.app/v1beta1/Canary", {"phase": "Promoting"}, P),
        ("flagger.app/v1beta1/Canary", {"phase": "Failed"}, D),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Cluster in healthy state"}, H),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Waiting for user action"}, S),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Dancing"}, U),
        ("acme.cert-manager.io/v1/Challenge", {"state": "errored"}, D),
        ("cluster.x-k8s.io/v1beta1/Machine", {"phase": "Running"}, H),
        ("snapshot.storage.k8s.io/v1/VolumeSnapshot", {"readyToUse": True}, H),
        ("elasticsearch.k8s.elastic.co/v1/Elasticsearch", {"health": "yellow", "phase": "Ready"}, P),
        ("elasticsearch.k8s.elastic.co/v1/Elasticsearch", {"health": "green", "phase": "Ready"}, H),
    ],
)
def test_phases_decide(kind: str, status: dict[str, Any], expected: Health) -> None:
    assert health(live(kind, status)) is expected


@pytest.mark.parametrize(
    ("phase", "ready", "expected"),
    [
        ("Provisioning", "False", P),
        ("Provisioned", "False", D),
        ("Provisioned", "True", H),
        ("Failed", "False", D),
    ],
)
def test_a_cluster_in_the_making_is_not_ready_and_not_broken(
    phase: str, ready: str, expected: Health
) -> None:
    assert health(live("cluster.x-k8s.io/v1beta1/Cluster", {"phase": phase}, Ready=ready)) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, P),
        ({"phase": "Paused", "observedGeneration": "2"}, S),
        ({"phase": "Healthy", "observedGeneration": "1"}, P),
        ({"phase": "Degraded", "observedGeneration": "77b9f6c8d"}, D),
        ({"pauseConditions": [{"reason": "CanaryPauseStep"}], "observedGeneration": "2"}, S),
        ({"replicas": 1, "updatedReplicas": 0}, P),
        (
            {
                "replicas": 1,
                "updatedReplicas": 1,
                "availableReplicas": 1,
                "currentPodHash": "a",
                "stableRS": "a",
            },
            H,
        ),
        (
            {
                "replicas": 1,
                "updatedReplicas": 1,
                "availableReplicas": 1,
                "currentPodHash": "b",
                "stableRS": "a",
            },
            P,
        ),
    ],
)
def test_a_rollout_is_as_its_controller_says_of_this_generation(status: Any, expected: Health) -> None:
    spec = {"replicas": 1, "strategy": {"canary": {}}}
    assert health(live("argoproj.io/v1alpha1/Rollout", status, spec=spec)) is expected


def parent(generation: int, **told: str) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": state, "observedGeneration": generation} for kind, state in told.items()
        ]
    }


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ([], P),
        ([parent(2, Accepted="True", ResolvedRefs="True")], H),
        ([parent(2, Accepted="True", ResolvedRefs="False")], D),
        ([parent(1, Accepted="False"), parent(2, Accepted="True")], H),
        ([parent(1, Accepted="True")], P),
    ],
)
def test_a_route_listens_to_parents_that_know_its_generation(parents: Any, expected: Health) -> None:
    assert health(live("gateway.networking.k8s.io/v1/HTTPRoute", {"parents": parents})) is expected


def test_a_suspended_flux_object_is_suspended_whatever_it_was() -> None:
    stopped = live("helm.toolkit.fluxcd.io/v2/HelmRelease", spec={"suspend": True}, Ready="False")
    assert health(stopped) is S


def test_an_oci_helm_repository_has_no_status_and_is_well() -> None:
    assert health(live("source.toolkit.fluxcd.io/v1/HelmRepository", spec={"type": "oci"})) is H
    assert health(live("source.toolkit.fluxcd.io/v1/HelmRepository")) is P


def test_a_hibernated_database_is_suspended() -> None:
    told = {"cnpg__io/hibernation": "True"}
    assert health(live("postgresql.cnpg.io/v1/Cluster", {"phase": "Cluster in healthy state"}, **told)) is S


@pytest.mark.parametrize("name", sorted(custom.CHECKS), ids=lambda name: "/".join(name))
def test_no_kind_is_healthy_before_its_controller_spoke_and_nonsense_breaks_nothing(
    name: tuple[str, str],
) -> None:
    group, kind = name
    silent = health(live(f"{group}/v1/{kind}"))
    assert silent is (H if name in WITHOUT_STATUS else P)
    for nonsense in (
        {"conditions": "none"},
        {"conditions": [{"type": 1}]},
        {"conditions": [None]},
        {"phase": []},
    ):
        assert health(live(f"{group}/v1/{kind}", nonsense)) in (U, P, silent)
    assert health({**live(f"{group}/v1/{kind}"), "status": "fine"}) is U
