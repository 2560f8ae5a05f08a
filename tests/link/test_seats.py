"""Which run of an agent acts for a cluster: every order of starts, ends, copies and waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.clusters import seats
from hub.core.clusters.seats import Seat

GRACE = 20.0


def sits(seat: Seat, run: str, *before: str, away: float | None = 0.0) -> bool:
    return seats.taken(seat, run, before, away=away, grace=GRACE) is not None


def test_the_first_one_sits_down() -> None:
    assert seats.taken(Seat(), "a1", (), away=None, grace=GRACE) == Seat("a1")


def test_an_agent_that_was_started_again_waits_for_nothing() -> None:
    assert sits(Seat("a1"), "a2", "a1")
    # The hub never heard of a2.
    assert sits(Seat("a1"), "a3", "a1", "a2")


def test_nobody_takes_the_seat_of_one_that_is_there() -> None:
    assert not sits(Seat("a1"), "b1", away=None)
    assert not sits(Seat("a1"), "a2", "a1", away=None)


def test_a_stranger_waits_until_the_holder_has_been_gone_for_a_while() -> None:
    assert not sits(Seat("a1"), "b1", away=GRACE - 1)
    assert sits(Seat("a1"), "b1", away=GRACE)


def test_one_that_came_second_waits_also_where_it_follows_the_holder_and_after_its_own_restart() -> None:
    seat = seats.refused(Seat("a1"), "b2")
    assert not sits(seat, "b2", "a1", away=1.0)
    assert not sits(seat, "b3", "a1", "b2", away=1.0)
    assert sits(seat, "a2", "a1", away=1.0)
    later = seats.taken(seat, "b3", ("a1", "b2"), away=GRACE, grace=GRACE)
    assert later == Seat("b3")


def test_of_many_that_came_second_the_newest_are_remembered() -> None:
    seat = Seat("a1")
    for number in range(40):
        seat = seats.refused(seat, f"b{number}")
    assert len(seat.refused) == seats.MAX_REFUSED
    assert seat.refused[-1] == "b39"
    assert seats.refused(seat, "b39") == seat


@dataclass
class Folder:
    """A state folder and the process on it, if any."""

    runs: list[str] = field(default_factory=list)
    alive: bool = False


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("start", "end", "copy", "wait", "call")), st.integers(0, 3)), max_size=40
    )
)
def test_two_that_live_never_both_sit_and_one_alone_always_gets_in(steps: list[tuple[str, int]]) -> None:
    folders, seat, now, left = [Folder()], Seat(), 0.0, {}
    number = 0

    def call(folder: Folder) -> bool:
        nonlocal seat
        run = folder.runs[-1]
        there = any(other.alive and other.runs[-1] == seat.holder for other in folders if other is not folder)
        away = None if there else now - left.get(seat.holder, now)
        taken = seats.taken(seat, run, folder.runs[:-1], away=away, grace=GRACE)
        if taken is None:
            seat = seats.refused(seat, run)
            return False
        assert not there or seat.holder == run, "somebody who was there lost the seat"
        seat = taken
        return True

    for what, which in steps:
        folder = folders[which % len(folders)]
        if what == "start" and not folder.alive:
            number += 1
            folder.runs.append(f"r{number}")
            folder.alive = True
        elif what == "end" and folder.alive:
            folder.alive = False
            left[folder.runs[-1]] = now
        elif what == "copy" and len(folders) < 4:
            folders.append(Folder(list(folder.runs)))
        elif what == "wait":
            now += 7.0
        elif what == "call" and folder.alive:
            call(folder)
    for folder in folders:
        if folder.alive:
            folder.alive = False
            left[folder.runs[-1]] = now
    last = folders[0]
    number += 1
    last.runs.append(f"r{number}")
    last.alive = True
    now += GRACE
    assert call(last)
