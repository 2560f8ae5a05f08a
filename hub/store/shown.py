"""What is joined to objects when they are read: agents' reports for Applications, agents for Clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy.objects import Manifest
from hub.core.clusters.clusters import Agent
from hub.core.rollout import naming
from hub.core.rollout.argo_status import Shown
from hub.core.served import table
from hub.core.views import synced
from hub.core.views.views import AppView, Member, Move, Progress
from hub.store import agents, apps
from hub.store import rollouts as kept
from hub.store.base import Tx
from hub.store.resources import Resources

_CHUNK = 1000
"""Parameters of one query, more than a page of kubectl has."""
_FEW = 20
"""Up to so many rows are taken one by one."""

_STATES = ("app", "cluster", "bundle", "revision", "problem", "repo", "target", "policy", "sources", "origin")
_HOLDS = ("app", "reason", "since", "rv")
_MOVES = f"""
    SELECT m.app, r.name, m.state, m.since, {kept.WHY} FROM rollouts r JOIN rollout_members m ON m.rollout = r.id
    WHERE r.under_way = 1 AND m.state <> 'Left'
"""
_REFUSED = ("app", "reason", "since")
_REPORTS = ("app", "cluster", "detail", "rv", "time", "summary")
_REPORTED = "(SELECT r.*, coalesce(s.body, '') AS summary FROM reports r LEFT JOIN summaries s ON s.bundle = r.bundle)"
_SYNCED = ("app", "entries")


@dataclass(frozen=True, slots=True)
class AppRows:
    """What is joined to one Application, not read yet: its state row and its newest report's."""

    state: tuple[Any, ...] | None
    report: tuple[Any, ...] | None
    revision: str
    hold: tuple[Any, ...] | None = None
    move: tuple[Any, ...] | None = None
    refused: tuple[Any, ...] | None = None
    synced: tuple[Any, ...] | None = None
    commits: tuple[str, ...] = ()
    cluster: str = ""
    """Name of the cluster that it goes to, "" where there is none."""

    @property
    def rv(self) -> int:
        """The resourceVersion of the newest of what is joined, 0 for none."""
        reported = int(self.report[3]) if self.report is not None else 0
        return max(reported, int(self.hold[3]) if self.hold is not None else 0)

    def view(self) -> AppView:
        """What is joined, read."""
        state, report = self.state, self.report
        return AppView(
            bundle=state[2] if state else "",
            revision=self.revision,
            problem=state[4] if state else "",
            cluster=self.cluster,
            report=orjson.loads(report[2]) if report else None,
            reported=report[4] if report else 0.0,
            policy=state[7] if state else "",
            held=self.hold[1] if self.hold else "",
            held_since=self.hold[2] if self.hold else 0.0,
            rollout=Move(*self.move[1:]) if self.move else None,
            refused=self.refused[1] if self.refused else "",
            refused_since=self.refused[2] if self.refused else 0.0,
            origin=replace(synced.origin_of(state[9], ""), commits=self.commits) if state else synced.UNKNOWN,
            history=tuple(one["shown"] for one in orjson.loads(self.synced[1])) if self.synced else (),
            summary=orjson.loads(report[5]) if report and report[5] else {},
        )


def applications(tx: Tx, uids: Sequence[str]) -> dict[str, AppRows]:
    """By Application uid: what is joined to it. Of several clusters' reports, the destination's counts, else
    the newest.
    """
    states = {row[0]: row for row in _together(tx, _STATES, "app_states", uids)}
    reports: dict[str, tuple[Any, ...]] = {}
    for row in _together(tx, _REPORTS, _REPORTED, uids):
        before = reports.get(row[0])
        state = states.get(row[0])
        wanted = state[1] if state is not None else ""
        if before is None or (row[1] == wanted, row[3]) > (before[1] == wanted, before[3]):
            reports[row[0]] = row
    held = {row[0]: row for row in _together(tx, _HOLDS, "holds", uids)}
    moves = {row[0]: row for row in _rows(tx, f"SELECT * FROM ({_MOVES})", uids)} if kept.owners(tx) else {}
    refused = {row[0]: row for row in _together(tx, _REFUSED, "refused", uids)}
    histories = {row[0]: row for row in _together(tx, _SYNCED, "synced", uids)}
    confirmed = apps.confirmed(tx)
    places = list({state[1] for state in states.values() if state[1]})
    clusters: dict[str, str] = dict(_together(tx, ("uid", "name"), "objects", places, "uid"))
    out = {}
    for uid in uids:
        state, report = states.get(uid), reports.get(uid)
        if state is not None or report is not None:
            out[uid] = AppRows(
                state,
                report,
                _revision(state, confirmed) if state else "",
                held.get(uid),
                moves.get(uid),
                refused.get(uid),
                histories.get(uid),
                _commits(state, confirmed) if state else (),
                clusters.get(state[1], "") if state else "",
            )
    return out


