"""The lists of APIs that clusters serve, by digest: one row, however many clusters serve the same."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from argosy import apis
from hub.store.base import Tx


def keep(tx: Tx, digest: str, served: Iterable[str]) -> None:
    sql = "INSERT INTO served_apis (digest, apis) VALUES (?, ?) ON CONFLICT DO NOTHING"
    tx.run(sql, (digest, orjson.dumps(list(served)).decode()))


def known(tx: Tx, digest: str) -> bool:
    return tx.one("SELECT 1 FROM served_apis WHERE digest = ?", (digest,)) is not None


def get(tx: Tx, digest: str) -> tuple[str, ...] | None:
    found = tx.one("SELECT apis FROM served_apis WHERE digest = ?", (digest,))
    return tuple(orjson.loads(found[0])) if found else None


def forget(tx: Tx, digest: str) -> None:
    """Forgets a list that no cluster serves any more."""
    tx.run(
        "DELETE FROM served_apis WHERE digest = ? "
        "AND NOT EXISTS (SELECT 1 FROM agents WHERE json_extract(facts, ?) = ?)",
        (digest, f'$."{apis.FACT}"', digest),
    )


def sweep(tx: Tx) -> None:
    """Forgets what no cluster serves any more."""
    path = f'$."{apis.FACT}"'
    tx.run(
        "DELETE FROM served_apis WHERE digest NOT IN "
        "(SELECT json_extract(facts, ?) FROM agents WHERE json_extract(facts, ?) IS NOT NULL)",
        (path, path),
    )
