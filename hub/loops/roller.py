"""Turns rendered changes into releases, and releases into what each cluster is assigned (hops 4 to 6 of a change).

One transaction takes a batch of changed applications: what it wrote is a release with its assignments and removals,
or nothing. The cost follows the changed applications and the sets of their clusters.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from argosy import bundle as bundles_format
from argosy import objects as manifests
from argosy.bundle import Assignment, Removal
from hub.core import releases
from hub.core.releases import Wanted
from hub.loops import announcer
from hub.store import apps, bundles, desired
from hub.store.apps import AppState
from hub.store.base import Store, Tx
from hub.store.resources import Resources

Assigned = dict[str, dict[str, Assignment]]
"""App -> cluster -> what is assigned before the batch."""

BATCH = 1000
"""Applications per transaction: bounds how long other writers wait."""


@dataclass
class _Changes:
    """What one batch does to one cluster's set."""

    put: list[Assignment] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    remove: list[Removal] = field(default_factory=list)
    close: list[str] = field(default_factory=list)
    left: dict[str, tuple[str, str]] = field(default_factory=dict)
    """App -> (the bundle it had, the release that replaces it)."""


class Roller:
    """`now` tells the time in Unix seconds."""

    def __init__(self, store: Store, resources: Resources, now: Callable[[], float]) -> None:
        self._store = store
        self._resources = resources
        self._now = now

    async def run(self) -> None:
        while await self._store.write(self._batch):
            pass

    def _batch(self, tx: Tx) -> int:
        """Rolls up to `BATCH` waiting applications; returns how many there were."""
        waiting = apps.waiting(tx, BATCH)
        changes: dict[str, _Changes] = {}
        assigned = desired.of_apps(tx, [state.app for state in waiting])
        for _, group in itertools.groupby(waiting, key=lambda state: state.owner or state.app):
            self._roll(tx, list(group), assigned, changes)
        for cluster, change in changes.items():
            _prune(tx, cluster, change, self._now())
            desired.change(
                tx, cluster, put=change.put, drop=change.drop, remove=change.remove, close=change.close
            )
        apps.rolled(tx, (state.app for state in waiting))
        return len(waiting)

    def _roll(self, tx: Tx, states: list[AppState], assigned: Assigned, changes: dict[str, _Changes]) -> None:
        now = self._now()
        release = secrets.token_hex(8)
        released: list[AppState] = []
        for state in states:
            if state.deleting or not state.bundle or not state.cluster:
                continue
            wanted = _wanted(state)
            before = assigned.get(state.app, {})
            current = before.get(state.cluster)
            change = changes.setdefault(state.cluster, _Changes())
            if releases.needs_release(wanted, current):
                released.append(state)
                if current is not None:
                    change.left[state.app] = (current.bundle, release)
            change.put.append(releases.assignment(wanted, current, release))
            _leave_others(state, before, changes, now)
        if released:
            commits = releases.commits((s.repo, s.target, s.revision) for s in released)
            announcer.announce(tx, self._resources, release, released, commits, now)


def _prune(tx: Tx, cluster: str, change: _Changes, now: float) -> None:
    """Writes removals of what left the bundles of a cluster for good, and withdraws those of what came back.

    What another app of the cluster has now is handed over: it is looked for in all that the cluster will have.
    """
    open_ones = desired.removals(tx, cluster)
    if not open_ones and not change.left:
        return
    bundles_now = {item.id: item.bundle for item in desired.assignments(tx, cluster)}
    bundles_now |= {item.id: item.bundle for item in change.put}
    for app in change.drop:
        bundles_now.pop(app, None)
    gone = {
        app: keys_of(tx, before) - keys_of(tx, bundles_now[app]) for app, (before, _) in change.left.items()
    }
    if not open_ones and not any(gone.values()):
        return
    kept = set[str]().union(*(keys_of(tx, digest) for digest in set(bundles_now.values())))
    for app, keys in gone.items():
        change.remove += releases.prunes(app, keys - kept, release=change.left[app][1], now=now)
    back = {item.id for item in change.put}
    change.close += [one.id for one in open_ones if (one.key in kept if one.key else one.assignment in back)]


def keys_of(tx: Tx, digest: str) -> set[str]:
    """The keys of a bundle's objects; none where the bundle is not there any more."""
    blob = bundles.get(tx, digest)
    if blob is None:
        return set()
    return {str(manifests.key_of(item)) for item in bundles_format.unpack(blob, digest)}


def _wanted(state: AppState) -> Wanted:
    return Wanted(
        app=state.app,
        name=state.name,
        namespace=state.namespace,
        project=state.project,
        cluster=state.cluster,
        destination_namespace=state.destination_namespace,
        bundle=state.bundle,
        revision=state.revision,
        policy=state.policy,
    )


def _leave_others(state: AppState, before: Iterable[str], changes: dict[str, _Changes], now: float) -> None:
    """An app that moved to another cluster leaves its objects where it was, as Argo CD does."""
    for cluster in before:
        if cluster == state.cluster:
            continue
        change = changes.setdefault(cluster, _Changes())
        change.drop.append(state.app)
        change.remove.append(
            releases.farewell(
                state.app, cascade=False, reason="moved to another cluster", by="spec.destination", now=now
            )
        )
