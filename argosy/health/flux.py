"""Health of Flux's kinds. Sources and releases have a second condition next to Ready, and are well with both."""

from __future__ import annotations

from argosy.health.base import (
    Check,
    Found,
    conditions,
    degraded,
    healthy,
    progressing,
    spec,
    status,
    suspended,
    text,
)
from argosy.objects import Manifest


def flux(*needed: str) -> Check:
    """Healthy where all conditions of these types are True."""

    def check(live: Manifest) -> Found:
        if spec(live).get("suspend") is True:
            return suspended(f"{live['kind']} is suspended")
        found = {kind: (state, reason, message) for kind, state, reason, message in conditions(live)}
        if not found:
            return progressing(f"Waiting for the status of the {live['kind']}")
        state, reason, message = found.get("Ready", ("", "", ""))
        said = message or reason
        if all(found.get(kind, ("",))[0] == "True" for kind in needed):
            return healthy(said)
        if found.get("Stalled", ("",))[0] == "True" or state in ("True", "False"):
            return degraded(said)
        return progressing(said)

    return check


ready = flux("Ready")
source = flux("Ready", "ArtifactInStorage")
release = flux("Ready", "Released")


def helm_repository(live: Manifest) -> Found:
    """One of type `oci` is only an address: Flux says that its existence can be taken for readiness."""
    if text(spec(live), "type") == "oci" and not status(live):
        return healthy("An OCI HelmRepository has no status")
    return source(live)


def notification(live: Manifest) -> Found:
    """Alerts and Providers are static from v1beta3 on; before they had Ready."""
    if not status(live) and live["apiVersion"].rpartition("/")[2] not in ("v1beta1", "v1beta2"):
        return healthy(f"{live['kind']} has no status")
    return ready(live)
