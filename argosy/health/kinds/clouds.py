"""Health of what stands for something in a cloud: Crossplane, AWS Controllers, Config Connector, Pulumi, kro."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    degraded,
    generation,
    healthy,
    progressing,
    spec,
    status,
    suspended,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    READY,
    SUSPENDED,
    Rows,
    When,
    by_conditions,
    exact,
    find,
    once_condition_observed,
    once_observed,
    only,
    rows,
    same,
    waiting,
)
from argosy.objects import Manifest

_INACTIVE = "InactiveManagedResource"
_SETTINGS = frozenset(
    {
        "ClusterProviderConfig",
        "ClusterProviderConfigUsage",
        "ProviderConfig",
        "ProviderConfigUsage",
        "StoreConfig",
    }
)
_CROSSPLANE_SETTINGS = _SETTINGS | {
    "Composition",
    "CompositionRevision",
    "ControllerConfig",
    "DeploymentRuntimeConfig",
    "EnvironmentConfig",
    "ImageConfig",
}
_CROSSPLANE_FAILURES = (When("LastAsyncOperation", "False", DEGRADED), When("Synced", "False", DEGRADED))
_crossplane_conditions = by_conditions(
    When("Ready", "True", HEALTHY),
    When("Healthy", "True", HEALTHY),
    When("Offered", "True", HEALTHY),
    When("Established", "True", HEALTHY),
    When("Established", "", HEALTHY, only(_INACTIVE)),
    When("ValidPipeline", "True", HEALTHY),
    When("RevisionHealthy", "True", HEALTHY),
    before=_CROSSPLANE_FAILURES,
)
_upbound_conditions = by_conditions(When("Ready", "True", HEALTHY), before=_CROSSPLANE_FAILURES)


def _upbound(live: Manifest) -> Found:
    """Of Upbound's own groups only Ready is heard; its settings are as Crossplane's."""
    return _setting(live, _SETTINGS) or _upbound_conditions(live)


def _setting(live: Manifest, kinds: frozenset[str]) -> Found | None:
    now = status(live)
    if told(now) or live["kind"] not in kinds:
        return None
    return healthy("Resource is in use." if now.get("users") else "Resource is up-to-date.")


def _crossplane(live: Manifest) -> Found:
    """Crossplane's guide for Argo CD: settings are in order without a status, resources when synced and ready."""
    setting = _setting(live, _CROSSPLANE_SETTINGS)
    if setting is not None:
        return setting
    found = _crossplane_conditions(live)
    idle = any((item.reason, item.state) == (_INACTIVE, "False") for item in told(status(live)))
    if found.status is HEALTHY and idle and spec(live).get("state") == "Active":
        return progressing("Provisioning ...")
    return found


def _managed(live: Manifest) -> Found:
    """Managed resources of the older providers: Synced, which may be paused, then Ready."""
    if status(live).get("conditions") is None:
        return waiting(live)
    found = {item.type: item for item in told(status(live))}
    synced = found.get("Synced")
    if synced is None or synced.state != "True":
        if synced is not None and synced.reason == "ReconcilePaused":
            return suspended(synced.reason)
        return degraded(synced.message if synced is not None else "")
    ready = found.get("Ready")
    if ready is not None and ready.state == "True":
        return healthy(ready.reason)
    if synced.reason == "ReconcilePaused":
        return degraded(synced.message)
    return progressing(f"Waiting for the {live['kind']} to be available")


def _package(live: Manifest) -> Found:
    """A Provider is installed, then healthy; where neither has a reason there is nothing to tell yet."""
    found = {item.type: item for item in told(status(live)) if item.type in ("Installed", "Healthy")}
    if all("reason" in item.silent for item in found.values()):
        return progressing("Waiting for provider to be installed")
    said = " ".join(item.reason for item in found.values())
    return healthy(said) if [item.state for item in found.values()] == ["True", "True"] else degraded(said)


_stack = by_conditions(When("Ready", "True", HEALTHY), at="status.conditionedStatus")

_aws = by_conditions(
    When("ACK.Terminal", "True", DEGRADED),
    When("Ready", "True", HEALTHY),
    When("Ready", "", PROGRESSING),
)

_cnrm_conditions = by_conditions(
    When("", "True", HEALTHY, only("UpToDate")),
    When("", "", DEGRADED, only("UpdateFailed", "DependencyNotFound", "DependencyInvalid")),
    When("", "", SUSPENDED, only("DependencyNotReady")),
)


def _config_connector(live: Manifest) -> Found:
    """Google's: its own parts have a truth value, resources a condition whose reason counts."""
    now, kind = status(live), live["kind"]
    observed = now.get("observedGeneration")
    reconciler = kind.endswith("ControllerReconciler")
    if observed is not None and observed != generation(live) and not (reconciler and observed == 0):
        return progressing("Update in progress")
    if reconciler or kind in ("ConfigConnector", "ConfigConnectorContext"):
        if now.get("healthy") is True:
            return healthy(f"{kind} is healthy")
        well = now.get("healthy") is not False
        return progressing("Update in progress") if well else degraded(f"{kind} is not healthy")
    return _cnrm_conditions(live)


_pulumi = by_conditions(
    When("Reconciling", "True", PROGRESSING),
    When("Stalled", "True", DEGRADED),
    When("Ready", "True", HEALTHY),
)


def _kro_instance(live: Manifest) -> Found:
    """kro: a state of the whole, and Ready of this generation."""
    now, ready = status(live), find(live, "Ready")
    if now.get("state") in ("ERROR", "FAILED"):
        for item in told(now):
            if item.state == "False" and item.generation is not None and item.generation == generation(live):
                return degraded(item.message)
    if ready is None or ready.generation is None or ready.generation != generation(live):
        return waiting(live)
    if ready.state == "True":
        return healthy("Instance is active and running")
    return progressing(ready.message)


def _graph(live: Manifest) -> Found:
    """kro: each part of a ResourceGraphDefinition has a condition, of which one that is False is enough."""
    for item in told(status(live)):
        known = item.generation is not None and item.generation == generation(live)
        if known and item.state == "False":
            return degraded(item.message)
    return _graph_ready(live)


_graph_ready = once_condition_observed(by_conditions(*READY), "Ready", exact)

CHECKS: Rows = {
    **rows("cloudfront.aws.crossplane.io", _managed, "Distribution"),
    **rows("iam.aws.crossplane.io", _managed, "Policy", "Role", "RolePolicyAttachment"),
    **rows("rds.aws.crossplane.io", _managed, "DBCluster", "DBInstance"),
    **rows("route53.aws.crossplane.io", _managed, "ResourceRecordSet"),
    **rows("s3.aws.crossplane.io", _managed, "Bucket"),
    **rows("pkg.crossplane.io", _package, "Provider"),
    **rows("stacks.crossplane.io", _stack, "ClusterStackInstall"),
    **rows("pulumi.com", once_observed(_pulumi, same), "Stack"),
    **rows("kro.run", _graph, "ResourceGraphDefinition"),
}
GROUPS = {
    "*.cnrm.cloud.google.com": _config_connector,
    "*.crossplane.io": _crossplane,
    "*.services.k8s.aws": _aws,
    "*.upbound.io": _upbound,
    "kro.run": _kro_instance,
}
"""group -> check of all its kinds that have no row; `*` stands for any beginning."""
