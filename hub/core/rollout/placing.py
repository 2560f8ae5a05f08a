"""Which stage a member belongs to, and who goes first within it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from hub.core.rollout.model import OUTSIDE, Order, Stage, Strategy


def place(strategy: Strategy, labels: Mapping[str, str]) -> int:
    """The first stage that selects `labels` (of the cluster, or of the Application where the strategy says so), else
    the one that takes the rest, else `OUTSIDE`."""
    rest = OUTSIDE
    for at, stage in enumerate(strategy.stages):
        if stage.selector is None:
            rest = at if rest == OUTSIDE else rest
        elif stage.selector.matches(labels):
            return at
    return rest


def totals(strategy: Strategy, members: Iterable[Mapping[str, str]]) -> tuple[int, ...]:
    """How many of an owner's members, given by their labels, each stage selects."""
    counts = [0] * len(strategy.stages)
    for labels in members:
        if (at := place(strategy, labels)) != OUTSIDE:
            counts[at] += 1
    return tuple(counts)


def rank(stage: Stage, seed: str, name: str, labels: Mapping[str, str], changed: float) -> str:
    """What the members of a stage are sorted by; ties go by name. `changed` is when the member last changed.

    A random order is the same for the same seed, whoever computes it; without a seed it differs between releases
    where the caller gives the release as the seed.
    """
    match stage.order:
        case Order.RANDOM:
            first = hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()[:16]
        case Order.LABEL:
            first = labels.get(stage.order_label, "\U0010ffff")
        case Order.LAST_CHANGE:
            first = f"{changed:020.3f}"
        case Order.NAME:
            first = ""
    return f"{first}\0{name}"
