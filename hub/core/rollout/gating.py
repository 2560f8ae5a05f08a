"""The gates before and after a stage: which are open, which want an answer, which have failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.core.rollout.model import Gate, GateAnswer, GateKind, GateState, Stage, gate_key

BEFORE, AFTER = "before", "after"
BY_HAND = frozenset({GateKind.APPROVAL, GateKind.WEBHOOK})
"""Nobody is asked: people, or whoever was told to call, come by themselves."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What the gates at one place say. `blocker` names what is waited for, `failed` why it cannot be passed."""

    gates: Mapping[str, GateState]
    open: bool = True
    blocker: str = ""
    failed: str = ""
    ask: tuple[tuple[str, Gate], ...] = ()
    wake: float = 0.0


def of(stage: Stage, when: str) -> tuple[Gate, ...]:
    return stage.before if when == BEFORE else stage.after


def passage(
    at: int,
    when: str,
    gates: tuple[Gate, ...],
    states: Mapping[str, GateState],
    answers: Mapping[str, GateAnswer],
    now: float,
) -> Passage:
    """Takes in the answers to a place's gates. A gate begins to be waited for, and its time to run, with the first call."""
    known = dict(states)
    waits: list[str] = []
    ask: list[tuple[str, Gate]] = []
    wakes: list[float] = []
    failed = ""
    for gate in gates:
        key = gate_key(at, when, gate.name)
        state = _answered(gate, known.get(key) or GateState(since=now), answers.get(key), now)
        if not state.passed and not state.failed and gate.timeout and now >= state.since + gate.timeout:
            state = replace(state, failed=True)
        if state.failed:
            failed = failed or f"gate {gate.name}: not passed within {gate.timeout:g} s: {_said(gate, state)}"
        elif not state.passed:
            waits.append(f"gate {gate.name}: {_said(gate, state)}")
            if gate.timeout:
                wakes.append(state.since + gate.timeout)
            if gate.kind not in BY_HAND:
                if now >= state.asked + gate.every:
                    ask.append((key, gate))
                    state = replace(state, asked=now)
                wakes.append(state.asked + gate.every)
        known[key] = state
    return Passage(
        gates=known if known != states else states,
        open=not waits and not failed,
        blocker="; ".join(waits),
        failed=failed,
        ask=tuple(ask),
        wake=min(wakes, default=0.0),
    )


def _answered(gate: Gate, state: GateState, answer: GateAnswer | None, now: float) -> GateState:
    if answer is None or state.passed or state.failed or answer.time < state.since:
        return state
    good = state.good + 1 if answer.good else 0
    return replace(state, good=good, said=answer.said, passed=good >= gate.count)


def approved(gate: Gate, state: GateState, by: str) -> GateState:
    """One more person's approval; the same person counts once."""
    people = state.by if by in state.by else (*state.by, by)
    return replace(state, by=people, passed=state.passed or len(people) >= gate.count)


def _said(gate: Gate, state: GateState) -> str:
    match gate.kind:
        case GateKind.APPROVAL:
            who = f" of {', '.join(gate.roles)}" if gate.roles else ""
            return f"{len(state.by)} of {gate.count} approvals{who}"
        case GateKind.WEBHOOK:
            return "waiting to be called"
    return state.said or "not answered yet"
