"""Health of Flux's kinds. Sources and releases have a second condition next to Ready, and are well with both."""

from __future__ import annotations

from argosy.health.base import (
    Check,
    Found,
    degraded,
    healthy,
    spec,
    status,
    suspended,
    text,
    told,
)
from argosy.health.rules import DEGRADED, PROGRESSING, Rows, requiring, rows, waiting
from argosy.objects import Manifest
from argosy.status import Health


def _flux(
    *good: str,
    wanted: int | None = None,
    unsure: str = "Unknown",
    busy: frozenset[str] | None = None,
    at_work: Health = PROGRESSING,
) -> Check:
    """Healthy where as many conditions of the types `good` are True as are `wanted`, which are all by default: Argo CD
    counts them. Before that it is `at_work` where there are two signs: Reconciling, with `busy` for one of these
    reasons, and Ready in the state `unsure`."""

    def check(live: Manifest) -> Found:
        if status(live).get("conditions") is None:
            return waiting(live)
        found = told(status(live))
        ready = [item for item in found if item.type == "Ready"]
        said = (ready[-1].reason or ready[-1].message) if ready else ""
        signs = sum(item.state == unsure for item in ready) + sum(
            (item.type, item.state) == ("Reconciling", "True") and (busy is None or item.reason in busy)
            for item in found
        )
        if signs == 2:
            return Found(at_work, said)
        well = sum(item.type in good and item.state == "True" for item in found)
        return healthy(said) if well == (wanted or len(good)) else degraded(said)

    return check


def _suspendable(check: Check) -> Check:
    def with_pause(live: Manifest) -> Found:
        stopped = spec(live).get("suspend") is True
        return suspended(f"{live['kind']} is suspended") if stopped else check(live)

    return requiring(with_pause, "spec")


_ready = _suspendable(_flux("Ready"))
_release = _suspendable(_flux("Ready", "Released", "TestSuccess", wanted=2))
_receiver = _suspendable(_flux("Ready", unsure="False", at_work=DEGRADED))
_image_policy = _flux(
    "Ready", unsure="False", busy=frozenset({"AccessingRepository", "ApplyingPolicy", "NewGeneration"})
)
_image_repository = _suspendable(
    _flux("Ready", unsure="False", busy=frozenset({"NewGeneration", "Scanning"}))
)
_stored = _flux("Ready", "ArtifactInStorage")


def _artifact(live: Manifest) -> Found:
    """A source that is out of date says so for a reason, after the one that Ready has."""
    ready = None
    for item in told(status(live)):
        if item.type == "Ready":
            ready = item
        elif (item.type, item.state) == ("ArtifactOutdated", "True"):
            for each in (item, ready):
                if each is not None:
                    each.must_say("reason")
    return _stored(live)


_source = _suspendable(_artifact)


def _helm_repository(live: Manifest) -> Found:
    """One of type `oci` is only an address: Flux says that its existence can be taken for readiness."""
    if text(spec(live), "type") == "oci":
        return healthy("Helm repositories of type 'oci' have no status")
    return _source(live)


CHECKS: Rows = {
    **rows("helm.toolkit.fluxcd.io", _release, "HelmRelease"),
    **rows("kustomize.toolkit.fluxcd.io", _ready, "Kustomization"),
    **rows("source.toolkit.fluxcd.io", _source, "GitRepository", "OCIRepository", "Bucket", "HelmChart"),
    **rows("source.toolkit.fluxcd.io", _helm_repository, "HelmRepository"),
    **rows("image.toolkit.fluxcd.io", _image_policy, "ImagePolicy"),
    **rows("image.toolkit.fluxcd.io", _image_repository, "ImageRepository"),
    **rows("image.toolkit.fluxcd.io", _ready, "ImageUpdateAutomation"),
    **rows("notification.toolkit.fluxcd.io", _receiver, "Receiver"),
}
