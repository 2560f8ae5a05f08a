"""Health of what runs to an end: batch/v1."""

from __future__ import annotations

from datetime import UTC, datetime

from argosy.health.base import (
    Found,
    conditions,
    degraded,
    healthy,
    items,
    progressing,
    spec,
    status,
    suspended,
    text,
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
    """After Argo CD's script: a suspended one is well, and so is one whose last run did what it should."""
    if spec(live).get("suspend") is True:
        return healthy("CronJob is suspended")
    now = status(live)
    if not now:
        return progressing("Waiting for CronJob to be scheduled")
    scheduled, succeeded = text(now, "lastScheduleTime"), text(now, "lastSuccessfulTime")
    if items(now, "active"):
        return healthy(
            f"The job is running. Its most recent successful execution was {succeeded or 'never'}."
        )
    if scheduled and succeeded and _time(succeeded) < _time(scheduled):
        return degraded("CronJob has not completed its last execution successfully")
    if scheduled and not succeeded:
        return degraded("CronJob has not completed its last execution successfully")
    return healthy("The last execution was successful" if scheduled else "CronJob has not been scheduled yet")


def _time(text_: str) -> datetime:
    try:
        return datetime.fromisoformat(text_)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
