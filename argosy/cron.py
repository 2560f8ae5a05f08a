"""When a cron schedule fires, read as Argo CD's parser reads it (robfig/cron 3: five fields, names, `?`, CRON_TZ).

cronsim does the calendar; it follows Debian's cron, which reads some fields differently, so every field is
resolved to its numbers first. Knows nothing of windows and of the present time.
"""

from __future__ import annotations

import datetime
import functools
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cronsim

from argosy.errors import Invalid

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NUMBER = re.compile(r"[+]?[0-9]+\Z")
_SLACK = datetime.timedelta(hours=3)
"""More than any zone's clock was ever moved at once."""

UTC = zoneinfo.ZoneInfo("UTC")


@dataclass(frozen=True)
class Schedule:
    """`expression` is what cronsim is given, "" where no day of the calendar ever fits.

    A time that the zone's clock skips is none and one that it shows twice is two, as in Argo CD; with `once`, either is
    one: what is skipped comes as much later as the clock was put forward, what is shown twice counts at first.
    """

    expression: str
    zone: zoneinfo.ZoneInfo = UTC
    once: bool = False

    def fires_between(self, after: datetime.datetime, before: datetime.datetime) -> bool:
        """Whether a time of the schedule lies in the open interval of the two, which are in UTC."""
        if not self.expression:
            return False
        if self.zone is UTC:
            latest = next(self._walls(before.replace(tzinfo=None)), None)
            return latest is not None and latest > after.replace(tzinfo=None)
        until = after.astimezone(self.zone).replace(tzinfo=None) - _SLACK
        for wall in self._walls(before.astimezone(self.zone).replace(tzinfo=None) + _SLACK):
            if wall < until:
                return False
            if any(after < instant < before for instant in self._instants(wall)):
                return True
        return False

    def last_before(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The latest time of the schedule before a moment, both in UTC; None where there is none."""
        if not self.expression:
            return None
        found: datetime.datetime | None = None
        for wall in self._walls(moment.astimezone(self.zone).replace(tzinfo=None) + _SLACK):
            if found is not None and wall < found.astimezone(self.zone).replace(tzinfo=None) - _SLACK:
                break
            instants = [one for one in self._instants(wall) if one < moment]
            found = max([*instants, *([found] if found else [])], default=None)
        return found

    def first_from(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The earliest time of the schedule at a moment or after it, both in UTC; None where there is none."""
        if not self.expression:
            return None
        found: datetime.datetime | None = None
        begin = moment.astimezone(self.zone).replace(tzinfo=None) - _SLACK
        for wall in cronsim.CronSim(self.expression, begin):
            if found is not None and wall > found.astimezone(self.zone).replace(tzinfo=None) + _SLACK:
                break
            instants = [one for one in self._instants(wall) if one >= moment]
            found = min([*instants, *([found] if found else [])], default=None)
        return found

    def _instants(self, wall: datetime.datetime) -> list[datetime.datetime]:
        """The instants, in UTC, that a wall time of the schedule stands for."""
        if self.once:
            return [wall.replace(tzinfo=self.zone, fold=0).astimezone(datetime.UTC)]
        return _instants(wall, self.zone)

    def _walls(self, before: datetime.datetime) -> Iterator[datetime.datetime]:
        """The schedule's times before a wall time, latest first."""
        return cronsim.CronSim(self.expression, before, reverse=True)


def _instants(wall: datetime.datetime, zone: zoneinfo.ZoneInfo) -> list[datetime.datetime]:
    """The instants at which a clock of the zone shows a wall time: none, one or two."""
    found = {wall.replace(tzinfo=zone, fold=fold).astimezone(datetime.UTC) for fold in (0, 1)}
    return [instant for instant in found if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """Reads a schedule. Raises `Invalid` for what Argo CD refuses: descriptors, six fields, day of week 7."""
    zone = UTC
    spec = text
    if text.startswith(("TZ=", "CRON_TZ=")):
        name, space, spec = text.partition("=")[2].partition(" ")
        found = zone_of(name)
        if found is None or not space:
            raise Invalid(f"schedule {text!r}: {name!r} is no time zone")
        zone = found
    words = spec.split()
    if len(words) != len(_FIELDS):
        raise Invalid(f"schedule {text!r}: five fields are expected, found {len(words)}")
    sets = [_field(word, *field, text=text) for word, field in zip(words, _FIELDS, strict=True)]
    return Schedule(_expression(sets), zone)


def zone_of(name: str) -> zoneinfo.ZoneInfo | None:
    """The IANA time zone of a name, UTC for "", None where there is none."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _expression(sets: Sequence[frozenset[int] | None]) -> str:
    """The five fields for cronsim, None is every value; "" where no day fits."""
    days, months, weekdays = sets[2:]
    if days and weekdays == frozenset():
        # Either of the two is enough, and one of them never comes.
        weekdays = None
    elif weekdays and days == frozenset():
        days = None
    sets = [*sets[:2], days, months, weekdays]
    if any(numbers is not None and not numbers for numbers in sets):
        return ""
    if days is not None and weekdays is None:
        # With a day of week beside it, a day of month that never comes is no hindrance: either is enough.
        longest = max(_LONGEST[month - 1] for month in months or range(1, 13))
        if min(days) > longest:
            return ""
    return " ".join("*" if numbers is None else ",".join(map(str, sorted(numbers))) for numbers in sets)


def _field(
    word: str, name: str, low: int, high: int, names: dict[str, int], *, text: str
) -> frozenset[int] | None:
    """The numbers of a field, None where a star in it means "any" for the rule of the two day fields."""
    numbers: set[int] = set()
    any_value = False
    for part in filter(None, word.split(",")):
        try:
            first, last, step, star = _range(part, low, high, names)
        except ValueError as error:
            raise Invalid(f"schedule {text!r}: {name} {part!r}: {error}") from None
        any_value = any_value or star
        numbers.update(range(first, last + 1, step))
    return None if any_value else frozenset(numbers)


def _range(part: str, low: int, high: int, names: dict[str, int]) -> tuple[int, int, int, bool]:
    """(first, last, step, whether it is a star). Raises `ValueError`."""
    span, *steps = part.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if star:
        first, last = low, high
    elif len(ends) > 2:
        raise ValueError("too many hyphens")
    else:
        first = _number(ends[0], names)
        last = _number(ends[-1], names)
    if len(steps) > 1:
        raise ValueError("too many slashes")
    step = _number(steps[0], {}) if steps else 1
    if steps and len(ends) == 1:
        last = high
    if first < low or last > high or first > last or step == 0:
        raise ValueError(f"{low} to {high} are possible, in rising order, with a step of 1 or more")
    return first, last, step, star and step == 1


def _number(word: str, names: dict[str, int]) -> int:
    if word.lower() in names:
        return names[word.lower()]
    if not _NUMBER.match(word):
        raise ValueError(f"{word!r} is not a number")
    return int(word)
