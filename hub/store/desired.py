"""What each cluster shall have: its assignments, its open removals, and the number and digest of the whole.

A set gets a new generation only when its content differs. Every row knows the generation it last changed
in, so the difference against any recent generation is one index range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy import bundle
from argosy.bundle import Assignment, Policy, Removal, Restraint
from argosy.convert import Offer
from hub.store.base import Tx

KEPT_DROPS = 1000
"""Generations back to which a difference can be given; an agent further behind gets the whole set."""


MOST = 1000
"""Clusters read in one go, well below the number of parameters that databases take."""


@dataclass(frozen=True, slots=True)
class Head:
    """The present state of a cluster's set. Generation 0 is the set that nobody ever wrote."""

    generation: int = 0
    floor: int = 0
    set_digest: str = ""
    checks: str = ""


EMPTY = Head(set_digest=bundle.set_digest((), ()))


def head(tx: Tx, cluster: str) -> Head:
    sql = "SELECT generation, floor, set_digest, checks FROM desired WHERE cluster = ?"
    found = tx.one(sql, (cluster,))
    return Head(*found) if found else EMPTY


def change(
    tx: Tx,
    cluster: str,
    *,
    put: Iterable[Assignment] = (),
    drop: Iterable[str] = (),
    remove: Iterable[Removal] = (),
    close: Iterable[str] = (),
    restrain: Iterable[Restraint] | None = None,
    checks: str | None = None,
) -> int:
    """Changes a cluster's set and returns its generation, which is the old one where nothing differs.

    `put` are new or changed assignments, `drop` ids of assignments that leave, `remove` new written
    removals, `close` ids of removals that are done or withdrawn, `restrain` all restraints from now on, `checks` the
    digest of the users' own health checks (None of either: as it is). The cluster's agent is told after the commit.
    """
    before = head(tx, cluster)
    if checks is None:
        checks = before.checks if before.generation else current_checks(tx)
    generation = before.generation + 1
    changed = sum([_put(tx, cluster, item, generation) for item in put])
    changed += sum([_drop(tx, cluster, gone, generation) for gone in drop])
    changed += sum([_remove(tx, cluster, item) for item in remove])
    for closed in close:
        changed += tx.run("DELETE FROM removals WHERE cluster = ? AND id = ?", (cluster, closed))
    if restrain is not None:
        changed += _restrain(tx, cluster, [bundle.body_of(item) for item in restrain])
    changed += before.generation > 0 and checks != before.checks
    if not changed:
        return before.generation
    floor = max(before.floor, generation - KEPT_DROPS)
    if floor > before.floor:
        tx.run("DELETE FROM drops WHERE cluster = ? AND generation <= ?", (cluster, floor))
    digest = bundle.digest_of_bodies(
        [row[0] for row in tx.all("SELECT body FROM assignments WHERE cluster = ?", (cluster,))],
        [row[0] for row in tx.all("SELECT body FROM removals WHERE cluster = ?", (cluster,))],
        _restraints(tx, cluster),
        checks,
    )
    tx.run(
        "INSERT INTO desired (cluster, generation, floor, set_digest, checks) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (cluster) DO UPDATE SET generation = excluded.generation, floor = excluded.floor, "
        "set_digest = excluded.set_digest, checks = excluded.checks",
        (cluster, generation, floor, digest, checks),
    )
    tx.touch(f"desired:{cluster}")
    return generation


def current_checks(tx: Tx) -> str:
    """The digest of the checks that clusters are given from now on."""
    found = tx.one("SELECT value FROM meta WHERE key = 'checks'")
    return str(found[0]) if found else ""


def keep_checks(tx: Tx, digest: str) -> None:
    """What clusters are given from now on; those that have something already are changed one by one (`change`)."""
    sql = "INSERT INTO meta (key, value) VALUES ('checks', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    tx.run(sql, (digest,))


def checked_otherwise(tx: Tx, digest: str) -> list[str]:
    """The clusters that have other checks than these."""
    return [row[0] for row in tx.all("SELECT cluster FROM desired WHERE checks <> ?", (digest,))]


