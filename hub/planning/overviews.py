"""Counts the fleet for `/status`."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.objects import Manifest
from hub.core.holds import freezes
from hub.core.served import table
from hub.core.views import overview
from hub.core.views.overview import MOST, Overview
from hub.loops.appsets.world import World
from hub.store import agents, apps, shown
from hub.store import overview as store
from hub.store.base import Store, Tx
from hub.store.resources import Resources


class Overviews:
    """For one hub."""

    def __init__(self, parts: Store, resources: Resources, world: World) -> None:
        self._store = parts
        self._resources = resources
        self._world = world

    async def overview(self, namespace: str, now: float) -> Overview:
        """Of a namespace's sets and applications, and of all clusters."""
        appsets = await self._world.listed(table.APPLICATION_SET, namespace)
        stale, held = overview.of_sets(appsets)

        def read(tx: Tx) -> Overview:
            known = {agent.cluster: agent for agent in agents.every(tx)}
            names = tx.all(
                "SELECT name, uid FROM objects WHERE resource = ? ORDER BY name", (table.CLUSTER.resource,)
            )
            counts, troubles = overview.of_clusters([(name, known.get(uid)) for name, uid in names], now)
            sync, health, failing, number = store.applications(tx, namespace, MOST)
            waiting = self._waiting(tx, appsets)
            listed = self._resources.list(tx, table.FREEZE)
            orders = freezes.orders(listed, [], now)
            problems = [
                *troubles[:MOST],
                *((f"app/{name}", why) for name, why in failing),
                *held[:MOST],
                *waiting[:MOST],
            ]
            return Overview(
                counts,
                sync,
                health,
                len(appsets),
                store.rollouts(tx, namespace),
                len(orders.every),
                problems,
                stale[:MOST],
                len(troubles)
                + number
                + len(held)
                + len(waiting)
                + len(stale)
                - len(problems)
                - len(stale[:MOST]),
            )

        return await self._store.read(read)

    def _waiting(self, tx: Tx, appsets: Sequence[Manifest]) -> list[tuple[str, str]]:
        """Sets of which changed applications are no release yet, and why."""
        held = apps.owners_held(tx)
        found = []
        for appset in appsets:
            why = shown.waits(tx, self._resources, appset) if appset["metadata"]["uid"] in held else ""
            if why:
                found.append((f"appset/{appset['metadata']['name']}", f"changed applications wait: {why}"))
        return found
