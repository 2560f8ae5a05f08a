"""Who changed what, when: one row for each mutation, written in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import orjson

from hub.store.base import Tx, row_of


@dataclass(frozen=True, slots=True)
class Record:
    """One mutation. `time` is Unix seconds, `code` the HTTP status answered, `agent` the client and its
    command, `address` where it came from, `change` the fields before and after as a JSON array (`hub.core.access.trail`).
    """

    time: float
    username: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    agent: str = ""
    address: str = ""
    change: bytes = b"[]"


_OF_ONE = 100
"""Records of one object that are looked through."""
_COLUMNS = ", ".join(field.name for field in fields(Record))
_row = row_of(Record)


def put(tx: Tx, record: Record) -> None:
    places = ", ".join("?" * len(fields(Record)))
    tx.run(f"INSERT INTO audit ({_COLUMNS}) VALUES ({places})", _row(record))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which records: "" (and 0) asks for all. `resource` is that of records or its last part (`applicationsets`);
    `before` is an id, for the next page.
    """

    username: str = ""
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    since: float = 0.0
    until: float = 0.0
    before: int = 0


def found(tx: Tx, asked: Asked, limit: int) -> list[tuple[int, Record]]:
    """(id, record), newest first."""
    conditions, values = ["1 = 1"], list[object]()
    for column in ("username", "verb", "namespace", "name"):
        if text := getattr(asked, column):
            conditions.append(f"{column} = ?")
            values.append(text)
    if asked.resource:
        conditions.append("(resource = ? OR resource LIKE ? OR resource LIKE ? OR resource LIKE ?)")
        part = asked.resource.replace("%", "").replace("_", "")
        values += [asked.resource, f"%/{part}", f"{part}/%", f"%/{part}/%"]
    for column, value, sign in (
        ("time", asked.since, ">="),
        ("time", asked.until, "<"),
        ("id", asked.before, "<"),
    ):
        if value:
            conditions.append(f"{column} {sign} ?")
            values.append(value)
    sql = f"SELECT id, {_COLUMNS} FROM audit WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
    return [(row[0], Record(*row[1:])) for row in tx.all(sql, [*values, limit])]


def newest(tx: Tx, limit: int) -> list[Record]:
    """The newest records, newest first."""
    return [record for _, record in found(tx, Asked(), limit)]


def last(tx: Tx) -> float:
    """When the newest record was made, Unix seconds; 0 where there is none."""
    found = tx.one("SELECT time FROM audit ORDER BY id DESC LIMIT 1")
    return float(found[0]) if found else 0.0


def newest_of(tx: Tx, resource: str, namespace: str, name: str, *, verbs: Sequence[str]) -> str:
    """Who did one of these to an object last: "ada: delete"; "" where nobody did."""
    sql = (
        "SELECT username, verb FROM audit WHERE name = ? AND namespace = ? AND resource = ? "
        f"AND verb IN ({', '.join('?' * len(verbs))}) AND code < 300 ORDER BY id DESC LIMIT 1"
    )
    found = tx.one(sql, (name, namespace, resource, *verbs))
    return f"{found[0]}: {found[1]}" if found else ""


@dataclass(frozen=True, slots=True)
class Trail:
    """The records of one object after a time that touch any of these fields (paths, or what they begin with)."""

    resource: str
    namespace: str
    name: str
    since: float
    fields: tuple[str, ...]


def people(tx: Tx, trail: Trail) -> list[str]:
    """Who changed these fields, and how ("ada: patch"): each once, the newest first."""
    sql = (
        "SELECT username, verb, change FROM audit WHERE name = ? AND namespace = ? AND resource = ? AND time > ? "
        "AND code < 300 ORDER BY id DESC LIMIT ?"
    )
    rows = tx.all(sql, (trail.name, trail.namespace, trail.resource, trail.since, _OF_ONE))
    found: dict[str, str] = {}
    for username, verb, change in rows:
        if any(str(one["path"]).startswith(trail.fields) or "more" in one for one in orjson.loads(change)):
            found.setdefault(username, f"{username}: {verb}")
    return list(found.values())


def sweep(tx: Tx, before: float) -> None:
    """Forgets records older than a time."""
    tx.run("DELETE FROM audit WHERE time < ?", (before,))
