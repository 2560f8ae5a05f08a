"""Health of an Argo Workflow, the one custom kind that Argo CD checks in its own code."""

from __future__ import annotations

from argosy.health.base import Found, degraded, healthy, progressing, status, text, unknown
from argosy.objects import Manifest


def workflow(live: Manifest) -> Found:
    now = status(live)
    phase, message = text(now, "phase"), text(now, "message")
    if phase in ("", "Pending", "Running"):
        return progressing(message)
    if phase == "Succeeded":
        return healthy(message)
    return degraded(message) if phase in ("Failed", "Error") else unknown(message)
