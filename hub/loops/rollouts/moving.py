"""Writes what was decided about a rollout: its row, its members, the assignments that follow, and the story of it.

All in the caller's transaction, so a hub that dies has done the whole of a step or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import orjson

from hub.core.rollout import deciding, naming, showing
from hub.core.rollout.model import ASSIGNED, OUTSIDE, Decision, Member, OnNewRelease, Phase, Rollout, State
from hub.core.served import table
from hub.loops.releases.assigning import Assigning
from hub.store import agents, apps, desired, events, rollouts
from hub.store.base import Change, Tx
from hub.store.resources import Resources
from hub.store.rollouts import Refused, Row

MANAGER = "argosy-mover"
_WARNINGS = frozenset(
    {"MemberFailed", *(str(phase) for phase in (Phase.HALTED, Phase.ROLLING_BACK, Phase.ROLLED_BACK))}
)
_GIVEN_UP = frozenset({Phase.ABORTED, Phase.ROLLED_BACK, Phase.ROLLING_BACK})
_STORY = {
    State.MOVING: "RolloutAssigned",
    State.DONE: "RolloutDone",
    State.FAILED: "RolloutFailed",
    State.DEFERRED: "RolloutDeferred",
    State.SKIPPED: "RolloutSkipped",
    State.REVERTING: "RolloutReverting",
    State.REVERTED: "RolloutReverted",
}
"""States that an Application's own Events tell of."""


def store(tx: Tx, row: Row, members: Mapping[str, Member], now: float) -> Row:
    """Writes a rollout with its status as it is now."""
    shown = showing.status(row.rollout, members.values(), now)
    for member in shown.get("members") or ():
        member["cluster"] = agents.name_of(tx, member["cluster"]) or member["cluster"]
    waited = row.waits
    row = replace(row, version=row.version + 1, shown=orjson.dumps(shown), waits=showing.waits(row.rollout))
    rollouts.put(tx, row)
    if waited != row.waits:
        # What those wait for whose turn has not come stands with the rollout, and is shown with each of them.
        rollouts.tell(tx, (app for app, m in members.items() if m.state is State.PENDING and not m.blocker))
    if row.source.kind == naming.ROLLING_SYNC:
        # Its set shows where each application is.
        where = (
            table.APPLICATION_SET.resource,
            row.namespace,
            row.name.rpartition("-")[0],
            row.rollout.owner,
        )
        tx.emit(Change(tx.next_rv(), "MODIFIED", *where, composed=True))
    return row


def at_work(rollout: Rollout, members: Mapping[str, Member]) -> bool:
    """Whether anything may still follow by itself: from what is reported, or because time has come."""
    synced = (m.stage == OUTSIDE and m.state in ASSIGNED for m in members.values())
    return not deciding.over(rollout, members.values()) or any(synced)


TAKEN_OVER = "its stage is through: the newer release that waited takes over"


def gives_way(rollout: Rollout) -> bool:
    """Whether a rollout that lets newer releases wait for its present stage waits for one of them now."""
    return rollout.phase is Phase.PAUSED and rollout.reason == TAKEN_OVER


def _by_hand(rollout: Rollout, members: Mapping[str, Member]) -> bool:
    """Whether members of no stage still wait for somebody to sync them."""
    waits = (m.stage == OUTSIDE and m.state is State.PENDING for m in members.values())
    return rollout.phase is Phase.COMPLETED and any(waits)


def tell(tx: Tx, resources: Resources, row: Row, reason: str, message: str, now: float) -> None:
    """An Event on the rollout."""
    about = {
        "apiVersion": table.ROLLOUT.kind.api_version,
        "kind": table.ROLLOUT.kind.kind,
        "metadata": {"name": row.name, "namespace": row.namespace, "uid": rollouts.uid_of(row.rollout.id)},
    }
    kind = "Warning" if reason in _WARNINGS else "Normal"
    events.note(
        tx, resources, about, kind=kind, reason=reason, message=message or reason, now=now, component=MANAGER
    )


