"""Begins rollouts: the members a release moves, by stage, in the place of the rollout that was under way."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy.bundle import Assignment
from argosy.objects import Manifest
from hub.core.releases import releases
from hub.core.rollout import acting, naming, placing
from hub.core.rollout.model import OUTSIDE, Member, Order, Rollout, State, Strategy, Version
from hub.core.rollout.naming import Source
from hub.core.served import table
from hub.loops.releases import announcer
from hub.loops.releases.announcer import News
from hub.loops.rollouts import moving
from hub.store import apps, desired, rollouts
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.resources import Resources
from hub.store.rollouts import Row

MANAGER = announcer.MANAGER
_UNPROVEN = frozenset({State.MOVING, State.SOAKING, State.FAILED, State.DEFERRED})
"""Members of these states may have what they were given without ever having been well with it."""


class PolicyMissing(Exception):
    """The RolloutPolicy that is named is not there; the name."""


@dataclass
class Launch:
    """What a rollout is begun from. `states` are Applications that want something new, `places` what they have, by cluster."""

    tx: Tx
    resources: Resources
    owner: Manifest
    source: Source
    states: Sequence[AppState]
    places: Mapping[str, Mapping[str, Assignment]]
    now: float
    before: Row | None = None
    """The rollout of the same owner that is under way."""
    members: Mapping[str, Member] = field(default_factory=dict)
    """Those of `before`."""

    def begin(self) -> Row | None:
        """Writes the release, its rollout and its members. None where nobody has to move any more: Git went back to what
        runs."""
        release = secrets.token_hex(8)
        strategy = self.source.strategy()
        moves = self._moves(release)
        if not moves:
            self._supersede("nobody: Git went back to what runs")
            return None
        news = News(release, self.owner, [(state, member.before) for state, member in moves])
        name = announcer.announce(self.tx, self.resources, news, self.now)
        self._supersede(name)
        namespace = self.owner["metadata"]["namespace"]
        members = placed(self.tx, self.resources, strategy, release, [member for _, member in moves])
        rollout = Rollout(
            release,
            self.owner["metadata"]["uid"],
            strategy,
            self.now,
            since=self.now,
            totals=self._totals(strategy),
        )
        self._object(name, namespace, release)
        row = Row(rollout, self.source, namespace, name)
        rollouts.put_members(self.tx, release, members)
        row = moving.store(self.tx, row, {member.app: member for member in members}, self.now)
        began = f"{len(members)} applications in {len(strategy.stages)} stages"
        moving.tell(self.tx, self.resources, row, "RolloutStarted", began, self.now)
        return row

    def _moves(self, release: str) -> list[tuple[AppState, Member]]:
        """Who has to move: those with news, and those whom the rollout before had not brought all the way."""
        states = {state.app: state for state in self.states}
        for app, old in self.members.items():
            if app not in states and old.state is not State.LEFT:
                found = apps.get(self.tx, app)
                if found is not None and found.bundle and found.cluster and not found.deleting:
                    states[app] = found
        moves = []
        known = rollouts.refused(self.tx, list(states))
        places = {
            **self.places,
            **desired.of_apps(self.tx, [app for app in states if app not in self.places]),
        }
        for app, state in states.items():
            refused = known.get(app)
            if refused is not None and refused.bundle == state.bundle:
                continue
            member = self._move(state, release, places.get(app, {}).get(state.cluster))
            if member is not None:
                moves.append((state, member))
        return moves

    def _move(self, state: AppState, release: str, current: Assignment | None) -> Member | None:
        app = state.app
        old = self.members.get(app)
        unproven = old is not None and old.state in _UNPROVEN and current is not None and bool(old.started)
        if current is not None and current.bundle == state.bundle and not unproven:
            return None
        had = old.before if unproven and old is not None else releases.version_of(current)
        to = Version(release, state.bundle, state.revision)
        return Member(app, state.name, state.cluster, OUTSIDE, to, had, since=self.now)

    def _supersede(self, by: str) -> None:
        if self.before is None:
            return
        old = replace(
            self.before, rollout=acting.supersede(self.before.rollout, by, self.now), under_way=False
        )
        moving.store(self.tx, old, dict(self.members), self.now)
        moving.tell(self.tx, self.resources, old, "Superseded", old.rollout.reason, self.now)

    def _totals(self, strategy: Strategy) -> tuple[int, ...]:
        """What percentages are of; nothing is read where there are none."""
        limits = [limit for stage in strategy.stages for limit in (stage.max_concurrent, stage.budget)]
        if not any(limit is not None and limit.percent for limit in (*limits, strategy.budget)):
            return ()
        labels = Labels(self.tx, self.resources)
        owned = apps.of_owner(self.tx, self.owner["metadata"]["uid"])
        return placing.totals(strategy, (labels.of(strategy, app, cluster) for app, cluster in owned))

    def _object(self, name: str, namespace: str, release: str) -> None:
        owner = self.owner
        manifest = {
            "apiVersion": table.ROLLOUT.kind.api_version,
            "kind": table.ROLLOUT.kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "owner": {
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                },
                "release": name,
                "policy": self.source.name,
                "strategy": {"type": self.source.kind, **self.source.spec},
            },
        }
        uid = rollouts.uid_of(release)
        self.resources.create(self.tx, table.ROLLOUT, manifest, manager=MANAGER, now=self.now, uid=uid)


def placed(
    tx: Tx, resources: Resources, strategy: Strategy, release: str, members: Sequence[Member]
) -> list[Member]:
    """The members with their stages, and their ranks within them."""
    labels = Labels(tx, resources)
    ordered = any(stage.order is Order.LAST_CHANGE for stage in strategy.stages)
    changed = rollouts.changed_at(tx, (member.app for member in members)) if ordered else {}
    seed = strategy.seed or release
    found = []
    for member in members:
        own = labels.of(strategy, member.app, member.cluster)
        at = placing.place(strategy, own)
        rank = member.name
        if at != OUTSIDE:
            rank = placing.rank(strategy.stages[at], seed, member.name, own, changed.get(member.app, 0.0))
        found.append(replace(member, stage=at, rank=rank))
    return found


@dataclass
class Labels:
    """The labels by which members are placed: of clusters, each read once, or of Applications."""

    tx: Tx
    resources: Resources

    def __post_init__(self) -> None:
        self._clusters: dict[str, Mapping[str, str]] = {}

    def of(self, strategy: Strategy, app: str, cluster: str) -> Mapping[str, str]:
        if strategy.over_apps:
            return self._read(app)
        if cluster not in self._clusters:
            self._clusters[cluster] = self._read(cluster)
        return self._clusters[cluster]

    def _read(self, uid: str) -> Mapping[str, str]:
        found = self.resources.by_uid(self.tx, uid)
        return ((found or {}).get("metadata") or {}).get("labels") or {}


def source_of(tx: Tx, resources: Resources, owner: Manifest) -> Source | None:
    """The strategy that a set or a lone Application follows; None for none. Raises `PolicyMissing`."""
    name = naming.policy_of(owner)
    if not name:
        return naming.rolling_of(owner)
    found = resources.get(tx, table.ROLLOUT_POLICY, owner["metadata"]["namespace"], name)
    if found is None:
        raise PolicyMissing(name)
    return Source(naming.ROLLOUT, name, found["spec"])
