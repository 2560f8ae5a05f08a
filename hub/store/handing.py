"""Objects that left an Application's bundle while another Application of the cluster is still to get them: nobody is told
to remove them before it is known what comes of that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.store.base import Tx


class Row(NamedTuple):
    """`app` had the object (`key`) last; `cause` is why it has it no more."""

    app: str
    key: str
    cause: str


def of_cluster(tx: Tx, cluster: str) -> list[Row]:
    rows = tx.all("SELECT app, key, cause FROM handing WHERE cluster = ? ORDER BY app, key", (cluster,))
    return [Row._make(row) for row in rows]


def put(tx: Tx, cluster: str, rows: Iterable[Row]) -> None:
    tx.many(
        "INSERT INTO handing (cluster, app, key, cause) VALUES (?, ?, ?, ?) ON CONFLICT (cluster, app, key) "
        "DO UPDATE SET cause = excluded.cause",
        ((cluster, *row) for row in rows),
    )


def drop(tx: Tx, cluster: str, rows: Iterable[Row]) -> None:
    sql = "DELETE FROM handing WHERE cluster = ? AND app = ? AND key = ?"
    tx.many(sql, ((cluster, row.app, row.key) for row in rows))


def clusters(tx: Tx, among: Iterable[str]) -> list[str]:
    """Those of these clusters where something is between two Applications: few, if any."""
    found = {row[0] for row in tx.all("SELECT DISTINCT cluster FROM handing")}
    return sorted(found.intersection(among)) if found else []


def keys_of(tx: Tx, cluster: str, app: str) -> frozenset[str]:
    """What an Application had last."""
    rows = tx.all("SELECT key FROM handing WHERE cluster = ? AND app = ?", (cluster, app))
    return frozenset(row[0] for row in rows)
