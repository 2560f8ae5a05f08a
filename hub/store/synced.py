"""Each Application's last whole syncs, for `status.history`: written where its agent tells of a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.core.served.cells import stamp
from hub.core.views import synced
from hub.core.views.synced import Sync
from hub.store.base import Tx

MOST = 500
"""Parameters of one query."""

_BEFORE = """
    SELECT s.app, s.bundle, s.origin, s.sources, h.entries, json_extract(o.body, '$.spec.revisionHistoryLimit')
    FROM app_states s JOIN objects o ON o.uid = s.app LEFT JOIN synced h ON h.app = s.app
"""
_PUT = (
    "INSERT INTO synced (app, token, entries) VALUES (?, ?, ?) ON CONFLICT (app) DO UPDATE SET "
    "token = excluded.token, entries = excluded.entries"
)


def record(tx: Tx, cluster: str, told: Mapping[str, Sync]) -> None:
    """Adds to the histories of Applications (by uid) whose destination the cluster is what is not in them yet."""
    apps = list(told)
    for start in range(0, len(apps), MOST):
        part = apps[start : start + MOST]
        marks = ", ".join("?" * len(part))
        found = tx.one(f"SELECT json_group_object(app, token) FROM synced WHERE app IN ({marks})", part)
        known: dict[str, str] = orjson.loads(found[0]) if found else {}
        fresh = [app for app in part if known.get(app) != told[app].token]
        if fresh:
            _add(tx, cluster, {app: told[app] for app in fresh})


def _add(tx: Tx, cluster: str, told: Mapping[str, Sync]) -> None:
    marks = ", ".join("?" * len(told))
    rows = tx.all(f"{_BEFORE} WHERE s.cluster = ? AND s.app IN ({marks})", (cluster, *told))
    tx.many(_PUT, [_row(told[app], app, *rest) for app, *rest in rows])


def _row(
    sync: Sync, app: str, bundle: str, origin: str, sources: str, entries: str | None, limit: Any
) -> tuple[str, str, str]:
    before = orjson.loads(entries) if entries else []
    known = synced.origin_of(origin, sources) if bundle == sync.bundle and origin else None
    wanted = limit if isinstance(limit, int) else None
    return app, sync.token, orjson.dumps(synced.with_sync(before, sync, known, wanted, stamp)).decode()
