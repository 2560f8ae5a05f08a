"""When a sync is due, what it is called, and when a failed one is tried again. Argo CD's automated sync; pure.

An operation is named by what it is of, so a restarted agent knows whether it still has to be done. With automated
sync each bundle is one; without, each request of a user is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core import marks, retry
from agent.core.inventory import Operation
from argosy import objects
from argosy.bundle import NAMESPACE_METADATA, Assignment
from argosy.status import Health


@dataclass(frozen=True, slots=True)
class Due:
    """What a pass may do. `operation` is the one in progress or the last one; `heal`: drift is corrected as well."""

    operation: Operation
    pending: bool
    heal: bool
    wait: float = 0.0
    """Seconds until a failed operation is tried again; 0 where there is nothing to wait for."""

    @property
    def may_write(self) -> bool:
        return self.pending or self.heal


def identify(assignment: Assignment) -> str:
    """The name of the operation the assignment asks for now, "" where none is asked for."""
    policy = assignment.policy
    if not policy.automated:
        return marks.short(policy.sync_request.encode()) if policy.sync_request else ""
    wanted = [assignment.bundle, assignment.destination_namespace, policy.sync_request]
    # New labels for the namespace are synced as new content is; nothing else of the options asks for a sync.
    wanted += [option for option in policy.sync_options if option.startswith(f"{NAMESPACE_METADATA}=")]
    return marks.short(objects.canonical(wanted))


def due(assignment: Assignment, last: Operation, now: float) -> Due:
    """What is to be done, given the last operation's record."""
    policy = assignment.policy
    heal = policy.automated and policy.self_heal
    name = identify(assignment)
    if not name or (name == last.id and last.succeeded):
        return Due(last, False, heal)
    if name != last.id:
        fresh = Operation(name, "Running", started=now, request=policy.sync_request)
        return Due(fresh, True, heal)
    hook_failed = last.phase == "Failed" and not all(last.hooks.values())
    if not hook_failed:
        return Due(last, True, heal)
    wait = last.finished + retry.delay(last.attempt) - now
    if last.attempt >= retry.HOOK_ATTEMPTS:
        return Due(last, False, heal)
    if wait > 0:
        return Due(last, False, heal, wait)
    again = replace(last, phase="Running", message="", finished=0.0, attempt=last.attempt + 1, hooks={})
    return Due(again, True, heal)


def hook_mark(operation: Operation) -> str:
    """What a hook's object says of the operation and try that made it."""
    return f"{operation.id}.{operation.attempt}"


def hook_outcome(health: Health | None) -> bool | None:
    """True succeeded, False failed, None still running. No health check counts as success, as in Argo CD."""
    if health in (None, Health.HEALTHY):
        return True
    return None if health in (Health.PROGRESSING, Health.SUSPENDED) else False
