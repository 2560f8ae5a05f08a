"""Deletes what written removals list, and nothing else: single objects after a good sync, or a whole app.

Objects go in reverse order, a wave at a time, and a wave counts as gone only when the server says so. The inventory
shrinks after each wave, so that nothing is forgotten while it exists and nothing is deleted twice under a new UID.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent import execute
from agent import memory as memories
from agent.cluster.base import ClusterApi, Propagation
from agent.cluster.reflector import Watcher
from agent.core import removals
from agent.core.inventory import Entry, Inventory
from agent.core.marks import Seen
from agent.core.plan import Reason, Why
from agent.memory import Memory
from argosy.bundle import Assignment, Removal
from argosy.errors import ArgosyError
from argosy.kinds import served
from argosy.objects import ObjectKey

_PROPAGATION: Mapping[str, Propagation] = {
    "foreground": "Foreground",
    "background": "Background",
    "orphan": "Orphan",
}
Option = Literal["Prune", "Delete"]


@dataclass
class Removed:
    """What came of removals. `reasons` says for every object that stays why; a person approved of deleting what is
    `confirmed`."""

    inventory: Inventory
    done: list[str] = field(default_factory=list)
    reasons: dict[ObjectKey, Reason] = field(default_factory=dict)
    live: dict[ObjectKey, Seen] = field(default_factory=dict)
    confirmed: set[ObjectKey] = field(default_factory=set)
    waiting: bool = False


def propagation(options: Iterable[str]) -> Propagation:
    """`PrunePropagationPolicy=`. Background where it is not said: it waits for nobody's controller."""
    for item in options:
        name, _, value = item.partition("=")
        if name == "PrunePropagationPolicy":
            return _PROPAGATION.get(value, "Background")
    return "Background"


async def prune(
    api: ClusterApi,
    watcher: Watcher,
    memory: Memory,
    assignment: Assignment,
    listed: Sequence[Removal],
    wanted: frozenset[ObjectKey],
    leave: removals.Leave,
    *,
    ready: bool,
    holding: str,
    now: float,
) -> Removed:
    """The single-object removals of an app, as far as it gives `leave`. `ready`: the app was fully applied, so that
    deleting may begin.
    """
    assert memory.inventory is not None
    out = Removed(memory.inventory)
    by_key = {removal.key: removal for removal in listed}
    entries: dict[ObjectKey, Entry] = {}
    for key, entry in out.inventory.entries.items():
        removal = by_key.get(str(key))
        if removal is None:
            continue
        if key in wanted:
            out.reasons[key] = Reason(Why.STILL_WANTED, f"removal {removal.id} lists it, the bundle wants it")
            continue
        refused = removals.refused(removal, holding=holding, now=now) or leave.refused(key)
        if refused is not None:
            out.reasons[key] = refused
        elif not ready:
            out.reasons[key] = Reason(Why.WAITS, "removed after the next complete sync")
        else:
            entries[key] = entry
            if leave.confirmed(removal):
                out.confirmed.add(key)
    if entries:
        options = assignment.policy.sync_options
        await _delete(api, watcher, memory, out, entries, assignment.id, "Prune", options)
    known = {str(key) for key in out.inventory.entries} | {str(key) for key in wanted}
    out.done = [removal.id for removal in listed if removal.key and removal.key not in known]
    return out


async def whole(api: ClusterApi, watcher: Watcher, memory: Memory, removal: Removal) -> Removed:
    """A whole app, to be called only for a removal that is not refused: its objects where it cascades (protected ones
    and CRDs stay), then the inventory itself."""
    out = Removed(await memories.read(api, memory, watcher))
    if removal.cascade and out.inventory.entries:
        entries = dict(out.inventory.entries)
        if removal.approved:
            out.confirmed.update(entries)
        options = out.inventory.options
        await _delete(api, watcher, memory, out, entries, memory.assignment, "Delete", options)
        shielded = {key for key, reason in out.reasons.items() if reason.why is Why.PROTECTED}
        if out.inventory.entries.keys() - shielded:
            return out
    await memories.erase(api, memory)
    out.inventory = Inventory(memory.assignment)
    out.done = [removal.id]
    return out


async def _delete(
    api: ClusterApi,
    watcher: Watcher,
    memory: Memory,
    out: Removed,
    entries: Mapping[ObjectKey, Entry],
    assignment: str,
    option: Option,
    options: Iterable[str],
) -> None:
    kinds = await api.kinds()
    gone: set[ObjectKey] = set()
    doomed: dict[object, Seen] = {}
    for key, entry in entries.items():
        kind = served(kinds, entry.gvk)
        if kind is None:
            kinds = await api.kinds(refresh=True)
            kind = served(kinds, entry.gvk)
        try:
            live = await execute.observe(api, kind.gvk, key) if kind is not None else None
        except ArgosyError as error:
            out.reasons[key] = Reason(Why.FAILED, error.message)
            continue
        if live is None:
            gone.add(key)
            continue
        out.live[key] = live
        confirmed = key in out.confirmed
        reason = removals.judge(entry, live, assignment, option, options, confirmed=confirmed)
        if reason is None:
            doomed[key] = live
        elif reason.why is Why.NOT_OURS:
            gone.add(key)
        else:
            out.reasons[key] = reason
    await _shrink(api, watcher, memory, out, gone)
    if option == "Delete" and any(reason.why is Why.CONFIRM for reason in out.reasons.values()):
        # As in Argo CD, an app waits as a whole for the approval that one of its objects needs.
        out.waiting = True
        return
    for stage in removals.ordered(doomed):
        gone = set()
        for item in stage:
            ended, problem = await execute.delete(api, item, propagation=propagation(options))
            if ended:
                gone.add(item.key)
            else:
                out.reasons[item.key] = (
                    Reason(Why.FAILED, problem) if problem else Reason(Why.DELETING, "waiting for its end")
                )
        await _shrink(api, watcher, memory, out, gone)
        if len(gone) < len(stage):
            out.waiting = True
            break


async def _shrink(
    api: ClusterApi, watcher: Watcher, memory: Memory, out: Removed, gone: set[ObjectKey]
) -> None:
    if not gone:
        return
    for key in gone:
        watcher.forget(key)
        out.live.pop(key, None)
        memory.verified.pop(key, None)
        memory.failures.pop(key, None)
        memory.corrections.pop(key, None)
    out.inventory = out.inventory.without(gone)
    await memories.write(api, memory, out.inventory)
