"""The state of each ApplicationSet's evaluation between two runs of the expander: chiefly the removals that wait."""

from __future__ import annotations

import orjson

from hub.core.removals import Pending
from hub.store.base import Tx


def pending(tx: Tx, appset: str) -> Pending | None:
    """What the last complete evaluation found missing; `appset` is a uid."""
    found = tx.one("SELECT body FROM evaluations WHERE appset = ?", (appset,))
    if not found:
        return None
    value = orjson.loads(found[0])
    return Pending(value["id"], tuple(value["names"]), value["since"], value.get("by", ""))


def remember(tx: Tx, appset: str, value: Pending | None) -> None:
    if value is None:
        tx.run("DELETE FROM evaluations WHERE appset = ?", (appset,))
        return
    body = orjson.dumps({"id": value.id, "names": value.names, "since": value.since, "by": value.by})
    tx.run(
        "INSERT INTO evaluations (appset, body) VALUES (?, ?) ON CONFLICT (appset) DO UPDATE SET body = excluded.body",
        (appset, body),
    )
