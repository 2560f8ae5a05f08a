"""What an ApplicationSet with a RollingSync shows of it, in Argo CD's shape: `status.applicationStatus` and conditions.

The words and transitions are Argo CD's (3.6, `applicationset/progressivesync`); what they tell of is our rollout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.core.rollout import rollingsync
from hub.core.rollout.model import State
from hub.core.rollout.naming import Source
from hub.core.rollout.rollingsync import HEALTHY, SYNCED, Status
from hub.core.served.cells import stamp


@dataclass(frozen=True, slots=True)
class Shown:
    """One Application of the set. `state`, `since`, `revision` are of the newest rollout that has it, "" and 0 for none;
    `started` says that its agent is at work on what it was given."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    sync: str = ""
    health: str = ""
    revision: str = ""
    state: str = ""
    since: float = 0.0
    started: bool = False
    blocker: str = ""


_MESSAGES = {
    Status.WAITING: "Application has pending changes, setting status to Waiting",
    Status.PENDING: "Application moved to Pending status, watching for the Application resource to start Progressing",
    Status.PROGRESSING: "Application resource became Progressing, updating status from Pending to Progressing",
    Status.HEALTHY: "Application resource became Healthy, updating status from Progressing to Healthy",
}
_UNDER_WAY = frozenset({State.SOAKING, State.FAILED, State.REVERTING})


def of(source: Source, apps: Sequence[Shown], stamped: str) -> dict[str, Any]:
    """The status fields of a set; none before it has Applications. `stamped` is the time of transitions that no rollout
    knows, RFC 3339."""
    if not apps:
        return {}
    steps = rollingsync.steps_of(source.spec)
    plan = rollingsync.plan(steps, ((app.name, app.labels) for app in apps))
    entries = [_entry(app, plan.step(app.name), stamped) for app in apps]
    open_steps = [
        int(one["step"]) for one in entries if one["status"] != Status.HEALTHY and one["step"] != "-1"
    ]
    return {
        "applicationStatus": entries,
        "conditions": [_progressing(min(open_steps, default=0), stamped), _config(plan.issue, stamped)],
    }


def _entry(app: Shown, step: int, stamped: str) -> dict[str, Any]:
    status = _status(app)
    message = _MESSAGES[status]
    return {
        "application": app.name,
        "lastTransitionTime": stamp(app.since) if app.since else stamped,
        "message": f"{message}: {app.blocker}" if app.blocker and status is not Status.HEALTHY else message,
        "status": str(status),
        "step": str(step),
        "targetRevisions": [app.revision] if app.revision else [],
    }


def _status(app: Shown) -> Status:
    if app.state == State.MOVING:
        return Status.PROGRESSING if app.started else Status.PENDING
    if app.state in _UNDER_WAY:
        return Status.PROGRESSING
    if app.state in (State.PENDING, State.DEFERRED):
        return Status.WAITING
    well = app.sync == SYNCED and app.health == HEALTHY
    if app.state == State.DONE or not app.state:
        return Status.HEALTHY if well else Status.PROGRESSING if app.sync == SYNCED else Status.WAITING
    return Status.HEALTHY if well else Status.WAITING


def _progressing(step: int, stamped: str) -> dict[str, str]:
    if step:
        message, reason = f"ApplicationSet is performing rollout of step {step}", "ApplicationSetModified"
    else:
        message, reason = "ApplicationSet Rollout has completed", "ApplicationSetRolloutComplete"
    return _condition("RolloutProgressing", bool(step), reason, message, stamped)


def _config(issue: str, stamped: str) -> dict[str, str]:
    message = issue or "Rolling Sync Configured correctly"
    return _condition("InvalidRolloutConfig", bool(issue), "ApplicationSetRolloutConfig", message, stamped)


def _condition(kind: str, true: bool, reason: str, message: str, stamped: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True" if true else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamped,
    }
