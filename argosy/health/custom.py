"""The checks of custom kinds that do not come with Kubernetes: one row per kind.

Each row is written from the project's own documentation of its conditions and phases. A project's kinds without a row
have no health, as in Argo CD: settings, and kinds whose controllers write no status.
"""

from __future__ import annotations

from collections.abc import Mapping

from argosy.health import argo, flux, gateway, operators
from argosy.health.base import Check
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    READY,
    SUSPENDED,
    When,
    by_conditions,
    by_phase,
    once_observed,
    suspended_where,
)

_ready = by_conditions(*READY)
_knative = once_observed(_ready)
_certificate = by_conditions(When("Issuing", "True", PROGRESSING), *READY)
_strimzi = once_observed(
    by_conditions(
        When("Ready", "True", HEALTHY),
        When("NotReady", "True", PROGRESSING, frozenset({"Creating"})),
        When("NotReady", "True", DEGRADED),
        When("Ready", "False", DEGRADED),
    )
)
_available = by_conditions(
    When("Available", "True", HEALTHY),
    When("Available", "False", PROGRESSING, frozenset({"SomePodsNotReady"})),
    When("Available", "False", DEGRADED),
    When("Available", "Degraded", DEGRADED),
)
_aws = by_conditions(
    When("ACK.Terminal", "True", DEGRADED),
    When("ACK.Recoverable", "True", DEGRADED),
    When("ACK.ResourceSynced", "True", HEALTHY),
)
_config_connector = by_conditions(
    When("Ready", "True", HEALTHY),
    When(
        "Ready",
        "False",
        DEGRADED,
        frozenset({"UpdateFailed", "DependencyInvalid", "DependencyNotFound", "ManagementConflict"}),
    ),
)
_rabbitmq = by_conditions(
    When("ReconcileSuccess", "False", DEGRADED),
    When("ClusterAvailable", "False", PROGRESSING),
    When("AllReplicasReady", "False", PROGRESSING),
    When("AllReplicasReady", "True", HEALTHY),
)
_sealed = by_conditions(When("Synced", "True", HEALTHY), When("Synced", "False", DEGRADED))
_keycloak = by_conditions(When("HasErrors", "True", DEGRADED), When("Ready", "True", HEALTHY))
_keycloak_import = by_conditions(When("HasErrors", "True", DEGRADED), When("Done", "True", HEALTHY))
_metric = by_conditions(
    When("Error", "True", DEGRADED), When("Active", "True", HEALTHY), When("Active", "False", SUSPENDED)
)
_percona = by_phase(
    "state", {"ready": HEALTHY, "initializing": PROGRESSING, "error": DEGRADED, "paused": SUSPENDED}
)
_zalando = by_phase(
    "PostgresClusterStatus",
    {
        "Running": HEALTHY,
        "Creating": PROGRESSING,
        "Updating": PROGRESSING,
        "UpdateFailed": DEGRADED,
        "SyncFailed": DEGRADED,
        "CreateFailed": DEGRADED,
        "Invalid": DEGRADED,
    },
)
_http_proxy = once_observed(
    by_phase("currentStatus", {"valid": HEALTHY, "invalid": DEGRADED}, message="description")
)
_data_volume = by_phase(
    "phase", {"Succeeded": HEALTHY, "Failed": DEGRADED, "Paused": SUSPENDED, "Unknown": DEGRADED}
)
_machine_health = by_conditions(
    When("RemediationAllowed", "True", HEALTHY), When("RemediationAllowed", "False", DEGRADED)
)
_control_plane = by_conditions(
    When("Available", "True", HEALTHY), When("Ready", "True", HEALTHY), When("Ready", "False", DEGRADED)
)
_tekton = by_conditions(When("Succeeded", "True", HEALTHY), When("Succeeded", "False", DEGRADED))
_tenant = by_phase("currentState", {"Initialized": HEALTHY}, message="currentState")
_istio = by_phase("status", {"HEALTHY": HEALTHY, "ERROR": DEGRADED}, message="message")
_managed_certificate = by_phase(
    "certificateStatus", {"Active": HEALTHY, "ProvisioningFailed": DEGRADED, "RenewalFailed": DEGRADED}
)
_spark = by_phase(
    "applicationState.state",
    {
        "COMPLETED": HEALTHY,
        "RUNNING": HEALTHY,
        "FAILED": DEGRADED,
        "SUBMISSION_FAILED": DEGRADED,
        "UNKNOWN": DEGRADED,
    },
)