def _put(tx: Tx, cluster: str, item: Assignment, generation: int) -> int:
    written = tx.run(
        "INSERT INTO assignments (cluster, id, generation, bundle, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
        "(cluster, id) DO UPDATE SET generation = excluded.generation, bundle = excluded.bundle, body = excluded.body "
        "WHERE body <> excluded.body",
        (cluster, item.id, generation, item.bundle, bundle.body_of(item)),
    )
    if written:
        tx.run("DELETE FROM drops WHERE cluster = ? AND id = ?", (cluster, item.id))
    return written


def _drop(tx: Tx, cluster: str, gone: str, generation: int) -> int:
    dropped = tx.run("DELETE FROM assignments WHERE cluster = ? AND id = ?", (cluster, gone))
    if dropped:
        tx.run(
            "INSERT INTO drops (cluster, id, generation) VALUES (?, ?, ?) ON CONFLICT (cluster, id) "
            "DO UPDATE SET generation = excluded.generation",
            (cluster, gone, generation),
        )
    return dropped


def _remove(tx: Tx, cluster: str, item: Removal) -> int:
    # Times travel as doubles; an int would have another canonical form here than at the agent.
    item = replace(item, created=float(item.created), expires=float(item.expires))
    return tx.run(
        "INSERT INTO removals (cluster, id, assignment, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (cluster, item.id, item.assignment, bundle.body_of(item)),
    )


def _restrain(tx: Tx, cluster: str, bodies: list[bytes]) -> int:
    if sorted(bodies) == sorted(_restraints(tx, cluster)):
        return 0
    tx.run("DELETE FROM restraints WHERE cluster = ?", (cluster,))
    tx.many("INSERT INTO restraints (cluster, body) VALUES (?, ?)", ((cluster, body) for body in bodies))
    return 1


def _restraints(tx: Tx, cluster: str) -> list[bytes]:
    return [row[0] for row in tx.all("SELECT body FROM restraints WHERE cluster = ?", (cluster,))]


def restraints(tx: Tx, cluster: str) -> list[Restraint]:
    """What restrains changes in a cluster."""
    return [bundle.restraint_of(orjson.loads(body)) for body in _restraints(tx, cluster)]


def any_restrained(tx: Tx) -> bool:
    """Whether any cluster has a restraint."""
    return tx.one("SELECT 1 FROM restraints LIMIT 1") is not None


def assigned(tx: Tx, cluster: str) -> list[str]:
    """The ids of a cluster's assignments."""
    return [row[0] for row in tx.all("SELECT id FROM assignments WHERE cluster = ? ORDER BY id", (cluster,))]


def since(tx: Tx, epoch: str, bases: Mapping[str, int]) -> dict[str, Offer]:
    """The sets of up to `MOST` clusters (cluster -> base) in one go, each as its difference against its base.

    It is the whole set, base 0, where the base is unknown, too old or from the future.
    """
    marks = ", ".join("?" * len(bases))
    columns = "cluster, generation, floor, set_digest, checks"
    rows = tx.all(f"SELECT {columns} FROM desired WHERE cluster IN ({marks})", tuple(bases))
    heads = {row[0]: Head(*row[1:]) for row in rows}
    known = {
        cluster: base if (now := heads.get(cluster, EMPTY)).floor <= base <= now.generation else 0
        for cluster, base in bases.items()
    }
    pairs = [value for pair in known.items() for value in pair]
    asked = f"WITH asked (cluster, base) AS (VALUES {', '.join(['(?, ?)'] * len(known))}) SELECT x.cluster"
    after = "ON x.cluster = asked.cluster AND x.generation > asked.base"
    changed = _grouped(tx.all(f"{asked}, x.body FROM asked CROSS JOIN assignments x {after}", pairs))
    gone = _grouped(tx.all(f"{asked}, x.id FROM asked CROSS JOIN drops x {after} AND asked.base > 0", pairs))
    sql = f"SELECT cluster, body FROM removals WHERE cluster IN ({marks}) ORDER BY cluster, id"
    open_ones = _grouped(tx.all(sql, tuple(bases)))
    held = _grouped(tx.all(f"SELECT cluster, body FROM restraints WHERE cluster IN ({marks})", tuple(bases)))
    return {
        cluster: Offer(
            epoch,
            (now := heads.get(cluster, EMPTY)).generation,
            base,
            tuple(changed.get(cluster, ())),
            tuple(gone.get(cluster, ())),
            tuple(open_ones.get(cluster, ())),
            now.set_digest,
            tuple(held.get(cluster, ())),
            now.checks,
        )
        for cluster, base in known.items()
    }


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """(cluster, value) rows by cluster."""
    found: dict[str, list[Any]] = {}
    for cluster, value in rows:
        found.setdefault(cluster, []).append(value)
    return found


