"""What the hub knows of each Application beside the object itself: its destination, its last good render, its state
on the way into a release. Written by the renderer, read by the roller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.store.base import Tx


class AppState(NamedTuple):
    """One Application. `app` is its uid, `owner` the uid of its ApplicationSet or "", `cluster` a cluster id or "".

    `bundle` and `revision` are of the last good render; `problem` says what is wrong with what is wanted now.
    `policy` is `Policy` as canonical JSON. `deleting` is "" or how the Application goes: "cascade" or "release".
    """

    app: str
    name: str
    namespace: str
    project: str = "default"
    owner: str = ""
    cluster: str = ""
    destination_namespace: str = ""
    repo: str = ""
    target: str = ""
    revision: str = ""
    recipe: str = ""
    bundle: str = ""
    policy: str = "{}"
    problem: str = ""
    deleting: str = ""
    rolled: int = 0


_NAMES = AppState._fields
_COLUMNS = ", ".join(_NAMES)
_PUT = (
    f"INSERT INTO app_states ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (app) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])
)


def get(tx: Tx, app: str) -> AppState | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM app_states WHERE app = ?", (app,))
    return AppState._make(found) if found else None


def every(tx: Tx) -> list[AppState]:
    return [AppState._make(row) for row in tx.all(f"SELECT {_COLUMNS} FROM app_states")]


def waiting(tx: Tx, limit: int) -> list[AppState]:
    """States whose change is not part of a release yet, those of one owner together."""
    sql = f"SELECT {_COLUMNS} FROM app_states WHERE rolled = 0 ORDER BY owner, name LIMIT ?"
    return [AppState._make(row) for row in tx.all(sql, (limit,))]


def leaving(tx: Tx) -> list[str]:
    """Uids of Applications under deletion."""
    return [row[0] for row in tx.all("SELECT app FROM app_states WHERE deleting <> ''")]


def put(tx: Tx, states: Iterable[AppState]) -> None:
    tx.many(_PUT, states)


def rolled(tx: Tx, apps: Iterable[str]) -> None:
    tx.many("UPDATE app_states SET rolled = 1 WHERE app = ?", ((app,) for app in apps))


def confirm(tx: Tx, repo: str, target: str, commit: str) -> bool:
    """Notes that every render of a source is right for a commit. True where that is new."""
    sql = (
        "INSERT INTO source_commits (repo, target, commit_id) VALUES (?, ?, ?) ON CONFLICT (repo, target) "
        "DO UPDATE SET commit_id = excluded.commit_id WHERE commit_id <> excluded.commit_id"
    )
    return tx.run(sql, (repo, target, commit)) > 0


def confirmed(tx: Tx) -> dict[tuple[str, str], str]:
    """(repo, target) -> the commit of `confirm`."""
    rows = tx.all("SELECT repo, target, commit_id FROM source_commits")
    return {(repo, target): commit for repo, target, commit in rows}


def forget(tx: Tx, app: str) -> None:
    tx.run("DELETE FROM app_states WHERE app = ?", (app,))
