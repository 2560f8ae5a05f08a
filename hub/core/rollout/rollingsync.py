"""Argo CD's RollingSync: which Applications of a set may sync now (3.6, `applicationset/progressivesync`).

One call of `advance` is one reconcile: what was recorded and what is observed give what is recorded next and who may
sync. Exactly Argo CD's decisions, its known defects included: people ask this what Argo CD would do. Times are
arguments.
"""

from __future__ import annotations

import datetime
import enum
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

NO_STEP = -1
SYNCED, HEALTHY = "Synced", "Healthy"
_BLOCKING = ("InvalidSpecError", "UnknownError")
_NEW = "No Application status found, defaulting status to Waiting"
_BOTH = "Application has pending changes (revision and spec differ), setting status to Waiting"
_REVISION = "Application has pending changes, setting status to Waiting"
_SPEC = "Application has pending changes (spec differs), setting status to Waiting"
_CHANGED = (_BOTH, _REVISION, _SPEC)
_DONE = "Application resource"
PERCENT = re.compile(r"([+-]?[0-9]+)%\Z")


class Status(enum.StrEnum):
    WAITING = "Waiting"
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    HEALTHY = "Healthy"


_UNDER_WAY = (Status.PENDING, Status.PROGRESSING)


@dataclass(frozen=True, slots=True)
class Step:
    """`expressions` are (key, operator, values), all of which an Application's labels must fit. `most` is `maxUpdate`:
    a number, a percentage, None for no limit."""

    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    most: int | str | None = None

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(_fits(labels, *expression) for expression in self.expressions)

    def limit(self, total: int) -> float:
        """How many Applications may be on their way at once, of `total`. What cannot be read is 1."""
        if self.most is None:
            return math.inf
        if not isinstance(self.most, str):
            return self.most
        found = PERCENT.match(self.most)
        share = math.floor(int(found[1]) * total / 100) if found else 0
        return share if self.most == "0%" else max(share, 1)


@dataclass(frozen=True, slots=True)
class Observed:
    """A live Application. `conditions` are the types of its conditions; `spec_differs` where its spec is not yet the
    generated one."""

    name: str
    sync: str = ""
    health: str = ""
    revisions: tuple[str, ...] = ()
    reconciled_at: datetime.datetime | None = None
    operation_phase: str = ""
    operation_started_at: datetime.datetime | None = None
    conditions: frozenset[str] = frozenset()
    spec_differs: bool = False
    refreshing: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded of an Application (`status.applicationStatus`). `step` counts from 1, `NO_STEP` for none."""

    name: str
    status: Status
    step: int
    since: datetime.datetime
    message: str
    revisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`may_sync` are those whose sync is triggered, each at its entry's revisions; `refresh` those that must be compared
    again before anything moves; `rollout` says which step is being rolled out, 0 for none."""

    entries: tuple[Entry, ...]
    may_sync: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()
    rollout: int = 0


@dataclass(frozen=True)
class Plan:
    """The steps and which generated Applications each selects, in the order generated."""

    steps: tuple[Step, ...]
    members: tuple[tuple[str, ...], ...]
    step_of: Mapping[str, int] = field(repr=False)
    """The first step that selects an Application, from 0."""
    issue: str = ""
    """What is wrong with the strategy, "" where nothing is; it holds nothing up."""

    def step(self, name: str) -> int:
        return self.step_of[name] + 1 if name in self.step_of else NO_STEP


