"""Writes what clusters are assigned, and the removals that follow from it, for whoever decided it in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy import bundle as bundles_format
from argosy import objects as manifests
from argosy.bundle import Assignment, Removal
from hub.core.releases import releases
from hub.core.releases.releases import Wanted
from hub.core.rollout.model import Version
from hub.store import apps, bundles, desired, handing
from hub.store.apps import AppState
from hub.store.base import Tx


@dataclass
class _Change:
    """What is done to one cluster's set."""

    put: list[Assignment] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    remove: list[Removal] = field(default_factory=list)
    close: list[str] = field(default_factory=list)
    left: dict[str, tuple[str, str]] = field(default_factory=dict)
    """App -> (the bundle it had, what replaces it)."""


class Assigning:
    """Collects what one transaction assigns, and writes each cluster's set once. `now` is Unix seconds."""

    def __init__(self, tx: Tx, now: float) -> None:
        self._tx = tx
        self._now = now
        self._changes: dict[str, _Change] = {}

    def give(
        self,
        state: AppState,
        version: Version,
        places: Mapping[str, Assignment],
        *,
        sync: str = "",
        cause: str = "",
    ) -> None:
        """Assigns an app a version; what its policy says now comes with it.

        `places` is what it has, by cluster. `sync` names a sync that is asked for where the app does not sync by itself
        or has this very version already. `cause` is why objects go that the version lacks: the release where nothing
        else is said.
        """
        change = self._of(state.cluster)
        given = releases.assigned(wanted(state), version)
        current = places.get(state.cluster)
        again = current is not None and current.release == version.release
        if sync and (again or not given.policy.automated):
            given = replace(given, policy=replace(given.policy, sync_request=sync))
        if current is not None and current.bundle != version.bundle:
            change.left[state.app] = (current.bundle, cause or f"release {version.release}")
        change.put.append(given)
        self._leave_others(state, places)

    def refresh(self, state: AppState, current: Assignment) -> None:
        """Gives an app its present policy with the content that it has."""
        given = releases.assigned(wanted(state), releases.version_of(current))
        if not given.policy.sync_request:
            # What a rollout asked to be synced stays asked for.
            given = replace(given, policy=replace(given.policy, sync_request=current.policy.sync_request))
        self._of(state.cluster).put.append(given)

    def settle(self, clusters: Iterable[str]) -> None:
        """Looks again at what is between two Applications of these clusters."""
        for cluster in handing.clusters(self._tx, clusters):
            self._of(cluster)

    def write(self) -> None:
        between = frozenset(handing.clusters(self._tx, self._changes))
        for cluster, change in self._changes.items():
            known = handing.of_cluster(self._tx, cluster) if cluster in between else []
            _prune(self._tx, cluster, change, known, self._now)
            desired.change(
                self._tx,
                cluster,
                put=change.put,
                drop=change.drop,
                remove=change.remove,
                close=change.close,
            )
        self._changes = {}

    def _of(self, cluster: str) -> _Change:
        return self._changes.setdefault(cluster, _Change())

    def _leave_others(self, state: AppState, places: Iterable[str]) -> None:
        """An app that moved to another cluster leaves its objects where it was, as Argo CD does."""
        for cluster in places:
            if cluster == state.cluster:
                continue
            change = self._of(cluster)
            change.drop.append(state.app)
            reason, by = "moved to another cluster", "spec.destination"
            change.remove.append(
                releases.farewell(state.app, cascade=False, reason=reason, by=by, now=self._now)
            )


def wanted(state: AppState) -> Wanted:
    """What an app's state says of its assignment."""
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


def _prune(tx: Tx, cluster: str, change: _Change, between: Sequence[handing.Row], now: float) -> None:
    """Writes removals of what left the bundles of a cluster for good, and withdraws those of what came back.

    What another app of the cluster has now is handed over: it is looked for in all that the cluster will have. What another
    one is rendered with, and is still to be given, waits for that (`hub.store.handing`): `between` are those of before.
    """
    open_ones = desired.removals(tx, cluster)
    if not open_ones and not change.left and not between:
        return
    given = {item.id: item.bundle for item in change.put}
    gone = {app: keys_of(tx, before) - keys_of(tx, given[app]) for app, (before, _) in change.left.items()}
    if not open_ones and not between and not any(gone.values()):
        return
    bundles_now = desired.bundles(tx, cluster) | given
    for app in change.drop:
        bundles_now.pop(app, None)
    kept = set[str]().union(*(keys_of(tx, digest) for digest in set(bundles_now.values())))
    lost = {handing.Row(app, key, change.left[app][1]) for app, keys in gone.items() for key in keys - kept}
    over = {row for row in between if row.key in kept or row.app not in bundles_now}
    lost |= {
        row for row in between if row not in over and (row.app, row.key) not in {one[:2] for one in lost}
    }
    waits = _awaited(tx, cluster, bundles_now, lost)
    for row in sorted(lost - waits):
        change.remove += releases.prunes(row.app, [row.key], cause=row.cause, now=now)
    handing.drop(tx, cluster, {*over, *(lost - waits)})
    handing.put(tx, cluster, waits.difference(between))
    back = {item.id for item in change.put}
    change.close += [one.id for one in open_ones if (one.key in kept if one.key else one.assignment in back)]
    lapsed = [one for one in open_ones if one.key and one.key not in kept and one.expires <= now]
    given_now = {item.id: item for item in change.put}
    for old in lapsed:
        if old.assignment in given_now and _asks_to_prune(tx, cluster, given_now[old.assignment]):
            # A person asks for a sync that prunes: what was said so long ago that it counts no more is said once more.
            change.close.append(old.id)
            (again,) = releases.prunes(
                old.assignment, [old.key], cause=f"{old.by}, asked again at {now:.0f}", now=now
            )
            change.remove.append(replace(again, by=old.by))


def _asks_to_prune(tx: Tx, cluster: str, given: Assignment) -> bool:
    """Whether an assignment brings a request for a sync that prunes."""
    before = desired.assignment(tx, cluster, given.id)
    anew = before is None or before.policy.sync_request != given.policy.sync_request
    return anew and releases.asks_to_prune(given.policy)


def _awaited(
    tx: Tx, cluster: str, bundles_now: Mapping[str, str], lost: Collection[handing.Row]
) -> set[handing.Row]:
    """What of these another app of the cluster is to get."""
    if not lost:
        return set()
    coming = [one for one in apps.unassigned(tx, cluster) if bundles_now.get(one.app) != one.bundle]
    return {
        row for row in lost if any(row.key in keys_of(tx, one.bundle) for one in coming if one.app != row.app)
    }


_KEPT = 512
"""Bundles whose keys stay known: those of one change are asked for more than once."""
_keys: dict[str, frozenset[str]] = {}


def keys_of(tx: Tx, digest: str) -> frozenset[str]:
    """The keys of a bundle's objects; none where the bundle is not there any more."""
    known = _keys.get(digest)
    if known is not None:
        return known
    blob = bundles.get(tx, digest)
    if blob is None:
        return frozenset()
    found = frozenset(str(manifests.key_of(item)) for item in bundles_format.unpack(blob, digest))
    while len(_keys) >= _KEPT:
        _keys.pop(next(iter(_keys)), None)
    _keys[digest] = found
    return found
