"""Releases that wait since they would prune more of an Application's objects than its cap permits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hub.store.base import Tx


class Row(NamedTuple):
    """`bundle` is what the Application would have, `removal` the name of the Removal that decides."""

    app: str
    bundle: str
    removal: str
    reason: str


def put(tx: Tx, row: Row) -> None:
    tx.run(
        "INSERT INTO prunes (app, bundle, removal, reason) VALUES (?, ?, ?, ?) ON CONFLICT (app) DO UPDATE SET "
        "bundle = excluded.bundle, removal = excluded.removal, reason = excluded.reason",
        row,
    )


def drop(tx: Tx, app: str) -> bool:
    """True where there was one."""
    return tx.run("DELETE FROM prunes WHERE app = ?", (app,)) > 0


def among(tx: Tx, asked: Sequence[str]) -> list[Row]:
    """Those of these Applications that wait. They are few: all are read."""
    rows = [Row._make(row) for row in tx.all("SELECT app, bundle, removal, reason FROM prunes")]
    wanted = frozenset(asked) if rows else frozenset()
    return [row for row in rows if row.app in wanted]
