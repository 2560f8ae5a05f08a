"""API objects as rows: the one place where an object is written, listed or deleted, and where its change is told.

A row's `body` is the object's JSON as the API serves it, less what is composed when it is read (agents' reports).
Secrets are sealed before they come here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from argosy.errors import Conflict
from hub.store.base import Change, Tx

Stamp = Callable[[bytes, int], bytes]
"""Puts a resourceVersion into an object's JSON."""


class Row(NamedTuple):
    """One stored object. `resource` is `group/plural`; `rv` is 0 until it is written."""

    resource: str
    namespace: str
    name: str
    uid: str
    body: bytes
    rv: int = 0
    owner: str = ""


_TOGETHER = 500
"""Rows asked for in one query by their uids, well below the number of parameters that databases take."""

_AT_ONCE = 1000
"""Rows of a list that come as one."""

_COLUMNS = "resource, namespace, name, uid, body, rv, owner"


def get(tx: Tx, resource: str, namespace: str, name: str) -> Row | None:
    found = tx.one(
        f"SELECT {_COLUMNS} FROM objects WHERE resource = ? AND namespace = ? AND name = ?",
        (resource, namespace, name),
    )
    return Row(*found) if found else None


def by_uid(tx: Tx, uid: str) -> Row | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM objects WHERE uid = ?", (uid,))
    return Row(*found) if found else None


def by_uids(tx: Tx, uids: Sequence[str]) -> list[Row]:
    """The objects of these uids that are there, in no order."""
    return [Row(*found) for found in _in_parts(tx, f"SELECT {_COLUMNS} FROM objects WHERE uid", uids)]


def versions(tx: Tx, uids: Sequence[str]) -> dict[str, int]:
    """uid -> resourceVersion of those of the objects that are there."""
    return dict(_in_parts(tx, "SELECT uid, rv FROM objects WHERE uid", uids))


def _in_parts(tx: Tx, sql: str, uids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(uids), _TOGETHER):
        part = uids[start : start + _TOGETHER]
        yield from tx.all(f"{sql} IN ({', '.join('?' * len(part))})", part)


def owned_by(tx: Tx, owner: str) -> list[Row]:
    """Objects whose controlling ownerReference has this uid, in name order."""
    return [
        Row(*r) for r in tx.all(f"SELECT {_COLUMNS} FROM objects WHERE owner = ? ORDER BY name", (owner,))
    ]


def page(
    tx: Tx, resource: str, namespace: str | None = None, *, after: tuple[str, str] = ("", ""), limit: int = -1
) -> list[Row]:
    """Rows in (namespace, name) order that follow `after`. `namespace` None means all; `limit` -1 means all."""
    where, params = "resource = ? AND (namespace, name) > (?, ?)", [resource, *after]
    if namespace is not None:
        where, params = where + " AND namespace = ?", [*params, namespace]
    sql = f"SELECT {_COLUMNS} FROM objects WHERE {where} ORDER BY namespace, name LIMIT ?"
    return [Row(*r) for r in tx.all(sql, (*params, limit))]


def listed(tx: Tx, resource: str, namespace: str | None = None) -> list[Row]:
    """As `page`, all rows of a resource that is not sealed. A thousand come as the JSON of one row: SQLite lets go of the
    interpreter for each row it gives, and where others are at work 5,000 rows then take seconds (measured).
    """
    found: list[Row] = []
    part = "SELECT * FROM objects WHERE resource = ? AND (namespace, name) > (?, ?)"
    part += "" if namespace is None else " AND namespace = ?"
    named = _COLUMNS.replace("body", "CAST(body AS TEXT)")
    sql = f"SELECT json_group_array(json_array({named})) FROM ({part} ORDER BY namespace, name LIMIT {_AT_ONCE})"
    while True:
        after = (found[-1].namespace, found[-1].name) if found else ("", "")
        params = [resource, *after, *([] if namespace is None else [namespace])]
        answer = tx.one(sql, params)
        rows = orjson.loads(answer[0]) if answer else []
        rows.sort(key=lambda row: (row[1], row[2]))
        found += [
            Row(kind, place, name, uid, body.encode(), rv, owner)
            for kind, place, name, uid, body, rv, owner in rows
        ]
        if len(rows) < _AT_ONCE:
            return found


