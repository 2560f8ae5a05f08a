"""Rollouts and where each of their members is, as decided last: one row each.

Written whenever something was decided, in the transaction of the assignments that follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from hub.core.rollout import showing
from hub.core.rollout.model import OUTSIDE, GateState, Member, Phase, Rollout, State, Version
from hub.core.rollout.naming import Source
from hub.store.base import Change, Tx, row_of

RESOURCE = "argosy.dev/rollouts"
MOST = 1000
"""Parameters of one query."""


@dataclass(frozen=True, slots=True)
class Row:
    """A rollout beside its decided state: where its object is, what its strategy was made from.

    `under_way` is false once nothing can follow any more. `version` grows with every write; `shown` is the object's
    status as JSON, as of the last write.
    """

    rollout: Rollout
    source: Source
    namespace: str
    name: str
    under_way: bool = True
    version: int = 0
    shown: bytes = b"{}"
    waits: str = ""
    """What members wait for whose turn has not come."""


_COLUMNS = "id, owner, namespace, name, created, under_way, version, source, body, shown, waits"
_MEMBER = (
    "app, name, cluster, stage, to_release, to_bundle, to_revision, before_release, before_bundle, before_revision, "
    "state, since, started, healthy, deadline, blocker, rank"
)
_PUT_MEMBER = (
    f"INSERT INTO rollout_members (rollout, {_MEMBER}) VALUES ({', '.join('?' * 18)}) ON CONFLICT (rollout, app) "
    "DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _MEMBER.split(", ")[1:])
)
_STATE = ("phase", "stage", "since", "reason", "reverting_from", "last_start", "bad", "totals")


def uid_of(rollout: str) -> str:
    """The uid of a rollout's object: its own, since the release of the same id is an object, too."""
    return f"{rollout}-rollout"


def release_of(uid: str) -> str:
    """The release of a rollout's object."""
    return uid.removesuffix("-rollout")


def get(tx: Tx, rollout: str) -> Row | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM rollouts WHERE id = ?", (rollout,))
    return _row(found) if found else None


def named(tx: Tx, namespace: str, name: str) -> Row | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM rollouts WHERE namespace = ? AND name = ?", (namespace, name))
    return _row(found) if found else None


def under_way(tx: Tx) -> list[Row]:
    """All that are not over."""
    return [_row(row) for row in tx.all(f"SELECT {_COLUMNS} FROM rollouts WHERE under_way = 1")]


def of_owner(tx: Tx, owner: str) -> Row | None:
    """The owner's rollout that is not over; there is at most one."""
    found = tx.one(f"SELECT {_COLUMNS} FROM rollouts WHERE owner = ? AND under_way = 1", (owner,))
    return _row(found) if found else None


def owners(tx: Tx) -> frozenset[str]:
    """Those that have a rollout under way."""
    return frozenset(row[0] for row in tx.all("SELECT owner FROM rollouts WHERE under_way = 1"))


def newest(tx: Tx, owner: str) -> Row | None:
    sql = f"SELECT {_COLUMNS} FROM rollouts WHERE owner = ? ORDER BY created DESC, id DESC LIMIT 1"
    found = tx.one(sql, (owner,))
    return _row(found) if found else None


def put(tx: Tx, row: Row) -> None:
    """Writes a rollout. Who watches its object is told, and the loop that moves it is woken."""
    rollout = row.rollout
    body = {name: getattr(rollout, name) for name in _STATE}
    body["gates"] = {key: asdict(gate) for key, gate in rollout.gates.items()}
    values = (
        rollout.id,
        rollout.owner,
        row.namespace,
        row.name,
        rollout.created,
        int(row.under_way),
        row.version,
        orjson.dumps(asdict(row.source)),
        orjson.dumps(body),
        row.shown,
        row.waits,
    )
    tx.run(
        f"INSERT INTO rollouts ({_COLUMNS}) VALUES ({', '.join('?' * len(values))}) ON CONFLICT (id) "
        "DO UPDATE SET version = excluded.version, body = excluded.body, shown = excluded.shown, waits = excluded.waits, "
        "under_way = excluded.under_way",
        values,
    )
    tx.emit(
        Change(
            *(tx.next_rv(), "MODIFIED", RESOURCE, row.namespace, row.name, uid_of(rollout.id)), composed=True
        )
    )
    tx.touch(f"rollout:{rollout.id}:{row.version}")


def members(tx: Tx, rollout: str) -> dict[str, Member]:
    """By app."""
    rows = tx.all(f"SELECT {_MEMBER} FROM rollout_members WHERE rollout = ?", (rollout,))
    return {row[0]: _member(row) for row in rows}


