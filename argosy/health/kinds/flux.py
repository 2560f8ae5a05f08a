"""Health of Flux's kinds. Sources and releases have a second condition next to Ready, and are well with both."""

from __future__ import annotations

from argosy.health.base import (
    Check,
    Found,
    degraded,
    healthy,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
)
from argosy.health.rules import Rows, rows, waiting
from argosy.objects import Manifest


def _flux(*needed: str, busy: frozenset[str] | None = None) -> Check:
    """Healthy where all conditions of these types are True. What reconciles is Progressing while Ready is Unknown; with
    `busy` where Ready is False and the reason of Reconciling is one of them."""

    def check(live: Manifest) -> Found:
        if spec(live).get("suspend") is True:
            return suspended(f"{live['kind']} is suspended")
        if status(live).get("conditions") is None:
            return waiting(live)
        found = {item.type: item for item in told(status(live))}
        ready = found.get("Ready")
        said = (ready.reason or ready.message) if ready is not None else ""
        if all(kind in found and found[kind].state == "True" for kind in needed):
            return healthy(said)
        at_work = found.get("Reconciling")
        if at_work is not None and at_work.state == "True" and ready is not None:
            unsure = ready.state == "Unknown" if busy is None else ready.state == "False"
            if unsure and (busy is None or at_work.reason in busy):
                return progressing(said)
        return degraded(said)

    return check


_ready = _flux("Ready")
_image_policy = _flux("Ready", busy=frozenset({"AccessingRepository", "NewGeneration"}))
_image_repository = _flux("Ready", busy=frozenset({"NewGeneration", "Scanning"}))
_source = _flux("Ready", "ArtifactInStorage")


def _helm_repository(live: Manifest) -> Found:
    """One of type `oci` is only an address: Flux says that its existence can be taken for readiness."""
    if text(spec(live), "type") == "oci":
        return healthy("Helm repositories of type 'oci' have no status")
    return _source(live)


CHECKS: Rows = {
    **rows("helm.toolkit.fluxcd.io", _flux("Ready", "Released"), "HelmRelease"),
    **rows("kustomize.toolkit.fluxcd.io", _ready, "Kustomization"),
    **rows("source.toolkit.fluxcd.io", _source, "GitRepository", "OCIRepository", "Bucket", "HelmChart"),
    **rows("source.toolkit.fluxcd.io", _helm_repository, "HelmRepository"),
    **rows("image.toolkit.fluxcd.io", _image_policy, "ImagePolicy"),
    **rows("image.toolkit.fluxcd.io", _image_repository, "ImageRepository"),
    **rows("image.toolkit.fluxcd.io", _ready, "ImageUpdateAutomation"),
    **rows("notification.toolkit.fluxcd.io", _flux("Ready", busy=frozenset()), "Receiver"),
}
