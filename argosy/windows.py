"""Whether sync windows let something sync at a time (Argo CD 3.6, `SyncWindows.CanSync`): the rule that hub and agent
share. Which windows are an Application's own is the hub's to say (`hub.core.holds.windows`).

`now` is an argument everywhere. A window is open strictly between its start and its end; its schedule runs on the
wall clock that its time zone has *at present*, so around a change of the clocks a past start is reckoned with the
present offset, as in Argo CD. A window that is `exact` keeps to its zone's clock instead.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from argosy.errors import Invalid

if TYPE_CHECKING:
    from argosy.cron import Schedule

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
_FIRST = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_NO_TIME = datetime.timedelta()
_JUST_AFTER = datetime.timedelta(milliseconds=1)
"""A window is open strictly after its start and no longer at its end."""


@dataclass(frozen=True, slots=True)
class Window:
    """When a window is open and what it then means. Schedule and duration are read when they are asked for, since a
    mistake in a window that does not concern an Application is none of the Application's.

    `exact`: the schedule keeps to the zone's clock on both sides of a change; one that its clock skips opens as much
    later, one that it shows twice opens once. Argosy's own windows are such.
    """

    kind: str
    schedule: str
    duration: str
    time_zone: str = ""
    manual_sync: bool = False
    sync_overrun: bool = False
    exact: bool = False

    def open_at(self, time: datetime.datetime, present: datetime.datetime) -> bool:
        """Whether the window is open at `time`, on the clock as it stands at `present`.

        A schedule that never fires counts as open, as in Argo CD. Raises `Invalid` where it cannot be read.
        """
        schedule, length, offset = self._read(present)
        if not schedule.expression:
            return not self.exact
        end = time.astimezone(datetime.UTC) + offset
        return length > 0 and schedule.fires_between(_shifted(end, -length), end)

    def change_after(self, now: datetime.datetime) -> datetime.datetime | None:
        """The first moment after `now` at which `open_at` may answer otherwise, None for never; on the clock as it
        stands now, so it is to be asked again after a change of the clocks. Raises `Invalid`."""
        schedule, length, offset = self._read(now)
        if not schedule.expression or length <= 0:
            return None
        local = now.astimezone(datetime.UTC) + offset
        starts = schedule.first_from(local), schedule.last_before(local)
        moments = [starts[0] + _JUST_AFTER] if starts[0] else []
        if starts[1]:
            moments.append(_shifted(starts[1], length))
        return min((moment - offset for moment in moments if moment > local), default=None)

    def _read(self, present: datetime.datetime) -> tuple[Schedule, Decimal, datetime.timedelta]:
        """(the schedule, seconds, what is added to a time before the schedule is asked about it)."""
        # Late: only an agent of a cluster with windows pays for calendars and zones, 1.5 MB.
        from argosy import cron

        schedule, length = cron.parse(self.schedule), seconds(self.duration)
        zone = cron.zone_of(self.time_zone) or cron.UTC
        if self.exact:
            zone = zone if schedule.zone is cron.UTC else schedule.zone
            return replace(schedule, zone=zone, once=True), length, _NO_TIME
        return schedule, length, present.astimezone(zone).utcoffset() or _NO_TIME


def can_sync(
    windows: Sequence[Window],
    now: datetime.datetime,
    *,
    manual: bool = False,
    started: datetime.datetime | None = None,
) -> bool:
    """Whether what these windows concern may sync now; `manual` for a sync that somebody asked for, `started` for one
    that is under way. Raises `Invalid` where a window cannot be read: then nothing may sync.
    """
    allowed, blocking = at(windows, now, now, manual=manual)
    if allowed or started is None or not all(window.sync_overrun for window in blocking):
        return allowed
    return at(windows, started, now, manual=manual)[0]


def at(
    windows: Sequence[Window], time: datetime.datetime, present: datetime.datetime, *, manual: bool = False
) -> tuple[bool, Sequence[Window]]:
    """(allowed, the windows that block): open denials, else allowances that are all closed."""
    opened = [window.open_at(time, present) for window in windows]
    denials = [w for w, is_open in zip(windows, opened, strict=True) if is_open and w.kind == DENY]
    if not denials and any(is_open and w.kind == ALLOW for w, is_open in zip(windows, opened, strict=True)):
        return True, ()
    blocking = denials or [window for window in windows if window.kind == ALLOW]
    return not blocking or (manual and all(window.manual_sync for window in blocking)), blocking


def change_after(windows: Iterable[Window], now: datetime.datetime) -> datetime.datetime | None:
    """The first moment after `now` at which one of these opens or closes, None for never. Those that cannot be read
    never do."""
    found = []
    for window in windows:
        try:
            found.append(window.change_after(now))
        except Invalid:
            continue
    return min((moment for moment in found if moment is not None), default=None)


def seconds(text: str) -> Decimal:
    """A duration as Go writes it (`1h30m`, `1.5h`, `-5m`, `0`), in seconds. Raises `Invalid`."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return Decimal(0)
    total, place = Decimal(0), 0
    while found := _PIECE.match(rest, place):
        total += Decimal(found[1]) * _UNITS[found[2]]
        place = found.end()
    if not rest or place != len(rest) or total >= _LONGEST:
        raise Invalid(f"duration {text!r}: a number with a unit is expected, as in 1h30m")
    return sign * total


def _shifted(moment: datetime.datetime, length: Decimal) -> datetime.datetime:
    try:
        return moment + datetime.timedelta(seconds=float(length))
    except OverflowError:
        return _FIRST if length < 0 else _LAST
