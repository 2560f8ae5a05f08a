"""Which clusters lost an application just now by removals that nobody was asked about: removals within
`caps.TOGETHER` count as one."""

from __future__ import annotations

from collections.abc import Iterable

from hub.core.removals import caps
from hub.store import naming
from hub.store.base import Tx


def note(tx: Tx, removal: str, owner: str, clusters: Iterable[str], now: float) -> None:
    """A removal (uid) of what `owner` (uid) has is carried out; `clusters` are the names of those that it takes from."""
    tx.run("DELETE FROM bereft WHERE time <= ?", (now - caps.TOGETHER,))
    sql = "INSERT INTO bereft (removal, cluster, owner, time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
    tx.many(sql, ((removal, cluster, owner, now) for cluster in clusters))


def withdraw(tx: Tx, removal: str) -> None:
    """Nothing went by a removal after all."""
    tx.run("DELETE FROM bereft WHERE removal = ?", (removal,))


def lately(tx: Tx, now: float) -> list[tuple[str, str]]:
    """(owner, cluster as it is called today) of all within `caps.TOGETHER`."""
    sql = "SELECT DISTINCT owner, cluster FROM bereft WHERE time > ?"
    return [(owner, naming.today(tx, name)) for owner, name in tx.all(sql, (now - caps.TOGETHER,))]
