"""Whether sync windows let an Application sync, as Argo CD 3.6 decides it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from argosy import windows as clock
from argosy.errors import Invalid
from hub.core.holds import windows

APP = {
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {"destination": {"server": "https://red.test", "namespace": "shop"}},
}


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def window(
    kind: str = "allow", schedule: str = "0 9 * * *", duration: str = "1h", **more: Any
) -> dict[str, Any]:
    return {"kind": kind, "schedule": schedule, "duration": duration, "applications": ["*"], **more}


def may(now: str, *found: dict[str, Any], manual: bool = False, started: str = "") -> bool:
    return windows.can_sync(
        windows.parse(found), APP, at(now), manual=manual, started=at(started) if started else None
    )


INSIDE, OUTSIDE = "2026-05-04T09:30:00", "2026-05-04T12:00:00"


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        ("2026-05-04T09:00:00", False),
        ("2026-05-04T09:00:01", True),
        ("2026-05-04T09:59:59", True),
        ("2026-05-04T10:00:00", False),
    ],
)
def test_a_window_is_open_strictly_between_its_start_and_its_end(now: str, answer: bool) -> None:
    assert may(now, window()) is answer


@pytest.mark.parametrize(
    ("found", "now", "manual", "answer"),
    [
        ([], OUTSIDE, False, True),
        ([window()], OUTSIDE, False, False),
        ([window()], OUTSIDE, True, False),
        ([window(manualSync=True)], OUTSIDE, True, True),
        ([window(manualSync=True), window(schedule="0 3 * * *")], OUTSIDE, True, False),
        ([window("deny")], INSIDE, False, False),
        ([window("deny")], OUTSIDE, False, True),
        ([window("deny", manualSync=True)], INSIDE, True, True),
        ([window("deny", manualSync=True), window("deny", duration="2h")], INSIDE, True, False),
        ([window("deny"), window()], INSIDE, False, False),
        ([window("deny"), window()], OUTSIDE, False, False),
        ([window("other")], OUTSIDE, False, True),
    ],
)
def test_how_windows_combine(found: list[Any], now: str, manual: bool, answer: bool) -> None:
    assert may(now, *found, manual=manual) is answer


@pytest.mark.parametrize(
    ("found", "started", "answer"),
    [
        ([window(syncOverrun=True)], "2026-05-04T09:50:00", True),
        ([window(syncOverrun=True)], "2026-05-04T08:50:00", False),
        ([window()], "2026-05-04T09:50:00", False),
        ([window(syncOverrun=True), window(schedule="0 3 * * *")], "2026-05-04T09:50:00", False),
        ([window("deny", "0 10 * * *", syncOverrun=True)], "2026-05-04T09:50:00", True),
        ([window("deny", "0 10 * * *")], "2026-05-04T09:50:00", False),
    ],
)
def test_a_running_sync_overruns_only_where_all_blocking_windows_let_it(
    found: list[Any], started: str, answer: bool
) -> None:
    assert may("2026-05-04T10:30:00", *found, started=started) is answer


@pytest.mark.parametrize(
    ("lists", "concerned"),
    [
        ({"applications": ["we?"]}, True),
        ({"applications": ["!web"]}, False),
        ({"clusters": ["https://red.*"]}, True),
        ({"clusters": ["red"]}, False),
        ({"namespaces": ["shop"], "applications": ["db"]}, True),
        ({"namespaces": ["shop"], "applications": ["db"], "andOperator": True}, False),
        ({"namespaces": ["shop"], "clusters": ["*"], "andOperator": True}, True),
        ({"andOperator": True}, False),
        ({}, False),
    ],
)
def test_whose_window_it_is(lists: dict[str, Any], concerned: bool) -> None:
    (found,) = windows.parse([{"kind": "deny", "schedule": "x", "duration": "y", **lists}])
    assert found.concerns(APP) is concerned


def test_only_a_mistake_in_an_own_window_blocks() -> None:
    wrong = window(schedule="@daily")
    with pytest.raises(Invalid, match="@daily"):
        may(INSIDE, wrong)
    assert may(INSIDE, {**wrong, "applications": ["other"]})


def test_a_window_that_never_comes_counts_as_open() -> None:
    assert may(OUTSIDE, window(schedule="0 0 30 2 *"))


def test_a_zone_counts_with_the_offset_of_now() -> None:
    evening = window(schedule="0 20 * * *", duration="8h", timeZone="Europe/Berlin")
    # The clocks go forward at 01:00 UTC: before, the window began at 19:00 UTC, seen from later it began at 18:00.
    assert may("2026-03-29T00:30:00", evening)
    assert may("2026-03-29T01:59:59", evening)
    assert not may("2026-03-29T02:00:00", evening)
    assert not may("2026-03-28T18:59:00", evening)
    assert may("2026-05-04T09:30:00", window(timeZone="Nowhere/At"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("1.5h", 5400), ("0", 0), ("-5m", -300), (".5s", 0.5), ("1h1h", 7200), ("+2m", 120)],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert float(clock.seconds(text)) == seconds


@pytest.mark.parametrize("text", ["", "1", "1d", "1 h", "h", "--1s", "1e3s", "9999999h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Invalid, match="duration"):
        clock.seconds(text)


def test_a_duration_of_nothing_is_never_open() -> None:
    assert not may("2026-05-04T09:00:00", window(duration="0"))
    assert not may(INSIDE, window(duration="-1h"))
