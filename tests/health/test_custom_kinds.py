"""Custom kinds are as well as their controllers say; a kind without a row has no health."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from argosy.health import custom, table
from argosy.objects import Manifest
from argosy.status import Health

H, P, D, S, U = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED, Health.UNKNOWN
Told = dict[str, str]
SILENT: dict[Health | None, set[str]] = {
    H: {"argoproj.io/CronWorkflow", "astra.netapp.io/Schedule", "datadoghq.com/DatadogMetric"},
    None: {"spot.io/SpotDeployment"},
    U: {
        "apps.kruise.io/AdvancedCronJob",
        "beat.k8s.elastic.co/Beat",
        "core.humio.com/HumioCluster",
        "elasticsearch.k8s.elastic.co/Elasticsearch",
        "flagger.app/Canary",
        "game.kruise.io/GameServer",
        "lifecycle.keptn.sh/KeptnAppVersion",
        "lifecycle.keptn.sh/KeptnEvaluation",
        "lifecycle.keptn.sh/KeptnTask",
        "lifecycle.keptn.sh/KeptnWorkloadInstance",
        "lifecycle.keptn.sh/KeptnWorkloadVersion",
        "medusa.k8ssandra.io/MedusaBackupJob",
        "medusa.k8ssandra.io/MedusaTask",
        "metrics.keptn.sh/Analysis",
        "metrics.keptn.sh/KeptnMetric",
        "ocs.openshift.io/StorageCluster",
        "postgresql.cnpg.io/Cluster",
        "psmdb.percona.com/PerconaServerMongoDB",
        "pxc.percona.com/PerconaXtraDBCluster",
        "rabbitmq.com/Binding",
        "rabbitmq.com/Exchange",
        "rabbitmq.com/Permission",
        "rabbitmq.com/Policy",
        "rabbitmq.com/Queue",
        "rabbitmq.com/Shovel",
        "rabbitmq.com/User",
        "rabbitmq.com/Vhost",
        "rollouts.kruise.io/Rollout",
    },
}
"""What Argo CD says of kinds without a status, other than Progressing."""
CANARY = {"canaryWeight": 10, "conditions": [{"type": "Promoted", "status": "Unknown", "message": "m"}]}
ROWS = sorted(name for theme in sorted(set(custom.THEMES.values())) for name in custom.load(theme)[0])


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
        ("bitnami.com/v1alpha1/SealedSecret", {"Synced": "False"}, P),
        ("serving.knative.dev/v1/Service", {"Ready": "Unknown"}, P),
        ("serving.knative.dev/v1/Service", {"Ready": "True"}, P),
        (
            "serving.knative.dev/v1/Service",
            {"Ready": "True", "RoutesReady": "True", "ConfigurationsReady": "True"},
            H,
        ),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Paused": "True"}, S),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Fallback": "True"}, D),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "True", "Fallback": "False"}, H),
        ("keda.sh/v1alpha1/ScaledObject", {"Ready": "Unknown", "Paused": "True"}, P),
        ("keda.sh/v1alpha1/ScaledJob", {"Ready": "Unknown"}, D),
        ("cert-manager.io/v1/CertificateRequest", {"Ready": "True", "Denied": "True"}, D),
        (
            "image.toolkit.fluxcd.io/v1/ImagePolicy",
            {"Ready": "False", "Reconciling": "True/NewGeneration"},
            P,
        ),
        (
            "image.toolkit.fluxcd.io/v1/ImagePolicy",
            {"Ready": "Unknown", "Reconciling": "True/NewGeneration"},
            D,
        ),
        ("kafka.strimzi.io/v1/Kafka", {"NotReady": "True/Creating"}, P),
        ("kafka.strimzi.io/v1/KafkaTopic", {"NotReady": "True/Creating"}, D),
        ("ocs.openshift.io/v1/StorageCluster", {"Available": "True", "Progressing": "True"}, P),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "True", "Ready": "False"}, P),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "True", "Ready": "True"}, H),
        ("s3.aws.upbound.io/v1/Bucket", {"Synced": "False", "Ready": "True"}, D),
        ("aws.upbound.io/v1/ProviderConfig", {}, H),
        ("pkg.crossplane.io/v1/Provider", {"Installed": "True", "Healthy": "True"}, H),
        ("pkg.crossplane.io/v1/Provider", {"Installed": "True", "Healthy": "False"}, D),
        ("s3.services.k8s.aws/v1/Bucket", {"Ready": "True"}, H),
        ("s3.services.k8s.aws/v1/Bucket", {"ACK__Terminal": "True", "ACK__ResourceSynced": "True"}, D),
        ("kafka.strimzi.io/v1/Kafka", {"Ready": "True"}, H),
        ("kafka.strimzi.io/v1/Kafka", {"NotReady": "True/FatalProblem"}, D),
        ("argoproj.io/v1alpha1/ApplicationSet", {"ErrorOccurred": "True", "ResourcesUpToDate": "True"}, D),
        ("argoproj.io/v1alpha1/ApplicationSet", {"ErrorOccurred": "False", "ResourcesUpToDate": "True"}, H),
        ("gateway.networking.k8s.io/v1/GatewayClass", {"Accepted": "Unknown/Pending"}, P),
        ("gateway.networking.k8s.io/v1/Gateway", {"Accepted": "True", "Programmed": "False/Invalid"}, P),
        ("gateway.networking.k8s.io/v1/Gateway", {"Accepted": "False/Invalid", "Programmed": "False"}, D),
        ("pkg.crossplane.io/v1/Function", {"Installed": "True", "Healthy": "True"}, H),
        ("apps.3scale.net/v1/APIManager", {"Available": "False/MissingWatchedSecrets"}, D),
        ("capabilities.3scale.net/v1/Product", {"Ready": "True"}, P),
        ("capabilities.3scale.net/v1/Product", {"Synced": "True"}, H),
        ("velero.io/v1/BackupStorageLocation", {"Ready": "True"}, None),
        ("kafka.strimzi.io/v1/KafkaMirrorMaker2", {"Ready": "True"}, None),
        ("foo.kro.run/v1/Foo", {"Ready": "True"}, None),
        ("crossplane.io/v1/Foo", {"Ready": "True"}, None),
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
        ("flagger.app/v1beta1/Canary", {**CANARY, "phase": "Promoting"}, P),
        ("flagger.app/v1beta1/Canary", {**CANARY, "phase": "Failed"}, D),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Cluster in healthy state", "conditions": []}, H),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Waiting for user action", "conditions": []}, D),
        (
            "postgresql.cnpg.io/v1/Cluster",
            {"phase": "Unable to create required cluster objects", "conditions": []},
            S,
        ),
        ("kubevirt.io/v1/VirtualMachineInstance", {"phase": "Succeeded"}, S),
        ("install.istio.io/v1/IstioOperator", {"status": "NONE"}, U),
        ("numaflow.numaproj.io/v1/Pipeline", {"phase": "Pausing", "observedGeneration": 2}, H),
        ("numaflow.numaproj.io/v1/Vertex", {"phase": "Pausing", "observedGeneration": 2}, P),
        ("postgresql.cnpg.io/v1/Cluster", {"phase": "Dancing", "conditions": []}, U),
        ("acme.cert-manager.io/v1/Challenge", {"state": "errored"}, D),
        ("cluster.x-k8s.io/v1beta1/Machine", {"phase": "Running"}, H),
        ("snapshot.storage.k8s.io/v1/VolumeSnapshot", {"readyToUse": True}, H),
        ("argoproj.io/v1alpha1/AnalysisRun", {"phase": "Dancing"}, None),
        ("velero.io/v1/Backup", {"phase": "FinalizingPartiallyFailed"}, D),
        ("velero.io/v1/Schedule", {"phase": "Enabled"}, H),
        ("gateway.solo.io/v1/Gateway", {"state": 1}, H),
        ("gateway.solo.io/v1/Gateway", {"statuses": {"gloo-system": {"state": "Pending"}}}, S),
        ("ceph.rook.io/v1/CephCluster", {"ceph": {"health": "HEALTH_WARN"}, "state": "Created"}, D),
        ("core.humio.com/v1/HumioAlert", {"state": "NotFound"}, Health.MISSING),
        ("clickhouse.altinity.com/v1/ClickHouseInstallation", {"status": "Aborted"}, D),
        ("opentelemetry.io/v1/OpenTelemetryCollector", {"scale": {"statusReplicas": "1/2"}}, P),
        ("flink.apache.org/v1/FlinkSessionJob", {"jobStatus": {"state": "SUSPENDED"}}, S),
        ("operator.victoriametrics.com/v1/VMAgent", {"updateStatus": "operational"}, H),
        ("services.cloud.sap.com/v1/ServiceBinding", {"ready": "True"}, P),
    ],
)
def test_phases_decide(kind: str, status: dict[str, Any], expected: Health) -> None:
    assert health(live(kind, status)) is expected


@pytest.mark.parametrize(
    ("phase", "ready", "severity", "expected"),
    [
        ("Provisioning", "False", "Info", P),
        ("Provisioning", "False", "Error", D),
        ("Provisioned", "False", "", D),
        ("Provisioned", "True", "", H),
        ("Failed", "False", "Error", D),
    ],
)
def test_a_cluster_in_the_making_is_as_bad_as_its_condition_is_severe(
    phase: str, ready: str, severity: str, expected: Health
) -> None:
    made = live("cluster.x-k8s.io/v1beta1/Cluster", {"phase": phase}, Ready=ready)
    made["status"]["conditions"][0]["severity"] = severity
    assert health(made) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, P),
        ({"phase": "Paused", "observedGeneration": "2"}, S),
        ({"phase": "Healthy", "observedGeneration": "1"}, P),
        ({"phase": "Degraded", "observedGeneration": "77b9f6c8d"}, D),
        (
            {
                "conditions": [],
                "pauseConditions": [{"reason": "CanaryPauseStep"}],
                "observedGeneration": "2",
            },
            S,
        ),
        ({"conditions": [], "replicas": 1, "updatedReplicas": 0}, P),
        (
            {
                "conditions": [],
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
                "conditions": [],
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
        "parentRef": {"name": "gw"},
        "conditions": [
            {"type": kind, "status": state, "observedGeneration": generation} for kind, state in told.items()
        ],
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


def database(count: int, **status: Any) -> Manifest:
    return live(
        "elasticsearch.k8s.elastic.co/v1/Elasticsearch", status, spec={"nodeSets": [{"count": count}]}
    )


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (database(3, availableNodes=2, health="green", phase="Ready"), P),
        (database(3, availableNodes=3, health="green", phase="Ready"), H),
        (database(3, availableNodes=3, health="yellow", phase="Ready"), P),
        (database(3, availableNodes=3, health="red", phase="Ready"), D),
        (database(3, availableNodes=3, health="green", phase="ApplyingChanges"), P),
    ],
)
def test_elasticsearch_counts_its_nodes_before_its_colour(manifest: Manifest, expected: Health) -> None:
    assert health(manifest) is expected


@pytest.mark.parametrize(
    ("observed", "expected"), [(None, P), (1, P), (2, H)], ids=["unnamed", "older", "newest"]
)
def test_a_secret_is_unsealed_for_a_generation(observed: int | None, expected: Health) -> None:
    status = {"observedGeneration": observed} if observed is not None else {"x": 1}
    assert health(live("bitnami.com/v1alpha1/SealedSecret", status, Synced="True")) is expected


def environment(active: str, proposed: str, note: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "branch": "env/prod",
        "active": {"dry": {"sha": active}},
        "proposed": {"dry": {"sha": proposed}},
    }
    if note:
        found["proposed"]["note"] = {"drySha": note}
    return found


@pytest.mark.parametrize(
    ("environments", "expected"),
    [
        ([], D),
        ([environment("a", "b")], H),
        ([environment("a", "b"), environment("a", "c")], P),
        ([environment("a", "b", "n"), environment("a", "c", "n")], H),
        ([environment("", "b")], P),
    ],
)
def test_a_promotion_waits_until_all_environments_are_proposed_one_commit(
    environments: Any, expected: Health
) -> None:
    status = {"environments": environments}
    assert health(live("promoter.argoproj.io/v1alpha1/PromotionStrategy", status, Ready="True")) is expected


def test_a_virtual_machine_that_was_told_to_stop_is_well_stopped() -> None:
    kind = "kubevirt.io/v1/VirtualMachine"
    assert health(live(kind, spec={"running": False}, Ready="False")) is H
    assert health(live(kind, spec={"running": True}, Ready="False")) is S
    assert health(live(kind, {"created": True}, spec={"running": True}, Ready="False")) is P


def test_each_group_is_looked_for_where_its_rows_are() -> None:
    for theme in sorted(set(custom.THEMES.values())):
        rows, groups = custom.load(theme)
        for group, kind in rows:
            assert custom.check_for(group, kind) is rows[group, kind]
        homes = {group for group, home in custom.THEMES.items() if home == theme}
        assert set(groups) <= homes
        assert homes <= set(groups) | {group for group, _ in rows}


def test_a_theme_is_loaded_only_for_an_object_of_it() -> None:
    looked = (
        "import sys; from argosy.health import table; print('argosy.health.kinds.platform' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ROWS, ids=lambda name: "/".join(name))
def test_no_kind_is_healthy_before_its_controller_spoke_and_nonsense_breaks_nothing(
    name: tuple[str, str],
) -> None:
    group, kind = name
    silent = health(live(f"{group}/v1/{kind}"))
    expected = next((state for state, names in SILENT.items() if f"{group}/{kind}" in names), P)
    assert silent is expected
    for nonsense in (
        {"conditions": "none"},
        {"conditions": [{"type": 1}]},
        {"conditions": [None]},
        {"phase": []},
    ):
        health(live(f"{group}/v1/{kind}", nonsense))
    assert health({**live(f"{group}/v1/{kind}"), "status": "fine"}) in (U, silent)


ROLLING = {"updateStrategy": {"partition": 1, "rollingUpdate": {"partition": 1}}}
UPDATED = {
    **dict.fromkeys(
        ("replicas", "updatedAvailableReplicas", "updatedReplicas", "expectedUpdatedReplicas"), 1
    ),
    **dict.fromkeys(("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"), 1),
}


@pytest.mark.parametrize("kind", ["CloneSet", "StatefulSet", "DaemonSet"])
def test_a_partition_counts_from_the_second_generation_on(kind: str) -> None:
    """And cannot be judged for an object without a generation."""
    body = live(f"apps.kruise.io/v1alpha1/{kind}", spec=ROLLING)
    found = []
    for generation in (1, 2, None):
        body["metadata"]["generation"] = generation
        found.append(table.assess({**body, "status": {**UPDATED, "observedGeneration": generation}}).status)
    assert found == [H, S, U]


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("numaflow.numaproj.io/v1alpha1/Pipeline", {"phase": "Running"}, [P, H]),
        ("postgresql.cnpg.io/v1/Database", {"applied": False, "message": "m"}, [P, D]),
    ],
)
def test_an_object_without_a_generation_needs_none_in_its_status(
    kind: str, status: Any, expected: list[Health]
) -> None:
    body, bare = live(kind, status), live(kind, status)
    del bare["metadata"]["generation"]
    bare["status"].pop("observedGeneration", None)
    body["status"].pop("observedGeneration", None)
    assert [table.assess(each).status for each in (body, bare)] == expected
