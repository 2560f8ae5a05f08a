"""What agents report of a rollout's members, as decisions read it: the newest state of each, and whether it is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from hub.core.rollout.model import Member, Seen
from hub.store import agents, reports
from hub.store.base import Tx

FAILED_FOR = 30.0
"""Seconds for which a sync has to be reported as failed before it counts so: agents try again at first quickly."""
_FEW = 8


def of(tx: Tx, members: Iterable[Member]) -> dict[str, Seen]:
    """By app. Cluster by cluster, since that is how reports are kept and how they come."""
    by_cluster: dict[str, list[str]] = {}
    for member in members:
        by_cluster.setdefault(member.cluster, []).append(member.app)
    found = {}
    for cluster, apps in by_cluster.items():
        away = _away(tx, cluster)
        for app, row in _rows(tx, cluster, apps).items():
            found[app] = _with_link(_seen(row), away)
    return found


def _rows(tx: Tx, cluster: str, apps: list[str]) -> Mapping[str, reports.Row | None]:
    if len(apps) <= _FEW:
        return {app: reports.get(tx, cluster, app) for app in apps}
    known = {row.app: row for row in reports.of_cluster(tx, cluster)}
    return {app: known.get(app) for app in apps}


def _away(tx: Tx, cluster: str) -> float | None:
    """Since when the agent is away (0: it was never there); None while it is connected."""
    agent = agents.get(tx, cluster)
    if agent is None:
        return 0.0
    return None if agent.connected and not agent.revoked else agent.since


def _with_link(seen: Seen, away: float | None) -> Seen:
    return seen if away is None else replace(seen, online=False, offline_since=away)


def _seen(row: reports.Row | None) -> Seen:
    if row is None:
        return Seen()
    said: dict[str, Any] = orjson.loads(row.detail)
    failed = str(said.get("message") or "the sync failed") if said.get("phase") in ("Failed", "Error") else ""
    return Seen(
        release=row.release,
        bundle=row.bundle,
        time=row.time,
        synced=row.sync == "Synced",
        healthy=row.health == "Healthy",
        settled=bool(said.get("settled")),
        degraded=row.health == "Degraded",
        failed=failed,
        waiting=str(said.get("waiting") or ""),
    )


def patient(seen: Mapping[str, Seen], now: float) -> tuple[dict[str, Seen], float]:
    """A failure that was heard of only now may pass: (what is seen without it, when it counts; 0 for never)."""
    wake = 0.0
    out = dict(seen)
    for app, one in seen.items():
        if one.failed and now < one.time + FAILED_FOR:
            out[app] = replace(one, failed="", waiting=one.waiting or one.failed)
            wake = min(wake or math.inf, one.time + FAILED_FOR)
    return out, wake
