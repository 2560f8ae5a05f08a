"""Health of the core group: Pods, Services, volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from argosy.health.base import (
    Found,
    conditions,
    degraded,
    healthy,
    items,
    mapping,
    progressing,
    spec,
    status,
    text,
    unknown,
)
from argosy.objects import Manifest

IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"
_HOOK, _HELM_HOOK = "argocd.argoproj.io/hook", "helm.sh/hook"


def pod(live: Manifest) -> Found:
    """Containers that cannot start make a Pod Degraded only where they would be restarted for ever."""
    notes = mapping(mapping(live, "metadata"), "annotations")
    now = status(live)
    policy = text(spec(live), "restartPolicy")
    lasting = policy == "Always" or (notes.get(IGNORE_RESTART_POLICY) == "true" and not _is_hook(notes))
    if lasting:
        stuck = list(_stuck(items(now, "containerStatuses")))
        if stuck:
            return degraded(", ".join(stuck))
    phase = text(now, "phase")
    if phase == "Pending":
        return progressing(text(now, "message"))
    if phase == "Succeeded":
        return healthy(text(now, "message"))
    if phase == "Failed":
        return degraded(text(now, "message") or _end(now))
    if phase == "Running":
        return _running(live, policy, lasting=lasting)
    return unknown(text(now, "message"))


def _is_hook(notes: Mapping[str, Any]) -> bool:
    """Argo CD's annotation comes before Helm's; `Skip` and Helm 2's `crd-install` make no hook of a Pod."""
    if _HOOK in notes:
        return text(notes, _HOOK).strip() != "Skip"
    return _HELM_HOOK in notes and notes[_HELM_HOOK] != "crd-install"


def _running(live: Manifest, policy: str, *, lasting: bool) -> Found:
    now = status(live)
    if not lasting:
        # A Pod that is meant to end is not done while it runs, whether it is ready or not.
        return progressing(text(now, "message")) if policy in ("OnFailure", "Never") else unknown()
    if next((state for kind, state, _, _ in conditions(live) if kind == "Ready"), "") == "True":
        return healthy(text(now, "message"))
    if any(
        mapping(item, "lastState").get("terminated") is not None for item in items(now, "containerStatuses")
    ):
        return degraded(text(now, "message"))
    return progressing(text(now, "message"))


def _stuck(containers: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for container in containers:
        waiting = mapping(mapping(container, "state"), "waiting")
        reason = text(waiting, "reason")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            yield text(waiting, "message")


def _end(now: Mapping[str, Any]) -> str:
    for container in [*items(now, "initContainerStatuses"), *items(now, "containerStatuses")]:
        ended = mapping(mapping(container, "state"), "terminated")
        if ended.get("message"):
            return text(ended, "message")
        if ended.get("reason") == "OOMKilled":
            return "OOMKilled"
        if ended.get("exitCode"):
            return f'container "{text(container, "name")}" failed with exit code {ended["exitCode"]}'
    return ""


def persistent_volume_claim(live: Manifest) -> Found:
    phase = text(status(live), "phase")
    checks = {"Lost": degraded, "Pending": progressing, "Bound": healthy}
    return checks.get(phase, unknown)()


def service(live: Manifest) -> Found:
    """Only a load balancer has something to wait for."""
    if text(spec(live), "type") != "LoadBalancer":
        return healthy()
    return healthy() if items(mapping(status(live), "loadBalancer"), "ingress") else progressing()