def _revision(state: tuple[Any, ...], confirmed: Mapping[tuple[str, str], str]) -> str:
    """The newest commit that the app's bundle is right for.

    It may be later than the one the bundle was rendered from.
    """
    _, _, bundle, revision, problem, repo, target, *_ = state
    if not bundle or problem:
        return str(revision)
    return confirmed.get((repo, target), str(revision))


def _commits(state: tuple[Any, ...], confirmed: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """Those commits of all sources where there are several."""
    _, _, _, _, problem, _, _, _, sources, _ = state
    if not sources:
        return ()
    known = orjson.loads(sources)
    return tuple(
        commit if problem else confirmed.get((repo, target), commit) for repo, target, commit in known
    )


_MEMBERS = """
    SELECT o.owner, o.namespace, o.name, s.bundle, s.problem, r.bundle, r.sync, r.health
    FROM (SELECT * FROM objects WHERE resource = 'argoproj.io/applications') o
    LEFT JOIN app_states s ON s.app = o.uid
    LEFT JOIN reports r ON r.app = o.uid AND r.cluster = s.cluster
"""


def sets(tx: Tx, uids: Sequence[str]) -> dict[str, list[Member]]:
    """By ApplicationSet uid: its applications in name order, as their rows say they are."""
    found: dict[str, list[Member]] = {uid: [] for uid in uids}
    rows = _rows(tx, _MEMBERS, uids, "o.owner", " ORDER BY o.owner, o.name")
    for owner, namespace, name, wanted, problem, bundle, sync, health in rows:
        known = bool(bundle) and not problem
        shown_sync = ("OutOfSync" if bundle != wanted else sync) if known else "Unknown"
        found[owner].append(Member(namespace, name, shown_sync, health if known else "Unknown"))
    return found


_ROLLING = """
    SELECT o.name, o.body, s.bundle, s.problem, s.revision, r.bundle, r.sync, r.health,
           m.state, m.since, m.to_bundle, m.to_revision, m.blocker
    FROM (SELECT * FROM objects WHERE resource = 'argoproj.io/applications' AND owner = ?) o
    LEFT JOIN app_states s ON s.app = o.uid
    LEFT JOIN reports r ON r.app = o.uid AND r.cluster = s.cluster
    LEFT JOIN rollout_members m ON m.app = o.uid AND m.state <> 'Left' AND m.rollout = (
        SELECT n.rollout FROM rollout_members n JOIN rollouts x ON x.id = n.rollout
        WHERE n.app = o.uid ORDER BY x.created DESC LIMIT 1)
    ORDER BY o.name
"""


def rolling(tx: Tx, owner: str) -> list[Shown]:
    """The Applications of a set with a RollingSync, as its status shows them."""
    found = []
    for name, body, wanted, problem, revision, bundle, sync, health, *member in tx.all(_ROLLING, (owner,)):
        state, since, to_bundle, to_revision, blocker = member
        labels = orjson.loads(body)["metadata"].get("labels") or {}
        known = bool(bundle) and not problem
        found.append(
            Shown(
                name,
                labels,
                ("OutOfSync" if bundle != wanted else sync) if known else "Unknown",
                health if known else "Unknown",
                to_revision or revision or "",
                state or "",
                since or 0.0,
                started=bool(to_bundle) and bundle == to_bundle,
                blocker=blocker or "",
            )
        )
    return found


_PROGRESS = """
    SELECT c.release, s.name, a.id IS NULL OR json_extract(a.body, '$.release') <> c.release,
           r.release = c.release AND r.sync = 'Synced' AND r.health = 'Healthy'
    FROM release_changes c
    LEFT JOIN app_states s ON s.app = c.app
    LEFT JOIN reports r ON r.app = c.app AND r.cluster = c.cluster
    LEFT JOIN assignments a ON a.id = c.app AND a.cluster = c.cluster
"""
_WAITING_SHOWN = 20
_OVER = ("Done", "Skipped", "Reverted")


def releases(tx: Tx, uids: Sequence[str]) -> dict[str, Progress]:
    """By Release uid: where the applications are that it changed; its rollout's word counts where it has one."""
    found: dict[str, list[tuple[str, bool, bool]]] = {}
    for release, name, superseded, done in _rows(tx, _PROGRESS, uids, "c.release"):
        found.setdefault(release, []).append((name or "", bool(superseded), bool(done)))
    out = {}
    for release, states in found.items():
        waiting = sorted(name for name, superseded, done in states if not superseded and not done)
        gone = sum(superseded for _, superseded, _ in states)
        well = sum(done and not superseded for _, superseded, done in states)
        out[release] = Progress(len(states), well, gone, tuple(waiting[:_WAITING_SHOWN]))
    for release, found_status in _rows(tx, "SELECT id, shown FROM rollouts", uids, "id"):
        status = orjson.loads(found_status)
        names = [one["name"] for one in status.get("members") or () if one["state"] not in _OVER]
        out[release] = Progress(
            status["total"], status["done"], 0, tuple(names[:_WAITING_SHOWN]), status["phase"]
        )
    return out


def rollouts(tx: Tx, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By Rollout uid: its status as it was decided last."""
    ids = [kept.release_of(uid) for uid in uids]
    rows = _rows(tx, "SELECT id, shown FROM rollouts", ids, "id")
    return {kept.uid_of(row[0]): orjson.loads(row[1]) for row in rows}


def clusters(tx: Tx, uids: Sequence[str]) -> dict[str, tuple[Agent | None, int]]:
    """By Cluster uid: its agent, and how many applications are assigned to it."""
    found = agents.every(tx) if len(uids) > _CHUNK else [agents.get(tx, uid) for uid in uids]
    by_uid = {agent.cluster: agent for agent in found if agent is not None}
    counts = _rows(tx, "SELECT cluster, count(*) FROM assignments", uids, "cluster", " GROUP BY cluster")
    numbers = {row[0]: int(row[1]) for row in counts}
    return {uid: (by_uid.get(uid), numbers.get(uid, 0)) for uid in uids}


def _together(
    tx: Tx, columns: Sequence[str], source: str, uids: Sequence[str], column: str = "app"
) -> list[tuple[Any, ...]]:
    """Rows by app, or by another `column`. Many of them come as the JSON of one row: SQLite lets go of the interpreter for
    each row it gives, and where others are at work 5,000 rows then take seconds (measured).
    """
    if len(uids) <= _FEW:
        return _rows(tx, f"SELECT {', '.join(columns)} FROM {source}", uids, column)
    named = ", ".join("CAST(detail AS TEXT)" if name == "detail" else name for name in columns)
    sql = f"SELECT json_group_array(json_array({named})) FROM {source}"
    return [tuple(row) for (text,) in _rows(tx, sql, uids, column) for row in orjson.loads(text)]


def _rows(
    tx: Tx, sql: str, uids: Sequence[str], column: str = "app", tail: str = ""
) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(uids), _CHUNK):
        part = list(uids[start : start + _CHUNK])
        found += tx.all(f"{sql} WHERE {column} IN ({', '.join('?' * len(part))}){tail}", part)
    return found


def waits(tx: Tx, resources: Resources, appset: Manifest) -> str:
    """Why changed applications of a set are no release yet, "" where none waits."""
    metadata = appset["metadata"]
    if not apps.any_held(tx, metadata["uid"]):
        return ""
    name = naming.policy_of(appset)
    if name and resources.get(tx, table.ROLLOUT_POLICY, metadata["namespace"], name) is None:
        return f"RolloutPolicy {name} is not there"
    row = kept.of_owner(tx, metadata["uid"])
    return f"rollout {row.name} is not over" if row is not None else "it is being rendered"
