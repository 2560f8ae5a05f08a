"""What of a pass is written down: the union of old and new before the first apply, the operation's record and what was
learned after the last.
"""

from __future__ import annotations

from dataclasses import replace

from agent.cluster.base import ClusterApi
from agent.cluster.reflector import Watcher
from agent.core import operations, prepare
from agent.core.inventory import Inventory, Operation
from agent.core.prepare import Prepared
from agent.core.steps import Why
from agent.sync import memory as memories
from agent.sync.applying import Application
from agent.sync.memory import Memory
from argosy.bundle import Assignment
from argosy.objects import ObjectKey
from argosy.status import Sync

SUCCEEDED = "successfully synced (all tasks run)"


async def begin(
    api: ClusterApi,
    watcher: Watcher,
    assignment: Assignment,
    memory: Memory,
    prepared: Prepared,
    inventory: Inventory,
    due: operations.Due,
) -> Inventory:
    """Makes the union of old and new durable before the first apply."""
    hooks = [
        prepare.hook(task, assignment, operations.hook_mark(due.operation), due.operation.started)
        for stage in (*prepared.stages, prepared.after_failure)
        for task in stage
        if task.hook and due.runs_hooks
    ]
    names = frozenset(item.key for item in hooks)
    wanted = [item for item in prepared.wanted.values() if due.may_write_to(item.key)]
    union = inventory.union([*wanted, *hooks], assignment.bundle, hooks=names)
    union = union.unsure(item.key for item in wanted if _lacks(watcher, item.key))
    union = replace(
        union,
        app=f"{assignment.namespace}/{assignment.app}",
        operation=due.operation,
        options=assignment.policy.sync_options,
        account=assignment.policy.account,
        adoption="",
    )
    await memories.write(api, memory, union)
    return union


def _lacks(watcher: Watcher, key: ObjectKey) -> bool:
    """Whether an object is known not to be there."""
    return watcher.listed(key.group, key.kind) and watcher.get(key) is None


def operation_of(run: Application) -> Operation:
    """The operation's record after the stages ran."""
    now = run.around.clock()
    operation = run.operation
    if not run.due.pending:
        return operation
    if run.waiting or run.failing:
        return replace(operation, phase="Running", message=run.blocked, finished=0.0)
    if run.blocked or run.prepared.problems:
        same = operation.phase == "Failed" and operation.finished
        message = run.blocked or run.prepared.problems[0]
        when = operation.finished if same else now
        return operations.finished(run.assignment, operation, "Failed", message, when)
    message = "dry run: nothing was written" if run.due.request.dry_run else SUCCEEDED
    return operations.finished(run.assignment, operation, "Succeeded", f"{message}{_missed(run)}", now)


def _missed(run: Application) -> str:
    """What to add to the end of a sync of chosen objects of which some are none of the app's. Argo CD 3.6 says nothing."""
    own = {key for key, entry in run.inventory.entries.items() if not entry.hook}
    request = run.due.request
    missed = request.missed(own | set(run.prepared.wanted)) if request.resources else []
    if not missed:
        return ""
    named = ", ".join(str(each) for each in missed[:3])
    return (
        f"; {len(missed)} of {len(request.resources)} chosen objects are none of the application's: {named}"
    )


def learned(run: Application, operation: Operation) -> Inventory:
    """The inventory with what the pass saw of the objects, and the operation's record."""
    fine = [
        # Of one that has a field left to others that has to be said, so it is looked at again after a restart.
        replace(verdict.live, mark="") if verdict.reason.why is Why.CONTESTED else verdict.live
        for verdict in run.verdicts.values()
        if verdict.live is not None and verdict.sync is Sync.SYNCED
    ]
    hooks = [live for live, _ in run.hooks.live.values() if live is not None]
    ended = [
        key
        for key, entry in run.inventory.entries.items()
        if entry.hook and key not in run.hooks.created and _lacks(run.around.watcher, key)
    ]
    known = run.inventory.learned([*fine, *hooks])
    return replace(known.without(ended) if ended else known, operation=operation)
