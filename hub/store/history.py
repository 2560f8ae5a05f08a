"""Releases by the set or the lone Application they are of, and what each changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hub.store.apps import AppState
from hub.store.base import Tx


@dataclass(frozen=True, slots=True)
class Release:
    """`owner` is a uid, `number` counts its releases from 1; `namespace` and `name` are those of the object."""

    id: str
    owner: str
    number: int
    namespace: str
    name: str
    created: float


_COLUMNS = "id, owner, number, namespace, name, created"


def newest(tx: Tx, owner: str) -> Release | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM releases WHERE owner = ? ORDER BY number DESC LIMIT 1", (owner,))
    return Release(*found) if found else None


def add(tx: Tx, release: Release, changed: Iterable[AppState]) -> None:
    tx.run(
        f"INSERT INTO releases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (release.id, release.owner, release.number, release.namespace, release.name, release.created),
    )
    tx.many(
        "INSERT INTO release_changes (release, app, cluster, bundle, revision) VALUES (?, ?, ?, ?, ?)",
        ((release.id, state.app, state.cluster, state.bundle, state.revision) for state in changed),
    )


def older_than(tx: Tx, owner: str, number: int) -> list[Release]:
    rows = tx.all(f"SELECT {_COLUMNS} FROM releases WHERE owner = ? AND number < ?", (owner, number))
    return [Release(*row) for row in rows]


def forget(tx: Tx, release: str) -> None:
    tx.run("DELETE FROM release_changes WHERE release = ?", (release,))
    tx.run("DELETE FROM releases WHERE id = ?", (release,))
