"""Writes what a look at Applications gave: bundles, recipes, states, and what their own objects show of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest
from hub.core.apps import hooks, owners
from hub.core.appsets import generated
from hub.core.served import table
from hub.core.views import conditions
from hub.loops.apps.claims import Claims
from hub.loops.apps.entries import REFRESH, Outcome, operation_state, refreshes, rolls
from hub.loops.apps.kitchen import Kitchen
from hub.store import apps, bundles, objects, provenance, recipes
from hub.store.base import Tx
from hub.store.resources import Resources

MANAGER = "argosy-renderer"

log = structlog.get_logger("renderer")


class Writing:
    """All in the caller's transaction. `versions` are those of the objects written: what we wrote ourselves is no news."""

    def __init__(self, resources: Resources, kitchen: Kitchen, claims: Claims) -> None:
        self._resources = resources
        self._kitchen = kitchen
        self._claims = claims
        self.versions: set[int] = set()

    def write(self, tx: Tx, outcomes: Sequence[Outcome], now: float) -> bool:
        """True where what any cluster should have may differ now."""
        changed = []
        versions = objects.versions(tx, [outcome.state.app for outcome in outcomes])
        for outcome in outcomes:
            state, before = outcome.state, outcome.entry.state
            if outcome.fresh:
                fresh = outcome.fresh
                bundles.put(tx, fresh.digest, fresh.blob, now, fresh.summary, shape=fresh.shape)
            if outcome.detour is not None and (other := outcome.detour.fresh):
                bundles.put(tx, other.digest, other.blob, now, other.summary, shape=other.shape)
            if outcome.recipe:
                _, _, text = state.problem.partition(": ")
                recipes.record(tx, outcome.recipe, state.bundle if not text else "", text, now)
            if before is None or state._replace(rolled=before.rolled) != before:
                same = before is not None and rolls(state) == rolls(before)
                state = outcome.state = state._replace(rolled=before.rolled if before and same else 0)
                changed.append(state)
                if state.sources and (before is None or before.sources != state.sources):
                    back = before is None or before.bundle != state.bundle
                    provenance.put(tx, [(state.app, state.bundle, state.sources)], again=back)
            if outcome.state.app in versions:
                self._answer(tx, outcome, versions[outcome.state.app], now)
        apps.put(tx, changed)
        provenance.note_authors(tx, {k: v for outcome in outcomes for k, v in outcome.authors.items()}, now)
        return bool(changed)

    def _answer(self, tx: Tx, outcome: Outcome, version: int, now: float) -> None:
        """What the Application's object shows of it: conditions, an answered refresh, a taken-up operation, finalizer."""
        live: Manifest | None = outcome.entry.manifest
        if outcome.entry.manifest["metadata"].get("resourceVersion") != str(version):
            live = self._resources.by_uid(tx, outcome.state.app)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        metadata = dict(live["metadata"])
        if generated.OURS not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), generated.OURS]
        if outcome.state.bundle:
            endings = self._claims.endings(outcome.state.bundle)
            metadata["finalizers"] = hooks.finalizers(metadata["finalizers"], endings)
        if refreshes(outcome.entry.manifest) and REFRESH in (metadata.get("annotations") or {}):
            metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != REFRESH}
        wanted = {**live, "metadata": metadata}
        if live.get("operation") == outcome.entry.manifest.get("operation"):
            wanted.pop("operation", None)
        try:
            if wanted != live:
                live = self._resources.update(tx, table.APPLICATION, wanted, manager=MANAGER, now=now)
                self.versions.add(int(live["metadata"]["resourceVersion"]))
                outcome.live = live
            self._show(tx, live, outcome, now)
        except ApiFailure as error:
            # Written before a stricter admission: what it deploys goes on, only its own object stays as it is.
            log.warning("application cannot be written", app=outcome.state.name, error=str(error))

    def _show(self, tx: Tx, live: Manifest, outcome: Outcome, now: float) -> None:
        before: dict[str, Any] = live.get("status") or {}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        repeated = self._kitchen.warning(outcome.state.recipe)
        warnings = ((owners.REPEATED, repeated), (owners.SHARED, outcome.shared))
        found = conditions.of_app(outcome.state.problem, before.get("conditions") or (), stamp, warnings)
        operation = operation_state(outcome, before, stamp)
        if found != (before.get("conditions") or []) or operation != before.get("operationState"):
            status = {**before, "conditions": found, "operationState": operation}
            if operation is None:
                del status["operationState"]
            metadata = live["metadata"]
            written = self._resources.set_status(
                tx,
                table.APPLICATION,
                metadata["namespace"],
                metadata["name"],
                status,
                manager=MANAGER,
                now=now,
            )
            self.versions.add(int(written["metadata"]["resourceVersion"]))