def assignments(tx: Tx, cluster: str) -> list[Assignment]:
    rows = tx.all("SELECT body FROM assignments WHERE cluster = ? ORDER BY id", (cluster,))
    return [_assignment(row[0]) for row in rows]


def bundles(tx: Tx, cluster: str) -> dict[str, str]:
    """app -> bundle of what a cluster is assigned."""
    return dict(tx.all("SELECT id, bundle FROM assignments WHERE cluster = ?", (cluster,)))


def assignment(tx: Tx, cluster: str, app: str) -> Assignment | None:
    found = tx.one("SELECT body FROM assignments WHERE cluster = ? AND id = ?", (cluster, app))
    return _assignment(found[0]) if found else None


def has_of_owner(tx: Tx, cluster: str, owner: str) -> bool:
    """Whether a cluster is assigned an Application of a set, or the lone one itself."""
    sql = (
        "SELECT 1 FROM assignments a JOIN app_states s ON s.app = a.id "
        "WHERE a.cluster = ? AND (s.owner = ? OR s.app = ?) LIMIT 1"
    )
    return tx.one(sql, (cluster, owner, owner)) is not None


def of_apps(tx: Tx, apps: Sequence[str]) -> dict[str, dict[str, Assignment]]:
    """app -> cluster -> what is assigned, of those of the apps that have an assignment: one, or two while one moves."""
    found: dict[str, dict[str, Assignment]] = {}
    for start in range(0, len(apps), MOST):
        part = apps[start : start + MOST]
        sql = f"SELECT id, cluster, body FROM assignments WHERE id IN ({', '.join('?' * len(part))})"
        for app, cluster, body in tx.all(sql, part):
            found.setdefault(app, {})[cluster] = _assignment(body)
    return found


def clusters_of(tx: Tx, app: str) -> list[str]:
    """The clusters that have an app assigned: one, or two while it moves."""
    return [row[0] for row in tx.all("SELECT cluster FROM assignments WHERE id = ?", (app,))]


def told(tx: Tx, apps: Sequence[str]) -> set[str]:
    """Those of the apps that some cluster has or had: it is assigned them, told to let them go, or told of them."""
    found: set[str] = set()
    for start in range(0, len(apps), MOST):
        part = apps[start : start + MOST]
        marks = ", ".join("?" * len(part))
        for sql in (
            f"SELECT id FROM assignments WHERE id IN ({marks})",
            f"SELECT app FROM reports WHERE app IN ({marks})",
        ):
            found.update(row[0] for row in tx.all(sql, part))
    if len(found) < len(apps):
        leaving = {row[0] for row in tx.all("SELECT DISTINCT assignment FROM removals")}
        found |= leaving.intersection(apps)
    return found


def leaving(tx: Tx, app: str) -> bool:
    """Whether any cluster is told to let go of an app, or of an object of it."""
    return tx.one("SELECT 1 FROM removals WHERE assignment = ? LIMIT 1", (app,)) is not None


def removals(tx: Tx, cluster: str) -> list[Removal]:
    rows = tx.all("SELECT body FROM removals WHERE cluster = ? ORDER BY id", (cluster,))
    return [Removal(**orjson.loads(row[0])) for row in rows]


def _assignment(body: bytes) -> Assignment:
    value = orjson.loads(body)
    policy = value.pop("policy")
    policy["sync_options"] = tuple(policy["sync_options"])
    return Assignment(**value, policy=Policy(**policy))
