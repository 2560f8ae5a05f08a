"""A rollout in words: why each member is where it is."""

from __future__ import annotations

from hub.core.rollout.model import FINAL, OUTSIDE, Member, Phase, Rollout, State

_STOPPED = FINAL - {Phase.COMPLETED} | {Phase.PAUSED, Phase.HALTED}


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
