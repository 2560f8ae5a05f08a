"""What freezes and sync windows leave of what a pass would do: obeyed here, so with the hub away as well. Pure.

A freeze stops everything but, where it says so, the correction of drift from what was completely applied before it. A
closed window stops syncs and self-heal as in Argo CD 3.6; what a person asked for passes where the window says so, and
a sync under way goes on where it permits an overrun. An override lifts both.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.core import operations
from agent.core.inventory import Operation
from agent.core.operations import Due
from argosy import windows
from argosy.bundle import FREEZE, OVERRIDE, Assignment, Restraint
from argosy.errors import Invalid
from argosy.windows import Window

LOOK_AGAIN = 3600.0
"""Seconds after which windows are looked at again: a clock may have been changed."""


@dataclass(frozen=True, slots=True)
class Left:
    """What may be done. `reason` says what holds back the rest, "" where nothing does; `frozen`: nothing may be removed
    either; `back`: a sync is held back, and not only what may come; `wake`: seconds until it may be otherwise, 0 for
    never."""

    due: Due
    reason: str = ""
    frozen: bool = False
    back: bool = False
    wake: float = 0.0


def limit(
    restraints: Iterable[Restraint], assignment: Assignment, due: Due, last: Operation, now: float
) -> Left:
    """What of `due` is left; `last` is the record of the last operation."""
    mine = concerning(restraints, assignment.id, now)
    if not mine:
        return Left(due)
    wake = _wake(mine, now)
    if any(item.kind == OVERRIDE for item in mine):
        return Left(due, wake=wake)
    if reason := frozen(mine):
        whole = last.succeeded and last.content in ("", operations.content(assignment))
        heal = due.heal and whole and all(item.heal for item in mine if item.kind == FREEZE)
        return Left(Due(last, False, heal, request=due.request), reason, True, due.pending, wake)
    if (reason := _closed(mine, assignment, due, last, now)) and not due.terminated:
        return Left(Due(last, False, False, request=due.request), reason, False, due.pending, wake)
    return Left(replace(due, heal=due.heal and not reason), reason, wake=wake)


def concerning(restraints: Iterable[Restraint], assignment: str, now: float) -> list[Restraint]:
    """Those that count for an assignment now."""
    return [
        item
        for item in restraints
        if (not item.apps or assignment in item.apps)
        and (item.kind not in (FREEZE, OVERRIDE) or item.until > now)
    ]


def frozen(mine: Sequence[Restraint]) -> str:
    """Why nothing may be changed or removed, "" where no freeze holds it."""
    if any(item.kind == OVERRIDE for item in mine):
        return ""
    freezes = [item for item in mine if item.kind == FREEZE]
    return max(freezes, key=lambda item: item.until).reason if freezes else ""


def _closed(mine: Sequence[Restraint], assignment: Assignment, due: Due, last: Operation, now: float) -> str:
    found = [_window(item) for item in mine if item.kind in (windows.ALLOW, windows.DENY)]
    if not found:
        return ""
    manual = due.pending and bool(due.operation.asked)
    under_way = due.pending and due.operation.id == last.id and not last.finished
    started = _moment(last.started) if under_way else None
    try:
        if windows.can_sync(found, _moment(now), manual=manual, started=started):
            return ""
    except Invalid as error:
        return f"a sync window of project {assignment.project} cannot be read: {error.message}"
    return f"blocked by the sync windows of project {assignment.project}"


def _wake(mine: Sequence[Restraint], now: float) -> float:
    ends = [item.until - now for item in mine if item.until > now]
    found = [_window(item) for item in mine if item.kind in (windows.ALLOW, windows.DENY)]
    if found:
        change = windows.change_after(found, _moment(now))
        ends.append(min(change.timestamp() - now, LOOK_AGAIN) if change else LOOK_AGAIN)
    return min(ends, default=0.0)


def _window(item: Restraint) -> Window:
    return Window(
        item.kind, item.schedule, item.duration, item.time_zone, item.manual_sync, item.sync_overrun
    )


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
