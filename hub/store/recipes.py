"""Recipe -> what its render gave. The same recipe is never rendered twice, for whichever cluster or set."""

from __future__ import annotations

from hub.store.base import Tx


def find(tx: Tx, digest: str) -> tuple[str, str] | None:
    """(bundle digest, problem) of a recipe rendered before; exactly one of the two is "". None: not rendered yet."""
    found = tx.one("SELECT bundle, problem FROM recipes WHERE digest = ?", (digest,))
    return (found[0], found[1]) if found else None


def record(tx: Tx, digest: str, bundle: str, problem: str, now: float) -> None:
    tx.run(
        "INSERT INTO recipes (digest, bundle, problem, used) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET bundle = excluded.bundle, problem = excluded.problem, used = excluded.used",
        (digest, bundle, problem, now),
    )
