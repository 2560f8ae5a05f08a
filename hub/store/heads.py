"""Where the refs of each repository were when last looked at. A restarted hub starts from here, not from nothing."""

from __future__ import annotations

from collections.abc import Mapping

from hub.store.base import Tx


def of(tx: Tx, repo: str) -> dict[str, str]:
    """ref -> commit id."""
    return dict(tx.all("SELECT ref, commit_id FROM heads WHERE repo = ?", (repo,)))


def replace(tx: Tx, repo: str, refs: Mapping[str, str], now: float) -> None:
    """The whole listing of a repository at `now` (Unix seconds)."""
    tx.run("DELETE FROM heads WHERE repo = ?", (repo,))
    tx.many(
        "INSERT INTO heads (repo, ref, commit_id, seen) VALUES (?, ?, ?, ?)",
        ((repo, ref, commit, now) for ref, commit in refs.items()),
    )
