"""Why Applications are not moved now. A hold that ended stays as a row without a reason, so that the resourceVersion of
what is shown never goes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hub.store.base import Change, Tx


class Held(NamedTuple):
    """One hold as stored. Times are Unix seconds."""

    reason: str
    until: float
    since: float
    rv: int


def get(tx: Tx, app: str) -> Held | None:
    found = tx.one("SELECT reason, until, since, rv FROM holds WHERE app = ? AND reason <> ''", (app,))
    return Held(*found) if found else None


def stale(tx: Tx) -> list[str]:
    """Applications that are shown as held though nothing of theirs waits: they have what they want, are gone, or no
    rollout would move them. Those under deletion are the remover's."""
    rows = tx.all(
        "SELECT h.app FROM holds h LEFT JOIN app_states s ON s.app = h.app "
        "LEFT JOIN assignments a ON a.id = h.app AND a.cluster = s.cluster WHERE h.reason <> '' AND "
        "(s.app IS NULL OR (s.deleting = '' AND (a.bundle = s.bundle OR NOT EXISTS "
        "(SELECT 1 FROM rollouts r WHERE r.under_way = 1 AND r.owner IN (s.owner, s.app)))))"
    )
    return [row[0] for row in rows]


def put(tx: Tx, found: Mapping[str, tuple[str, float]], now: float) -> None:
    """Holds Applications: reason and end by id. One that is held already keeps its beginning; an equal one writes
    nothing."""
    for app, (reason, until) in found.items():
        before = get(tx, app)
        if before is not None and (before.reason, before.until) == (reason, until):
            continue
        _write(tx, app, reason, until, before.since if before else now)


def end(tx: Tx, ended: Iterable[str]) -> None:
    """Ends holds, where there are any."""
    for app in ended:
        if get(tx, app) is not None:
            _write(tx, app, "", 0.0, 0.0)


def _write(tx: Tx, app: str, reason: str, until: float, since: float) -> None:
    rv = tx.next_rv()
    tx.run(
        "INSERT INTO holds (app, reason, until, since, rv) VALUES (?, ?, ?, ?, ?) ON CONFLICT (app) DO UPDATE SET "
        "reason = excluded.reason, until = excluded.until, since = excluded.since, rv = excluded.rv",
        (app, reason, until, since, rv),
    )
    found = tx.one("SELECT resource, namespace, name FROM objects WHERE uid = ?", (app,))
    if found is not None:
        resource, namespace, name = found
        tx.emit(Change(rv, "MODIFIED", resource, namespace, name, app, composed=True))


def forget(tx: Tx, app: str) -> None:
    tx.run("DELETE FROM holds WHERE app = ?", (app,))