@dataclass
class Step:
    """One step of one rollout. `members` are all of it, as they were before."""

    tx: Tx
    resources: Resources
    row: Row
    members: dict[str, Member]
    now: float

    def take(self, decision: Decision) -> Row:
        """Writes a decision and what follows from it; returns the row as it is now. Nothing where nothing changed."""
        before = self.row.rollout
        changed = {member.app: member for member in decision.members}
        if decision.rollout == before and not changed and not decision.assign and not decision.revert:
            return self.row
        if self._yields(decision):
            decision = self._give_way(decision)
            changed = {member.app: member for member in decision.members}
        after = {**self.members, **changed}
        if before.phase is not decision.rollout.phase:
            self._refusals(decision.rollout, after)
        self._assign(decision, after)
        rollouts.put_members(self.tx, before.id, changed.values())
        under_way = at_work(decision.rollout, after) or _by_hand(decision.rollout, after)
        if not under_way and self.row.under_way:
            apps.let_go(self.tx, before.owner)
        self.row = store(
            self.tx,
            replace(self.row, rollout=decision.rollout, under_way=under_way),
            after,
            self.now,
        )
        for reason, message in decision.notes:
            tell(self.tx, self.resources, self.row, reason, message, self.now)
        self._stories(changed.values())
        self.members = after
        return self.row

    def _yields(self, decision: Decision) -> bool:
        """Whether the next stage would begin while a newer release waits for the present one to end."""
        strategy, before = decision.rollout.strategy, self.row.rollout
        advances = before.phase is Phase.PROGRESSING and decision.rollout.stage > before.stage
        return (
            advances
            and strategy.on_new_release is OnNewRelease.FINISH
            and apps.any_held(self.tx, before.owner)
        )

    def _give_way(self, decision: Decision) -> Decision:
        """Stops between two stages; the newer release takes over whom this one has not reached."""
        before = self.row.rollout
        observed = tuple(member for member in decision.members if member.app not in decision.assign)
        apps.let_go(self.tx, before.owner)
        waiting = replace(before, phase=Phase.PAUSED, since=self.now, reason=TAKEN_OVER)
        return Decision(waiting, observed, notes=(("GivesWay", TAKEN_OVER),))

    def _refusals(self, rollout: Rollout, members: Mapping[str, Member]) -> None:
        """What was rolled back, or given up before it got there, is not chosen again; a retry takes that back."""
        if rollout.phase is Phase.ROLLING_BACK:
            self._refuse(members.values(), "rolled back")
        elif rollout.phase is Phase.ABORTED:
            self._refuse((m for m in members.values() if not m.started), "aborted")
        elif rollout.phase is Phase.PROGRESSING and self.row.rollout.phase in _GIVEN_UP:
            rollouts.accept_release(self.tx, rollout.id)

    def _refuse(self, members: Iterable[Member], why: str) -> None:
        release = self.row.rollout.id
        rollouts.refuse(
            self.tx,
            (
                Refused(
                    member.app, member.to.bundle, release, f"{why} with release {self.row.name}", self.now
                )
                for member in members
                if member.to.bundle and member.state is not State.LEFT
            ),
        )

    def _assign(self, decision: Decision, members: Mapping[str, Member]) -> None:
        """Gives members their versions, where their Applications still are what they were."""
        back = frozenset(decision.revert)
        given = [*decision.assign, *decision.revert]
        places = desired.of_apps(self.tx, given)
        assigning = Assigning(self.tx, self.now)
        sync = f"{self.row.rollout.id}.{int(self.now)}"
        for app in given:
            member, state = members[app], apps.get(self.tx, app)
            if state is None or state.deleting or state.cluster != member.cluster:
                continue
            version = member.before if app in back else member.to
            cause = f"rollback of {self.row.name}" if app in back else ""
            assigning.give(state, version, places.get(app, {}), sync=sync, cause=cause)
        assigning.write()

    def _stories(self, changed: Iterable[Member]) -> None:
        for member in changed:
            if (before := self.members.get(member.app)) is not None and before.state is member.state:
                continue
            reason = _STORY.get(member.state)
            if reason is None:
                continue
            stage = self.row.rollout.strategy.stages
            where = stage[member.stage].name if 0 <= member.stage < len(stage) else showing.OUTSIDE_NAME
            about = {
                "apiVersion": table.APPLICATION.kind.api_version,
                "kind": table.APPLICATION.kind.kind,
                "metadata": {"name": member.name, "namespace": self.row.namespace, "uid": member.app},
            }
            words = f"{self.row.name}, stage {where}"
            why = self.row.rollout.reason if member.state is State.REVERTING else member.blocker
            if member.state is not State.MOVING and why:
                words += f": {why}"
            kind = "Warning" if member.state in (State.FAILED, State.REVERTING) else "Normal"
            events.note(
                self.tx,
                self.resources,
                about,
                kind=kind,
                reason=reason,
                message=words,
                now=self.now,
                component=MANAGER,
            )
