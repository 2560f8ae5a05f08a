"""Tidies up: bundles and recipes that nothing refers to, old Events, mirrors of repositories out of use.

Every release kept can still be rolled back to, so its bundles stay. A bundle younger than a day stays too: it may
belong to a release that is being written.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable

from hub.core.holds import freezes
from hub.core.served import table
from hub.loops.repos.trees import Trees
from hub.store import deliveries, history, objects, provenance, rollouts
from hub.store import served as lists
from hub.store.base import Store, Tx
from hub.store.resources import Resources

DAY = 86400.0
EVENT_LIFE = 3600.0
ROLLOUT_EVENT_LIFE = OWNERLESS_LIFE = 7 * DAY
AUDIT_LIFE = 90 * DAY
ORDER_LIFE = 7 * DAY
DELIVERY_LIFE = 90 * DAY


class Sweeper:
    """`tidy` packs the mirrors in use and removes the others; `now` tells the time in Unix seconds."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        tidy: Callable[[Iterable[str]], Awaitable[None]],
        trees: Trees,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._resources = resources
        self._tidy = tidy
        self._trees = trees
        self._now = now
        self._tidied = now()

    async def run(self) -> None:
        await self._store.write(self._sweep)
        if self._now() - self._tidied > DAY:
            self._tidied = self._now()
            await self._tidy([repo.url for repo in self._trees.in_use()])

    def _sweep(self, tx: Tx) -> None:
        now = self._now()
        tx.run(
            "DELETE FROM bundles WHERE created < ? AND digest NOT IN (SELECT bundle FROM assignments) "
            "AND digest NOT IN (SELECT bundle FROM app_states) AND digest NOT IN (SELECT bundle FROM release_changes) "
            "AND digest NOT IN (SELECT before_bundle FROM release_changes) "
            "AND digest NOT IN (SELECT to_bundle FROM rollout_members) "
            "AND digest NOT IN (SELECT before_bundle FROM rollout_members) "
            "AND digest NOT IN (SELECT checks FROM desired) "
            "AND digest NOT IN (SELECT value FROM meta WHERE key = 'checks')",
            (now - DAY,),
        )
        tx.run("DELETE FROM summaries WHERE bundle NOT IN (SELECT digest FROM bundles)")
        # A recipe may name only a bundle that is there, or its next user would be assigned nothing.
        tx.run(
            "DELETE FROM recipes WHERE (bundle <> '' AND bundle NOT IN (SELECT digest FROM bundles)) "
            "OR (bundle = '' AND used < ?)",
            (now - DAY,),
        )
        tx.run("DELETE FROM audit WHERE time < ?", (now - AUDIT_LIFE,))
        deliveries.sweep(tx, now - DELIVERY_LIFE)
        provenance.sweep(tx, now - DELIVERY_LIFE)
        lists.sweep(tx)
        self._ownerless(tx, now)
        self._old_events(tx, now)
        self._old_orders(tx, now)

    def _old_orders(self, tx: Tx, now: float) -> None:
        """Freezes, overrides and tokens that ended stay to be read for a week; who made them is in the audit log for longer."""
        for served, read in ((table.FREEZE, freezes.freeze), (table.OVERRIDE, freezes.override)):
            for item in self._resources.list(tx, served):
                if read(item).until < now - ORDER_LIFE:
                    self._resources.delete(tx, served, "", item["metadata"]["name"], now=now)

        for item in self._resources.list(tx, table.API_TOKEN):
            ended = datetime.datetime.fromisoformat(item["status"]["expires"]).timestamp()
            if ended < now - ORDER_LIFE:
                self._resources.delete(tx, table.API_TOKEN, "", item["metadata"]["name"], now=now)

    def _ownerless(self, tx: Tx, now: float) -> None:
        """Releases and rollouts of sets and Applications that are gone, once they are old."""
        for release in history.ownerless(tx, now - OWNERLESS_LIFE):
            self._resources.delete(tx, table.RELEASE, release.namespace, release.name, now=now)
            self._resources.delete(tx, table.ROLLOUT, release.namespace, release.name, now=now)
            history.forget(tx, release.id)
            rollouts.forget(tx, release.id)

    def _old_events(self, tx: Tx, now: float) -> None:
        for event in self._resources.list(tx, table.EVENT):
            stamp = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            seen = datetime.datetime.fromisoformat(stamp).timestamp()
            rollout = event["involvedObject"].get("kind") == table.ROLLOUT.kind.kind
            if seen < now - (ROLLOUT_EVENT_LIFE if rollout else EVENT_LIFE):
                metadata = event["metadata"]
                self._resources.delete(tx, table.EVENT, metadata["namespace"], metadata["name"], now=now)
        objects.forget_event_names(tx)
