"""What agents report of their applications: the newest state of each, written only where it differs.

A state's write says that its Application changed as it is shown. An agent may speak only of what its
cluster has or had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import orjson

from argosy import convert
from argosy.convert import State
from argosy.errors import Invalid
from hub.core.views import synced
from hub.core.views.synced import Sync
from hub.store import synced as histories
from hub.store.base import Change, Tx

APPLICATIONS = "argoproj.io/applications"


@dataclass(frozen=True, slots=True)
class Row:
    """One application on one cluster as reported.

    `detail` is `argosy.status.AppStatus` as JSON, `digest` is over it.

    `removed` is a JSON array of ids of removals that are done; `gone` is 1 when nothing of the app is left
    there.
    """

    cluster: str
    app: str
    release: str
    bundle: str
    sync: str
    health: str
    removed: str
    gone: int
    digest: str
    detail: bytes
    rv: int
    time: float


_COLUMNS = ", ".join(field.name for field in fields(Row))
_NAMES = [field.name for field in fields(Row)]
_UPDATE = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[2:])
TOGETHER = 10
"""Rows written by one statement: each statement has to ask for the interpreter again, each row need not."""


def _put_sql(rows: int) -> str:
    values = f"({', '.join('?' * len(_NAMES))})"
    return (
        f"INSERT INTO reports ({_COLUMNS}) VALUES {', '.join([values] * rows)} "
        f"ON CONFLICT (cluster, app) DO UPDATE SET {_UPDATE}"
    )


_PUT, _PUT_TOGETHER = _put_sql(1), _put_sql(TOGETHER)


class Hashed(NamedTuple):
    """A state with the digest of its detail."""

    state: State
    digest: str


def hashed(state: State) -> Hashed:
    return Hashed(state, hashlib.sha256(state.detail).hexdigest())


def _told(state: State) -> tuple[str, int, Sync | None]:
    """What the hub acts on of a state's detail: (removals that are done as JSON, 1 where nothing is left, the sync that
    its history shall have).

    Raises `Invalid` where it is no status of that assignment.
    """
    try:
        value = orjson.loads(state.detail)
        removed = [str(item) for item in value.get("removed") or ()]
        gone = bool(value.get("gone"))
        named = value["assignment"]
        sync = synced.sync_of(value)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"the state of {state.assignment} is not readable") from None
    if named != state.assignment:
        raise Invalid(f"the state of {state.assignment} speaks of {named}")
    return orjson.dumps(removed).decode() if removed else "[]", int(gone), sync


def put(tx: Tx, cluster: str, states: Sequence[Hashed], now: float) -> int:
    """Writes the states that differ from what is known and returns their number.

    States of applications that the cluster neither has nor had are passed over. Raises `Invalid` for a state that
    cannot be read; what is known already was read before.
    """
    known = _known(tx, cluster, states)
    changed = [state for state, digest in states if known.get(state.assignment) != digest]
    if not changed:
        return 0
    told = [(state, *_told(state)) for state in changed]
    names = _names(tx, cluster, changed)
    if any(state.assignment not in known and state.assignment not in names for state in changed):
        had = _had(tx, cluster)
        told = [one for one in told if (a := one[0].assignment) in known or a in names or a in had]
    digests = {state.assignment: digest for state, digest in states}
    rows, news = [], False
    for state, removed, gone, _ in told:
        rv = tx.next_rv()
        app = state.assignment
        rows.append(
            (
                *(cluster, app, state.release, state.bundle, state.sync, state.health),
                *(removed, gone, digests[app], state.detail, rv, now),
            )
        )
        news = news or bool(gone) or removed != "[]"
        namespace, name = names.get(app) or _name(tx, app)
        if name:
            tx.emit(Change(rv, "MODIFIED", APPLICATIONS, namespace, name, app, composed=True))
    _write(tx, rows)
    if syncs := {state.assignment: sync for state, _, _, sync in told if sync is not None}:
        histories.record(tx, cluster, syncs)
    if news:
        tx.touch(f"removed:{cluster}")
    tx.touch(f"report:{cluster}")
    return len(rows)


def _write(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    whole = len(rows) - len(rows) % TOGETHER
    for start in range(0, whole, TOGETHER):
        tx.run(_PUT_TOGETHER, [value for row in rows[start : start + TOGETHER] for value in row])
    tx.many(_PUT, rows[whole:])


def retain(tx: Tx, cluster: str, apps: Collection[str]) -> None:
    """Forgets the cluster's states of other applications than these: its agent said that these are all."""
    known = [row[0] for row in tx.all("SELECT app FROM reports WHERE cluster = ?", (cluster,))]
    for app in sorted(app for app in known if app not in apps):
        forget(tx, cluster, app)
        namespace, name = _name(tx, app)
        if name:
            tx.emit(Change(tx.next_rv(), "MODIFIED", APPLICATIONS, namespace, name, app, composed=True))


