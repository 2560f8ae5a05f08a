"""One look at a rollout: what is observed, and what follows from it.

Deciding again from what was stored gives the same answer, so a hub may die between any two looks. The cost of a look
grows with the members of the rollout; rows are written only of those that changed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.core.rollout import gating, observing
from hub.core.rollout.gating import AFTER, BEFORE
from hub.core.rollout.model import (
    ASSIGNED,
    FINAL,
    OUTSIDE,
    Decision,
    Gate,
    GateAnswer,
    Hold,
    Limit,
    Member,
    Offline,
    OnFailure,
    Phase,
    Rollout,
    Seen,
    Stage,
    State,
)

_STARTING = frozenset({Phase.PROGRESSING, Phase.COMPLETED})
"""In these, members whose turn has come are started: after the end, those who come late."""
_TOUCHED = frozenset({State.MOVING, State.SOAKING, State.DONE, State.FAILED, State.SKIPPED, State.DEFERRED})
_IDLE = frozenset({State.PENDING, State.SKIPPED, State.REVERTED, State.LEFT})
"""No report changes these."""


@dataclass
class _Look:
    """One look under way."""

    rollout: Rollout
    members: dict[str, Member]
    seen: Mapping[str, Seen]
    holds: Mapping[str, Hold]
    answers: Mapping[str, GateAnswer]
    now: float
    before: Mapping[str, Member]
    changed: dict[str, Member] = field(default_factory=dict)
    assign: list[str] = field(default_factory=list)
    revert: list[str] = field(default_factory=list)
    ask: list[tuple[str, Gate]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    stages: list[list[Member]] = field(default_factory=list)

    def put(self, member: Member) -> None:
        self.members[member.app] = member
        self.changed[member.app] = member

    def enter(self, phase: Phase, reason: str) -> None:
        self.rollout = replace(self.rollout, phase=phase, since=self.now, reason=reason)
        self.notes.append((str(phase), reason))

    def decision(self) -> Decision:
        changed = tuple(m for app, m in self.changed.items() if m != self.before[app])
        later = [wake for wake in self.wakes if wake > self.now]
        return Decision(
            self.rollout,
            changed,
            tuple(self.assign),
            tuple(self.revert),
            tuple(self.ask),
            min(later, default=0.0),
            tuple(self.notes),
        )


def decide(
    rollout: Rollout,
    members: Mapping[str, Member],
    seen: Mapping[str, Seen],
    holds: Mapping[str, Hold],
    answers: Mapping[str, GateAnswer],
    now: float,
) -> Decision:
    """What follows at `now`. `members`, `seen` and `holds` are by member, `answers` by gate key.

    A member without `seen` was never heard of and counts as offline; `answers` are those that came since the last look.
    """
    look = _Look(rollout, dict(members), seen, holds, answers, now, members)
    _observe(look)
    _sort(look)
    _judge(look)
    _advance(look)
    _roll_back(look)
    _wakes(look)
    return look.decision()


def over(rollout: Rollout, members: Iterable[Member]) -> bool:
    """True where nothing can follow any more: the end was reached, and nobody is still to catch up."""
    if rollout.phase not in FINAL:
        return False
    late = {*ASSIGNED, State.DEFERRED, State.PENDING} if rollout.phase is Phase.COMPLETED else set()
    return not any(member.state in late and member.stage != OUTSIDE for member in members)


def _observe(look: _Look) -> None:
    strategy, now = look.rollout.strategy, look.now
    for app, member in look.members.items():
        if member.state in _IDLE:
            continue
        after = observing.observe(member, look.seen.get(app, observing.UNSEEN), strategy, now)
        if after is not member:
            look.changed[app] = after
            if after.state is not member.state and after.state is State.FAILED:
                look.notes.append(("MemberFailed", f"{after.name}: {after.blocker}"))
    look.members.update(look.changed)


def _sort(look: _Look) -> None:
    look.stages = [[] for _ in look.rollout.strategy.stages]
    for member in look.members.values():
        if 0 <= member.stage < len(look.stages) and member.state is not State.LEFT:
            look.stages[member.stage].append(member)


def _total(look: _Look, at: int) -> int:
    known = look.rollout.totals[at] if at < len(look.rollout.totals) else 0
    return max(known, len(look.stages[at]))


# --- failures -----------------------------------------------------------------------------------------------------


def _judge(look: _Look) -> None:
    """Acts on a failure budget that is exceeded."""
    if look.rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return
    everywhere = total = 0
    for at, stage in enumerate(look.rollout.strategy.stages):
        failed = sum(look.members[member.app].state is State.FAILED for member in look.stages[at])
        everywhere, total = everywhere + failed, total + _total(look, at)
        if failed and _exceeded(stage.budget, failed, _total(look, at)):
            return _fail(look, at, f"stage {stage.name}: {_failures(failed, stage.budget)}")
    if everywhere and _exceeded(look.rollout.strategy.budget, everywhere, total):
        _fail(look, look.rollout.stage, _failures(everywhere, look.rollout.strategy.budget))
    return None


def _exceeded(budget: Limit | None, failed: int, total: int) -> bool:
    return budget is not None and failed > budget.of(total)


def _failures(failed: int, budget: Limit | None) -> str:
    return f"{failed} failed, the failure budget is {budget}"


def _fail(look: _Look, at: int, reason: str) -> None:
    match look.rollout.strategy.on_failure:
        case OnFailure.HALT:
            look.enter(Phase.HALTED, reason)
        case OnFailure.ROLLBACK:
            begin_rollback(look, 0, reason)
        case OnFailure.ROLLBACK_STAGE:
            begin_rollback(look, at, reason)


def begin_rollback(look: _Look, first: int, reason: str) -> None:
    """From now on the members of stage `first` and later ones go back to what they had."""
    look.enter(Phase.ROLLING_BACK, reason)
    look.rollout = replace(look.rollout, reverting_from=first, bad=True)


def _roll_back(look: _Look) -> None:
    """Sends back those whom the release reached, last stage first. Who had nothing before keeps what it has."""
    rollout, now = look.rollout, look.now
    if rollout.phase is not Phase.ROLLING_BACK:
        return
    waiting = False
    reached = [m for m in look.members.values() if m.stage >= rollout.reverting_from or m.stage == OUTSIDE]
    for member in sorted(reached, key=lambda m: (m.stage, m.rank), reverse=True):
        if member.state is State.PENDING:
            look.put(replace(member, state=State.REVERTED, since=now, blocker=""))
        elif member.state in _TOUCHED and not member.started:
            look.put(replace(member, state=State.REVERTED, since=now))
        elif member.state in _TOUCHED and not member.before.bundle:
            kept = "had nothing before: keeps what it has"
            look.put(replace(member, state=State.REVERTED, since=now, blocker=kept))
        elif member.state in _TOUCHED:
            hold = look.holds.get(member.app) if rollout.strategy.gated_rollback else None
            if hold is None:
                look.put(
                    replace(member, state=State.REVERTING, since=now, blocker="", healthy=0.0, deadline=0.0)
                )
                look.revert.append(member.app)
            else:
                look.put(replace(member, blocker=hold.reason))
                look.wakes.append(hold.until)
            waiting = True
        waiting = waiting or member.state is State.REVERTING
    if not waiting:
        look.enter(Phase.ROLLED_BACK, rollout.reason)


# --- going on -----------------------------------------------------------------------------------------------------


def _advance(look: _Look) -> None:
    """Starts whose turn has come, and goes from stage to stage as far as the gates let it."""
    if look.rollout.phase not in _STARTING:
        return
    last = len(look.stages) - 1
    for at in range(min(look.rollout.stage, last)):
        if look.rollout.phase in _STARTING:
            _start(look, at)
    while look.rollout.phase in _STARTING:
        at = look.rollout.stage
        if look.rollout.phase is Phase.COMPLETED:
            _start(look, last)
            return
        if look.stages[at] and not _through(look, at):
            return
        if at == last:
            look.enter(Phase.COMPLETED, "")
            return
        look.rollout = replace(look.rollout, stage=at + 1)
        following = look.rollout.strategy.stages[at + 1].name
        look.notes.append(("StageStarted", f"stage {following}"))


def _through(look: _Look, at: int) -> bool:
    """Whether a stage that has members is behind us."""
    if not _passed(look, at, BEFORE):
        return False
    _start(look, at)
    if look.rollout.phase not in _STARTING:
        return False
    budget = look.rollout.strategy.stages[at].budget
    for member in look.stages[at]:
        state = look.members[member.app].state
        if state in ASSIGNED or state is State.PENDING or (state is State.FAILED and budget is None):
            return False
    return _passed(look, at, AFTER)


def _passed(look: _Look, at: int, when: str) -> bool:
    gates = gating.of(look.rollout.strategy.stages[at], when)
    if not gates:
        return True
    found = gating.passage(at, when, gates, look.rollout.gates, look.answers, look.now)
    look.ask += found.ask
    look.wakes.append(found.wake)
    look.rollout = replace(look.rollout, gates=found.gates, reason=found.blocker)
    if found.failed:
        _fail(look, at, found.failed)
    return found.open


def _start(look: _Look, at: int) -> None:
    """Assigns the release to members whose turn it is, as many as the limits of their stage allow."""
    stage = look.rollout.strategy.stages[at]
    present = [look.members[member.app] for member in look.stages[at]]
    ready = _ready(look, [member for member in present if member.state is State.PENDING])
    room = _room(look, stage, at, sum(member.state in ASSIGNED for member in present))
    for member in heapq.nsmallest(min(room, len(ready)), ready, key=lambda member: member.rank):
        deadline = look.now + stage.deadline if stage.deadline else 0.0
        look.put(
            replace(
                member,
                state=State.MOVING,
                since=look.now,
                started=look.now,
                healthy=0.0,
                deadline=deadline,
                blocker=observing.NOT_YET,
            )
        )
        look.assign.append(member.app)
    if any(
        look.members[member.app].state is State.FAILED for member in present if member.state is State.PENDING
    ):
        _judge(look)


def _ready(look: _Look, pending: Sequence[Member]) -> list[Member]:
    """Those whom nothing holds; the others say what does."""
    ready = []
    strategy, now = look.rollout.strategy, look.now
    for member in pending:
        seen = look.seen.get(member.app, observing.UNSEEN)
        hold = look.holds.get(member.app)
        if observing.offline(seen, strategy, now):
            look.put(_absent(member, strategy.offline, now))
        elif hold is not None:
            look.wakes.append(hold.until)
            if member.blocker != hold.reason:
                look.put(replace(member, blocker=hold.reason))
        else:
            if not seen.online:
                look.wakes.append(seen.offline_since + strategy.offline_after)
            ready.append(member)
    return ready


def _absent(member: Member, offline: Offline, now: float) -> Member:
    reason = "the cluster is offline"
    if offline is Offline.WAIT:
        return replace(member, blocker=reason)
    state = State.DEFERRED if offline is Offline.DEFER else State.FAILED
    return replace(member, state=state, since=now, blocker=reason)


def _room(look: _Look, stage: Stage, at: int, busy: int) -> int:
    """How many may start now."""
    most = len(look.stages[at])
    room = most if stage.max_concurrent is None else stage.max_concurrent.of(_total(look, at)) - busy
    if room <= 0 or not stage.rate:
        return max(0, room)
    interval, last = 60.0 / stage.rate, look.rollout.last_start
    burst = max(1, math.ceil(stage.rate / 60.0))
    due = burst if not last else min(burst, math.floor((look.now - last) / interval + 1e-9))
    started = min(room, due, sum(member.state is State.PENDING for member in look.stages[at]))
    if started > 0:
        look.rollout = replace(look.rollout, last_start=look.now)
    look.wakes.append(look.rollout.last_start + interval)
    return max(0, started)


def _wakes(look: _Look) -> None:
    """When time alone changes something."""
    strategy, now = look.rollout.strategy, look.now
    for app, member in look.members.items():
        if member.state in _IDLE:
            continue
        if member.state is State.SOAKING:
            look.wakes.append(member.healthy + strategy.stages[member.stage].soak)
        if member.state in ASSIGNED or member.state is State.REVERTING:
            look.wakes.append(member.deadline)
            seen = look.seen.get(app, observing.UNSEEN)
            if not seen.online and now < seen.offline_since + strategy.offline_after:
                look.wakes.append(seen.offline_since + strategy.offline_after)
