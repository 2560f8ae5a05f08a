"""The fleet at a glance: everything is counted, each trouble is named once, with its reason."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.largefleet import APPS, CLUSTERS, fill
from hub.core.clusters.clusters import Agent
from hub.core.views import overview
from hub.store import overview as store
from hub.store import sqlite


def agent(name: str, **parts: Any) -> tuple[str, Agent | None]:
    return name, Agent(name, key="k", since=1.0, **parts)


def test_clusters_are_counted_by_state_and_their_troubles_named() -> None:
    counts, problems = overview.of_clusters(
        [
            agent("well", connected=1),
            agent("away", connected=0),
            agent("held", connected=1, holding="EpochUnknown"),
            agent("revoked", revoked=5.0),
            agent("twice", connected=1, quarantine="two agents run with it"),
            ("new", None),
        ],
        10.0,
    )
    assert dict(counts) == {"Ready": 3, "offline": 1, "revoked": 1, "waiting": 1}
    assert [name for name, _ in problems] == [
        f"cluster/{name}" for name in ("away", "held", "revoked", "twice", "new")
    ]
    told = dict(problems)
    assert told["cluster/away"].startswith("offline: not connected")
    assert "removals are held: EpochUnknown" in told["cluster/held"]
    assert told["cluster/twice"] == "two agents run with it"


def test_sets_tell_what_was_not_evaluated_and_what_waits() -> None:
    def appset(name: str, **told: str) -> dict[str, Any]:
        conditions = [{"type": kind, "status": "True", "message": text} for kind, text in told.items()]
        return {"metadata": {"name": name}, "status": {"conditions": conditions}}

    stale, held = overview.of_sets(
        [
            appset("good", ResourcesUpToDate="fine"),
            appset("bad", ErrorOccurred="git says no", Stale="git says no"),
            appset("waits", RemovalHeld="2 applications would go"),
            {"metadata": {"name": "new"}},
        ]
    )
    assert stale == [("appset/bad", "git says no")]
    assert held == [("appset/waits", "2 applications would go")]


async def test_fifty_thousand_applications_are_counted_within_a_second(tmp_path: Path) -> None:
    backend = sqlite.open_store(tmp_path / "hub.db")
    try:
        await backend.write(fill)
        spent = []
        for _ in range(3):
            began = time.process_time()
            sync, health, problems, number = await backend.read(
                lambda tx: store.applications(tx, "argocd", 200)
            )
            spent.append(time.process_time() - began)
        assert sum(sync.values()) == sum(health.values()) == CLUSTERS * APPS
        assert (problems, number) == ([], 0)
        assert min(spent) < 1.0, spent
    finally:
        await backend.close()
