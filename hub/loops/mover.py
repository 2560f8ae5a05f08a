"""Moves rollouts on: what agents reported, what people and gates said, and what time has come give the next step.

Everything is in the store; what is kept here only spares reading it again. A rollout is looked at when something of it
changed or its time has come. A step is one transaction, and taking it again from the store gives the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from argosy.loop import Wake
from hub.core.clusters.clusters import RESOURCE as CLUSTERS
from hub.core.holds.holds import Holds
from hub.core.rollout import acting, deciding
from hub.core.rollout.acting import NOT_COUNTED, Act
from hub.core.rollout.model import FINAL, Decision, Gate, GateAnswer, Member, Phase, Rollout, Seen, State
from hub.gates.base import Answer
from hub.loops.releases.holding import HoldsOf, no_holds
from hub.loops.rollouts import moving, sightings
from hub.loops.rollouts.gatekeeping import Asking
from hub.store import apps, rollouts
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources
from hub.store.rollouts import Row

PAUSE = 0.05
"""Seconds between two looks: reports that come in a burst are taken together."""
_ACTS = {
    "promote": "Promoted",
    "pause": "PausedBy",
    "resume": "Resumed",
    "abort": "AbortedBy",
    "retry": "Retried",
    "skip": "Skipped",
    "rollback": "RollbackAsked",
    "approve": "Approved",
    "signal": "Signalled",
}
"""Reasons of Events."""

log = structlog.get_logger("mover")


AskGate = Callable[[Gate, Asking], Awaitable[Answer]]
"""Asks a gate. Whatever the other side does is an answer."""


async def no_gates(gate: Gate, asking: Asking) -> Answer:
    return Answer(False, f"this hub asks no {gate.kind} gates")


@dataclass
class _Known:
    """A rollout as it was read or written last, with what was seen of its members."""

    row: Row
    members: dict[str, Member]
    by_cluster: dict[str, list[str]]
    seen: dict[str, Seen]
    stale: set[str] = field(default_factory=set)
    """Clusters to be read again."""
    wake: float = 0.0
    """When it is looked at next, 0 for not before something changes."""
    regroup: bool = False
    """Whether members may have left."""


class Mover:
    """`now` tells the time in Unix seconds; `wake` lets the loop look again."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        wake: Wake,
        now: Callable[[], float],
        *,
        ask: AskGate = no_gates,
        holds: HoldsOf = no_holds,
    ) -> None:
        self._store = store
        self._resources = resources
        self._wake = wake
        self._now = now
        self._ask = ask
        self._holds = holds
        self._known: dict[str, _Known] = {}
        self._due: set[str] = set()
        self._written: dict[str, int] = {}
        """Rollouts that were written since the last look, and their version then."""
        self._moved: set[str] = set()
        """Clusters that were heard of since the last look."""
        self._answers: dict[str, dict[str, GateAnswer]] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loaded = False
        self.looks = 0
        """Decisions taken since the start: the cost of what happens is counted here."""

    # --- what is heard --------------------------------------------------------------------------------------------

    def written(self, topic: str) -> None:
        """A rollout was begun, or written by whomever: `rollout:<id>:<version>`."""
        _, rollout, version = topic.split(":")
        self._written[rollout] = int(version)
        self._wake.set()

    def left(self, topic: str) -> None:
        """Members may have left a rollout: `left:<id>`."""
        rollout = topic.partition(":")[2]
        if (known := self._known.get(rollout)) is not None:
            known.regroup = True
        self._due.add(rollout)
        self._wake.set()

    def reported(self, topic: str) -> None:
        """An agent's report was written: `report:<cluster>`."""
        self._heard(topic.partition(":")[2])

    def note(self, changes: Sequence[Change]) -> None:
        """An agent came or went."""
        for change in changes:
            if change.resource == CLUSTERS and change.composed:
                self._heard(change.uid)

    def _heard(self, cluster: str) -> None:
        if self._known:
            self._moved.add(cluster)
            self._wake.set()

    def again(self) -> None:
        """Looks at all rollouts: what may hold them has changed."""
        self._due.update(self._known)
        self._wake.set()

    # --- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        if not self._loaded:
            self._due.update(
                await self._store.read(lambda tx: [r.rollout.id for r in rollouts.under_way(tx)])
            )
            self._loaded = True
        moved, self._moved = self._moved, set()
        due, self._due = self._due, set()
        written, self._written = self._written, {}
        now = self._now()
        due.update(one for one, version in written.items() if version > self._version(one))
        for rollout, known in self._known.items():
            if not moved.isdisjoint(known.by_cluster):
                known.stale |= moved & known.by_cluster.keys()
                due.add(rollout)
            elif known.wake and known.wake <= now:
                due.add(rollout)
        try:
            while due:
                await self._look(due.pop())
        except BaseException:
            self._due |= due
            self._moved |= moved
            raise
        self._set_timer()
        if moved:
            await asyncio.sleep(PAUSE)

    def _version(self, rollout: str) -> int:
        known = self._known.get(rollout)
        return known.row.version if known is not None else 0

    async def _look(self, rollout: str) -> None:
        known = self._known.get(rollout)
        answers = self._answers.pop(rollout, {})
        try:
            found, ask = await self._store.write(lambda tx: self._step(tx, rollout, known, answers))
        except BaseException:
            # What was read may not be what is stored: the next look begins from there.
            self._known.pop(rollout, None)
            self._answers[rollout] = {**answers, **self._answers.get(rollout, {})}
            self._due.add(rollout)
            raise
        if found is None:
            self._known.pop(rollout, None)
            return
        if moving.at_work(found.row.rollout, found.members):
            self._known[rollout] = found
        else:
            self._known.pop(rollout, None)
        for key, gate in ask:
            self._begin(found, key, gate)

    def _step(
        self, tx: Tx, rollout: str, known: _Known | None, answers: Mapping[str, GateAnswer]
    ) -> tuple[_Known | None, tuple[tuple[str, Gate], ...]]:
        """One look and what follows from it, in one transaction."""
        row = rollouts.get(tx, rollout)
        if row is None or not row.under_way:
            return None, ()
        known = self._fresh(tx, row, known)
        now = self._now()
        self.looks += 1
        if known.regroup:
            self._membership(tx, known, now)
        decision, wake = self._decide(tx, known, answers, now)
        step = moving.Step(tx, self._resources, known.row, known.members, now)
        known.row = step.take(decision)
        known.members = step.members
        known.wake = wake
        return known, decision.ask

    def _fresh(self, tx: Tx, row: Row, known: _Known | None) -> _Known:
        if known is None or known.row.version != row.version:
            members = rollouts.members(tx, row.rollout.id)
            by_cluster: dict[str, list[str]] = {}
            for member in members.values():
                by_cluster.setdefault(member.cluster, []).append(member.app)
            return _Known(row, members, by_cluster, sightings.of(tx, members.values()), regroup=True)
        if known.stale:
            stale = [known.members[app] for cluster in known.stale for app in known.by_cluster[cluster]]
            known.seen |= sightings.of(tx, stale)
            known.stale = set()
        return known

    def _membership(self, tx: Tx, known: _Known, now: float) -> None:
        """Members whose Application is gone, goes, or went to another cluster take part no more."""
        known.regroup = False
        left = [known.members[app] for app in apps.departed(tx, known.row.rollout.id)]
        left = [member for member in left if member.state is not State.LEFT]
        if not left:
            return
        result = acting.enrol(known.row.rollout, (), left, now)
        rollouts.put_members(tx, known.row.rollout.id, result.members)
        known.members = {**known.members, **{member.app: member for member in result.members}}
        known.row = moving.store(tx, replace(known.row, rollout=result.rollout), known.members, now)

    def _decide(
        self, tx: Tx, known: _Known, answers: Mapping[str, GateAnswer], now: float
    ) -> tuple[Decision, float]:
        rollout = known.row.rollout
        waiting = [app for app, member in known.members.items() if _may_be_held(member, rollout)]
        holds = self._holds(tx, waiting, rollout, now) if waiting else Holds()
        seen, patience = sightings.patient(known.seen, now)
        decision = deciding.decide(rollout, known.members, seen, holds.by_app, answers, now)
        wakes = [at for at in (decision.wake, holds.wake, patience) if at]
        return decision, min(wakes, default=0.0)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wakes = [known.wake for known in self._known.values() if known.wake]
        if wakes:
            delay = max(PAUSE, min(wakes) - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake.set)

    # --- gates ----------------------------------------------------------------------------------------------------

    def _begin(self, known: _Known, key: str, gate: Gate) -> None:
        """Asks a gate, unless it is being asked."""
        rollout = known.row.rollout
        if (rollout.id, key) in self._asking:
            return
        at = int(key.partition("/")[0])
        stage = {m.app: m.cluster for m in known.members.values() if m.stage == at}
        asking = Asking(known.row.namespace, known.row.name, rollout.strategy.stages[at].name, stage)
        task = asyncio.create_task(self._answer(rollout.id, key, gate, asking), name=f"gate {gate.name}")
        self._asking[rollout.id, key] = task
        task.add_done_callback(lambda done: self._asking.pop((rollout.id, key), None))

    async def _answer(self, rollout: str, key: str, gate: Gate, asking: Asking) -> None:
        # What was true when it was asked need not be true of what waits for the answer by now.
        asked = self._now()
        try:
            good, said = await self._ask(gate, asking)
        except Exception as error:
            log.exception("gate broke", gate=gate.name)
            good, said = False, f"{type(error).__name__}: {error}"
        self._answers.setdefault(rollout, {})[key] = GateAnswer(good, said, asked)
        self._due.add(rollout)
        self._wake.set()

    # --- what people do -------------------------------------------------------------------------------------------

    def act(self, tx: Tx, namespace: str, name: str, asked: Act) -> str | None:
        """Does what somebody asks for in the caller's transaction; what follows from it, the next look does at once.

        Returns what to tell ("" where nothing had to be done, `NOT_COUNTED` and why where it does not count), None where
        there is no such rollout. Raises `Invalid`.
        """
        row = rollouts.named(tx, namespace, name)
        if row is None:
            return None
        members = rollouts.members(tx, row.rollout.id)
        if not row.under_way and rollouts.of_owner(tx, row.rollout.owner) is not None:
            return "" if asked.verb in ("abort", "pause", "resume") else _outdated(row)
        result = acting.act(row.rollout, members, asked)
        step = moving.Step(tx, self._resources, row, members, asked.now)
        notes = ((_ACTS[asked.verb], result.said),) if result.said else ()
        step.take(Decision(result.rollout, result.members, notes=notes))
        return f"{NOT_COUNTED}: {result.refused}" if result.refused else result.said


def _outdated(row: Row) -> str:
    return f"rollout {row.name} is over, and a newer one is under way"


def _may_be_held(member: Member, rollout: Rollout) -> bool:
    if rollout.phase is Phase.ROLLING_BACK:
        return rollout.strategy.gated_rollback
    return member.state in (State.PENDING, State.DEFERRED) and (
        rollout.phase not in FINAL or rollout.phase is Phase.COMPLETED
    )
