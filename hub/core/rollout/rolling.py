"""Argo CD's `strategy.rollingSync` as a strategy of ours.

Steps select Applications by their labels, `maxUpdate` bounds how many are on their way, an Application of no step
moves only by hand, a failure holds its step up for ever. What differs from Argo CD 3.6 is what it does wrong there: a
step is not through on a health that was seen before the change was applied, and a limit of one is one. An offline
cluster is deferred instead of holding everybody up. `hub.core.rollout.rollingsync` is Argo CD to the letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.core.matching.labels import Selector
from hub.core.rollout import rollingsync
from hub.core.rollout.model import Limit, Stage, Strategy

_EVERY = rollingsync.Step()


@dataclass(frozen=True, slots=True)
class Expressions(Selector):
    """A step's `matchExpressions`, which Argo CD reads in its own way (`rollingsync.Step`)."""

    step: rollingsync.Step = _EVERY

    def matches(self, labels: Mapping[str, str]) -> bool:
        return self.step.selects(labels)


def strategy(spec: Mapping[str, Any]) -> Strategy | None:
    """The strategy of an ApplicationSet's `spec.strategy`; None where it is no RollingSync."""
    steps = rollingsync.steps_of(spec)
    if not steps:
        return None
    stages = tuple(
        Stage(
            name=f"step-{number}",
            selector=Expressions(step=step),
            max_concurrent=_limit(step.most),
            budget=None,
        )
        for number, step in enumerate(steps, 1)
    )
    return Strategy(stages, over_apps=True)


def _limit(most: int | str | None) -> Limit | None:
    """What cannot be read is 1, as in Argo CD."""
    if most is None:
        return None
    if isinstance(most, str):
        found = rollingsync.PERCENT.match(most)
        return Limit(max(0, int(found[1])), percent=True) if found else Limit(1)
    return Limit(max(0, most))
