"""A rollout as its object's status shows it: stages with counts, gates, what is waited for, when it may be over.

The size does not grow with the fleet: of the members, those in trouble are named first, and `MEMBERS` at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.core.rollout import gating
from hub.core.rollout.model import (
    ASSIGNED,
    FINAL,
    OUTSIDE,
    Gate,
    GateState,
    Member,
    Phase,
    Rollout,
    Stage,
    State,
    gate_key,
)
from hub.core.served.cells import stamp

MEMBERS = 100
BLOCKERS = 10
_URGENCY = (
    State.FAILED,
    State.REVERTING,
    State.MOVING,
    State.SOAKING,
    State.PENDING,
    State.DEFERRED,
    State.SKIPPED,
    State.REVERTED,
    State.DONE,
    State.LEFT,
)
_RANK = {state: at for at, state in enumerate(_URGENCY)}
_WAITING = frozenset(
    {State.PENDING, State.MOVING, State.SOAKING, State.FAILED, State.DEFERRED, State.REVERTING}
)
_BACK = {Phase.ROLLING_BACK: "Reverting", Phase.ROLLED_BACK: "Reverted"}
_LEFT_TO_DO = frozenset({State.PENDING, *ASSIGNED})
_STOPPED = {
    Phase.PAUSED: "paused",
    Phase.HALTED: "halted",
    Phase.ABORTED: "aborted",
    Phase.SUPERSEDED: "superseded",
    Phase.ROLLING_BACK: "rolling back",
    Phase.ROLLED_BACK: "rolled back",
}
WORDS = {
    State.MOVING: "its agent is at work",
    State.FAILED: "it failed",
    State.DEFERRED: "it catches up when its cluster is back",
    State.SKIPPED: "somebody skipped it",
    State.REVERTING: "its agent goes back to what it had",
    State.REVERTED: "rolled back",
}
"""What is said of members that were given the release, where nothing more is known."""
OUTSIDE_NAME = "(no stage)"
BY_HAND = "no stage selects it: it moves when somebody syncs it"


def status(rollout: Rollout, members: Iterable[Member], now: float) -> dict[str, Any]:
    """The status of a Rollout. Times are RFC 3339 in seconds."""
    present = [member for member in members if member.state is not State.LEFT]
    by_stage: dict[int, list[Member]] = {}
    for member in present:
        by_stage.setdefault(member.stage, []).append(member)
    stages = [
        _stage(rollout, at, stage, by_stage.get(at, ())) for at, stage in enumerate(rollout.strategy.stages)
    ]
    out: dict[str, Any] = {
        "phase": str(rollout.phase),
        "message": rollout.reason,
        "since": stamp(rollout.since or rollout.created),
        "startedAt": stamp(rollout.created),
        "stage": rollout.strategy.stages[rollout.stage].name,
        "total": len(present),
        "done": sum(member.state is State.DONE for member in present),
        "counts": _counts(present),
        "stages": stages,
        "conditions": [_condition(rollout)],
    }
    if by_stage.get(OUTSIDE):
        out["outside"] = len(by_stage[OUTSIDE])
    if blockers := _blockers(rollout, present):
        out["blockers"] = blockers
    if named := _members(rollout, present):
        out["members"] = named
    if rollout.phase in FINAL:
        out["finishedAt"] = stamp(rollout.since)
    elif (end := _expected(rollout, present, now)) is not None:
        out["expectedEnd"] = stamp(end)
    if rollout.bad:
        out["bad"] = True
    return out


def waits(rollout: Rollout) -> str:
    """What members wait for whose turn has not come, in words; "" once all had theirs."""
    if rollout.phase is Phase.COMPLETED:
        return ""
    if rollout.phase in _STOPPED:
        return f"the rollout is {_STOPPED[rollout.phase]}" + (f": {rollout.reason}" if rollout.reason else "")
    stage = rollout.strategy.stages[rollout.stage].name
    return rollout.reason or f"stage {stage} is being rolled out"


def why(rollout: Rollout, member: Member) -> str:
    """What a member waits for, or why it ended as it did; "" for one that is done or gone."""
    if member.state in (State.DONE, State.LEFT):
        return ""
    if member.blocker:
        return member.blocker
    if member.state is State.PENDING:
        return BY_HAND if member.stage == OUTSIDE else waits(rollout)
    if member.state is State.SOAKING:
        return f"soaks for {rollout.strategy.stages[member.stage].soak:g} s since it became healthy"
    return WORDS[member.state]


def _stage(rollout: Rollout, at: int, stage: Stage, members: Sequence[Member]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": stage.name,
        "state": _stage_state(rollout, at),
        "total": len(members),
        "counts": _counts(members),
    }
    gates = [
        _gate(rollout, at, when, gate)
        for when in (gating.BEFORE, gating.AFTER)
        for gate in gating.of(stage, when)
    ]
    if gates:
        out["gates"] = gates
    return out


def _stage_state(rollout: Rollout, at: int) -> str:
    if rollout.phase in _BACK and at >= rollout.reverting_from:
        return _BACK[rollout.phase]
    if rollout.phase is Phase.COMPLETED or at < rollout.stage:
        return "Passed"
    if rollout.phase in FINAL or at > rollout.stage:
        return "Waiting" if rollout.phase not in FINAL else "Ended"
    return "Rolling"


def _gate(rollout: Rollout, at: int, when: str, gate: Gate) -> dict[str, Any]:
    state = rollout.gates.get(gate_key(at, when, gate.name), GateState())
    word = "Passed" if state.passed else "Failed" if state.failed else "Waiting" if state.since else "Ahead"
    out: dict[str, Any] = {
        "name": gate.name,
        "when": when,
        "kind": str(gate.kind),
        "state": word,
        "needed": gate.count,
        "good": len(state.by) if gate.kind in gating.BY_HAND else state.good,
    }
    if state.said:
        out["message"] = state.said
    if state.since:
        out["since"] = stamp(state.since)
    if state.by:
        out["by"] = list(state.by)
    return out


def _counts(members: Iterable[Member]) -> dict[str, int]:
    """How many members are in each state, without those that nobody is in."""
    found = Counter(str(member.state) for member in members)
    return {str(state).lower(): found[str(state)] for state in State if found[str(state)]}


def _blockers(rollout: Rollout, members: Iterable[Member]) -> list[dict[str, Any]]:
    """What is waited for: the rollout's own reason first, then the members' by how many they hold up."""
    out: list[dict[str, Any]] = []
    if rollout.reason and rollout.phase not in FINAL:
        out.append({"reason": rollout.reason, "since": stamp(rollout.since)})
    groups: dict[str, list[Member]] = {}
    for member in members:
        if member.blocker and member.state in _WAITING:
            groups.setdefault(member.blocker, []).append(member)
    for reason, held in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        first = min(held, key=lambda member: member.since)
        out.append(
            {"reason": reason, "members": len(held), "example": first.name, "since": stamp(first.since)}
        )
    return out[:BLOCKERS]


def _members(rollout: Rollout, members: Iterable[Member]) -> list[dict[str, Any]]:
    ordered = sorted(members, key=lambda member: (_RANK[member.state], member.stage, member.rank))
    return [_member(rollout, member) for member in ordered[:MEMBERS]]


def _member(rollout: Rollout, member: Member) -> dict[str, Any]:
    stages = rollout.strategy.stages
    out = {
        "name": member.name,
        "cluster": member.cluster,
        "stage": stages[member.stage].name if 0 <= member.stage < len(stages) else OUTSIDE_NAME,
        "state": str(member.state),
        "since": stamp(member.since or rollout.created),
        "to": member.to.revision,
        "from": member.before.revision,
    }
    if reason := why(rollout, member):
        out["blocker"] = reason
    if member.deadline:
        out["deadline"] = stamp(member.deadline)
    return out


def _expected(rollout: Rollout, members: Sequence[Member], now: float) -> float | None:
    """When it may be over, at the pace so far; None where nothing can be said: it waits for a gate, for one."""
    if rollout.phase is not Phase.PROGRESSING or rollout.reason:
        return None
    left = sum(member.state in _LEFT_TO_DO and member.stage != OUTSIDE for member in members)
    done = sum(member.state is State.DONE for member in members)
    if not left or not done:
        return None
    return now + left * (now - rollout.created) / done


def _condition(rollout: Rollout) -> Mapping[str, str]:
    return {
        "type": "Completed",
        "status": "True" if rollout.phase is Phase.COMPLETED else "False",
        "reason": str(rollout.phase),
        "message": rollout.reason,
        "lastTransitionTime": stamp(rollout.since or rollout.created),
    }