def _rows(group: str, check: Check, *kinds: str) -> dict[tuple[str, str], Check]:
    return {(group, kind): check for kind in kinds}


CHECKS: Mapping[tuple[str, str], Check] = {
    **_rows("argoproj.io", argo.rollout, "Rollout"),
    **_rows("argoproj.io", argo.analysis, "AnalysisRun", "Experiment"),
    **_rows("argoproj.io", argo.application_set, "ApplicationSet"),
    **_rows("argoproj.io", argo.cron_workflow, "CronWorkflow"),
    **_rows("argoproj.io", argo.event_bus, "EventBus"),
    **_rows("flagger.app", operators.canary, "Canary"),
    **_rows("cert-manager.io", _certificate, "Certificate"),
    **_rows("cert-manager.io", _ready, "Issuer", "ClusterIssuer"),
    **_rows("certmanager.k8s.io", _certificate, "Certificate"),
    **_rows("certmanager.k8s.io", _ready, "Issuer", "ClusterIssuer"),
    **_rows("acme.cert-manager.io", operators.challenge, "Challenge", "Order"),
    **_rows(
        "external-secrets.io",
        _ready,
        "ExternalSecret",
        "ClusterExternalSecret",
        "PushSecret",
        "SecretStore",
        "ClusterSecretStore",
    ),
    **_rows("bitnami.com", _sealed, "SealedSecret"),
    **_rows("helm.toolkit.fluxcd.io", flux.release, "HelmRelease"),
    **_rows("kustomize.toolkit.fluxcd.io", flux.ready, "Kustomization"),
    **_rows("source.toolkit.fluxcd.io", flux.source, "GitRepository", "OCIRepository", "Bucket", "HelmChart"),
    **_rows("source.toolkit.fluxcd.io", flux.helm_repository, "HelmRepository"),
    **_rows("image.toolkit.fluxcd.io", flux.ready, "ImagePolicy", "ImageRepository", "ImageUpdateAutomation"),
    **_rows("notification.toolkit.fluxcd.io", flux.ready, "Receiver"),
    **_rows("notification.toolkit.fluxcd.io", flux.notification, "Alert", "Provider"),
    **_rows("gateway.networking.k8s.io", gateway.gateway, "Gateway"),
    **_rows("gateway.networking.k8s.io", gateway.route, "HTTPRoute", "GRPCRoute"),
    **_rows(
        "gateway.networking.k8s.io",
        by_conditions(When("Accepted", "True", HEALTHY), When("Accepted", "False", DEGRADED)),
        "GatewayClass",
    ),
    **_rows(
        "pkg.crossplane.io",
        operators.crossplane_package,
        "Provider",
        "ProviderRevision",
        "Function",
        "FunctionRevision",
        "Configuration",
        "ConfigurationRevision",
    ),
    **_rows("serving.knative.dev", _knative, "Service", "Configuration", "Revision", "Route"),
    **_rows("operator.knative.dev", _knative, "KnativeServing", "KnativeEventing"),
    **_rows("serving.kserve.io", _ready, "InferenceService"),
    **_rows("keda.sh", operators.scaled_object, "ScaledObject", "ScaledJob"),
    **_rows("postgresql.cnpg.io", operators.postgres, "Cluster"),
    **_rows("cluster.x-k8s.io", operators.cluster, "Cluster"),
    **_rows("cluster.x-k8s.io", operators.machine, "Machine", "MachinePool"),
    **_rows(
        "cluster.x-k8s.io", suspended_where("spec.paused", operators.machine_deployment), "MachineDeployment"
    ),
    **_rows("cluster.x-k8s.io", _machine_health, "MachineHealthCheck"),
    **_rows("controlplane.cluster.x-k8s.io", _control_plane, "KubeadmControlPlane", "AWSManagedControlPlane"),
    **_rows("addons.cluster.x-k8s.io", _ready, "ClusterResourceSet", "HelmChartProxy", "HelmReleaseProxy"),
    **_rows("tekton.dev", _tekton, "PipelineRun", "TaskRun"),
    **_rows("karpenter.sh", _ready, "NodePool", "NodeClaim"),
    **_rows("karpenter.k8s.aws", _ready, "EC2NodeClass"),
    **_rows("kyverno.io", _ready, "Policy", "ClusterPolicy"),
    **_rows("monitoring.coreos.com", suspended_where("spec.paused", _available), "Prometheus"),
    **_rows(
        "kafka.strimzi.io",
        _strimzi,
        "Kafka",
        "KafkaBridge",
        "KafkaConnect",
        "KafkaConnector",
        "KafkaMirrorMaker2",
        "KafkaTopic",
        "KafkaUser",
    ),
    **_rows("rabbitmq.com", _rabbitmq, "RabbitmqCluster"),
    **_rows("acid.zalan.do", _zalando, "postgresql"),
    **_rows("k8s.mariadb.com", _ready, "MariaDB", "Backup", "Database", "Grant", "SqlJob", "User"),
    **_rows("pxc.percona.com", _percona, "PerconaXtraDBCluster"),
    **_rows("psmdb.percona.com", _percona, "PerconaServerMongoDB"),
    **_rows("pgv2.percona.com", _percona, "PerconaPGCluster"),
    **_rows("minio.min.io", _tenant, "Tenant"),
    **_rows("snapshot.storage.k8s.io", operators.volume_snapshot, "VolumeSnapshot", "VolumeSnapshotContent"),
    **_rows("cdi.kubevirt.io", _data_volume, "DataVolume"),
    **_rows("elasticsearch.k8s.elastic.co", operators.elastic, "Elasticsearch"),
    **_rows("beat.k8s.elastic.co", operators.elastic, "Beat"),
    **_rows("logstash.k8s.elastic.co", operators.elastic, "Logstash"),
    **_rows("k8s.keycloak.org", _keycloak, "Keycloak"),
    **_rows("k8s.keycloak.org", _keycloak_import, "KeycloakRealmImport"),
    **_rows("datadoghq.com", _metric, "DatadogMetric"),
    **_rows("db.atlasgo.io", _ready, "AtlasSchema", "AtlasMigration"),
    **_rows("onepassword.com", _ready, "OnePasswordItem"),
    **_rows("install.istio.io", _istio, "IstioOperator"),
    **_rows("projectcontour.io", _http_proxy, "HTTPProxy"),
    **_rows("networking.gke.io", _managed_certificate, "ManagedCertificate"),
    **_rows("sparkoperator.k8s.io", _spark, "SparkApplication"),
}
"""(group, kind) -> check, at every version."""

FAMILIES: tuple[tuple[str, Check], ...] = (
    (".crossplane.io", operators.crossplane),
    (".upbound.io", operators.crossplane),
    (".services.k8s.aws", _aws),
    (".cnrm.cloud.google.com", _config_connector),
)
"""(ending of the group, check): projects that bring hundreds of kinds of one form. Exact rows come first."""


def check_for(group: str, kind: str) -> Check | None:
    """The check of a custom kind, None where it has none."""
    exact = CHECKS.get((group, kind))
    if exact is not None:
        return exact
    return next((check for ending, check in FAMILIES if group.endswith(ending)), None)
