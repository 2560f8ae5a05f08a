"""Releases by the set or the lone Application they are of, and what each changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hub.core.releases.releases import Changed
from hub.store.base import Tx, row_of


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
_JOINED = "r.id, r.owner, r.number, r.namespace, r.name, r.created"
_CHANGED = "app, name, cluster, bundle, revision, before_bundle, before_revision"
_release_row, _changed_row = row_of(Release), row_of(Changed)
"""In the order of `_COLUMNS` and of `_CHANGED`."""


def newest(tx: Tx, owner: str) -> Release | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM releases WHERE owner = ? ORDER BY number DESC LIMIT 1", (owner,))
    return Release(*found) if found else None


def highest(tx: Tx, namespace: str, name: str) -> int:
    """The highest number of a release that is called after this name, whoever owns it."""
    sql = "SELECT max(number) FROM releases WHERE namespace = ? AND name = ? || '-' || number"
    found = tx.one(sql, (namespace, name))
    return int(found[0] or 0) if found else 0


def get(tx: Tx, release: str) -> Release | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM releases WHERE id = ?", (release,))
    return Release(*found) if found else None


def add(tx: Tx, release: Release, changed: Iterable[Changed]) -> None:
    tx.run(f"INSERT INTO releases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", _release_row(release))
    extend(tx, release.id, changed)


def extend(tx: Tx, release: str, changed: Iterable[Changed]) -> None:
    """Notes what a release brings to Applications, also to those that come while it is rolled out."""
    tx.many(
        f"INSERT INTO release_changes (release, {_CHANGED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ((release, *_changed_row(one)) for one in changed),
    )


def changes(tx: Tx, release: str) -> list[Changed]:
    """What a release changes, in name order."""
    sql = f"SELECT {_CHANGED} FROM release_changes WHERE release = ? ORDER BY name, app"
    return [Changed(*row) for row in tx.all(sql, (release,))]


def named(tx: Tx, owner: str, name: str) -> Release | None:
    """An owner's kept release by the name of its object."""
    found = tx.one(f"SELECT {_COLUMNS} FROM releases WHERE owner = ? AND name = ?", (owner, name))
    return Release(*found) if found else None


def between(tx: Tx, owner: str, low: int, high: int) -> list[Changed]:
    """What the owner's releases above number `low` up to `high` changed, oldest first."""
    columns = ", ".join(f"c.{column}" for column in _CHANGED.split(", "))
    rows = tx.all(
        f"SELECT {columns} FROM releases r JOIN release_changes c ON c.release = r.id "
        "WHERE r.owner = ? AND r.number > ? AND r.number <= ? ORDER BY r.number, c.name, c.app",
        (owner, low, high),
    )
    return [Changed(*row) for row in rows]


def of_app(tx: Tx, app: str) -> list[tuple[Release, Changed]]:
    """The kept releases that changed an app, newest first."""
    changed = ", ".join(f"c.{column}" for column in _CHANGED.split(", "))
    rows = tx.all(
        f"SELECT {_JOINED}, {changed} "
        "FROM release_changes c JOIN releases r ON r.id = c.release WHERE c.app = ? ORDER BY r.created DESC, r.number DESC",
        (app,),
    )
    return [(Release(*row[:6]), Changed(*row[6:])) for row in rows]


def older_than(tx: Tx, owner: str, number: int) -> list[Release]:
    rows = tx.all(f"SELECT {_COLUMNS} FROM releases WHERE owner = ? AND number < ?", (owner, number))
    return [Release(*row) for row in rows]


def ownerless(tx: Tx, before: float) -> list[Release]:
    """Releases made before a time whose owner is gone."""
    sql = f"SELECT {_COLUMNS} FROM releases WHERE created < ? AND owner NOT IN (SELECT uid FROM objects)"
    return [Release(*row) for row in tx.all(sql, (before,))]


def forget(tx: Tx, release: str) -> None:
    tx.run("DELETE FROM release_changes WHERE release = ?", (release,))
    tx.run("DELETE FROM releases WHERE id = ?", (release,))
