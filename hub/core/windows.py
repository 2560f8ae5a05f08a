"""Whether the sync windows of a project let an Application sync at a time (Argo CD 3.6, `SyncWindows.CanSync`).

`now` is an argument everywhere. A window is open strictly between its start and its end; its schedule runs on the
wall clock that its time zone has *at present*, so around a change of the clocks a past start is reckoned with the
present offset, as in Argo CD.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from argosy.errors import Invalid
from hub.core import cron, gobwas

ALLOW, DENY = "allow", "deny"

_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_PIECE = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = Decimal(2**63) / 10**9


@dataclass(frozen=True, slots=True)
class Window:
    """One entry of `spec.syncWindows`. Its schedule and duration are read when they are asked for, since a mistake
    in a window that does not concern an Application is none of the Application's."""

    kind: str
    schedule: str
    duration: str
    time_zone: str = ""
    applications: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    every_list: bool = False
    """All lists that are there must match (`andOperator`); else one is enough."""
    manual_sync: bool = False
    sync_overrun: bool = False

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
        return bool(answers) and (all(answers) if self.every_list else any(answers))

    def open_at(self, time: datetime.datetime, present: datetime.datetime) -> bool:
        """Whether the window is open at `time`, on the clock as it stands at `present`.

        A schedule that never fires counts as open, as in Argo CD. Raises `Invalid` where it cannot be read.
        """
        schedule, length = cron.parse(self.schedule), seconds(self.duration)
        zone = cron.zone_of(self.time_zone) or cron.UTC
        offset = present.astimezone(zone).utcoffset() or datetime.timedelta()
        if not schedule.expression:
            return True
        end = time.astimezone(datetime.UTC) + offset
        return length > 0 and schedule.fires_between(_back(end, length), end)


def parse(entries: Iterable[Mapping[str, Any]] | None) -> tuple[Window, ...]:
    """The windows of a project's `spec.syncWindows`."""
    return tuple(_window(entry) for entry in entries or () if entry)


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
    mine = [window for window in windows if window.concerns(app)]
    allowed, blocking = _at(mine, now, now, manual)
    if allowed or started is None or not all(window.sync_overrun for window in blocking):
        return allowed
    return _at(mine, started, now, manual)[0]


def _at(
    windows: Sequence[Window], time: datetime.datetime, present: datetime.datetime, manual: bool
) -> tuple[bool, Sequence[Window]]:
    """(allowed, the windows that block): open denials, else allowances that are all closed."""
    opened = [window.open_at(time, present) for window in windows]
    denials = [w for w, is_open in zip(windows, opened, strict=True) if is_open and w.kind == DENY]
    if not denials and any(is_open and w.kind == ALLOW for w, is_open in zip(windows, opened, strict=True)):
        return True, ()
    blocking = denials or [window for window in windows if window.kind == ALLOW]
    return not blocking or (manual and all(window.manual_sync for window in blocking)), blocking


def seconds(text: str) -> Decimal:
    """A duration as Go writes it (`1h30m`, `1.5h`, `-5m`, `0`), in seconds. Raises `Invalid`."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return Decimal(0)
    total, at = Decimal(0), 0
    while found := _PIECE.match(rest, at):
        total += Decimal(found[1]) * _UNITS[found[2]]
        at = found.end()
    if not rest or at != len(rest) or total >= _LONGEST:
        raise Invalid(f"duration {text!r}: a number with a unit is expected, as in 1h30m")
    return sign * total


def _back(end: datetime.datetime, length: Decimal) -> datetime.datetime:
    try:
        return end - datetime.timedelta(seconds=float(length))
    except OverflowError:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _any(patterns: Sequence[str], texts: Sequence[str]) -> bool:
    return any(gobwas.match(pattern, text) for pattern in patterns for text in texts)


def _window(entry: Mapping[str, Any]) -> Window:
    def texts(key: str) -> tuple[str, ...]:
        return tuple(map(str, entry.get(key) or ()))

    return Window(
        kind=str(entry.get("kind") or ""),
        schedule=str(entry.get("schedule") or ""),
        duration=str(entry.get("duration") or ""),
        time_zone=str(entry.get("timeZone") or ""),
        applications=texts("applications"),
        clusters=texts("clusters"),
        namespaces=texts("namespaces"),
        every_list=bool(entry.get("andOperator")),
        manual_sync=bool(entry.get("manualSync")),
        sync_overrun=bool(entry.get("syncOverrun")),
    )
