"""Absence is not a command: what it takes until an application goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.errors import Invalid
from hub.core.removals import caps, grace, judging
from hub.core.removals.judging import Member, Pending, Verdict

FLEET = [Member(f"app-{n}", f"c{n}") for n in range(10)]
NAMES = {member.name for member in FLEET}


def judge(wanted: set[str], before: Pending | None = None, **options: object) -> Verdict:
    settings: dict[str, object] = {"complete": True, "annotations": {}, "now": 100.0, "before": before}
    settings["reread"] = before is not None
    return judging.judge(FLEET, wanted, **{**settings, **options})  # type: ignore[arg-type]


def test_one_reading_without_an_application_only_asks_for_a_second() -> None:
    verdict = judge(NAMES - {"app-1"})
    assert verdict.remove == ()
    assert verdict.recheck
    assert verdict.pending is not None
    assert verdict.pending.names == ("app-1",)


def test_the_second_complete_reading_removes() -> None:
    first = judge(NAMES - {"app-1"})
    assert judge(NAMES - {"app-1"}, first.pending).remove == ("app-1",)


def test_a_second_look_at_the_same_reading_removes_nothing() -> None:
    first = judge(NAMES - {"app-1"})
    second = judge(NAMES - {"app-1"}, first.pending, reread=False)
    assert second.remove == ()
    assert second.recheck
    assert judge(NAMES - {"app-1"}, second.pending).remove == ("app-1",)


def test_another_application_missing_the_second_time_starts_anew() -> None:
    first = judge(NAMES - {"app-1"})
    second = judge(NAMES - {"app-1", "app-2"}, first.pending)
    assert second.remove == ()
    assert second.recheck


def test_an_incomplete_reading_removes_nothing_and_forgets_the_first() -> None:
    first = judge(NAMES - {"app-1"})
    assert judge(NAMES - {"app-1"}, first.pending, complete=False) == Verdict()


def test_a_deleted_set_keeps_its_applications_for_a_while() -> None:
    gone: dict[str, object] = {"deleting": True, "annotations": {caps.CAP_ANNOTATION: "100%"}}
    first = judge(set(), **gone)
    early = judge(set(), first.pending, until=101.0, **gone)
    assert (early.remove, early.recheck) == ((), True)
    assert set(judge(set(), first.pending, until=100.0, **gone).remove) == NAMES
    assert set(judge(set(), first.pending, until=101.0, approved=True, **gone).remove) == NAMES


@pytest.mark.parametrize(
    ("notes", "data", "seconds"),
    [
        ({}, {}, 2.0),
        ({}, {grace.KEY: "30s"}, 30.0),
        ({grace.ANNOTATION: "0s"}, {grace.KEY: "30s"}, 0.0),
        ({grace.ANNOTATION: "1m30s"}, {}, 90.0),
    ],
)
def test_how_long_that_is_says_the_set_else_the_hub(
    notes: dict[str, str], data: dict[str, str], seconds: float
) -> None:
    metadata = {"annotations": notes, "deletionTimestamp": "1970-01-01T00:01:40Z"}
    assert grace.of({"metadata": metadata}, data) == seconds
    assert grace.ends({"metadata": metadata}, seconds) == 100.0 + seconds
    assert grace.ends({"metadata": {}}, seconds) == 0.0


@pytest.mark.parametrize("text", ["soon", "-1s", "25h", "30"])
def test_a_time_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(Invalid, match=r"argosy.dev/deletion-grace\]: found"):
        grace.of({"metadata": {"annotations": {grace.ANNOTATION: text}}}, {})


def test_an_approval_that_stays_on_the_set_is_no_leave_for_what_was_made_anew() -> None:
    """A label flaps: what was approved went, came back, and is missing once more while the annotation is still there."""
    first, again = ([Member(f"app-{n}", f"c{n}", f"{life}-{n}") for n in range(10)] for life in ("a", "b"))
    wanted = NAMES - {"app-1", "app-2"}

    def asked(fleet: list[Member], notes: dict[str, str]) -> Verdict:
        pending = judging.judge(
            fleet, wanted, complete=True, annotations=notes, before=None, reread=False, now=1.0
        ).pending
        return judging.judge(
            fleet, wanted, complete=True, annotations=notes, before=pending, reread=True, now=2.0
        )

    held = asked(first, {}).pending
    assert held is not None
    approved = {judging.APPROVE_ANNOTATION: held.id}
    assert asked(first, approved).remove == ("app-1", "app-2")
    assert asked(again, approved).remove == ()
    assert "more than the cap" in asked(again, approved).blocked


def test_an_empty_reading_removes_nothing_without_leave() -> None:
    first = judge(set())
    second = judge(set(), first.pending)
    assert second.remove == ()
    assert "argosy.dev/allow-empty" in second.blocked


def test_more_clusters_than_the_cap_wait_for_an_approval_of_exactly_this_removal() -> None:
    wanted = NAMES - {"app-1", "app-2"}
    first = judge(wanted)
    held = judge(wanted, first.pending)
    assert held.remove == ()
    assert held.pending is not None
    assert held.pending.id in held.blocked
    assert judge(wanted, first.pending, annotations={judging.APPROVE_ANNOTATION: held.pending.id}).remove == (
        "app-1",
        "app-2",
    )
    assert judge(wanted, first.pending, annotations={judging.APPROVE_ANNOTATION: "another"}).remove == ()
    assert judge(wanted, first.pending, annotations={caps.CAP_ANNOTATION: "2"}).remove == (
        "app-1",
        "app-2",
    )


def test_a_set_under_deletion_wants_nothing_and_still_minds_the_cap() -> None:
    first = judge(set(), deleting=True)
    assert "removal-cap" not in first.blocked
    assert "cap of 1" in judge(set(), first.pending, deleting=True).blocked
    free = {caps.CAP_ANNOTATION: "100%"}
    assert set(judge(set(), first.pending, deleting=True, annotations=free).remove) == NAMES


def test_a_cap_that_cannot_be_read_lets_nothing_go() -> None:
    first = judge(NAMES - {"app-1"})
    verdict = judge(NAMES - {"app-1"}, first.pending, annotations={caps.CAP_ANNOTATION: "lots"})
    assert verdict.remove == ()
    assert "lots" in verdict.blocked


@given(
    readings=st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from(sorted(NAMES)))), max_size=8),
)
def test_nothing_goes_that_the_last_two_complete_readings_had(readings: list[tuple[bool, set[str]]]) -> None:
    pending, last = None, NAMES
    for complete, wanted in readings:
        verdict = judge(wanted, pending, complete=complete, annotations={caps.CAP_ANNOTATION: "100%"})
        assert not set(verdict.remove) & (wanted | last)
        assert complete or not verdict.remove
        assert wanted or not verdict.remove
        pending, last = verdict.pending, wanted if complete else NAMES


@pytest.mark.parametrize(("text", "limit"), [("", 5), ("3", 3), ("10%", 10), ("0", 0)])
def test_the_cap_is_read(text: str, limit: int) -> None:
    assert caps.parse(text).limit(100) == limit


@pytest.mark.parametrize("text", ["many", "-1", "101%", "5 %%"])
def test_a_wrong_cap_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Invalid, match="removal-cap"):
        caps.parse(text)
