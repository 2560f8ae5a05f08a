"""Who may not be moved now, why and until when: freezes, and the sync windows of projects and rollout policies.

Decided for whole fleets: what depends on the clock is asked once for each group of Applications with equal windows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy import windows as clock
from argosy.errors import Invalid
from hub.core.holds import windows
from hub.core.holds.freezes import Freeze, Orders, Subject
from hub.core.holds.windows import Window
from hub.core.rollout.model import Hold

LOOK_AGAIN = 3600.0
"""Seconds after which windows are looked at again whatever they said: a clock may have been changed meanwhile."""
_FAR = 64
"""Openings and closings that are looked at to say when a hold ends."""


@dataclass(frozen=True, slots=True)
class Holds:
    """`by_app` has those that may not be moved. `wake` is the next moment at which that may change by itself (Unix
    seconds), 0 for never."""

    by_app: Mapping[str, Hold] = field(default_factory=dict)
    wake: float = 0.0


@dataclass(frozen=True, slots=True)
class _Answer:
    hold: Hold | None
    change: float


def of(
    subjects: Iterable[Subject],
    orders: Orders,
    projects: Mapping[str, Sequence[Window]],
    now: float,
    policy: Sequence[Window] = (),
) -> Holds:
    """The holds of Applications. `projects` has the sync windows by project, `policy` those of a rollout policy that
    all of these follow; a project's windows are for what syncs by itself (Argo CD), a policy's for everybody."""
    asked = _Clock(now)
    found: dict[str, Hold] = {}
    for subject in subjects:
        if (hold := _held(subject, orders, projects, policy, asked)) is not None:
            found[subject.id] = hold
    changes = [*asked.changes, *([orders.ends] if orders else [])]
    return Holds(found, min(changes, default=0.0))


def frozen(freeze: Freeze) -> Hold:
    """The words of a freeze."""
    end = datetime.datetime.fromtimestamp(freeze.until, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    who = f" by {freeze.person}" if freeze.person else ""
    return Hold(f"frozen{who} until {end}: {freeze.reason} (freeze {freeze.name})", freeze.until)


def _held(
    subject: Subject,
    orders: Orders,
    projects: Mapping[str, Sequence[Window]],
    policy: Sequence[Window],
    asked: _Clock,
) -> Hold | None:
    if orders and orders.overridden(subject) is not None:
        return None
    if orders and (freeze := orders.frozen(subject)) is not None:
        return frozen(freeze)
    if subject.automated or subject.manual:
        mine = own_windows(projects.get(subject.project, ()), subject)
        if mine and (hold := asked.answer(mine, subject.manual, f"project {subject.project}")) is not None:
            return hold
    mine = own_windows(policy, subject)
    return asked.answer(mine, subject.manual, "its rollout policy") if mine else None


def own_windows(listed: Sequence[Window], subject: Subject) -> tuple[clock.Window, ...]:
    """When the windows that concern an Application are open, on the clock of its cluster where they say so."""
    app = subject.manifest or {"metadata": {"name": subject.name}, "spec": {}}
    return tuple(_on_clock(each.when, subject) for each in listed if each.concerns(app))


def _on_clock(when: clock.Window, subject: Subject) -> clock.Window:
    if when.time_zone != windows.CLUSTER_ZONE or not when.exact:
        return when
    return replace(when, time_zone=subject.cluster.time_zone)


class _Clock:
    """Answers what depends on the time, once for all that ask alike."""

    def __init__(self, now: float) -> None:
        self._now = datetime.datetime.fromtimestamp(now, datetime.UTC)
        self._known: dict[tuple[tuple[clock.Window, ...], bool, str], _Answer] = {}

    @property
    def changes(self) -> list[float]:
        return [answer.change for answer in self._known.values()]

    def answer(self, mine: tuple[clock.Window, ...], manual: bool, whose: str) -> Hold | None:
        key = (mine, manual, whose)
        if key not in self._known:
            self._known[key] = self._ask(mine, manual, whose)
        return self._known[key].hold

    def _ask(self, mine: tuple[clock.Window, ...], manual: bool, whose: str) -> _Answer:
        latest = self._now.timestamp() + LOOK_AGAIN
        change = clock.change_after(mine, self._now)
        next_look = min(change.timestamp(), latest) if change else latest
        try:
            allowed, blocking = clock.at(mine, self._now, self._now, manual=manual)
        except Invalid as error:
            return _Answer(Hold(f"a sync window of {whose} cannot be read: {error.message}"), next_look)
        if allowed:
            return _Answer(None, next_look)
        denied = any(each.kind == clock.DENY for each in blocking)
        why = f"a sync window of {whose} denies it" if denied else f"outside the sync windows of {whose}"
        return _Answer(Hold(why, self._end(mine, manual)), next_look)

    def _end(self, mine: tuple[clock.Window, ...], manual: bool) -> float:
        """When it is allowed next, 0 where that is too far to see."""
        moment = self._now
        for _ in range(_FAR):
            later = clock.change_after(mine, moment)
            if later is None:
                return 0.0
            moment = later
            if clock.can_sync(mine, moment, manual=manual):
                return moment.timestamp()
        return 0.0
