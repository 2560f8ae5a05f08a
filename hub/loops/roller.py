"""Turns rendered changes into releases, and releases into rollouts or, without a strategy, into what each cluster is
assigned (hops 4 to 6 of a change).

One transaction takes a batch of changed applications: what it wrote is a release with all that follows from it, or
nothing. The cost follows the changed applications and the sets of their clusters.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy.bundle import Assignment
from argosy.errors import Internal
from argosy.loop import Wake
from argosy.objects import Manifest
from hub.core.releases import releases
from hub.core.releases.releases import Changed
from hub.core.rollout import acting, naming
from hub.core.rollout.model import FINAL, OUTSIDE, Decision, Member, OnNewRelease, State, Version
from hub.core.rollout.naming import Source
from hub.loops.apps import detours
from hub.loops.releases import announcer, pruning
from hub.loops.releases.announcer import News
from hub.loops.releases.assigning import Assigning
from hub.loops.releases.holding import HoldsOf, no_holds
from hub.loops.rollouts import launching, moving
from hub.loops.rollouts.launching import Launch, PolicyMissing
from hub.store import apps, desired, events, history, rollouts
from hub.store.apps import AppState
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources
from hub.store.rollouts import Refused, Row

BATCH = 1000
"""Applications per transaction: bounds how long other writers wait."""
MANY = 500
"""A change of so many applications of one set with a strategy waits while more are being rendered, so that one commit
is one release."""
LOOK_AGAIN, LONGEST = 0.2, 30.0
"""Seconds after which that is looked at again, and for which it waits at most."""


@dataclass(frozen=True)
class _Batch:
    """What one transaction works on, read once for all owners. `places` is what is assigned: app -> cluster -> it."""

    tx: Tx
    now: float
    assigning: Assigning
    places: Mapping[str, Mapping[str, Assignment]]
    refused: Mapping[str, Refused]
    rolling: frozenset[str]
    """Owners of rollouts that are under way."""

    def current(self, state: AppState) -> Assignment | None:
        return self.places.get(state.app, {}).get(state.cluster)

    def refresh(self, states: Iterable[AppState]) -> None:
        """What policies say now goes with the content that is there."""
        for state in states:
            if (found := self.current(state)) is not None:
                self.assigning.refresh(state, found)


@dataclass(frozen=True)
class _Group:
    """The changed applications of one owner, and its rollout that is under way."""

    states: Sequence[AppState]
    row: Row | None = None
    members: Mapping[str, Member] = field(default_factory=dict)


class Roller:
    """`now` tells the time in Unix seconds, `holds` who may not change now, `busy` whether more is being rendered. `wake`
    lets the loop look again."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        now: Callable[[], float],
        holds: HoldsOf = no_holds,
        *,
        busy: Callable[[], bool] = lambda: False,
        wake: Wake | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._now = now
        self._holds = holds
        self._again = True
        self._busy = busy
        self._wake = wake
        self._gathering: dict[str, float] = {}
        """Sets whose change is not rendered whole yet, and since when that is waited for."""
        self._lacking: dict[str, str] = {}
        """Owners whose changes wait for a RolloutPolicy that is not there, and its name."""
        self._edited: set[str] = set()

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes notice of changes; True where somebody who waits for a policy may name another one now."""
        edited = {change.uid for change in changes if change.uid in self._lacking}
        self._edited |= edited
        return bool(edited)

    def again(self) -> None:
        """Looks again at what is held back."""
        self._again = True

    async def run(self) -> None:
        if self._again:
            self._again = False
            await self._store.write(apps.let_go)
        elif self._edited:
            edited, self._edited = self._edited, set()
            await self._store.write(lambda tx: self._reconsider(tx, edited))
        while await self._store.write(self._batch) >= BATCH:
            pass
        late = self._now() - 2 * LONGEST
        self._gathering = {owner: since for owner, since in self._gathering.items() if since > late}
        if self._gathering and self._wake is not None:
            self._again = True
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._wake.set)

    def _reconsider(self, tx: Tx, owners: Iterable[str]) -> None:
        """Looks again at what waits for a policy that its owner names no more."""
        for uid in owners:
            owner = self._resources.by_uid(tx, uid)
            if owner is not None and naming.policy_of(owner) != self._lacking.get(uid):
                apps.let_go(tx, uid)

    def _batch(self, tx: Tx) -> int:
        """Rolls up to `BATCH` waiting applications; returns how many there were."""
        waiting = apps.waiting(tx, BATCH)
        if not waiting:
            return 0
        uids = [state.app for state in waiting]
        now = self._now()
        batch = _Batch(
            tx,
            now,
            Assigning(tx, now),
            desired.of_apps(tx, uids),
            rollouts.refused(tx, uids),
            rollouts.owners(tx),
        )
        held: set[str] = set()
        for _, group in itertools.groupby(waiting, key=lambda state: state.owner or state.app):
            held |= self._roll(batch, list(group))
        batch.assigning.settle({state.cluster for state in waiting})
        batch.assigning.write()
        apps.rolled(tx, (uid for uid in uids if uid not in held))
        apps.hold_back(tx, held)
        return len(waiting)

    def _roll(self, batch: _Batch, states: Sequence[AppState]) -> set[str]:
        """Rolls the changes of one owner; returns the applications that have to wait."""
        group = _group(batch, states)
        news, asked, detoured = [], [], []
        for state in group.states:
            if detours.starts(state, batch.current(state)):
                detoured.append(state)
                continue
            refused = batch.refused.get(state.app)
            if refused is not None and refused.bundle != state.bundle:
                # Git has moved past it.
                rollouts.accept(batch.tx, state.app)
            member = group.members.get(state.app)
            if _is_news(batch, state, member):
                news.append(state)
            elif _asked(batch, state, member):
                asked.append(state)
            else:
                batch.refresh([state])
        held = self._by_hand(batch, group, asked) if asked else set()
        if detoured:
            held |= self._detour(batch, detoured)
        return held | (self._release(batch, group, news) if news else set())

    def _by_hand(self, batch: _Batch, group: _Group, asked: Sequence[AppState]) -> set[str]:
        """Gives the release to members of no stage that somebody asked to be synced; returns those that are held."""
        assert group.row is not None
        uids = [state.app for state in asked]
        held = set(self._holds(batch.tx, uids, group.row.rollout, batch.now).by_app)
        if free := [state for state in asked if state.app not in held]:
            _hand_out(batch, group, free)
        return held

    def _detour(self, batch: _Batch, states: Sequence[AppState]) -> set[str]:
        """Gives what somebody asked for in the place of what is followed; returns the applications that are held."""
        held = set(self._holds(batch.tx, [state.app for state in states], None, batch.now).by_app)
        free = [state for state in states if state.app not in held]
        owner = self._owner(batch.tx, states[0])
        detours.give(batch.tx, self._resources, batch.assigning, owner, free, batch.places, batch.now)
        return held

    def _release(self, batch: _Batch, group: _Group, news: Sequence[AppState]) -> set[str]:
        owner = self._owner(batch.tx, news[0])
        row = group.row
        uid = news[0].owner or news[0].app
        self._lacking.pop(uid, None)
        try:
            source = launching.source_of(batch.tx, self._resources, owner)
        except PolicyMissing as missing:
            self._lacking[uid] = str(missing)
            return self._wait(batch, owner, news, f"RolloutPolicy {missing} is not there")
        if row is not None and row.rollout.phase not in FINAL and _all_new(batch, group, news):
            return self._join(batch, owner, row, group.members, news)
        if row is not None and row.rollout.phase not in FINAL and _waits_for(row):
            return self._wait(batch, owner, news, f"rollout {row.name} is not over")
        if source is not None and self._gathers(batch, news):
            batch.refresh(news)
            return {state.app for state in news}
        for state in news:
            pruning.note(batch.tx, self._resources, state, batch.current(state), batch.now)
        held = source is None and self._holds(batch.tx, [s.app for s in news], None, batch.now).by_app
        if source is None and row is None and not held:
            self._at_once(batch, owner, news)
            return set()
        Launch(
            batch.tx,
            self._resources,
            owner,
            source or Source(),
            news,
            batch.places,
            batch.now,
            row,
            group.members,
        ).begin()
        batch.refresh(news)
        return set()

    def _gathers(self, batch: _Batch, news: Sequence[AppState]) -> bool:
        """Whether more of a large change is on its way."""
        owner = news[0].owner or news[0].app
        since = self._gathering.setdefault(owner, batch.now)
        many = len(news) >= MANY or since < batch.now
        if many and self._busy() and batch.now - since < LONGEST:
            return True
        del self._gathering[owner]
        return False

    def _join(
        self,
        batch: _Batch,
        owner: Manifest,
        row: Row,
        members: Mapping[str, Member],
        news: Sequence[AppState],
    ) -> set[str]:
        """Applications that come while a rollout is under way: into it, after it, or it is aborted for their sake."""
        release, strategy = row.rollout.id, row.rollout.strategy
        coming = [
            Member(s.app, s.name, s.cluster, OUTSIDE, Version(release, s.bundle, s.revision), since=batch.now)
            for s in news
        ]
        coming = launching.placed(batch.tx, self._resources, strategy, release, coming)
        result = acting.enrol(row.rollout, coming, (), batch.now)
        step = moving.Step(batch.tx, self._resources, row, dict(members), batch.now)
        step.take(Decision(result.rollout, result.members, notes=(("Joined", result.said),)))
        if result.rollout.phase in FINAL:
            Launch(batch.tx, self._resources, owner, row.source, news, batch.places, batch.now).begin()
            return set()
        joined = {member.app for member in result.members}
        history.extend(
            batch.tx,
            release,
            (Changed(s.app, s.name, s.cluster, s.bundle, s.revision) for s in news if s.app in joined),
        )
        return {state.app for state in news} - joined

    def _at_once(self, batch: _Batch, owner: Manifest, news: Sequence[AppState]) -> None:
        """A release without a strategy, and with nothing in its way: everybody gets it now."""
        release = secrets.token_hex(8)
        changed = []
        for state in news:
            version = Version(release, state.bundle, state.revision)
            batch.assigning.give(state, version, batch.places.get(state.app, {}))
            changed.append((state, releases.version_of(batch.current(state))))
        announcer.announce(batch.tx, self._resources, News(release, owner, changed), batch.now)

    def _wait(self, batch: _Batch, owner: Manifest, news: Sequence[AppState], why: str) -> set[str]:
        """Nothing new for now."""
        batch.refresh(news)
        message = f"{len(news)} changed applications wait: {why}"
        events.note(
            batch.tx,
            self._resources,
            owner,
            kind="Warning",
            reason="ReleaseWaits",
            message=message,
            now=batch.now,
        )
        return {state.app for state in news}

    def _owner(self, tx: Tx, state: AppState) -> Manifest:
        uid = state.owner or state.app
        # A set that was deleted without its applications leaves them on their own.
        found = self._resources.by_uid(tx, uid) or self._resources.by_uid(tx, state.app)
        if found is None:
            raise Internal(f"neither {state.name} nor its owner {uid} is there")
        return found


def _group(batch: _Batch, states: Sequence[AppState]) -> _Group:
    owner = states[0].owner or states[0].app
    ready = [s for s in states if s.bundle and s.cluster and not s.deleting]
    row = rollouts.of_owner(batch.tx, owner) if owner in batch.rolling else None
    if row is None:
        return _Group(ready)
    if any(state.deleting for state in states):
        batch.tx.touch(f"left:{row.rollout.id}")
    return _Group(ready, row, rollouts.members(batch.tx, row.rollout.id))


def _hand_out(batch: _Batch, group: _Group, asked: Sequence[AppState]) -> None:
    """Gives the release to members of no stage."""
    assert group.row is not None
    moved = {}
    for state in asked:
        member = group.members[state.app]
        batch.assigning.give(state, member.to, batch.places.get(state.app, {}))
        moved[state.app] = replace(member, state=State.MOVING, since=batch.now, started=batch.now, blocker="")
    rollouts.put_members(batch.tx, group.row.rollout.id, moved.values())
    moving.store(batch.tx, group.row, {**group.members, **moved}, batch.now)


def _is_news(batch: _Batch, state: AppState, member: Member | None) -> bool:
    """Whether the app is to get other content than it has or is about to get. Policy alone is no release."""
    refused = batch.refused.get(state.app)
    if refused is not None and refused.bundle == state.bundle:
        return False
    if detours.of(state) is not None:
        return False
    if member is not None and member.state is not State.LEFT and member.cluster == state.cluster:
        return member.to.bundle != state.bundle
    current = batch.current(state)
    return current is None or current.bundle != state.bundle


def _asked(batch: _Batch, state: AppState, member: Member | None) -> bool:
    """Whether a sync is asked for of a member that moves only by hand."""
    if member is None or member.stage != OUTSIDE or member.state is not State.PENDING:
        return False
    request = releases.policy(state.policy).sync_request
    current = batch.current(state)
    return bool(request) and (current is None or request != current.policy.sync_request)


def _all_new(batch: _Batch, group: _Group, news: Sequence[AppState]) -> bool:
    """Whether none of these was there before: clusters joined, nothing else changed."""
    return all(not batch.places.get(s.app) and s.app not in group.members for s in news)


def _waits_for(row: Row) -> bool:
    """Whether a newer release has to wait for this rollout."""
    if row.rollout.strategy.on_new_release is OnNewRelease.SUPERSEDE:
        return False
    return not moving.gives_way(row.rollout)
