"""What each release brought to each application, and what each was last well with: kept longer than the releases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hub.core.views.delivery import Delivery
from hub.store.apps import AppState
from hub.store.base import Tx

MOST = 500
"""Clusters asked for in one query."""
_COLUMNS = "release, app, owner, name, cluster, created, committed, done, failed, restored, settled"


def begin(tx: Tx, release: str, owner: str, changed: Iterable[AppState], now: float) -> None:
    """A release was made that changes these applications."""
    tx.many(
        "INSERT INTO deliveries (release, app, owner, name, cluster, repo, bundle, revision, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (release, one.app, owner, one.name, one.cluster, one.repo, one.bundle, one.revision, now)
            for one in changed
        ),
    )


@dataclass(frozen=True, slots=True)
class Open:
    """A delivery that is not settled, with the newest report of its application on its cluster.

    `bundle` and `revision` are the delivery's; `assigned` is the release that the cluster shall have now,
    `assigned_created` when it was made (0: nobody knows any more).
    """

    delivery: Delivery
    bundle: str
    revision: str
    assigned: str
    assigned_created: float
    release: str
    sync: str
    health: str
    phase: str
    time: float


_OPEN = f"""
    SELECT {", ".join(f"d.{name.strip()}" for name in _COLUMNS.split(","))}, d.bundle, d.revision,
           coalesce(json_extract(a.body, '$.release'), ''), coalesce(l.created, 0),
           coalesce(r.release, ''), coalesce(r.sync, ''), coalesce(r.health, ''),
           CASE WHEN r.sync = 'Synced' AND r.health = 'Healthy' THEN ''
                ELSE coalesce(json_extract(CAST(r.detail AS TEXT), '$.phase'), '') END,
           coalesce(r.time, 0)
    FROM asked CROSS JOIN deliveries d ON d.cluster = asked.cluster
    LEFT JOIN reports r ON r.cluster = d.cluster AND r.app = d.app
    LEFT JOIN assignments a ON a.cluster = d.cluster AND a.id = d.app
    LEFT JOIN releases l ON l.id = json_extract(a.body, '$.release')
    WHERE d.settled = 0 AND (d.done = 0 AND d.failed = 0 OR r.rv > asked.since)
"""


def unsettled(tx: Tx, since: Mapping[str, int]) -> list[Open]:
    """The deliveries to clusters (cluster -> a resourceVersion) that are not settled and may have come on since: those of
    which nothing is known yet, and those of applications that were reported after it.
    """
    found, asked = [], list(since.items())
    for start in range(0, len(asked), MOST):
        part = asked[start : start + MOST]
        sql = f"WITH asked (cluster, since) AS (VALUES {', '.join(['(?, ?)'] * len(part))}) {_OPEN}"
        rows = tx.all(sql, [value for pair in part for value in pair])
        found += [Open(Delivery(*row[:11]), *row[11:]) for row in rows]
    return found


def awaiting(tx: Tx) -> set[str]:
    """The clusters with deliveries that are not settled."""
    return {row[0] for row in tx.all("SELECT DISTINCT cluster FROM deliveries WHERE settled = 0")}


def settle(tx: Tx, changed: Iterable[Delivery]) -> None:
    tx.many(
        "UPDATE deliveries SET done = ?, failed = ?, restored = ?, settled = ? WHERE release = ? AND app = ?",
        ((one.done, one.failed, one.restored, one.settled, one.release, one.app) for one in changed),
    )


def settle_by_time(tx: Tx, done_before: float) -> None:
    """Nothing of deliveries that were well so long ago changes any more."""
    tx.run(
        "UPDATE deliveries SET settled = 1 WHERE settled = 0 AND done > 0 AND done < ? AND (failed = 0 OR restored > 0)",
        (done_before,),
    )


def well(tx: Tx, found: Iterable[tuple[str, str, str, str, str, float]]) -> None:
    """Applications are well: (cluster, app, release, bundle, revision, since)."""
    tx.many(
        "INSERT INTO deployed (cluster, app, release, bundle, revision, since) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (cluster, app) DO UPDATE SET release = excluded.release, bundle = excluded.bundle, "
        "revision = excluded.revision, since = excluded.since WHERE release <> excluded.release",
        found,
    )


def undated(tx: Tx, limit: int) -> list[tuple[str, str]]:
    """(repository, commit) pairs whose time is not known yet."""
    sql = "SELECT DISTINCT repo, revision FROM deliveries WHERE committed = 0 AND revision <> '' LIMIT ?"
    return [(row[0], row[1]) for row in tx.all(sql, (limit,))]


def date(tx: Tx, repo: str, revision: str, committed: float) -> None:
    """Notes when a commit was made; below 0: nobody knows."""
    sql = "UPDATE deliveries SET committed = ? WHERE repo = ? AND revision = ? AND committed = 0"
    tx.run(sql, (committed, repo, revision))


def since(tx: Tx, moment: float) -> list[Delivery]:
    """All of releases made since then, oldest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM deliveries WHERE created >= ? ORDER BY created", (moment,))
    # Below 0 stands for a time that nobody knows.
    return [
        found if (found := Delivery(*row)).committed >= 0 else replace(found, committed=0.0) for row in rows
    ]


def version(tx: Tx) -> tuple[object, ...]:
    """What differs once something was recorded."""
    sql = "SELECT count(*), coalesce(sum(done > 0), 0), coalesce(sum(failed > 0), 0), coalesce(sum(restored > 0), 0) "
    found = tx.one(f"{sql} FROM deliveries")
    return tuple(found or ())


def of_commit(tx: Tx, commit: str) -> frozenset[str]:
    """The applications that releases of exactly this commit changed, whichever of their sources it is of."""
    by_first = tx.all("SELECT app FROM deliveries WHERE revision = ?", (commit,))
    by_any = tx.all("SELECT DISTINCT app FROM provenance WHERE instr(sources, ?) > 0", (f'"{commit}"',))
    return frozenset(row[0] for row in (*by_first, *by_any))


def sweep(tx: Tx, before: float) -> None:
    """Forgets what is older, and what was of applications that are gone."""
    tx.run("DELETE FROM deliveries WHERE created < ?", (before,))
    tx.run("DELETE FROM deployed WHERE app NOT IN (SELECT app FROM app_states)")
