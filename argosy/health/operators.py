"""Health of kinds whose operators have ways of their own: Flagger, CloudNativePG, Cluster API, Crossplane, KEDA."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    conditions,
    degraded,
    healthy,
    mapping,
    progressing,
    spec,
    status,
    suspended,
    text,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    When,
    by_conditions,
    by_phase,
)
from argosy.objects import Manifest

_CANARY = {
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
}

_POSTGRES = {
    "Cluster in healthy state": HEALTHY,
    "Setting up primary": PROGRESSING,
    "Creating a new replica": PROGRESSING,
    "Upgrading cluster": PROGRESSING,
    "Upgrading Postgres major version": PROGRESSING,
    "Cluster upgrade delayed": PROGRESSING,
    "Waiting for the instances to become active": PROGRESSING,
    "Promoting to primary cluster": PROGRESSING,
    "Primary instance is being restarted in-place": PROGRESSING,
    "Primary instance is being restarted without a switchover": PROGRESSING,
    "Online upgrade in progress": PROGRESSING,
    "Applying configuration": PROGRESSING,
    "Switchover in progress": DEGRADED,
    "Failing over": DEGRADED,
    "Waiting for user action": SUSPENDED,
    "Unable to create required cluster objects": DEGRADED,
    "Cluster is unrecoverable and needs manual intervention": DEGRADED,
    "Cluster cannot execute instance online upgrade due to missing architecture binary": DEGRADED,
    "Cluster has incomplete or invalid image catalog": DEGRADED,
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required": DEGRADED,
    "Cluster cannot proceed to reconciliation due to an interruption while loading a plugin": DEGRADED,
    "Not enough disk space": DEGRADED,
}

canary = by_phase("phase", _CANARY, otherwise=UNKNOWN)
_postgres_phase = by_phase("phase", _POSTGRES, otherwise=UNKNOWN, message="phaseReason")
HIBERNATION = "cnpg.io/hibernation"


def postgres(live: Manifest) -> Found:
    """CloudNativePG's phases are stable sentences; a hibernated cluster keeps its last one."""
    if any(kind == HIBERNATION and state == "True" for kind, state, _, _ in conditions(live)):
        return suspended("Cluster is hibernated")
    return _postgres_phase(live)


def cluster(live: Manifest) -> Found:
    """Cluster API: Ready is False all through provisioning, so it counts only for what is provisioned."""
    if spec(live).get("paused") is True:
        return suspended("Cluster is paused")
    phase = text(status(live), "phase")
    states = {kind: (state, message) for kind, state, _, message in conditions(live)}
    ready, message = states.get("Ready", states.get("Available", ("", "")))
    if phase == "Failed":
        return degraded(message)
    if phase == "Provisioned":
        return degraded(message) if ready == "False" else healthy("Cluster is running")
    return progressing(message or "Waiting for the cluster to be provisioned")


machine = by_phase("phase", {"Running": HEALTHY, "Failed": DEGRADED})
machine_deployment = by_phase("phase", {"Running": HEALTHY, "Failed": DEGRADED})

_CROSSPLANE = by_conditions(
    When("LastAsyncOperation", "False", DEGRADED),
    When("Synced", "False", DEGRADED),
    When("Ready", "True", HEALTHY),
    When("Healthy", "True", HEALTHY),
    When("Offered", "True", HEALTHY),
    When("Established", "True", HEALTHY),
    When("ValidPipeline", "True", HEALTHY),
    When("RevisionHealthy", "True", HEALTHY),
)
_CROSSPLANE_SETTINGS = frozenset(
    {
        "ClusterProviderConfig",
        "Composition",
        "CompositionRevision",
        "ControllerConfig",
        "DeploymentRuntimeConfig",
        "EnvironmentConfig",
        "ImageConfig",
        "ProviderConfig",
        "ProviderConfigUsage",
        "StoreConfig",
    }
)


def crossplane(live: Manifest) -> Found:
    """Crossplane's guide for Argo CD: settings are in order without a status, resources when synced and ready."""
    if not mapping(live, "status").get("conditions") and live["kind"] in _CROSSPLANE_SETTINGS:
        return healthy("Resource is up to date")
    return _CROSSPLANE(live)


def crossplane_package(live: Manifest) -> Found:
    """Providers, Functions and Configurations are installed, then healthy."""
    states = {kind: (state, message or reason) for kind, state, reason, message in conditions(live)}
    installed, well = states.get("Installed"), states.get("Healthy")
    if installed is None and well is None:
        return progressing("Waiting for the package to be installed")
    for found in (installed, well):
        if found is not None and found[0] != "True":
            return degraded(found[1])
    return (
        healthy("Package is up to date") if installed and well else progressing("Package is being installed")
    )


scaled_object = by_conditions(
    When("Paused", "True", SUSPENDED),
    When("Fallback", "True", DEGRADED),
    When("Ready", "True", HEALTHY),
    When("Ready", "False", DEGRADED),
    When("Ready", "Unknown", DEGRADED),
)
"""KEDA's ScaledObject and ScaledJob. A scaler whose state KEDA does not know is one that does not work."""

challenge = by_phase(
    "state",
    {
        "valid": HEALTHY,
        "invalid": DEGRADED,
        "expired": DEGRADED,
        "errored": DEGRADED,
        "pending": PROGRESSING,
        "processing": PROGRESSING,
        "ready": PROGRESSING,
    },
    message="reason",
)
"""An ACME Order or Challenge, in the states of RFC 8555."""


def volume_snapshot(live: Manifest) -> Found:
    now = status(live)
    error = mapping(now, "error")
    if error:
        return degraded(text(error, "message"))
    return (
        healthy()
        if now.get("readyToUse") is True
        else progressing("Waiting for the snapshot to be ready to use")
    )


def elastic(live: Manifest) -> Found:
    """Elastic Cloud on Kubernetes: the colour of the health, and whether the operator is still at work."""
    now = status(live)
    colour, phase = text(now, "health"), text(now, "phase")
    if colour == "red" or phase in ("Invalid", "ResourceInvalid"):
        return degraded(f"{live['kind']} is {phase or colour}")
    if colour == "green" and phase in ("", "Ready"):
        return healthy(f"{live['kind']} is green")
    return progressing(f"{live['kind']} is {phase or colour or 'new'}")
