"""The state of each ApplicationSet's evaluation between two runs of the expander, and between two of the hub: the removals
that wait, and what the last complete evaluation looked at, so that whoever changed it since can be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.core.removals.judging import Pending
from hub.store.base import Tx


@dataclass(frozen=True, slots=True)
class Looked:
    """What a complete evaluation saw: the set's generation, and the commit of each (repository, revision). `at` is when
    that was first so, Unix seconds."""

    generation: int
    commits: Mapping[tuple[str, str], str]
    at: float


def pending(tx: Tx, appset: str) -> Pending | None:
    """What the last complete evaluation found missing; `appset` is a uid."""
    value = _body(tx, appset)
    if "id" not in value:
        return None
    return Pending(value["id"], tuple(value["names"]), value["since"], value.get("by", ""))


def looked(tx: Tx, appset: str) -> Looked | None:
    """What the last complete evaluation looked at, None where that was not kept."""
    value = _body(tx, appset).get("looked")
    if value is None:
        return None
    commits = {(repo, revision): commit for repo, revision, commit in value["commits"]}
    return Looked(value["generation"], commits, value["at"])


def remember(tx: Tx, appset: str, value: Pending | None) -> None:
    """Keeps what is missing, None for nothing."""
    kept = _looked_alone(_body(tx, appset))
    if value is not None:
        kept |= {"id": value.id, "names": value.names, "since": value.since, "by": value.by}
    _put(tx, appset, kept)


def note(tx: Tx, appset: str, seen: Looked) -> None:
    """Keeps what was looked at. Nothing is written where it was the same."""
    body = _body(tx, appset)
    before = body.get("looked") or {}
    commits = sorted([*key, commit] for key, commit in seen.commits.items())
    if (before.get("generation"), before.get("commits")) != (seen.generation, commits):
        _put(
            tx, appset, {**body, "looked": {"generation": seen.generation, "commits": commits, "at": seen.at}}
        )


def forget(tx: Tx, appset: str) -> None:
    """The set is gone, or wants nothing any more."""
    tx.run("DELETE FROM evaluations WHERE appset = ?", (appset,))


def _looked_alone(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"looked": body["looked"]} if "looked" in body else {}


def _body(tx: Tx, appset: str) -> dict[str, Any]:
    found = tx.one("SELECT body FROM evaluations WHERE appset = ?", (appset,))
    return dict(orjson.loads(found[0])) if found else {}


def _put(tx: Tx, appset: str, body: Mapping[str, Any]) -> None:
    if not body:
        forget(tx, appset)
        return
    tx.run(
        "INSERT INTO evaluations (appset, body) VALUES (?, ?) ON CONFLICT (appset) DO UPDATE SET body = excluded.body "
        "WHERE body <> excluded.body",
        (appset, orjson.dumps(body)),
    )