def put_members(tx: Tx, rollout: str, changed: Iterable[Member]) -> None:
    """Who watches their Applications is told."""
    kept = list(changed)
    tx.many(_PUT_MEMBER, ((rollout, *_values(member)) for member in kept))
    tell(tx, (member.app for member in kept))


def tell(tx: Tx, apps: Iterable[str]) -> None:
    """Says that what is shown of a rollout in these Applications changed."""
    wanted = list(apps)
    for start in range(0, len(wanted), MOST):
        part = wanted[start : start + MOST]
        sql = (
            f"SELECT resource, namespace, name, uid FROM objects WHERE uid IN ({', '.join('?' * len(part))})"
        )
        for resource, namespace, name, uid in tx.all(sql, part):
            tx.emit(Change(tx.next_rv(), "MODIFIED", resource, namespace, name, uid, composed=True))


WHY = (
    "CASE WHEN m.blocker <> '' THEN m.blocker "
    + " ".join(f"WHEN m.state = '{state}' THEN '{word}'" for state, word in showing.WORDS.items())
    + f" WHEN m.state <> 'Pending' THEN '' WHEN m.stage = {OUTSIDE} THEN '{showing.BY_HAND}' ELSE r.waits END"
)
"""What a member (`m`) of a rollout (`r`) waits for, in SQL: `hub.core.rollout.showing.why`."""


def changed_at(tx: Tx, apps: Iterable[str]) -> dict[str, float]:
    """app -> when a rollout last moved it."""
    found = {}
    for app in apps:
        row = tx.one("SELECT max(started) FROM rollout_members WHERE app = ?", (app,))
        if row and row[0]:
            found[app] = float(row[0])
    return found


def forget(tx: Tx, rollout: str) -> None:
    tx.run("DELETE FROM rollout_members WHERE rollout = ?", (rollout,))
    tx.run("DELETE FROM rollouts WHERE id = ?", (rollout,))


# --- what is not chosen -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refused:
    """A bundle that an app is not given until its render gives another one, or somebody clears it, and why."""

    app: str
    bundle: str
    release: str
    reason: str
    since: float


_version_row, _refused_row = row_of(Version), row_of(Refused)


def refuse(tx: Tx, refused: Iterable[Refused]) -> None:
    """Who watches these Applications is told."""
    kept = list(refused)
    tx.many(
        "INSERT INTO refused (app, bundle, release, reason, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT (app) "
        "DO UPDATE SET bundle = excluded.bundle, release = excluded.release, reason = excluded.reason, "
        "since = excluded.since",
        map(_refused_row, kept),
    )
    tell(tx, (one.app for one in kept))


def refused(tx: Tx, apps: Sequence[str]) -> dict[str, Refused]:
    """By app, of those among `apps` that have one."""
    found = {}
    for start in range(0, len(apps), MOST):
        part = apps[start : start + MOST]
        sql = f"SELECT app, bundle, release, reason, since FROM refused WHERE app IN ({', '.join('?' * len(part))})"
        found.update({row[0]: Refused(*row) for row in tx.all(sql, part)})
    return found


def accept(tx: Tx, app: str) -> None:
    if tx.run("DELETE FROM refused WHERE app = ?", (app,)):
        tell(tx, [app])


def accept_release(tx: Tx, release: str) -> None:
    """All that a release should have brought may be chosen again."""
    concerned = [row[0] for row in tx.all("SELECT app FROM refused WHERE release = ?", (release,))]
    tx.run("DELETE FROM refused WHERE release = ?", (release,))
    tell(tx, concerned)


# --- rows -------------------------------------------------------------------------------------------------------------


def _row(found: tuple[Any, ...]) -> Row:
    rollout, owner, namespace, name, created, under_way, version, source, body, shown, waits = found
    state = orjson.loads(body)
    kept = Source(**orjson.loads(source))
    state["gates"] = {
        key: GateState(**{**gate, "by": tuple(gate["by"])}) for key, gate in state["gates"].items()
    }
    state["phase"], state["totals"] = Phase(state["phase"]), tuple(state["totals"])
    decided = Rollout(rollout, owner, kept.strategy(), created, **state)
    return Row(decided, kept, namespace, name, bool(under_way), version, shown, waits)


def _values(member: Member) -> tuple[object, ...]:
    to, before = _version_row(member.to), _version_row(member.before)
    return (
        *(member.app, member.name, member.cluster, member.stage, *to, *before, member.state, member.since),
        *(member.started, member.healthy, member.deadline, member.blocker, member.rank),
    )


def _member(row: tuple[Any, ...]) -> Member:
    app, name, cluster, stage = row[:4]
    to, before = Version(*row[4:7]), Version(*row[7:10])
    state, since, started, healthy, deadline, blocker, rank = row[10:]
    return Member(
        *(app, name, cluster, stage, to, before, State(state)),
        *(since, started, healthy, deadline, blocker, rank),
    )
