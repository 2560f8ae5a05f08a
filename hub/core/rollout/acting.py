"""What people may do to a rollout. Every verb is always accepted, says the same again, and never acts by itself: the
next look at the rollout does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from argosy.errors import Invalid
from hub.core.rollout import gating
from hub.core.rollout.gating import AFTER, BEFORE
from hub.core.rollout.model import (
    FINAL,
    OUTSIDE,
    Gate,
    GateKind,
    GateState,
    Member,
    Membership,
    Phase,
    Rollout,
    State,
    gate_key,
)

NOT_COUNTED = "not counted"
"""With what an answer begins where what was said does not count."""
_FINISHED_WITH = frozenset({State.DONE, State.SKIPPED, State.LEFT})
_THROUGH = _FINISHED_WITH | {State.DEFERRED, State.FAILED}
_SOAKING_TOO = _THROUGH | {State.SOAKING}


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody asks for. `member` is an Application's name ("" for the whole rollout), `gate` a gate's."""

    verb: str
    by: str
    now: float
    member: str = ""
    gate: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """The rollout afterwards, the members that changed, and what to tell: "" where nothing had to be done. `refused` says
    why what was asked for does not count."""

    rollout: Rollout
    members: tuple[Member, ...] = ()
    said: str = ""
    refused: str = ""