def steps_of(strategy: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of an ApplicationSet's `spec.strategy`; none where it is not a RollingSync."""
    rolling = strategy.get("rollingSync")
    if strategy.get("type") != "RollingSync" or not rolling:
        return ()
    return tuple(
        Step(
            tuple(
                (
                    str(each.get("key") or ""),
                    str(each.get("operator") or ""),
                    tuple(map(str, each.get("values") or ())),
                )
                for each in step.get("matchExpressions") or ()
            ),
            step.get("maxUpdate"),
        )
        for step in rolling.get("steps") or ()
    )


def next_to_go(strategy: Mapping[str, Any], apps: Iterable[tuple[str, Mapping[str, str]]]) -> str | None:
    """With `deletionOrder: Reverse`, the one Application (name, labels) that goes now: of the last step that has any. None
    where there is no order, and "" where no step has one left."""
    steps = steps_of(strategy)
    if not steps or strategy.get("deletionOrder") != "Reverse":
        return None
    found = plan(steps, apps)
    return max(found.step_of, key=lambda name: (found.step_of[name], name), default="")


def plan(steps: Sequence[Step], apps: Iterable[tuple[str, Mapping[str, str]]]) -> Plan:
    """Sorts generated Applications, given as (name, labels), into the steps."""
    members: list[list[str]] = [[] for _ in steps]
    first: dict[str, int] = {}
    doubled: dict[str, list[int]] = {}
    for name, labels in apps:
        for at, step in enumerate(steps):
            if step.selects(labels):
                members[at].append(name)
                if name in first:
                    doubled.setdefault(name, [first[name]]).append(at)
                first.setdefault(name, at)
    issue = _issue(steps, members, doubled)
    return Plan(tuple(steps), tuple(map(tuple, members)), first, issue)


def advance(
    entries: Iterable[Entry],
    live: Sequence[Observed],
    plan: Plan,
    now: datetime.datetime,
    grace: datetime.timedelta = datetime.timedelta(),
) -> Outcome:
    """One reconcile. `grace` is how long after a change the next comparison is waited for before one is asked for."""
    before = {entry.name: entry for entry in entries}
    changed_at = _latest_change(before.values())
    if not plan.steps:
        return Outcome(())
    found = [
        _observe(before.get(app.name), app, plan.step(app.name), now) for app in sorted(live, key=_by_name)
    ]
    since = changed_at or _latest_change(found)
    if since is not None:
        if grace and now - since < grace:
            return Outcome(tuple(found))
        stale = [app for app in live if app.reconciled_at is None or app.reconciled_at < since]
        if stale:
            asked = tuple(app.name for app in stale if not app.refreshing)
            return Outcome(tuple(found), refresh=asked, rollout=_rolling(found, len(plan.steps)))
    opened = _open(plan, {entry.name: entry for entry in found})
    found = _promote(found, plan, opened, now)
    may_sync = tuple(sorted(e.name for e in found if e.status is Status.PENDING and e.name in opened))
    return Outcome(tuple(found), may_sync, rollout=_rolling(found, len(plan.steps)))


def _observe(old: Entry | None, app: Observed, step: int, now: datetime.datetime) -> Entry:
    """What an Application's own state makes of its entry."""
    entry = old or Entry(app.name, Status.WAITING, step, now, _NEW, app.revisions)
    recorded = entry.status
    if entry.step != step:
        entry = replace(entry, step=step)
    moved = entry.revisions != app.revisions
    if moved or app.spec_differs:
        message = _BOTH if moved and app.spec_differs else _REVISION if moved else _SPEC
        entry = replace(entry, status=Status.WAITING, since=now, message=message, revisions=app.revisions)
    synced, healthy = app.sync == SYNCED, app.health == HEALTHY
    if entry.status is Status.WAITING:
        if not synced:
            return entry
        status = Status.HEALTHY if healthy else Status.PROGRESSING
        return replace(
            entry, status=status, since=now, message=f"{_DONE} has synced, updating status to {status}"
        )
    if recorded is Status.PENDING and (message := _started(entry, app)):
        return replace(entry, status=Status.PROGRESSING, since=now, message=message)
    if recorded is Status.PROGRESSING and synced and healthy:
        message = f"{_DONE} became Healthy, updating status from Progressing to Healthy"
        return replace(entry, status=Status.HEALTHY, since=now, message=message)
    return entry


def _started(entry: Entry, app: Observed) -> str:
    """Why a pending Application is on its way, "" where it is not: only an operation begun after it became pending
    counts, seen in a comparison after that."""
    if app.reconciled_at is not None and app.reconciled_at <= entry.since:
        return ""
    if app.operation_started_at is not None and app.operation_started_at > entry.since:
        if app.operation_phase == "Succeeded":
            return f"{_DONE} completed a sync successfully, updating status from Pending to Progressing"
        if app.operation_phase in ("Failed", "Error"):
            return f"{_DONE} completed a sync, updating status from Pending to Progressing"
        return f"{_DONE} became Progressing, updating status from Pending to Progressing"
    if app.conditions.intersection(_BLOCKING):
        return f"{_DONE} has error and cannot sync, updating status to Progressing"
    return ""


def _by_name(app: Observed) -> str:
    return app.name


def _latest_change(entries: Iterable[Entry]) -> datetime.datetime | None:
    """When an Application that still waits was last found changed. New ones do not count."""
    waiting = Status.WAITING
    return max((e.since for e in entries if e.status is waiting and e.message in _CHANGED), default=None)


def _open(plan: Plan, entries: Mapping[str, Entry]) -> frozenset[str]:
    """The members of all steps up to the first that is not through: one whose every member is there and healthy."""
    opened: set[str] = set()
    for members in plan.members:
        opened.update(members)
        if any(name not in entries or entries[name].status is not Status.HEALTHY for name in members):
            break
    return frozenset(opened)


def _promote(
    entries: Sequence[Entry], plan: Plan, opened: frozenset[str], now: datetime.datetime
) -> list[Entry]:
    """Waiting ones of open steps become pending, within their steps' limits.

    An Application of no step counts as one of the first, as in Argo CD.
    """
    homes = [plan.step_of.get(entry.name, 0) for entry in entries]
    totals, under_way = [0] * len(plan.steps), [0] * len(plan.steps)
    for entry, at in zip(entries, homes, strict=True):
        totals[at] += 1
        under_way[at] += entry.status in _UNDER_WAY
    limits = [step.limit(total) for step, total in zip(plan.steps, totals, strict=True)]
    waiting, out = Status.WAITING, []
    for entry, at in zip(entries, homes, strict=True):
        if entry.status is waiting and under_way[at] < limits[at] and entry.name in opened:
            message = f"Application moved to Pending status, watching for the {_DONE} to start Progressing"
            entry = replace(entry, status=Status.PENDING, since=now, message=message)
            under_way[at] += 1
        out.append(entry)
    return out


def _rolling(entries: Iterable[Entry], steps: int) -> int:
    """The first step with an Application that is not healthy, 0 where there is none."""
    unfinished = {entry.step for entry in entries if entry.status is not Status.HEALTHY}
    return next((step for step in range(1, steps + 1) if step in unfinished), 0)


def _fits(labels: Mapping[str, str], key: str, operator: str, values: tuple[str, ...]) -> bool:
    """An operator that is neither In nor NotIn fits only where the label is absent, as in Argo CD."""
    if key not in labels:
        return operator != "In"
    if operator == "In":
        return labels[key] in values
    return operator == "NotIn" and labels[key] not in values


def _issue(steps: Sequence[Step], members: Sequence[Sequence[str]], doubled: Mapping[str, list[int]]) -> str:
    """The gravest mistake of a strategy (the condition InvalidRolloutConfig), "" for none."""
    for at, step in enumerate(steps, 1):
        for _, operator, _ in step.expressions:
            if operator not in ("In", "NotIn"):
                return f"step {at}: matchExpressions operator {operator!r}, In and NotIn are supported"
    for name, at_steps in doubled.items():
        numbers = ", ".join(str(at + 1) for at in at_steps)
        return f"application {name!r} is selected by several steps: {numbers}"
    for at, step in enumerate(steps, 1):
        if isinstance(step.most, str) and not PERCENT.match(step.most):
            return f"step {at}: maxUpdate {step.most!r}, a number or a percentage is expected"
    empty = [str(at) for at, names in enumerate(members, 1) if not names]
    return f"no application matches step {', '.join(empty)}" if empty else ""
