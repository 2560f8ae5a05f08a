"""Who gives way when somebody else owns a field: the pure answer to an apply conflict.

A field we applied before is taken back with force. A field another manager owns at our first contact is not
taken: the object fails and the message names the manager. A field taken back three times from one manager
within ten minutes is contested: it is left to that manager for as long as he owns it, and said, so that two
controllers never fight over it without end. New content, or a sync that is asked for, begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

LIMIT = 3
WINDOW = 600.0


class Claim(NamedTuple):
    """One field that another manager owns."""

    manager: str
    field: str


Corrections = Mapping[Claim, tuple[float, ...]]
"""Of one object: when (Unix seconds) each field was taken back from each manager, oldest first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`taken` fields are taken back, `left` ones are contested, `foreign` ones make the object fail."""

    taken: tuple[Claim, ...] = ()
    left: tuple[Claim, ...] = ()
    foreign: tuple[Claim, ...] = ()


def contested(times: Iterable[float]) -> bool:
    """Whether that many corrections lie within one window. Once true it stays true: it is the record that is
    asked.
    """
    listed = sorted(times)
    return any(last - first <= WINDOW for first, last in zip(listed, listed[LIMIT - 1 :], strict=False))


def answer(
    claims: Iterable[Claim],
    corrections: Corrections,
    *,
    ours: Callable[[str], bool],
    yielding: frozenset[str] = frozenset(),
) -> Answer:
    """What to do about each conflict. `ours(field)`: was it in what we applied last. `yielding`: managers
    whose fields the user told us to ignore."""
    taken: list[Claim] = []
    left: list[Claim] = []
    foreign: list[Claim] = []
    for claim in claims:
        if claim.manager in yielding or contested(corrections.get(claim, ())):
            left.append(claim)
        elif ours(claim.field):
            taken.append(claim)
        else:
            foreign.append(claim)
    return Answer(tuple(taken), tuple(left), tuple(foreign))


def recorded(corrections: Corrections, taken: Iterable[Claim], now: float) -> dict[Claim, tuple[float, ...]]:
    """The record after taking fields back at `now`. Corrections that can no longer matter are dropped."""
    out = {
        claim: times for claim, times in corrections.items() if contested(times) or now - times[-1] <= WINDOW
    }
    for claim in taken:
        out[claim] = (*out.get(claim, ())[-(LIMIT - 1) :], now)
    return out


def describe(claims: Iterable[Claim]) -> str:
    """`"kubectl-edit" owns .data.k, .data.l; "hpa" owns .spec.replicas`."""
    fields: dict[str, list[str]] = {}
    for claim in claims:
        fields.setdefault(claim.manager, []).append(claim.field)
    return "; ".join(
        f'"{manager}" owns {", ".join(sorted(paths))}' for manager, paths in sorted(fields.items())
    )
