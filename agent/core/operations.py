"""When a sync is due, what it is called, and when a failed one is tried again (Argo CD 3.6's operations); pure.

A sync is automatic or asked for by a user. An automatic one is of a content (bundle and place), so a restarted agent
knows whether it still has to be done; a user's is of its request, done once, and goes before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core import marks, requests, retry
from agent.core.inventory import Operation
from agent.core.requests import AUTOMATIC, Request, Retry
from argosy import objects
from argosy.bundle import NAMESPACE_METADATA, Assignment
from argosy.objects import ObjectKey
from argosy.status import Health

TERMINATED = "Operation terminated"
HOOKS_ONLY = Retry(retry.HOOK_ATTEMPTS - 1, retry.FIRST, retry.FACTOR, retry.LONGEST)
"""For automatic syncs without a `retry`: as a whole they are repeated for a failed hook only, while single objects are
tried again for as long as they are wanted."""
ONCE = Retry(0)


@dataclass(frozen=True, slots=True)
class Due:
    """What a pass may do. `operation` is the one in progress or the last one; `heal`: drift is corrected as well."""

    operation: Operation
    pending: bool
    heal: bool
    wait: float = 0.0
    """Seconds until a failed operation is tried again; 0 where there is nothing to wait for."""
    request: Request = AUTOMATIC
    terminated: bool = False
    """True where a user ended the operation: what of it still runs is to be cleared."""

    @property
    def may_write(self) -> bool:
        """Whether anything may be written at all."""
        return self.heal or (self.pending and not self.request.dry_run)

    def may_write_to(self, key: ObjectKey) -> bool:
        """Whether this object may be written."""
        return self.heal or (self.may_write and self.request.concerns(key))

    @property
    def runs_hooks(self) -> bool:
        """Whether hooks are part of what is to be done."""
        return self.pending and self.request.hooks


def content(assignment: Assignment) -> str:
    """The name of what an automatic sync would be of."""
    options = assignment.policy.sync_options
    # New labels for the namespace are synced as new content is; nothing else of the options asks for a sync.
    wanted = [assignment.bundle, assignment.destination_namespace]
    wanted += [option for option in options if option.startswith(f"{NAMESPACE_METADATA}=")]
    return marks.short(objects.canonical(wanted))


def due(assignment: Assignment, last: Operation, now: float) -> Due:
    """What is to be done, given the last operation's record."""
    policy = assignment.policy
    heal = policy.automated and policy.self_heal
    present = content(assignment)
    if policy.terminate and policy.terminate == last.token and not _ended(last):
        ended = replace(
            last, phase="Failed", message=TERMINATED, finished=now, settled=last.content or last.settled
        )
        return Due(ended, False, heal, request=asked(last), terminated=True)
    if policy.sync_request not in ("", last.request):
        fresh = Operation(marks.short(policy.sync_request.encode()), "Running", started=now)
        fresh = replace(fresh, request=policy.sync_request, asked=policy.operation or "{}")
        fresh = replace(fresh, content=present, settled=last.settled)
        return Due(fresh, True, heal, request=asked(fresh))
    if policy.automated and _unsynced(last, present):
        fresh = Operation(present, "Running", started=now, request=last.request)
        return Due(replace(fresh, content=present, settled=last.settled), True, heal)
    if _ended(last) or not (last.asked or policy.automated):
        return Due(last, False, heal)
    return _going_on(assignment, replace(last, content=present), now, heal=heal)


def asked(operation: Operation) -> Request:
    """What was asked of an operation."""
    return requests.parse(operation.asked) if operation.asked else AUTOMATIC


def finished(assignment: Assignment, operation: Operation, phase: str, message: str, now: float) -> Operation:
    """The operation after a try that came to its end, well or badly."""
    out = replace(operation, phase=phase, message=message, finished=now)
    over = out.succeeded or _exhausted(assignment, out)
    return replace(out, settled=out.content) if over and asked(out).whole else out


def _unsynced(last: Operation, present: str) -> bool:
    """Whether the content still lacks an automatic sync: it is new, or the last operation was only a part of one."""
    if present == last.settled:
        return False
    return present != last.content or (_ended(last) and not asked(last).whole)


def _ended(last: Operation) -> bool:
    return not last.id or last.succeeded or last.message == TERMINATED


def _retry(assignment: Assignment, operation: Operation) -> Retry | None:
    """How a failed operation is repeated as a whole; None for an automatic one whose user said nothing."""
    if operation.asked:
        return asked(operation).retry or ONCE
    return requests.policy_retry(assignment.policy.retry)


def _exhausted(assignment: Assignment, last: Operation) -> bool:
    """Whether a failed operation has no try left."""
    said = _retry(assignment, last)
    if said is None and all(last.hooks.values()):
        return False
    limit = (said or HOOKS_ONLY).limit
    return 0 <= limit < last.attempt


def _going_on(assignment: Assignment, last: Operation, now: float, *, heal: bool) -> Due:
    request = asked(last)
    said = _retry(assignment, last)
    if last.phase != "Failed" or (said is None and all(last.hooks.values())):
        return Due(last, True, heal, request=request)
    if _exhausted(assignment, last):
        return Due(last, False, heal, request=request)
    wait = last.finished + (said or HOOKS_ONLY).delay(last.attempt) - now
    if wait > 0:
        return Due(last, False, heal, wait, request=request)
    again = replace(last, phase="Running", message="", finished=0.0, attempt=last.attempt + 1, hooks={})
    return Due(again, True, heal, request=request)


def hook_mark(operation: Operation) -> str:
    """What a hook's object says of the operation and try that made it; its phase comes after that."""
    return f"{operation.id}.{operation.attempt}"


def made_hook(operation: Operation, mark: str) -> bool:
    """Whether this try of the operation made the hook whose object bears the mark."""
    return mark.startswith(f"{hook_mark(operation)}.")


def hook_outcome(health: Health | None) -> bool | None:
    """True succeeded, False failed, None still running. No health check counts as success, as in Argo CD."""
    if health in (None, Health.HEALTHY):
        return True
    return None if health in (Health.PROGRESSING, Health.SUSPENDED) else False
