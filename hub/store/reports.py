"""What agents report of their applications: the newest state of each, written only where it differs.

A state's write says that its Application changed as it is shown. An agent may speak only of what its
cluster has or had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import orjson

from argosy import convert
from argosy.convert import State
from argosy.errors import Invalid
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
_PUT = (
    f"INSERT INTO reports ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (cluster, app) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES[2:])
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A state whose detail was read: ready to be written."""

    state: State
    digest: str
    removed: str
    gone: bool


def check(state: State) -> Checked:
    """Reads what the hub acts on out of a state's detail.

    Raises `Invalid` where it is no status of that assignment.
    """
    try:
        value = orjson.loads(state.detail)
        removed = [str(item) for item in value.get("removed") or ()]
        gone = bool(value.get("gone"))
        named = value["assignment"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"the state of {state.assignment} is not readable") from None
    if named != state.assignment:
        raise Invalid(f"the state of {state.assignment} speaks of {named}")
    digest = hashlib.sha256(state.detail).hexdigest()
    return Checked(state, digest, orjson.dumps(removed).decode(), gone)


def put(tx: Tx, cluster: str, states: Sequence[Checked], now: float) -> int:
    """Writes the states that differ from what is known and returns their number.

    States of applications that the cluster neither has nor had are passed over.
    """
    known = dict(tx.all("SELECT app, digest FROM reports WHERE cluster = ?", (cluster,)))
    changed = [one for one in states if known.get(one.state.assignment) != one.digest]
    if any(one.state.assignment not in known for one in changed):
        own = _own(tx, cluster)
        changed = [one for one in changed if one.state.assignment in known or one.state.assignment in own]
    rows = []
    for one in changed:
        state, rv = one.state, tx.next_rv()
        seen = (state.release, state.bundle, state.sync, state.health, one.removed, int(one.gone))
        rows.append((cluster, state.assignment, *seen, one.digest, state.detail, rv, now))
        _tell(tx, state.assignment, rv)
    tx.many(_PUT, rows)
    if any(one.gone or one.removed != "[]" for one in changed):
        tx.touch(f"removed:{cluster}")
    if changed:
        tx.touch(f"report:{cluster}")
    return len(changed)


def retain(tx: Tx, cluster: str, apps: Collection[str]) -> None:
    """Forgets the cluster's states of other applications than these: its agent said that these are all."""
    stale = sorted(
        row[0]
        for row in tx.all("SELECT app FROM reports WHERE cluster = ?", (cluster,))
        if row[0] not in apps
    )
    for app in stale:
        forget(tx, cluster, app)
        _tell(tx, app, tx.next_rv())


def _own(tx: Tx, cluster: str) -> set[str]:
    rows = tx.all(
        "SELECT id FROM assignments WHERE cluster = ? UNION SELECT assignment FROM removals WHERE cluster = ? "
        "UNION SELECT id FROM drops WHERE cluster = ?",
        (cluster, cluster, cluster),
    )
    return {row[0] for row in rows}


def _tell(tx: Tx, app: str, rv: int) -> None:
    found = tx.one("SELECT namespace, name FROM objects WHERE uid = ?", (app,))
    if found:
        tx.emit(Change(rv, "MODIFIED", APPLICATIONS, found[0], found[1], app, composed=True))


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


def of_cluster(tx: Tx, cluster: str) -> list[Row]:
    return [Row(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM reports WHERE cluster = ?", (cluster,))]


def finished(tx: Tx) -> list[tuple[str, list[str]]]:
    """(cluster, ids of removals that its agent reports as done), where there are any."""
    rows = tx.all("SELECT cluster, removed FROM reports WHERE removed <> '[]'")
    return [(row[0], orjson.loads(row[1])) for row in rows]


def forget(tx: Tx, cluster: str, app: str) -> None:
    tx.run("DELETE FROM reports WHERE cluster = ? AND app = ?", (cluster, app))
