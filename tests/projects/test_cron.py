"""When a schedule fires, read as Argo CD reads it."""

from __future__ import annotations

import datetime

import pytest

from argosy import cron
from argosy.errors import Invalid


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def fires(schedule: str, after: str, before: str) -> bool:
    return cron.parse(schedule).fires_between(at(after), at(before))


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "@daily",
        "@every 1h",
        "0 0 * * 7",
        "0 0 0 * * *",
        "0 24 * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "a * * * *",
        "CRON_TZ=Nowhere/At 0 0 * * *",
        "CRON_TZ=UTC",
    ],
)
def test_what_argo_cd_refuses_is_refused_by_name(schedule: str) -> None:
    with pytest.raises(Invalid, match="schedule"):
        cron.parse(schedule)


@pytest.mark.parametrize(
    ("schedule", "after", "before", "answer"),
    [
        ("0 1 * * *", "2026-03-10T00:59:59", "2026-03-10T01:00:01", True),
        ("0 1 * * *", "2026-03-10T01:00:00", "2026-03-11T01:00:00", False),
        ("0 1 ? * MON-fri", "2026-03-07T00:00:00", "2026-03-09T00:00:00", False),
        ("0 1 ? jan,MAR Mon", "2026-03-09T00:00:00", "2026-03-10T00:00:00", True),
        ("5/20 * * * *", "2026-03-09T00:30:00", "2026-03-09T00:46:00", True),
        # A day of month beside a day of week: either; with a star in one of them: both.
        ("0 0 1 * 1", "2026-03-08T12:00:00", "2026-03-09T12:00:00", True),
        ("0 0 */9 * 1", "2026-03-18T12:00:00", "2026-03-19T12:00:00", True),
        ("0 0 */1 * 1", "2026-03-09T12:00:00", "2026-03-15T12:00:00", False),
        # A field of nothing but commas never comes; beside the other day field it is no hindrance.
        ("0 0 7 * ,", "2026-03-06T12:00:00", "2026-03-07T12:00:00", True),
        ("0 0 , * 6", "2026-03-06T12:00:00", "2026-03-07T12:00:00", True),
        ("0 0 , * 6", "2026-03-07T12:00:00", "2026-03-08T12:00:00", False),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-28T00:00:00", False),
        ("0 0 31 2 1", "2026-02-01T00:00:00", "2026-02-03T00:00:00", True),
    ],
)
def test_times_in_an_interval(schedule: str, after: str, before: str, answer: bool) -> None:
    assert fires(schedule, after, before) is answer


@pytest.mark.parametrize(
    "schedule", ["0 0 30 2 *", "0 0 31 4,6 *", ", * * * *", "0 0 * * ,", "0 0 , * *", "0 0 , * ,"]
)
def test_a_schedule_without_any_day_never_fires(schedule: str) -> None:
    assert not fires(schedule, "2026-01-01T00:00:00", "2036-01-01T00:00:00")


def test_a_zone_skips_and_repeats_times_with_its_clocks() -> None:
    berlin = "CRON_TZ=Europe/Berlin 30 2 * * *"
    assert not fires(berlin, "2026-03-28T12:00:00", "2026-03-29T12:00:00")
    assert fires(berlin, "2026-10-25T00:29:00", "2026-10-25T00:31:00")
    assert fires(berlin, "2026-10-25T01:29:00", "2026-10-25T01:31:00")
    assert not fires(berlin, "2026-10-25T00:31:00", "2026-10-25T01:29:00")