def act(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """What an operator's verb makes of a rollout. Raises `Invalid` where verb, member or gate do not exist."""
    if asked.verb not in VERBS:
        raise Invalid(f"verb {asked.verb!r}: expected one of {', '.join(VERBS)}")
    if asked.member and not any(member.name == asked.member for member in members.values()):
        raise Invalid(f"member {asked.member!r}: no Application of this rollout has that name")
    gates = [gate.name for stage in rollout.strategy.stages for gate in (*stage.before, *stage.after)]
    if asked.gate and asked.gate not in gates:
        known = ", ".join(dict.fromkeys(gates)) or "no gates"
        raise Invalid(f"gate {asked.gate!r}: no gate of this rollout has that name; it has {known}")
    return VERBS[asked.verb](rollout, members, asked)


def enrol(rollout: Rollout, joined: Iterable[Member], left: Iterable[Member], now: float) -> Result:
    """What becomes of members that come or go while the rollout runs. Those of `joined` that are not among the result's
    members come after the end."""
    gone = tuple(replace(member, state=State.LEFT, since=now, blocker="") for member in left)
    new = tuple(joined)
    if not new or rollout.phase in FINAL:
        return Result(rollout, gone)
    match rollout.strategy.membership:
        case Membership.JOIN:
            return Result(rollout, (*gone, *new), f"{len(new)} joined")
        case Membership.DEFER:
            return Result(rollout, gone, f"{len(new)} joined and come after the end")
        case Membership.ABORT:
            return Result(
                _into(rollout, Phase.ABORTED, now, f"{len(new)} joined"), gone, f"{len(new)} joined"
            )


def supersede(rollout: Rollout, by: str, now: float) -> Rollout:
    """A newer release has taken its place."""
    return (
        rollout
        if rollout.phase in FINAL
        else _into(rollout, Phase.SUPERSEDED, now, f"superseded by release {by}")
    )


def _promote(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """Goes on now: past a pause, past the gates that are waited for, past the rest of the soak time."""
    if rollout.phase in FINAL or rollout.phase is Phase.ROLLING_BACK:
        return Result(rollout)
    stage = rollout.strategy.stages[rollout.stage]
    by = f"passed by {asked.by}"
    gates = {
        **rollout.gates,
        **{
            gate_key(rollout.stage, when, gate.name): GateState(
                passed=True, since=asked.now, by=(asked.by,), said=by
            )
            for when in _awaited(rollout, members, _SOAKING_TOO)
            for gate in gating.of(stage, when)
            if not _state(rollout, when, gate).passed
        },
    }
    soaked = tuple(
        replace(member, state=State.DONE, since=asked.now)
        for member in members.values()
        if member.state is State.SOAKING and member.stage == rollout.stage
    )
    resumed = _resume(replace(rollout, gates=gates), members, asked)
    changed = {member.app: member for member in (*resumed.members, *soaked)}
    return Result(resumed.rollout, tuple(changed.values()), f"promoted by {asked.by}")


def _awaited(rollout: Rollout, members: Mapping[str, Member], through: frozenset[State]) -> list[str]:
    """The places of the present stage whose gates are waited for: those after it only once its members are `through`."""
    stage = rollout.strategy.stages[rollout.stage]
    if not all(_state(rollout, BEFORE, gate).passed for gate in stage.before):
        return [BEFORE]
    mine = (member for member in members.values() if member.stage == rollout.stage)
    return [AFTER] if all(member.state in through for member in mine) else []


def _state(rollout: Rollout, when: str, gate: Gate) -> GateState:
    return rollout.gates.get(gate_key(rollout.stage, when, gate.name)) or GateState()


def _pause(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    if rollout.phase is not Phase.PROGRESSING:
        return Result(rollout)
    reason = f"paused by {asked.by}"
    return Result(_into(rollout, Phase.PAUSED, asked.now, reason), (), reason)


def _resume(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """After a halt, the failures that led to it are put up with."""
    if rollout.phase not in (Phase.PAUSED, Phase.HALTED):
        return Result(rollout)
    forgiven = _skipped(members, asked, State.FAILED) if rollout.phase is Phase.HALTED else ()
    gates = {
        key: replace(state, failed=False, since=asked.now) if state.failed else state
        for key, state in rollout.gates.items()
    }
    going = replace(_into(rollout, Phase.PROGRESSING, asked.now, ""), gates=gates)
    return Result(going, forgiven, f"resumed by {asked.by}")


def _abort(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """Stops where it is: who has the release keeps it, nobody else gets it."""
    if rollout.phase in FINAL:
        return Result(rollout)
    reason = f"aborted by {asked.by}"
    return Result(_into(rollout, Phase.ABORTED, asked.now, reason), (), reason)


def _retry(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """Failed members, or the one that is named, try again. A rollout that was given up begins again as a whole, its
    release no longer called bad."""
    again = rollout.phase in (Phase.ABORTED, Phase.ROLLED_BACK)
    wanted = {State.FAILED, State.DEFERRED}
    if again:
        wanted = set(State) - {State.DONE, State.LEFT, State.PENDING}
    elif asked.member:
        wanted |= {State.SKIPPED, State.MOVING}
    named = "" if again else asked.member
    retried = tuple(
        replace(
            member, state=State.PENDING, since=asked.now, started=0.0, healthy=0.0, deadline=0.0, blocker=""
        )
        for member in members.values()
        if member.state in wanted and named in ("", member.name)
    )
    said = f"retried by {asked.by}"
    if again:
        first = min((member.stage for member in retried if member.stage != OUTSIDE), default=rollout.stage)
        stage = min(first, rollout.stage)
        # What was true before it was given up need not be true now: the gates from there on are asked again.
        gates = {key: state for key, state in rollout.gates.items() if int(key.partition("/")[0]) < stage}
        going = replace(
            _into(rollout, Phase.PROGRESSING, asked.now, said), stage=stage, gates=gates, bad=False
        )
        return Result(going, retried, said)
    if rollout.phase is Phase.HALTED and retried:
        return Result(_into(rollout, Phase.PROGRESSING, asked.now, said), retried, said)
    return Result(rollout, retried, said if retried else "")


def _skip(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """Goes on without the member that is named, or without all that failed."""
    if asked.member:
        skipped = _skipped(members, asked, *(set(State) - _FINISHED_WITH - {State.REVERTING, State.REVERTED}))
    else:
        skipped = _skipped(members, asked, State.FAILED)
    going = rollout
    if rollout.phase is Phase.HALTED and skipped:
        going = _into(rollout, Phase.PROGRESSING, asked.now, "")
    return Result(going, skipped, f"skipped by {asked.by}" if skipped else "")


def _skipped(members: Mapping[str, Member], asked: Act, *states: State) -> tuple[Member, ...]:
    return tuple(
        replace(member, state=State.SKIPPED, since=asked.now, blocker=f"skipped by {asked.by}")
        for member in members.values()
        if member.state in states and asked.member in ("", member.name)
    )


def _rollback(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    """Sends everybody back to what they had, whatever came of the rollout."""
    if rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.SUPERSEDED):
        return Result(rollout)
    reason = f"rolled back by {asked.by}"
    going = replace(_into(rollout, Phase.ROLLING_BACK, asked.now, reason), reverting_from=0, bad=True)
    return Result(going, (), reason)


def _approve(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    return _by_hand(rollout, members, asked, GateKind.APPROVAL)


def _signal(rollout: Rollout, members: Mapping[str, Member], asked: Act) -> Result:
    return _by_hand(rollout, members, asked, GateKind.WEBHOOK)


def _by_hand(rollout: Rollout, members: Mapping[str, Member], asked: Act, kind: GateKind) -> Result:
    """Counts for the gates that are waited for now, and for no later one. A person decides after the soak time, for which
    a pipeline that is called once does not wait."""
    if rollout.phase in FINAL:
        return Result(rollout)
    stage = rollout.strategy.stages[rollout.stage]
    gates = dict(rollout.gates)
    awaited = _awaited(rollout, members, _THROUGH if kind is GateKind.APPROVAL else _SOAKING_TOO)
    for when in awaited:
        for gate in gating.of(stage, when):
            if gate.kind is not kind or asked.gate not in ("", gate.name):
                continue
            if gate.roles and asked.roles.isdisjoint(gate.roles):
                continue
            key = gate_key(rollout.stage, when, gate.name)
            gates[key] = gating.approved(gate, gates.get(key) or GateState(since=asked.now), asked.by)
    if gates == rollout.gates:
        return Result(rollout, refused=_uncounted(rollout, asked, kind, awaited))
    return Result(replace(rollout, gates=gates), (), f"{asked.verb} by {asked.by}")


def _uncounted(rollout: Rollout, asked: Act, kind: GateKind, awaited: Iterable[str]) -> str:
    """Why no gate takes what somebody says now, "" where all that could has been said."""
    stages = rollout.strategy.stages
    for at in range(rollout.stage, len(stages)):
        places = [(when, gate) for when in (BEFORE, AFTER) for gate in gating.of(stages[at], when)]
        for when, gate in places:
            state = rollout.gates.get(gate_key(at, when, gate.name)) or GateState()
            if gate.kind is not kind or asked.gate not in ("", gate.name) or state.passed:
                continue
            if at > rollout.stage or when not in awaited:
                place = f"{when} stage {stages[at].name}"
                return f"gate {gate.name} {place} is not waited for yet: stage {stages[rollout.stage].name} goes on"
            if gate.roles and asked.roles.isdisjoint(gate.roles):
                return f"gate {gate.name} wants one of {', '.join(gate.roles)}, which {asked.by} is not"
    return ""


def _into(rollout: Rollout, phase: Phase, now: float, reason: str) -> Rollout:
    return replace(rollout, phase=phase, since=now, reason=reason)


VERBS: Mapping[str, Callable[[Rollout, Mapping[str, Member], Act], Result]] = {
    "promote": _promote,
    "pause": _pause,
    "resume": _resume,
    "abort": _abort,
    "retry": _retry,
    "skip": _skip,
    "rollback": _rollback,
    "approve": _approve,
    "signal": _signal,
}
