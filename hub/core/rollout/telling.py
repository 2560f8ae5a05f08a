"""A rollout in words and numbers: why each member is where it is, how far each stage has come, when it may be over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.core.rollout.model import FINAL, OUTSIDE, Member, Phase, Rollout, State

_STOPPED = FINAL - {Phase.COMPLETED} | {Phase.PAUSED, Phase.HALTED}


@dataclass(frozen=True, slots=True)
class StageView:
    """`counts` are members by state. `blocker` says what the stage waits for, "" where nothing."""

    name: str
    counts: Mapping[State, int] = field(default_factory=dict)
    blocker: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def stages(rollout: Rollout, members: Iterable[Member]) -> tuple[StageView, ...]:
    """How far each stage has come. Members of no stage are not counted."""
    counts: list[Counter[State]] = [Counter() for _ in rollout.strategy.stages]
    for member in members:
        if member.stage != OUTSIDE:
            counts[member.stage][member.state] += 1
    present = "" if rollout.phase in FINAL else rollout.reason
    return tuple(
        StageView(stage.name, dict(counts[at]), present if at == rollout.stage else "")
        for at, stage in enumerate(rollout.strategy.stages)
    )


def why(rollout: Rollout, member: Member) -> str:
    """What a member waits for, or why it ended as it did; "" for one that is done or gone."""
    match member.state:
        case State.DONE | State.LEFT:
            return ""
        case State.PENDING:
            return _pending(rollout, member)
        case State.SOAKING:
            return f"soaks for {rollout.strategy.stages[member.stage].soak:g} s since it became healthy"
    return member.blocker or ("rolled back" if member.state is State.REVERTED else str(member.state))


def _pending(rollout: Rollout, member: Member) -> str:
    if member.stage == OUTSIDE:
        return "in no stage: moves when somebody syncs it"
    if rollout.phase in _STOPPED:
        return f"the rollout is {rollout.phase}" + (f": {rollout.reason}" if rollout.reason else "")
    if rollout.phase is Phase.ROLLING_BACK:
        return f"the rollout is rolling back: {rollout.reason}"
    if member.stage > rollout.stage:
        return f"waits for stage {rollout.strategy.stages[rollout.stage].name}"
    if member.blocker:
        return member.blocker
    if member.stage == rollout.stage and rollout.reason:
        return rollout.reason
    stage = rollout.strategy.stages[member.stage]
    return f"waits for a free place in stage {stage.name}" + (
        f" (maxConcurrent {stage.max_concurrent})" if stage.max_concurrent else ""
    )


def eta(rollout: Rollout, members: Iterable[Member], now: float) -> float | None:
    """When the rollout is over if it goes on as it has so far, in Unix seconds; None where nothing tells."""
    if rollout.phase is not Phase.PROGRESSING:
        return None
    counted = [member for member in members if member.stage != OUTSIDE and member.state is not State.LEFT]
    done = sum(member.state is State.DONE for member in counted)
    left = sum(member.state in (State.PENDING, State.MOVING, State.SOAKING) for member in counted)
    if not done or now <= rollout.created:
        return None
    return now + left * (now - rollout.created) / done
