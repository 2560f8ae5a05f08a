"""Where a commit is in a fleet of 50,000 assignments: answered within a second."""

from __future__ import annotations

import time
from pathlib import Path

from bench.largefleet import APPS, CLUSTERS, fill
from hub.core.views import where
from hub.core.views.where import History, Place
from hub.store import places, sqlite
from hub.store.base import Tx


async def test_fifty_thousand_assignments_within_a_second(tmp_path: Path) -> None:
    store = sqlite.open_store(tmp_path / "hub.db")
    try:
        await store.write(fill)
        history = History("c2", frozenset({"c3"}), {"main": True})

        def look(tx: Tx) -> list[where.Row]:
            apps = places.of_repository(tx, lambda repo: repo == "https://git/fleet", frozenset())
            assert len(apps) == CLUSTERS * APPS
            return where.account(places.clusters(tx), apps, history)

        spent = []
        for _ in range(3):
            began = time.process_time()
            rows = await store.read(look)
            spent.append(time.process_time() - began)
        counts = where.counts(rows)
        assert sum(counts.values()) == CLUSTERS
        assert counts[Place.OFFLINE] == CLUSTERS // 20
        assert counts[Place.WAITING] == CLUSTERS - CLUSTERS // 20
        # The best of three in CPU time, so that a busy machine is no failure.
        assert min(spent) < 1.0, spent
    finally:
        await store.close()
