"""The sync windows of projects and of rollout policies: which concern an Application, and what they say of it.

When a window is open is `argosy.windows`, which the agent shares.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import gobwas
from argosy import windows as clock

CLUSTER_ZONE = "cluster"
"""The time zone of a policy's window that runs on each cluster's own clock."""


@dataclass(frozen=True, slots=True)
class Window:
    """One entry of `spec.syncWindows`: when it is open, and what it is for.

    `always`: without any list it concerns every Application (a policy's) and not none (a project's, as in Argo CD).
    """

    when: clock.Window
    applications: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    every_list: bool = False
    """All lists that are there must match (`andOperator`); else one is enough."""
    always: bool = False

    def concerns(self, app: Mapping[str, Any]) -> bool:
        """Whether it is a window of this Application manifest."""
        destination: Mapping[str, Any] = (app.get("spec") or {}).get("destination") or {}
        name = str((app.get("metadata") or {}).get("name") or "")
        places = [str(destination.get(key) or "") for key in ("name", "server")]
        asked = (
            (self.applications, [name]),
            (self.clusters, [place for place in places if place]),
            (self.namespaces, [str(destination.get("namespace") or "")]),
        )
        answers = [_any(patterns, texts) for patterns, texts in asked if patterns]
        if not answers:
            return self.always
        return all(answers) if self.every_list else any(answers)


def parse(entries: Iterable[Mapping[str, Any]] | None) -> tuple[Window, ...]:
    """The windows of a project's `spec.syncWindows`."""
    return tuple(_window(entry, exact=False) for entry in entries or () if entry)


def parse_policy(entries: Iterable[Mapping[str, Any]] | None) -> tuple[Window, ...]:
    """The windows of a rollout policy: entries alike, on the clock of their zone on both sides of its changes. The zone
    may be `CLUSTER_ZONE`."""
    return tuple(_window(entry, exact=True) for entry in entries or () if entry)


def can_sync(
    windows: Sequence[Window],
    app: Mapping[str, Any],
    now: datetime.datetime,
    *,
    manual: bool = False,
    started: datetime.datetime | None = None,
) -> bool:
    """Whether `app` may sync now; `manual` for a sync that somebody asked for, `started` for one that is under way.

    Raises `Invalid` where a window of the Application cannot be read: then nothing may sync.
    """
    mine = [window.when for window in windows if window.concerns(app)]
    return clock.can_sync(mine, now, manual=manual, started=started)


def _any(patterns: Sequence[str], texts: Sequence[str]) -> bool:
    return any(gobwas.match(pattern, text) for pattern in patterns for text in texts)


def _window(entry: Mapping[str, Any], *, exact: bool) -> Window:
    def texts(key: str) -> tuple[str, ...]:
        return tuple(map(str, entry.get(key) or ()))

    when = clock.Window(
        kind=str(entry.get("kind") or ""),
        schedule=str(entry.get("schedule") or ""),
        duration=str(entry.get("duration") or ""),
        time_zone=str(entry.get("timeZone") or ""),
        manual_sync=bool(entry.get("manualSync")),
        sync_overrun=bool(entry.get("syncOverrun")),
        exact=exact,
    )
    return Window(
        when,
        applications=texts("applications"),
        clusters=texts("clusters"),
        namespaces=texts("namespaces"),
        every_list=bool(entry.get("andOperator")),
        always=exact,
    )
