"""Which of several agents with one identity is the one for its cluster. Pure.

A copied disk gives two agents the same key, so the key alone does not tell them apart. Each run of an agent has a random id
and knows the ids of the runs that used its state before it; the cluster's seat is held by one run. A run that follows the
holder is the same agent started again and takes the seat at once, where the holder is gone. Everybody else waits until the
holder has been away for a while: then a state that was restored from a backup is not locked out, either.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

MAX_REFUSED = 16
"""Runs that are remembered as having come second."""


@dataclass(frozen=True, slots=True)
class Seat:
    """`holder` is the run that acts for the cluster, "" before the first; `refused` are those that came second, the newest
    last.
    """

    holder: str = ""
    refused: tuple[str, ...] = ()


def taken(seat: Seat, run: str, before: Collection[str], *, away: float | None, grace: float) -> Seat | None:
    """The seat after `run` sat down, None where it is second.

    `before` are the runs of its state, `away` is for how many seconds the holder has been gone, None while it is there.
    """
    if run == seat.holder or not seat.holder:
        return _seated(seat, run, before)
    if away is None:
        return None
    known_second = not {run, *before}.isdisjoint(seat.refused)
    if (seat.holder in before and not known_second) or away >= grace:
        return _seated(seat, run, before)
    return None


def refused(seat: Seat, run: str) -> Seat:
    """The seat after `run` was told that it is second."""
    if run in seat.refused:
        return seat
    return replace(seat, refused=(*seat.refused, run)[-MAX_REFUSED:])


def _seated(seat: Seat, run: str, before: Collection[str]) -> Seat:
    return Seat(run, tuple(each for each in seat.refused if each != run and each not in before))
