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
    sources: str = ""
    """Of an Application of several sources: [repository, revision asked for, commit] of each, as JSON."""
    origin: str = ""
    """What the last good render was of: `kinds` and `source` or `sources`, as JSON."""
    detour: str = ""
    """What was synced by hand in its place: `hub.loops.apps.detours.Detour` as JSON."""


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
    """States whose change is not part of a release yet, those of one owner together: up to `limit`, and the rest of the
    last set among them."""
    sql = f"SELECT {_COLUMNS} FROM app_states WHERE rolled = 0 ORDER BY owner, name LIMIT ?"
    found = [AppState._make(row) for row in tx.all(sql, (limit,))]
    if len(found) == limit and (last := found[-1]).owner:
        rest = f"SELECT {_COLUMNS} FROM app_states WHERE rolled = 0 AND owner = ? AND name > ? ORDER BY name"
        found += [AppState._make(row) for row in tx.all(rest, (last.owner, last.name))]
    return found


def leaving(tx: Tx) -> dict[str, int]:
    """Of Applications under deletion: uid -> version of the object, 0 where it is gone."""
    sql = (
        "SELECT s.app, coalesce(o.rv, 0) FROM app_states s LEFT JOIN objects o ON o.uid = s.app "
        "WHERE s.deleting <> ''"
    )
    return dict(tx.all(sql))


class Unassigned(NamedTuple):
    """An Application as it is rendered, which its cluster was not given yet."""

    app: str
    name: str
    cluster: str
    bundle: str


def unassigned(tx: Tx, cluster: str = "") -> list[Unassigned]:
    """Of one cluster, or of all."""
    rows = tx.all(
        "SELECT s.app, s.name, s.cluster, s.bundle FROM app_states s LEFT JOIN assignments a ON a.id = s.app "
        "AND a.cluster = s.cluster WHERE s.deleting = '' AND s.bundle <> '' AND (a.bundle IS NULL OR a.bundle <> s.bundle) "
        "AND s.cluster " + ("= ?" if cluster else "<> ?"),
        (cluster,),
    )
    return [Unassigned._make(row) for row in rows]


def unseen(tx: Tx) -> str:
    """The name of an Application that was never rendered, "" where there is none."""
    sql = (
        "SELECT o.name FROM objects o LEFT JOIN app_states s ON s.app = o.uid WHERE o.resource = ? AND s.app IS NULL "
        "LIMIT 1"
    )
    found = tx.one(sql, ("argoproj.io/applications",))
    return str(found[0]) if found else ""


def put(tx: Tx, states: Iterable[AppState]) -> None:
    tx.many(_PUT, states)


def hold_back(tx: Tx, apps: Iterable[str]) -> None:
    """Lets changes wait until `let_go`: what they wait for says so."""
    tx.many("UPDATE app_states SET rolled = 2 WHERE app = ?", ((app,) for app in apps))


def look_again(tx: Tx, app: str) -> None:
    """What an app should have is decided anew."""
    tx.run("UPDATE app_states SET rolled = 0 WHERE app = ?", (app,))
    tx.touch("waiting")


def any_held(tx: Tx, owner: str) -> bool:
    sql = "SELECT 1 FROM app_states WHERE rolled = 2 AND (owner = ? OR app = ?) LIMIT 1"
    return tx.one(sql, (owner, owner)) is not None


def owners_held(tx: Tx) -> set[str]:
    """The sets, and Applications of their own, of which something is held back."""
    sql = "SELECT DISTINCT CASE owner WHEN '' THEN app ELSE owner END FROM app_states WHERE rolled = 2"
    return {row[0] for row in tx.all(sql)}


def let_go(tx: Tx, owner: str = "") -> None:
    """What was held back, of one owner or of all, is looked at again."""
    sql = "UPDATE app_states SET rolled = 0 WHERE rolled = 2"
    if tx.run(sql + " AND (owner = ? OR app = ?)", (owner, owner)) if owner else tx.run(sql):
        tx.touch("waiting")


def of_owner(tx: Tx, owner: str) -> list[tuple[str, str]]:
    """(app, cluster) of all that a set owns, or of a lone Application."""
    sql = "SELECT app, cluster FROM app_states WHERE (owner = ? OR app = ?) AND deleting = ''"
    return [(row[0], row[1]) for row in tx.all(sql, (owner, owner))]


def departed(tx: Tx, rollout: str) -> list[str]:
    """Members of a rollout whose Application is gone, goes, or went to another cluster."""
    rows = tx.all(
        "SELECT m.app FROM rollout_members m LEFT JOIN app_states s ON s.app = m.app AND s.cluster = m.cluster "
        "AND s.deleting = '' WHERE m.rollout = ? AND s.app IS NULL AND m.state <> 'Left'",
        (rollout,),
    )
    return [row[0] for row in rows]


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
    tx.run("DELETE FROM refused WHERE app = ?", (app,))
    tx.run("DELETE FROM prunes WHERE app = ?", (app,))
    tx.run("DELETE FROM synced WHERE app = ?", (app,))
    tx.run("DELETE FROM handing WHERE app = ?", (app,))
