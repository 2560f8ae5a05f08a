"""The checks of custom kinds that do not come with Kubernetes: Argo CD 3.6 has one for each of these kinds.

Each row is written from the project's own documentation of its conditions and phases. A project's kinds without a row
have no health, as in Argo CD: settings, and kinds whose controllers write no status. A theme's file is only loaded
once an object of its groups is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from argosy.health.base import Check

_THEMES = {
    "argo": "argoproj.io",
    "clouds": """*.cnrm.cloud.google.com *.crossplane.io *.services.k8s.aws *.upbound.io kro.run pulumi.com""",
    "databases": """acid.zalan.do beat.k8s.elastic.co cassandra.rook.io clickhouse-keeper.altinity.com
        clickhouse.altinity.com db.atlasgo.io elasticsearch.k8s.elastic.co k8s.mariadb.com logstash.k8s.elastic.co
        mariadb.mmontes.io medusa.k8ssandra.io minio.min.io postgresql.cnpg.io psmdb.percona.com pxc.percona.com
        solr.apache.org zookeeper.pravega.io""",
    "flux": """helm.toolkit.fluxcd.io image.toolkit.fluxcd.io kustomize.toolkit.fluxcd.io
        notification.toolkit.fluxcd.io source.toolkit.fluxcd.io""",
    "gateway": "gateway.envoyproxy.io gateway.networking.k8s.io microgateway.airlock.com",
    "messaging": "kafka.banzaicloud.io kafka.strimzi.io platform.confluent.io rabbitmq.com",
    "networking": """gateway.solo.io gloo.solo.io install.istio.io kiali.io networking.gke.io nmstate.io
        operator.openshift.io proclaim.dogmatiq.io projectcontour.io route.openshift.io""",
    "observability": """core.humio.com coralogix.com datadoghq.com grafana-org-operator.kubitus-project.gitlab.io
        grafana.integreatly.org jaegertracing.io lifecycle.keptn.sh metrics.keptn.sh monitoring.coreos.com
        opentelemetry.io operator.victoriametrics.com""",
    "platform": """addons.cluster.x-k8s.io apps.3scale.net capabilities.3scale.net cluster.x-k8s.io
        controlplane.cluster.x-k8s.io core.gardener.cloud karpenter.k8s.aws karpenter.sh operators.coreos.com
        services.cloud.sap.com tower.ansible.com work.karmada.io""",
    "promoter": "promoter.argoproj.io",
    "security": """acme.cert-manager.io addons.projectcapsule.dev bitnami.com capsule.clastix.io cert-manager.io
        certmanager.k8s.io external-secrets.io iammanager.keikoproj.io k8s.keycloak.org kubernetes-client.io kyverno.io
        onepassword.com policies.kyverno.io policy.open-cluster-management.io trust.cert-manager.io""",
    "storage": """astra.netapp.io cdi.kubevirt.io ceph.rook.io kubevirt.io objectbucket.io ocs.openshift.io
        snapshot.storage.k8s.io trident.netapp.io velero.io""",
    "kruise": "apps.kruise.io game.kruise.io rollouts.kruise.io",
    "serving": """flink.apache.org openfaas.com operator.knative.dev serving.knative.dev serving.kserve.io
        sparkoperator.k8s.io""",
    "workloads": """apps.openshift.io camel.apache.org core.spinkube.dev flagger.app keda.sh numaflow.numaproj.io
        numaplane.numaproj.io spot.io tekton.dev""",
}
THEMES: Mapping[str, str] = {group: theme for theme, groups in _THEMES.items() for group in groups.split()}
"""group -> file in `argosy.health.kinds` that has its rows; `*` stands for any beginning of a group."""


def check_for(group: str, kind: str) -> Check | None:
    """The check of a custom kind, None where it has none."""
    beginning, _, family = group.partition(".")
    while beginning and family and f"*.{family}" not in THEMES:
        _, _, family = family.partition(".")
    family = f"*.{family}" if family else ""
    theme = THEMES.get(group) or THEMES.get(family)
    if theme is None:
        return None
    rows, groups = load(theme)
    return rows.get((group, kind)) or groups.get(group) or groups.get(family)


@cache
def load(theme: str) -> tuple[Mapping[tuple[str, str], Check], Mapping[str, Check]]:
    """((group, kind) -> check, group -> check of all its other kinds) of one file, at every version."""
    module = import_module(f"argosy.health.kinds.{theme}")
    return module.CHECKS, getattr(module, "GROUPS", {})
