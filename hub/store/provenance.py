"""What bundles were made from, and by whom: the sources of Applications that have several, and the authors of commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hub.store.base import Tx

MOST = 500
"""Bound parameters of one statement."""


def put(tx: Tx, found: Iterable[tuple[str, str, str]], *, again: bool) -> None:
    """Notes (app, bundle, sources as `AppState.sources` has them). `again`: also where the bundle was there already, for
    it comes back.
    """
    instead = "UPDATE SET sources = excluded.sources" if again else "NOTHING"
    tx.many(
        f"INSERT INTO provenance (app, bundle, sources) VALUES (?, ?, ?) ON CONFLICT (app, bundle) DO {instead}",
        found,
    )


def of(tx: Tx, app: str, bundle: str) -> str:
    """What an app's bundle was made from; "" where it has one source, or nobody knows."""
    found = tx.one("SELECT sources FROM provenance WHERE app = ? AND bundle = ?", (app, bundle))
    return str(found[0]) if found else ""


def every(tx: Tx) -> dict[tuple[str, str], str]:
    """(app, bundle) -> sources."""
    return {(row[0], row[1]): row[2] for row in tx.all("SELECT app, bundle, sources FROM provenance")}


def note_authors(tx: Tx, authors: Mapping[str, str], now: float) -> None:
    """Notes who made commits."""
    tx.many(
        "INSERT INTO authors (commit_id, author, noted) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ((commit, author, now) for commit, author in authors.items()),
    )


def authors(tx: Tx, commits: Sequence[str]) -> dict[str, str]:
    """commit -> author, of those that are known."""
    found: dict[str, str] = {}
    for start in range(0, len(commits), MOST):
        part = commits[start : start + MOST]
        sql = f"SELECT commit_id, author FROM authors WHERE commit_id IN ({', '.join('?' * len(part))})"
        found.update(tx.all(sql, part))
    return found


def shapes(tx: Tx, digests: Sequence[str]) -> dict[str, str]:
    """bundle -> what it is apart from images, of those where that is known."""
    found: dict[str, str] = {}
    for start in range(0, len(digests), MOST):
        part = digests[start : start + MOST]
        sql = f"SELECT digest, shape FROM bundles WHERE shape <> '' AND digest IN ({', '.join('?' * len(part))})"
        found.update(tx.all(sql, part))
    return found


def sweep(tx: Tx, before: float) -> None:
    """Forgets authors noted before a time, and bundles' sources that nobody has, had or shall have."""
    tx.run("DELETE FROM authors WHERE noted < ?", (before,))
    tx.run("DELETE FROM provenance WHERE bundle NOT IN (SELECT digest FROM bundles)")
