"""The fleet counted: in a few queries, whatever its size, with no object read that is well."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from hub.store.base import Tx

_APPS = """
    SELECT s.name, s.cluster, s.problem, s.bundle, coalesce(r.bundle, ''), coalesce(r.sync, ''), coalesce(r.health, ''),
           CASE WHEN r.sync = 'Synced' AND r.health = 'Healthy' THEN ''
                ELSE coalesce(json_extract(CAST(r.detail AS TEXT), '$.phase'), '') END,
           CASE WHEN r.sync = 'Synced' AND r.health = 'Healthy' THEN ''
                ELSE coalesce(json_extract(CAST(r.detail AS TEXT), '$.message'), '') END
    FROM app_states s LEFT JOIN reports r ON r.app = s.app AND r.cluster = s.cluster
    WHERE s.deleting = '' AND s.namespace = ?
"""


def applications(
    tx: Tx, namespace: str, most: int
) -> tuple[Counter[str], Counter[str], list[tuple[str, str]], int]:
    """(by sync, by health, the first `most` problems as (name, why), the number of all problems)."""
    sync, health = Counter[str](), Counter[str]()
    problems: list[tuple[str, str]] = []
    number = 0
    for name, _, problem, wanted, reported, said_sync, said_health, phase, message in tx.all(
        _APPS, (namespace,)
    ):
        known = bool(wanted) and not problem
        sync[("OutOfSync" if reported != wanted else said_sync or "Unknown") if known else "Unknown"] += 1
        health[(said_health or "Missing") if known else "Unknown"] += 1
        why = problem
        if not why and phase in ("Failed", "Error"):
            why = f"sync {phase}: {message}".rstrip(": ")
        elif not why and said_health == "Degraded":
            why = "health Degraded"
        if why:
            number += 1
            if len(problems) < most:
                problems.append((name, why[:500]))
    return sync, health, problems, number


def rollouts(tx: Tx, namespace: str) -> list[tuple[str, str, str]]:
    """(name, phase, reason) of the rollouts that are under way."""
    rows = tx.all(
        "SELECT name, shown FROM rollouts WHERE under_way = 1 AND namespace = ? ORDER BY name", (namespace,)
    )
    return [(name, *_phase(shown)) for name, shown in rows]


def _phase(shown: Any) -> tuple[str, str]:
    status = orjson.loads(shown)
    blockers = [str(one.get("reason") or "") for one in status.get("blockers") or ()]
    return str(status.get("phase") or ""), str(status.get("message") or next(iter(blockers), ""))
