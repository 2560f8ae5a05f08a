"""Sees deleted Applications through: tells the cluster, waits for its agent's word, lets the object go. Clusters, projects
and repositories under deletion are seen to as well (`hub.store.departures`).

An Application keeps a finalizer of ours, so that its deletion is always seen. With Argo CD's
`resources-finalizer.argocd.argoproj.io` its objects are deleted (cascade), without it they stay (release).
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from argosy.bundle import Removal
from argosy.objects import Manifest
from hub.core.apps import hooks, policy
from hub.core.appsets import generated
from hub.core.releases import releases
from hub.core.rollout import rollingsync
from hub.core.served import cells, table
from hub.loops.releases import inheriting, lapsing
from hub.loops.releases.holding import Holding
from hub.store import agents, apps, audit, departures, desired, holds, plans, reports
from hub.store.base import Store, Tx
from hub.store.resources import Resources

MANAGER = "argosy-remover"
EVERYBODY_AFTER = 25.0
"""Seconds after which all are looked at again, whatever was said of them."""


def _approved(app: Manifest) -> bool:
    """Whether a person approved what asks for it, after the Application was deleted (Argo CD's `Delete=confirm`)."""
    deleted = datetime.datetime.fromisoformat(app["metadata"]["deletionTimestamp"]).timestamp()
    return policy.approved(app["metadata"].get("annotations") or {}) >= deleted


def _renewed(farewell: Removal, approved: bool, phases: str) -> Removal:
    """The removal as people now want it: what they approved stays approved, hooks they took away do not come back."""
    kept = ",".join(phase for phase in farewell.hooks.split(",") if phase and phase in phases.split(","))
    return replace(farewell, approved=farewell.approved or approved, hooks=kept)


@dataclass(frozen=True)
class _Awaited:
    """An Application whose clusters were told all there is to tell: `clusters` have yet to say that nothing is left."""

    version: int
    clusters: frozenset[str]


class Remover:
    """`now` tells the time in Unix seconds. Who waits for an agent's word costs nothing until that comes: clusters may be
    away for long, and many.
    """

    def __init__(self, store: Store, resources: Resources, held: Holding, now: Callable[[], float]) -> None:
        self._store = store
        self._resources = resources
        self._holding = held
        self._now = now
        self._coming = inheriting.Coming()
        self.waiting = False
        """Whether one waits, or is about to be found to wait, for another to be assigned, which takes over what it has."""
        self._held_by_heirs = False
        self._turns: dict[str, str | None] = {}
        """Of sets that let their applications go one by one, the name of the one that goes in this run."""
        self._awaited: dict[str, _Awaited] = {}
        self._told: set[str] = set()
        """Clusters whose agents said that something is gone."""
        self._everybody = -EVERYBODY_AFTER
        """When all were last looked at, monotonic seconds."""
        self.looked_at = 0
        """Applications looked at since the start: the cost of a change is counted here."""

    def heard(self, topic: str) -> None:
        """An agent says that something is gone: `removed:<cluster>`."""
        self._told.add(topic.partition(":")[2])

    def again(self) -> None:
        """Looks at everybody: what holds them, or where they are, may be otherwise."""
        self._everybody = -EVERYBODY_AFTER

    async def run(self) -> None:
        told, self._told = self._told, set()
        done, leaving, unfinished = await self._store.read(
            lambda tx: (reports.finished(tx), apps.leaving(tx), self._unfinished(tx))
        )
        if done:
            await self._store.write(self._close_done)
        due = self._due(leaving, told)
        worked = bool(done or due)
        self._held_by_heirs = False
        # An heir that is assigned between the look at who is to come and the one at who goes must wake the next run.
        self.waiting = bool(due)
        while due:
            self._turns = {}
            self.looked_at += len(due)
            self._coming = await self._store.read(inheriting.coming)
            ended = await asyncio.gather(*(self._store.write(self._job(uid, rv)) for uid, rv in due.items()))
            # Where they go one by one, the end of one is the next one's turn.
            next_ones = any(self._turns.values()) and any(ended)
            due = await self._store.read(apps.leaving) if next_ones else {}
        self.waiting = self._held_by_heirs
        departing, planned = await self._store.read(self._unfinished) if worked else unfinished
        if departing:
            await self._store.write(lambda tx: departures.see_off(tx, self._resources, self._now()))
        if departing or planned:
            await self._store.write(lambda tx: plans.follow(tx, self._resources, self._now()))

    def _unfinished(self, tx: Tx) -> tuple[bool, bool]:
        """Whether departures, and plans, have something left to do."""
        listed = self._resources.list(tx, table.REMOVAL)
        return (
            departures.unfinished(tx, self._resources, listed),
            plans.unfinished(tx, self._resources, listed, self._now()),
        )

    def _due(self, leaving: Mapping[str, int], told: set[str]) -> dict[str, int]:
        """Those who may get further than they did."""
        self._awaited = {uid: known for uid, known in self._awaited.items() if uid in leaving}
        if time.monotonic() - self._everybody >= EVERYBODY_AFTER:
            self._everybody = time.monotonic()
            return dict(leaving)
        return {
            uid: version
            for uid, version in leaving.items()
            if (known := self._awaited.get(uid)) is None or known.version != version or known.clusters & told
        }

    def _job(self, uid: str, version: int) -> Callable[[Tx], bool]:
        return lambda tx: self._see_off(tx, uid, version)

    def _close_done(self, tx: Tx) -> None:
        """Closes the removals of single objects that agents report as done."""
        for cluster, done in reports.finished(tx):
            open_ids = {one.id for one in desired.removals(tx, cluster) if one.key}
            if finished := open_ids & set(done):
                desired.change(tx, cluster, close=finished)

    def _see_off(self, tx: Tx, uid: str, version: int) -> bool:
        """True when it is gone. `version` is that of the object as it was found."""
        self._awaited.pop(uid, None)
        app = self._resources.by_uid(tx, uid)
        if app is None:
            apps.forget(tx, uid)
            return True
        if not app["metadata"].get("deletionTimestamp") or not self._in_turn(tx, app):
            return False
        state = apps.get(tx, uid)
        heir = self._heir(tx, app)
        self._held_by_heirs = self._held_by_heirs or bool(heir)
        clusters = set(desired.clusters_of(tx, uid)) | ({state.cluster} if state and state.cluster else set())
        lapsed = lapsing.waits(tx, self._resources, app, sorted(clusters), self._now())
        if state is not None and self._holding.stays(tx, state, self._now(), heir or lapsed):
            if lapsed:
                self._awaited[uid] = _Awaited(version, frozenset(clusters))
            return False
        awaited = frozenset(cluster for cluster in sorted(clusters) if not self._left(tx, app, cluster))
        if awaited:
            self._awaited[uid] = _Awaited(version, awaited)
            return False
        for cluster in clusters:
            reports.forget(tx, cluster, uid)
        self._let_go(tx, app)
        return True

    def _heir(self, tx: Tx, app: Manifest) -> str:
        """Why an Application whose objects another one takes over stays for now, "" where it does not."""
        metadata = app["metadata"]
        if not hooks.cascades(metadata.get("finalizers") or ()):
            return ""
        deleted = cells.seconds(metadata["deletionTimestamp"]) or 0.0
        places = desired.of_apps(tx, [metadata["uid"]]).get(metadata["uid"], {})
        found = (
            self._coming.heir(tx, cluster, assigned, deleted, self._now())
            for cluster, assigned in places.items()
        )
        return next(filter(None, found), "")

    def _in_turn(self, tx: Tx, app: Manifest) -> bool:
        """False where others of a deleted set have to be gone first (RollingSync's `deletionOrder: Reverse`)."""
        owner = generated.controller_of(app)
        if owner not in self._turns:
            found = self._resources.by_uid(tx, owner) if owner else None
            strategy = (found["spec"].get("strategy") if found else None) or {}
            ordered = found is not None and bool(found["metadata"].get("deletionTimestamp"))
            self._turns[owner] = None
            if ordered and strategy.get("deletionOrder"):
                members = self._resources.owned(tx, table.APPLICATION, owner)
                labelled = ((m["metadata"]["name"], m["metadata"].get("labels") or {}) for m in members)
                self._turns[owner] = rollingsync.next_to_go(strategy, labelled)
        turn = self._turns[owner]
        if not turn or turn == app["metadata"]["name"]:
            return True
        steps = rollingsync.steps_of(self._resources.by_uid(tx, owner)["spec"]["strategy"])  # type: ignore[index]
        return not any(step.selects(app["metadata"].get("labels") or {}) for step in steps)

    def _left(self, tx: Tx, app: Manifest, cluster: str) -> bool:
        """True when nothing of the app is left to do on the cluster; writes the removal where there is none yet."""
        uid = app["metadata"]["uid"]
        if self._resources.by_uid(tx, cluster) is None:
            # It may have been assigned something once more by a batch that was under way.
            agents.forget(tx, cluster)
            return True
        finalizers = app["metadata"].get("finalizers") or ()
        approved, phases = _approved(app), ",".join(hooks.phases(finalizers))
        farewells = [one for one in desired.removals(tx, cluster) if one.assignment == uid and not one.key]
        if not farewells:
            assigned = desired.assignment(tx, cluster, uid)
            if assigned is None:
                return True
            farewell = releases.farewell(
                uid,
                cascade=hooks.cascades(finalizers),
                reason="the Application was deleted",
                by=self._by(tx, app),
                now=self._now(),
            )
            if phases:
                place = assigned.destination_namespace
                farewell = replace(farewell, bundle=assigned.bundle, namespace=place, hooks=phases)
            desired.change(tx, cluster, drop=[uid], remove=[replace(farewell, approved=approved)])
            return False
        if again := [one for old in farewells if (one := _renewed(old, approved, phases)) != old]:
            desired.change(tx, cluster, close=[one.id for one in again])
            desired.change(tx, cluster, remove=again)
            return False
        report = reports.get(tx, cluster, uid)
        if report is None or not report.gone:
            return False
        of_app = [one.id for one in desired.removals(tx, cluster) if one.assignment == uid]
        desired.change(tx, cluster, close=of_app)
        return True

    def _by(self, tx: Tx, app: Manifest) -> str:
        """Who made it go: of a removal that was planned, or whoever deleted it; "delete" where nobody knows."""
        metadata = app["metadata"]
        planned = plans.of_app(tx, self._resources, metadata["uid"])
        if planned:
            return planned
        place = (table.APPLICATION.resource, metadata["namespace"], metadata["name"])
        return audit.newest_of(tx, *place, verbs=("delete", "deletecollection")) or "delete"

    def _let_go(self, tx: Tx, app: Manifest) -> None:
        metadata = dict(app["metadata"])
        metadata["finalizers"] = [
            name
            for name in metadata.get("finalizers") or ()
            if name != generated.OURS and not hooks.ours(name)
        ]
        apps.forget(tx, metadata["uid"])
        holds.forget(tx, metadata["uid"])
        self._resources.update(
            tx, table.APPLICATION, {**app, "metadata": metadata}, manager=MANAGER, now=self._now()
        )
