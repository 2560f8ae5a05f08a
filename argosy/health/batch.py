"""Health of what runs to an end: batch/v1, and Workflows, the one custom kind that Argo CD checks in its own code."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    Malformed,
    conditions,
    degraded,
    healthy,
    items,
    present,
    progressing,
    spec,
    status,
    suspended,
    text,
    unknown,
)
from argosy.objects import Manifest


def job(live: Manifest) -> Found:
    """Argo CD looks at the types of the conditions; a status counts for Suspended alone."""
    failed, complete, is_suspended = "", False, False
    message = ""
    for kind, state, _, said in conditions(live):
        if kind == "Failed":
            failed, complete, message = said or "Job failed", True, said
        elif kind == "Suspended":
            complete, message = True, said
            is_suspended = is_suspended or state == "True"
        elif kind == "Complete":
            complete, message = True, said
    if not complete:
        return progressing()
    if failed:
        return degraded(message)
    return suspended(message) if is_suspended else healthy(message)


def cron_job(live: Manifest) -> Found:
    """A suspended one is well, and so is one whose last run did what it should, runs, or never did it."""
    if live.get("spec") is None:
        raise Malformed("CronJob has no spec")
    if spec(live).get("suspend") is True:
        return healthy("CronJob is Suspended")
    if not present(live):
        return progressing("Waiting for CronJob to be scheduled")
    now = status(live)
    scheduled, succeeded = now.get("lastScheduleTime"), now.get("lastSuccessfulTime")
    if items(now, "active"):
        return healthy("The job is running. Its last execution may not have been successful")
    if not scheduled:
        return healthy("CronJob has not been scheduled yet")
    if not succeeded:
        return healthy("The CronJob never completed successfully. It may not be healthy")
    # Kubernetes writes all times in one form, in which they sort as text.
    if text(now, "lastSuccessfulTime") < text(now, "lastScheduleTime"):
        return degraded("CronJob has not completed its last execution successfully")
    return healthy("CronJob has completed its last execution successfully")


def workflow(live: Manifest) -> Found:
    """The one custom kind that Argo CD checks in its own code."""
    now = live.get("status")
    now = now if isinstance(now, dict) else {}
    phase, message = (
        word if isinstance(word, str) else "" for word in (now.get("phase"), now.get("message"))
    )
    if phase in ("", "Pending", "Running"):
        return progressing(message)
    if phase == "Succeeded":
        return healthy(message)
    return degraded(message) if phase in ("Failed", "Error") else unknown(message)
