"""Rendered objects by digest.

Stored once, whichever clusters run them; an agent reads only what it is assigned.
"""

from __future__ import annotations

import orjson

from hub.store.base import Tx


def put(tx: Tx, digest: str, blob: bytes, now: float, summary: str = "", *, shape: str = "") -> None:
    """Keeps a bundle (`argosy.bundle.pack`), what is to be told of it (`hub.core.views.summary` as JSON, "" for nothing) and its
    `hub.core.releases.images.shape`; one that is there already stays as it is."""
    tx.run(
        "INSERT INTO bundles (digest, blob, created, shape) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (digest, blob, now, shape),
    )
    if summary:
        tx.run("INSERT INTO summaries (bundle, body) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, summary))


def get(tx: Tx, digest: str) -> bytes | None:
    found = tx.one("SELECT blob FROM bundles WHERE digest = ?", (digest,))
    return bytes(found[0]) if found else None


def assigned(tx: Tx, cluster: str, digest: str) -> bool:
    """True where the cluster's present set refers to the bundle: an assignment, the users' health checks, or a removal
    whose hooks are in it."""
    for table, column in (("assignments", "bundle"), ("desired", "checks")):
        sql = f"SELECT 1 FROM {table} WHERE {column} = ? AND cluster = ? LIMIT 1"
        if tx.one(sql, (digest, cluster)) is not None:
            return True
    removals = tx.all("SELECT body FROM removals WHERE cluster = ?", (cluster,))
    return any(orjson.loads(row[0]).get("bundle") == digest for row in removals)


def had(tx: Tx, cluster: str, digest: str) -> bool:
    """True where a release that is still known gave the cluster the bundle."""
    sql = "SELECT 1 FROM release_changes WHERE bundle = ? AND cluster = ? LIMIT 1"
    return tx.one(sql, (digest, cluster)) is not None
