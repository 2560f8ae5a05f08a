"""Health of monitoring, logging and quality checks."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    Malformed,
    degraded,
    dig,
    healthy,
    is_set,
    present,
    progressing,
    spec,
    status,
    text,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    MISSING,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    both,
    by_conditions,
    by_phase,
    once_observed,
    only,
    requiring,
    rows,
    waiting,
)
from argosy.objects import Manifest

_available = by_conditions(
    When("Available", "True", HEALTHY),
    When("Available", "", PROGRESSING, only("SomePodsNotReady")),
    When("Available", "", DEGRADED),
    newest=True,
)
"""The Prometheus operator."""


def _grafana(live: Manifest) -> Found:
    """The operator goes through stages; each ends in success or in failure."""
    now = status(live)
    stage, outcome = text(now, "stage"), text(now, "stageStatus")
    if not stage and not outcome:
        return progressing("Waiting for Grafana status info")
    if outcome == "failed" and now.get("stage") is None:
        raise Malformed("no stage has failed")
    if outcome == "failed":
        return degraded(f"Failed at stage {stage}")
    return healthy() if (stage, outcome) == ("complete", "success") else progressing(stage)


def _grafana_datasource(live: Manifest) -> Found:
    now = status(live)
    if not present(live) or now.get("uid") == "":
        return progressing()
    unmatched = is_set(now.get("NoMatchingInstances"))
    return degraded("can't find matching grafana instance") if unmatched else healthy()


def _grafana_content(live: Manifest) -> Found:
    """Dashboards and folders: what became of the synchronisation, and what else is found amiss."""
    found = told(status(live))
    said = ", ".join(f"{item.reason} for {item.type} because {item.message}" for item in found)
    good = {item.type: "False" if item.type == "FolderUIDMismatch" else "True" for item in found}
    if any(item.state in ("True", "False") and item.state != good[item.type] for item in found):
        return degraded(said)
    return healthy(said) if any(item.state == "True" for item in found) else progressing(said)


_grafana_organization = by_conditions(When("Ready", "True", HEALTHY), When("Ready", "False", DEGRADED))

_datadog_metric = by_conditions(
    When("Error", "True", DEGRADED), When("Valid", "False", DEGRADED), otherwise=HEALTHY, without=HEALTHY
)


def _collector(live: Manifest) -> Found:
    """OpenTelemetry: a sidecar has no replicas of its own; else the operator writes them as "ready/wanted"."""
    if not present(live):
        return waiting(live)
    return _deployed_collector(live)


def _deployed(live: Manifest) -> Found:
    mode, replicas = spec(live).get("mode"), dig(live, "status.scale.statusReplicas")
    if mode == "sidecar" and replicas is None:
        return healthy("Collector is running in sidecar mode")
    ready, _, wanted = str(replicas or "").partition("/")
    if not ready.isdecimal() or not wanted.isdecimal():
        return waiting(live)
    if (ready, wanted) == ("0", "0") and mode == "daemonset":
        return healthy("DaemonSet has no eligible nodes (0/0)")
    if int(ready) == 0:
        return degraded("No replicas are ready")
    return healthy("All replicas are ready") if ready == wanted else progressing("Replicas are starting up")


_deployed_collector = requiring(_deployed, "spec")

_victoria = once_observed(
    by_phase(
        "updateStatus",
        {
            "operational": HEALTHY,
            "ignored": HEALTHY,
            "expanding": PROGRESSING,
            "paused": SUSPENDED,
            "failed": DEGRADED,
        },
        message="reason",
    ),
    both,
)

_HUMIO = {
    "Exists": HEALTHY,
    "ConfigError": DEGRADED,
    "NotFound": MISSING,
    "Unknown": UNKNOWN,
}
_humio = by_phase("state", _HUMIO)
_humio_cluster = requiring(by_phase("state", {**_HUMIO, "Running": HEALTHY}), "status")
_coralogix = by_conditions(When("RemoteSynced", "True", HEALTHY), When("RemoteSynced", "False", DEGRADED))


_KEPTN = {"Succeeded": HEALTHY, "Failed": DEGRADED}


def _keptn_analysis(live: Manifest) -> Found:
    now = status(live)
    if now.get("warning") is True:
        return healthy("Analysis is healthy with warnings")
    if not isinstance(now.get("pass"), bool):
        return progressing("Analysis is progressing")
    return healthy("Analysis is healthy") if now["pass"] else degraded("Analysis is degraded")


def _keptn_metric(live: Manifest) -> Found:
    now = status(live)
    if now.get("errMsg"):
        return degraded("KeptnMetric is degraded")
    if now.get("value") not in (None, ""):
        return healthy("KeptnMetric is healthy")
    return progressing("KeptnMetric is progressing")


CHECKS: Rows = {
    **rows(
        "monitoring.coreos.com",
        _available,
        "Alertmanager",
        "Prometheus",
        "ThanosRuler",
    ),
    **rows("grafana.integreatly.org", _grafana, "Grafana"),
    **rows("grafana.integreatly.org", _grafana_datasource, "GrafanaDatasource"),
    **rows("grafana.integreatly.org", _grafana_content, "GrafanaDashboard", "GrafanaFolder"),
    **rows("datadoghq.com", _datadog_metric, "DatadogMetric"),
    **rows("jaegertracing.io", by_phase("phase", {"Running": HEALTHY, "Failed": DEGRADED}), "Jaeger"),
    **rows("opentelemetry.io", _collector, "OpenTelemetryCollector"),
    **rows(
        "core.humio.com",
        _humio,
        "HumioAction",
        "HumioAlert",
        "HumioIngestToken",
        "HumioParser",
        "HumioRepository",
        "HumioView",
    ),
    **rows("core.humio.com", _humio_cluster, "HumioCluster"),
    **rows("coralogix.com", _coralogix, "Alert", "RecordingRuleGroupSet"),
    **rows(
        "lifecycle.keptn.sh",
        requiring(by_phase("status", _KEPTN), "status"),
        "KeptnAppVersion",
        "KeptnTask",
        "KeptnWorkloadInstance",
        "KeptnWorkloadVersion",
    ),
    **rows("lifecycle.keptn.sh", requiring(by_phase("overallStatus", _KEPTN), "status"), "KeptnEvaluation"),
    **rows("metrics.keptn.sh", requiring(_keptn_analysis, "status"), "Analysis"),
    **rows("metrics.keptn.sh", requiring(_keptn_metric, "status"), "KeptnMetric"),
}
GROUPS = {
    "operator.victoriametrics.com": _victoria,
    "grafana-org-operator.kubitus-project.gitlab.io": _grafana_organization,
}
"""group -> check of all its kinds."""
