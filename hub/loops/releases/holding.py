"""What freezes, overrides and sync windows hold now, asked within a transaction by whoever is about to move something.

Decided in `hub.core.holds.holds`; here is what that needs to know. Where nothing is frozen and no project has windows, the
answer costs one look at the versions of these objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from argosy.bundle import Restraint
from argosy.objects import Manifest
from hub.core.clusters import clusters
from hub.core.holds import freezes, holds, restraints, windows
from hub.core.holds.freezes import Orders, Subject
from hub.core.holds.holds import Holds
from hub.core.holds.windows import Window
from hub.core.releases import releases
from hub.core.rollout.model import Rollout
from hub.core.served import table
from hub.core.types import NAMESPACE, ClusterFacts
from hub.loops.releases import pruning
from hub.store import apps, desired, rollouts
from hub.store import holds as store
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.resources import Resources

HoldsOf = Callable[[Tx, Sequence[str], Rollout | None, float], Holds]
"""(tx, uids of Applications, the rollout that would move them, now) -> who among them may not change now, and why."""


def no_holds(tx: Tx, apps: Sequence[str], rollout: Rollout | None, now: float) -> Holds:
    """Where nothing holds anybody."""
    return Holds()


_READ = (table.FREEZE, table.OVERRIDE, table.APP_PROJECT)
RESOURCES = frozenset(served.resource for served in _READ)
"""What the answers depend on beside Applications and clusters."""


class Holding:
    """Reads orders and windows again where they were written. For use within transactions of one thread."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._version: object = None
        self._freezes: list[Manifest] = []
        self._overrides: list[Manifest] = []
        self._projects: dict[str, tuple[Window, ...]] = {}

    def holds(self, tx: Tx, asked: Sequence[str], rollout: Rollout | None, now: float) -> Holds:
        """`HoldsOf`. What is found is shown at the Applications, so it is to be asked in a transaction that writes."""
        orders, projects = self._orders(tx, now), self._windows(tx)
        policy = windows.parse_policy(rollout.strategy.windows) if rollout else ()
        pruned = pruning.holds(tx, self._resources, asked, now)
        if not (orders or projects or policy or pruned):
            store.end(tx, asked)
            return Holds()
        row = rollouts.get(tx, rollout.id) if rollout else None
        states = [state for app in asked if (state := apps.get(tx, app)) is not None and state.cluster]
        if not (orders or policy):
            states = [state for state in states if (state.project or "default") in projects]
        subjects = self._subjects(tx, states, projects, every=bool(policy), rollout=row.name if row else "")
        found = holds.of(subjects, orders, projects, now, policy)
        found = Holds({**pruned, **found.by_app}, found.wake)
        store.put(tx, {app: (hold.reason, hold.until) for app, hold in found.by_app.items()}, now)
        store.end(tx, (app for app in asked if app not in found.by_app))
        return found

    def ends(self, tx: Tx, now: float) -> float:
        """When the first freeze or override ends, 0 where there is none."""
        return self._orders(tx, now).ends

    def restrains(self, tx: Tx) -> bool:
        """Whether there is anything that agents are to be told, or to be told no more."""
        self._refresh(tx)
        return bool(self._freezes or self._overrides or self._projects) or desired.any_restrained(tx)

    def stays(self, tx: Tx, state: AppState, now: float, why: str = "") -> bool:
        """Whether an Application may not be removed now, which is then shown: freezes hold removals, windows are for
        syncs. `why` is another reason, "" for none."""
        orders = self._orders(tx, now)
        subjects = self._subjects(tx, [state], {}) if orders and state.cluster else []
        held = holds.of(subjects, orders, {}, now).by_app.get(state.app)
        found = {state.app: (held.reason, held.until)} if held else {state.app: (why, 0.0)} if why else {}
        store.put(tx, found, now)
        store.end(tx, [state.app] if not found else ())
        return bool(found)

    def restrain(self, tx: Tx, among: Iterable[str], now: float) -> None:
        """Brings what the agents of these clusters (ids) are told up to date."""
        orders, projects = self._orders(tx, now), self._windows(tx)
        if orders or projects or desired.any_restrained(tx):
            for cluster in among:
                desired.change(tx, cluster, restrain=self._restraints(tx, cluster, orders, projects))

    def _restraints(
        self, tx: Tx, cluster: str, orders: Orders, projects: Mapping[str, Sequence[Window]]
    ) -> list[Restraint]:
        facts = self._cluster(tx, cluster)
        if facts is None:
            return []
        everyone = bool(projects) or not all(each.scope.everything_there for each in orders.every)
        found = (apps.get(tx, item) for item in desired.assigned(tx, cluster)) if everyone else ()
        states = [state for state in found if state is not None]
        return restraints.of_cluster(facts, self._subjects(tx, states, projects), orders, projects)

    # --- what is known --------------------------------------------------------------------------------------------

    def _orders(self, tx: Tx, now: float) -> Orders:
        self._refresh(tx)
        return freezes.orders(self._freezes, self._overrides, now)

    def _windows(self, tx: Tx) -> dict[str, tuple[Window, ...]]:
        self._refresh(tx)
        return self._projects

    def _refresh(self, tx: Tx) -> None:
        marks = ", ".join("?" * len(_READ))
        version = tx.all(
            f"SELECT resource, count(*), max(rv) FROM objects WHERE resource IN ({marks}) GROUP BY resource",
            [served.resource for served in _READ],
        )
        if version == self._version:
            return
        self._freezes = self._resources.list(tx, table.FREEZE)
        self._overrides = self._resources.list(tx, table.OVERRIDE)
        projects = self._resources.list(tx, table.APP_PROJECT, NAMESPACE)
        found = {item["metadata"]["name"]: _windows_of(item) for item in projects}
        self._projects = {name: listed for name, listed in found.items() if listed}
        self._version = version

    def _cluster(self, tx: Tx, cluster: str) -> ClusterFacts | None:
        found = self._resources.by_uid(tx, cluster)
        return clusters.facts_of(found) if found is not None else None

    def _subjects(
        self,
        tx: Tx,
        states: Iterable[AppState],
        projects: Mapping[str, Sequence[Window]],
        *,
        every: bool = False,
        rollout: str = "",
    ) -> list[Subject]:
        """`every`: the manifest of each is asked for, not only of those whose project has windows."""
        places: dict[str, ClusterFacts | None] = {}
        owners: dict[str, str] = {}
        found = []
        for state in states:
            if state.cluster not in places:
                places[state.cluster] = self._cluster(tx, state.cluster)
            if state.owner and state.owner not in owners:
                owner = self._resources.by_uid(tx, state.owner)
                owners[state.owner] = str(owner["metadata"]["name"]) if owner else ""
            place, project = places[state.cluster], state.project or "default"
            if place is None:
                continue
            manifest: Mapping[str, Any] | None = None
            if every or project in projects:
                manifest = self._resources.by_uid(tx, state.app)
            policy = releases.policy(state.policy)
            found.append(
                Subject(
                    state.app,
                    state.name,
                    state.namespace,
                    project,
                    place,
                    appset=owners.get(state.owner, ""),
                    rollout=rollout,
                    manifest=manifest,
                    automated=policy.automated,
                    manual=bool(policy.sync_request) and policy.sync_request != _given(tx, state),
                )
            )
        return found


def _given(tx: Tx, state: AppState) -> str:
    """The newest sync by hand that the cluster was told of."""
    current = desired.assignment(tx, state.cluster, state.app)
    return current.policy.sync_request if current else ""


def _windows_of(project: Manifest) -> tuple[Window, ...]:
    return windows.parse((project.get("spec") or {}).get("syncWindows"))