def count(tx: Tx, resource: str, namespace: str | None = None) -> int:
    where, params = ("", [resource]) if namespace is None else (" AND namespace = ?", [resource, namespace])
    found = tx.one(f"SELECT count(*) FROM objects WHERE resource = ?{where}", params)
    return int(found[0]) if found else 0


def labels(tx: Tx, resource: str) -> dict[str, dict[str, str]]:
    """uid -> labels of all objects of a resource that is not sealed."""
    sql = "SELECT uid, json_extract(CAST(body AS TEXT), '$.metadata.labels') FROM objects WHERE resource = ?"
    return {uid: orjson.loads(found) if found else {} for uid, found in tx.all(sql, (resource,))}


def newest_rv(tx: Tx) -> int:
    """The store's resourceVersion at this transaction: what a list is as of."""
    found = tx.one("SELECT value FROM meta WHERE key = 'rv'")
    return int(found[0]) if found else 0


def put(tx: Tx, row: Row, *, expected_rv: int | None, stamp: Stamp) -> Row:
    """Writes a new object (`expected_rv` None) or a new version of the one that has `expected_rv`.

    `stamp(body, rv)` puts the new resourceVersion into the body. Raises `Conflict` where another writer was first.
    """
    rv = tx.next_rv()
    body = stamp(row.body, rv)
    written = Row(row.resource, row.namespace, row.name, row.uid, body, rv, row.owner)
    if expected_rv is None:
        touched = tx.run(
            f"INSERT INTO objects ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (row.resource, row.namespace, row.name, row.uid, body, rv, row.owner),
        )
    else:
        touched = tx.run(
            "UPDATE objects SET body = ?, rv = ?, owner = ? WHERE uid = ? AND rv = ?",
            (body, rv, row.owner, row.uid, expected_rv),
        )
    if touched != 1:
        raise Conflict(f"{row.resource} {row.namespace}/{row.name} was changed meanwhile")
    verb = "ADDED" if expected_rv is None else "MODIFIED"
    tx.emit(Change(rv, verb, row.resource, row.namespace, row.name, row.uid, body))
    return written


def written(change: Change) -> Row:
    """The row that a write left, of a change that has its body."""
    return Row(change.resource, change.namespace, change.name, change.uid, change.body, change.rv)


def delete(tx: Tx, row: Row, *, stamp: Stamp) -> None:
    """Deletes the version of the object that `row` is. Raises `Conflict` where another writer was first."""
    if tx.run("DELETE FROM objects WHERE uid = ? AND rv = ?", (row.uid, row.rv)) != 1:
        raise Conflict(f"{row.resource} {row.namespace}/{row.name} was changed meanwhile")
    rv = tx.next_rv()
    tx.emit(Change(rv, "DELETED", row.resource, row.namespace, row.name, row.uid, stamp(row.body, rv)))


def touch(tx: Tx, rows: Sequence[Row]) -> None:
    """Tells that what is composed into these objects changed, without writing them."""
    for row in rows:
        tx.emit(Change(tx.next_rv(), "MODIFIED", row.resource, row.namespace, row.name, row.uid))


def stamp(tx: Tx, resources: Sequence[str]) -> tuple[tuple[object, ...], ...]:
    """What differs whenever an object of these resources was written or deleted."""
    marks = ", ".join("?" * len(resources))
    sql = f"SELECT resource, max(rv), count(*) FROM objects WHERE resource IN ({marks}) GROUP BY resource ORDER BY resource"
    return tuple(tx.all(sql, tuple(resources)))


def event_name(tx: Tx, said: str) -> str:
    """The name of the Event that says just this, "" where there is none; the event itself may be gone."""
    found = tx.one("SELECT name FROM event_names WHERE said = ?", (said,))
    return str(found[0]) if found else ""


def name_event(tx: Tx, said: str, name: str) -> None:
    tx.run(
        "INSERT INTO event_names (said, name) VALUES (?, ?) ON CONFLICT (said) DO UPDATE SET name = excluded.name",
        (said, name),
    )


def forget_event_names(tx: Tx) -> None:
    """Of Events that are gone."""
    tx.run("DELETE FROM event_names WHERE name NOT IN (SELECT name FROM objects WHERE resource = 'events')")
