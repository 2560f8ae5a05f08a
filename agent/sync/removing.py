"""Deletes what written removals list, and nothing else: single objects after a good sync, or a whole app.

Objects go in reverse order, a wave at a time, and a wave counts as gone only when the server says so. The inventory
shrinks after each wave, so that nothing is forgotten while it exists and nothing is deleted twice under a new UID.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.cluster.base import ClusterApi, Propagation
from agent.cluster.reflector import Watcher
from agent.core import options as sync_options
from agent.core import removals
from agent.core.inventory import Entry, Inventory
from agent.core.marks import Seen
from agent.core.steps import Reason, Why
from agent.sync import adopting, contents, execute
from agent.sync import memory as memories
from agent.sync.memory import Memory
from argosy.bundle import Assignment, Removal
from argosy.errors import ArgosyError, Forbidden, Unavailable
from argosy.kinds import served
from argosy.objects import ObjectKey

_PROPAGATION: Mapping[str, Propagation] = {
    "foreground": "Foreground",
    "background": "Background",
    "orphan": "Orphan",
}
Option = Literal["Prune", "Delete"]
Heirs = Callable[[Iterable[ObjectKey]], Awaitable[Mapping[ObjectKey, str]]]
"""Which of these objects other apps of the cluster want now, and which app: they are handed over, not deleted."""
_STAY = frozenset({Why.PROTECTED, Why.HANDED_OVER})


@dataclass(frozen=True, slots=True)
class Site:
    """One app where it is removed. `own` is the cluster as the agent itself (inventory, what lies in a namespace), `api`
    as its objects are deleted.
    """

    own: ClusterApi
    api: ClusterApi
    watcher: Watcher
    memory: Memory
    heirs: Heirs


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
    site: Site,
    assignment: Assignment,
    listed: Sequence[Removal],
    wanted: frozenset[ObjectKey],
    leave: removals.Leave,
    *,
    ready: bool,
    unwell: Callable[[], str],
    holding: str,
    now: float,
) -> Removed:
    """The single-object removals of an app, as far as it gives `leave`. `ready`: the app was fully applied, so that
    deleting may begin; `unwell` says what of it is not healthy, for which those wait that are pruned last.
    """
    assert site.memory.inventory is not None
    out = Removed(site.memory.inventory)
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
        elif _last(site, assignment, key) and (why := unwell()):
            out.reasons[key] = Reason(Why.WAITS, f"PruneLast=true: waiting for {why}")
            out.waiting = True
        else:
            entries[key] = entry
            if leave.confirmed(removal):
                out.confirmed.add(key)
    if entries:
        await _delete(site, out, entries, "Prune", assignment.policy.sync_options)
    known = {str(key) for key in out.inventory.entries} | {str(key) for key in wanted}
    out.done = [removal.id for removal in listed if removal.key and removal.key not in known]
    return out


def _last(site: Site, assignment: Assignment, key: ObjectKey) -> bool:
    """Whether it is pruned last: as the app says for all its objects, or the object for itself."""
    live = site.watcher.get(key)
    own = sync_options.of(live.body) if live is not None else ()
    return "PruneLast=true" in (*assignment.policy.sync_options, *own)


async def objects(site: Site, removal: Removal, kept: frozenset[ObjectKey] = frozenset()) -> Removed:
    """The objects of a whole app, to be called only for a removal that is not refused: where it cascades they go, but
    for protected ones, CRDs, what other apps want, and what is `kept`. What stays is given back in the end (`erase`).
    Nothing is left to do unless `waiting`.
    """
    out = Removed(await memories.read(site.own, site.memory, site.watcher))
    entries = {key: entry for key, entry in out.inventory.entries.items() if key not in kept}
    if removal.cascade and entries:
        if removal.approved:
            out.confirmed.update(entries)
        await _delete(site, out, entries, "Delete", out.inventory.options)
        shielded = {key for key, reason in out.reasons.items() if reason.why in _STAY}
        out.waiting = bool(out.inventory.entries.keys() - shielded - kept)
    return out


async def erase(site: Site, removal: Removal, out: Removed) -> None:
    """Gives back what stays, then erases the inventory itself, once nothing is left to be done with what is in it."""
    memory = site.memory
    # What another app wants keeps its marks until that one puts on its own: it must never be nobody's.
    handed = {key for key, reason in out.reasons.items() if reason.why is Why.HANDED_OVER}
    free = {key: entry for key, entry in out.inventory.entries.items() if key not in handed}
    wrong = await adopting.release(site.api, free, memory.assignment)
    if wrong:
        out.reasons.update({key: Reason(Why.FAILED, message) for key, message in wrong.items()})
        out.waiting = True
        return
    await memories.erase(site.own, memory)
    out.inventory = Inventory(memory.assignment)
    out.done = [removal.id]


async def _delete(
    site: Site, out: Removed, entries: Mapping[ObjectKey, Entry], option: Option, options: Iterable[str]
) -> None:
    try:
        inherited = await site.heirs(entries)
    except Unavailable as error:
        out.reasons.update(dict.fromkeys(entries, Reason(Why.WAITS, error.message)))
        out.waiting = True
        return
    doomed = await _doomed(site, out, entries, inherited, option, options)
    if option == "Delete" and any(reason.why is Why.CONFIRM for reason in out.reasons.values()):
        # As in Argo CD, an app waits as a whole for the approval that one of its objects needs.
        out.waiting = True
        return
    await _end_all(site, out, doomed, propagation(options))


async def _doomed(
    site: Site,
    out: Removed,
    entries: Mapping[ObjectKey, Entry],
    inherited: Mapping[ObjectKey, str],
    option: Option,
    options: Iterable[str],
) -> dict[object, Seen]:
    """What may go. Why others stay goes into `out.reasons`; those that are not there, or not ours, leave the inventory."""
    api = site.api
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
            if _never_made(site, entry, error):
                gone.add(key)
            else:
                out.reasons[key] = Reason(Why.FAILED, error.message)
                out.waiting = True
            continue
        if live is None:
            gone.add(key)
            continue
        out.live[key] = live
        confirmed = key in out.confirmed
        reason = removals.judge(entry, live, site.memory.assignment, option, options, confirmed=confirmed)
        if reason is None and key in inherited:
            reason = Reason(Why.HANDED_OVER, f"stays: {inherited[key]} wants it and takes it over")
        if reason is None:
            doomed[key] = live
        elif reason.why is Why.NOT_OURS:
            gone.add(key)
        else:
            out.reasons[key] = reason
    await _shrink(site, out, gone)
    return doomed


async def _end_all(site: Site, out: Removed, doomed: Mapping[object, Seen], how: Propagation) -> None:
    """Deletes in reverse order, a wave at a time, until one is not gone whole: then the rest waits."""
    going = frozenset(item.uid for item in doomed.values())
    for stage in removals.ordered(doomed):
        gone: set[ObjectKey] = set()
        for item in stage:
            reason = await contents.shield(site.own, item, going) if removals.takes_more(item) else None
            if reason is None:
                reason = await _end(site.api, item, how)
            if reason is None:
                gone.add(item.key)
            else:
                out.reasons[item.key] = reason
        await _shrink(site, out, gone)
        if any(out.reasons[item.key].why not in _STAY for item in stage if item.key not in gone):
            out.waiting = True
            break


def _never_made(site: Site, entry: Entry, error: ArgosyError) -> bool:
    """Whether an object may be forgotten though its account may not even read it: it was refused when it was to be
    applied, and the watch, which sees all that bears our label, sees none.
    """
    key = entry.key
    unseen = site.watcher.listed(key.group, key.kind) and site.watcher.get(key) is None
    return isinstance(error, Forbidden) and not entry.uid and unseen


async def _end(api: ClusterApi, item: Seen, how: Propagation) -> Reason | None:
    """Deletes one object: None once it is gone, else what keeps it. Finalizers are named and never taken away."""
    ended, problem = await execute.delete(api, item, propagation=how)
    if ended:
        return None
    if problem:
        return Reason(Why.FAILED, problem)
    try:
        left = await api.get(item.gvk, item.key.namespace, item.key.name)
    except ArgosyError as error:
        return Reason(Why.DELETING, f"waiting for its end: {error.message}")
    if left is None or left["metadata"].get("uid") != item.uid:
        return None
    return Reason(Why.DELETING, removals.held_up(left))


async def _shrink(site: Site, out: Removed, gone: set[ObjectKey]) -> None:
    if not gone:
        return
    memory = site.memory
    for key in gone:
        site.watcher.forget(key)
        out.live.pop(key, None)
        memory.verified.pop(key, None)
        memory.failures.pop(key, None)
        memory.corrections.pop(key, None)
    out.inventory = out.inventory.without(gone)
    await memories.write(site.own, memory, out.inventory)