FEW = 8
"""Up to so many states are looked up one by one; more in one go for the whole cluster."""


def _known(tx: Tx, cluster: str, states: Sequence[Hashed]) -> dict[str, str]:
    """app -> digest of what is known of it."""
    if len(states) > FEW:
        return _one_row(tx, "SELECT json_group_object(app, digest) FROM reports WHERE cluster = ?", cluster)
    sql = "SELECT app, digest FROM reports WHERE cluster = ? AND app = ?"
    found = (tx.one(sql, (cluster, state.assignment)) for state, _ in states)
    return dict(row for row in found if row is not None)


def _one_row(tx: Tx, sql: str, cluster: str) -> dict[str, Any]:
    """The JSON object of a query that gives one row: SQLite lets go of the interpreter for every row it gives."""
    found = tx.one(sql, (cluster,))
    return dict(orjson.loads(found[0])) if found else {}


def _names(tx: Tx, cluster: str, states: Sequence[State]) -> dict[str, tuple[str, str]]:
    """app -> (namespace, name) of the Applications among these that the cluster is assigned.

    ("", "") for deleted ones.
    """
    columns = "coalesce(o.namespace, ''), coalesce(o.name, '')"
    source = "FROM assignments a LEFT JOIN objects o ON o.uid = a.id WHERE a.cluster = ?"
    if len(states) > FEW:
        found = _one_row(tx, f"SELECT json_group_object(a.id, json_array({columns})) {source}", cluster)
        return {app: (namespace, name) for app, (namespace, name) in found.items()}
    sql = f"SELECT a.id, {columns} {source} AND a.id = ?"
    rows = (tx.one(sql, (cluster, state.assignment)) for state in states)
    return {row[0]: (row[1], row[2]) for row in rows if row is not None}


def _had(tx: Tx, cluster: str) -> set[str]:
    """Apps that the cluster is not assigned any more, but may still have to speak of."""
    rows = tx.all(
        "SELECT assignment FROM removals WHERE cluster = ? UNION SELECT id FROM drops WHERE cluster = ?",
        (cluster, cluster),
    )
    return {row[0] for row in rows}


def _name(tx: Tx, app: str) -> tuple[str, str]:
    found = tx.one("SELECT namespace, name FROM objects WHERE uid = ?", (app,))
    return (found[0], found[1]) if found else ("", "")


def state_digest(tx: Tx, cluster: str) -> str:
    """The digest over all that is known of a cluster: equal to the agent's when nothing needs to be sent."""
    rows = tx.all("SELECT app, digest FROM reports WHERE cluster = ?", (cluster,))
    return convert.state_digest([(row[0], row[1]) for row in rows])


def get(tx: Tx, cluster: str, app: str) -> Row | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM reports WHERE cluster = ? AND app = ?", (cluster, app))
    return Row(*found) if found else None


def of_app(tx: Tx, app: str) -> list[Row]:
    """The app's states on every cluster that reported one."""
    return [Row(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM reports WHERE app = ?", (app,))]


def tokens(tx: Tx, uids: Sequence[str]) -> dict[str, str]:
    """app -> the sync that its agent told of last (`AppStatus.token`), of those among these that tell of one."""
    found = {row.app: orjson.loads(row.detail) for uid in uids for row in of_app(tx, uid)}
    return {app: told["token"] for app, told in found.items() if told.get("token")}


def of_cluster(tx: Tx, cluster: str) -> list[Row]:
    return [Row(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM reports WHERE cluster = ?", (cluster,))]


def finished(tx: Tx) -> list[tuple[str, list[str]]]:
    """(cluster, ids of removals that its agent reports as done), where there are any."""
    rows = tx.all("SELECT cluster, removed FROM reports WHERE removed <> '[]'")
    return [(row[0], orjson.loads(row[1])) for row in rows]


def forget(tx: Tx, cluster: str, app: str) -> None:
    tx.run("DELETE FROM reports WHERE cluster = ? AND app = ?", (cluster, app))
