"""From what a pass found to the state that is reported. Decides nothing about the cluster; roll-up is `core.report`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent.core import drift, exclusions, report
from agent.core.inventory import Operation
from agent.core.marks import Seen
from agent.core.restraint import Left
from agent.core.steps import Verdict, Why
from agent.sync.applying import Application
from agent.sync.memory import Memory
from agent.sync.removing import Removed
from argosy import objects
from argosy.bundle import Assignment, Removal
from argosy.health import table
from argosy.objects import ObjectKey
from argosy.status import AppStatus, Difference, Health, ObjectStatus, Sync


def lines(run: Application, removed: Removed) -> list[ObjectStatus]:
    """One line per object: those of the bundle, then hooks, then extra ones."""
    checks = run.around.watcher.checks
    found = []
    # In the bundle's order, whichever was done first: the same state is told in the same bytes.
    for key, wanted in run.prepared.wanted.items():
        verdict = run.verdicts.get(key)
        if verdict is None:
            continue
        found.append(
            report.object_status(
                key,
                wanted.gvk,
                verdict.sync,
                verdict.reason.detail,
                verdict.live,
                checks,
                fresh=run.memory.fresh(key, run.around.clock()),
                known=verdict.reason.why not in (Why.FAILED, Why.BACKOFF, Why.CONFLICT),
                differences=_differences(verdict),
                wanted=wanted.manifest,
            )
        )
    found += _hook_lines(run)
    for key, entry in removed.inventory.entries.items():
        if key in run.verdicts or key in run.hooks.created or entry.hook:
            continue
        if exclusions.excluded(run.assignment.policy.sync_options, key):
            continue
        live = removed.live.get(key) or run.around.watcher.get(key)
        if live is None and run.around.watcher.listed(key.group, key.kind):
            continue
        reason = removed.reasons.get(key)
        message = reason.detail if reason is not None else ""
        found.append(
            report.object_status(key, entry.gvk, Sync.OUT_OF_SYNC, message, live, checks, extra=True)
        )
    return found


def _differences(verdict: Verdict) -> tuple[Difference, ...]:
    known = verdict.failure or verdict.verified
    return known.differences if known is not None else ()


def _hook_lines(run: Application) -> Iterator[ObjectStatus]:
    """The hooks of the last sync: those that ended with what came of them, for as long as it is the last one."""
    hooks, entries, checks = run.hooks, run.inventory.entries, run.around.watcher.checks
    for name, good in hooks.operation.hooks.items():
        word, _, text = name.partition("/")
        key = objects.parse_key(text)
        live = hooks.live.get(key, (None, ""))[0] or run.around.watcher.get(key)
        known = hooks.live.get(key, (None, ""))[1]
        said = table.assess(live.body, checks).message if live is not None else known
        version = entries[key].version if key in entries else ""
        health = Health.HEALTHY if good else Health.DEGRADED
        yield ObjectStatus(
            *(key.group, version, key.kind, key.namespace, key.name, Sync.SYNCED, health, said),
            hook=True,
            phase=word,
        )
    for key, wanted in hooks.created.items():
        phase = hooks.phases[key]
        if f"{phase}/{key}" not in hooks.operation.hooks:
            live, message = hooks.live.get(key, (None, ""))
            yield report.object_status(
                key, wanted.gvk, Sync.SYNCED, message, live, checks, hook=True, phase=phase
            )


def unread(assignment: Assignment, problems: Mapping[str, str]) -> list[str]:
    """Which jq expressions of the app have no effect, and why; `problems` are those of all that were tried."""
    if not problems:
        return []
    rules = drift.ignores(assignment.policy.ignore_differences)
    used = dict.fromkeys(expression for rule in rules for expression in rule.expressions)
    return [f'ignoreDifferences: jq "{each}": {problems[each]}' for each in used if each in problems]


def of_pass(
    run: Application, operation: Operation, removed: Removed, now: float, unread: Iterable[str] = ()
) -> AppStatus:
    """The app's state after a pass. Keeps in memory since when it is Healthy with this release applied. `unread` says
    what of the app's settings could not be understood.
    """
    assignment, memory = run.assignment, run.memory
    listed = lines(run, removed)
    loose = frozenset(key for key, live in _extra(run, removed) if report.extraneous(live.body))
    health, guilty = report.app_health(listed)
    sync = report.app_sync(listed, loose)
    finished = not run.due.pending or operation.succeeded
    if health is not Health.HEALTHY or not finished:
        memory.healthy = ("", 0.0)
    elif memory.healthy[0] != assignment.release:
        memory.healthy = (assignment.release, now)
    waits = _unapplied(run, finished=finished) or report.unsettled(listed)
    operation = _unapproved(operation, removed)
    return AppStatus(
        assignment=assignment.id,
        release=assignment.release,
        bundle=assignment.bundle,
        revision=assignment.revision,
        sync=Sync.UNKNOWN if run.prepared.problems else sync,
        health=health,
        message=operation.message,
        health_message=guilty,
        phase=operation.phase,
        operation=operation.request,
        token=operation.token,
        asked=operation.asked,
        retries=max(0, operation.attempt - 1),
        started=operation.started,
        finished=operation.finished,
        healthy_since=memory.healthy[1],
        settled=not waits,
        waiting=waits,
        resources=tuple(listed),
        conditions=tuple(_conditions(run, operation, unread)),
        removed=tuple(removed.done),
        pruned=_pruned(memory, operation),
    )


def _pruned(memory: Memory, operation: Operation) -> tuple[tuple[str, str, str, str, str], ...]:
    token, entries = memory.pruned
    if token != operation.token:
        return ()
    keyed = ((entry.key, entry.version) for entry in entries)
    return tuple((key.group, version, key.kind, key.namespace, key.name) for key, version in keyed)


def _conditions(run: Application, operation: Operation, unread: Iterable[str]) -> list[tuple[str, str]]:
    """What somebody has to know of the pass: (Argo CD's type of condition, message)."""
    conditions: list[tuple[str, str]] = [("ComparisonError", text) for text in run.prepared.problems]
    conditions += [("SyncOptionWarning", text) for text in run.prepared.warnings]
    conditions += [
        ("ExcludedResourceWarning", f"Resource {key.group}/{key.kind} {key.name} is excluded in the settings")
        for key in run.prepared.excluded
    ]
    conditions += [("IgnoreDifferencesWarning", text) for text in unread]
    if operation.phase == "Failed":
        conditions.append(("SyncError", operation.message))
    elif run.blocked and not run.waiting:
        conditions.append(("SyncError", run.blocked))
    conditions += [
        ("SharedResourceWarning", f"{key}: {verdict.reason.detail}")
        for key, verdict in run.verdicts.items()
        if verdict.reason.why is Why.SHARED
    ]
    return conditions


def held_back(status: AppStatus, left: Left) -> AppStatus:
    """The state of an app that a freeze or a window holds back; it waits where there was something to be done."""
    conditions = (*status.conditions, ("Held", left.reason))
    return replace(status, conditions=conditions, waiting=left.reason if left.back else status.waiting)


def warned(status: AppStatus, kind: str, message: str) -> AppStatus:
    """The state with one more condition."""
    return replace(status, conditions=(*status.conditions, (kind, message)))


def _extra(run: Application, removed: Removed) -> Iterator[tuple[ObjectKey, Seen]]:
    """The live objects of the app that its bundle lacks."""
    for key in removed.inventory.entries:
        if key not in run.prepared.wanted:
            live = removed.live.get(key) or run.around.watcher.get(key)
            if live is not None:
                yield key, live


def _unapproved(operation: Operation, removed: Removed) -> Operation:
    """A sync that has done all but what a person must approve is still running, as in Argo CD."""
    waits = [str(key) for key, reason in removed.reasons.items() if reason.why is Why.CONFIRM]
    if not waits or not operation.succeeded:
        return operation
    message = f"waiting for pruning confirmation of {', '.join(waits[:3])}"
    return replace(operation, phase="Running", message=message, finished=0.0)


def _unapplied(run: Application, *, finished: bool) -> str:
    """Why not every object is known to have been applied as the bundle has it, "" where all are."""
    if run.prepared.problems:
        return run.prepared.problems[0]
    if run.blocked:
        return run.blocked
    if run.around.unchecked:
        return run.around.unchecked
    if not finished:
        return "the sync is not finished"
    for key, verdict in run.verdicts.items():
        live = verdict.live
        if live is None or not (
            verdict.sync is Sync.SYNCED or live.applied == run.prepared.wanted[key].digest
        ):
            return f"{key}: not applied"
    return ""


def unknown(assignment: Assignment, memory: Memory, message: str) -> AppStatus:
    """The state while nothing can be said: what was last known of the objects, and why it is not known any more."""
    last = memory.status
    memory.healthy = ("", 0.0)
    known: dict[str, Any] = {}
    if last is not None:
        known = {
            "resources": last.resources,
            "phase": last.phase,
            "operation": last.operation,
            "token": last.token,
            "asked": last.asked,
            "retries": last.retries,
            "started": last.started,
            "finished": last.finished,
        }
    return AppStatus(
        assignment=assignment.id,
        release=assignment.release,
        bundle=assignment.bundle,
        revision=assignment.revision,
        sync=Sync.UNKNOWN,
        health=Health.UNKNOWN,
        message=message,
        waiting=message,
        conditions=(("ComparisonError", message),),
        **known,
    )


def of_removal(assignment: str, removal: Removal, removed: Removed) -> AppStatus:
    """The state of an app that is being removed as a whole; `gone` once nothing of it is in the inventory."""
    if removed.done:
        return AppStatus(
            assignment, "", "", "", Sync.SYNCED, Health.HEALTHY, removed=(removal.id,), gone=True
        )
    left = ", ".join(f"{key}: {reason.detail}" for key, reason in list(removed.reasons.items())[:3])
    message = f"being deleted; {len(removed.inventory.entries)} objects left: {left}"
    return AppStatus(
        assignment, "", "", "", Sync.OUT_OF_SYNC, Health.PROGRESSING, message=message, phase="Running"
    )
