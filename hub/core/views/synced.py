"""Which syncs `status.history` of an Application keeps, in Argo CD's shape (3.6, `persistRevisionHistory`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

LIMIT = 10
"""Entries without a `spec.revisionHistoryLimit`."""

Entry = dict[str, Any]
"""`bundle` that was synced, and `shown`: the entry as `status.history` has it."""


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync of a whole Application that ended well, as its agent told of it. `token` tells it from all others; `asked`
    is what a user asked for as JSON, "" for an automatic one. Times are Unix seconds."""

    token: str
    bundle: str
    revision: str
    started: float
    finished: float
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a bundle was rendered from: the Application's `source` or `sources`, what kind each is, its commits."""

    kinds: tuple[str, ...] = ()
    source: Mapping[str, Any] | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    commits: tuple[str, ...] = ()
    """Of `sources`, in their order."""

    def deployed(self, revision: str) -> dict[str, Any]:
        """`source` and `revision`, or `sources` and `revisions`. `revision` is that of a single source."""
        if self.sources:
            return {"revisions": list(self.commits), "sources": list(self.sources)}
        return {"revision": revision} | ({"source": self.source} if self.source else {})

    @property
    def types(self) -> dict[str, Any]:
        """`sourceType`, or `sourceTypes` of several sources: "" for one that is only referred to."""
        if self.sources:
            return {"sourceTypes": list(self.kinds)}
        return {"sourceType": self.kinds[0]} if self.kinds else {}


UNKNOWN = Origin()


def sync_of(report: Mapping[str, Any]) -> Sync | None:
    """The sync that a reported `argosy.status.AppStatus` tells of, None where it has no place in a history: it did not
    end well, changed nothing (a dry run), or was a part of the Application only."""
    token = report.get("token")
    if not token or report.get("phase") != "Succeeded" or not report.get("finished"):
        return None
    asked = str(report.get("asked") or "")
    if asked:
        wanted = orjson.loads(asked).get("sync") or {}
        if wanted.get("dryRun") or wanted.get("resources"):
            return None
    return Sync(
        str(token),
        str(report.get("bundle") or ""),
        str(report.get("revision") or ""),
        float(report.get("started") or 0.0),
        float(report["finished"]),
        asked,
    )


def with_sync(
    before: Sequence[Entry], sync: Sync, origin: Origin | None, limit: int | None, stamp: Any
) -> list[Entry]:
    """The history with one sync more: at most `limit` entries, oldest first, their ids counted on.

    `origin` is what the bundle was rendered from, None where that is not known any more: then an earlier sync of the same
    bundle says it. `stamp` writes Unix seconds.
    """
    if limit is None:
        limit = LIMIT
    if limit <= 0:
        return []
    deployed = {"revision": sync.revision}
    if origin is not None:
        deployed = origin.deployed(sync.revision)
    else:
        earlier: Mapping[str, Any] = next(
            (one["shown"] for one in reversed(before) if one["bundle"] == sync.bundle), {}
        )
        names = ("source", "sources", "revision", "revisions")
        deployed = {name: earlier[name] for name in names if name in earlier} or deployed
    by = orjson.loads(sync.asked).get("initiatedBy") or {} if sync.asked else {"automated": True}
    shown = {
        "id": before[-1]["shown"]["id"] + 1 if before else 0,
        **deployed,
        "deployStartedAt": stamp(sync.started),
        "deployedAt": stamp(sync.finished),
        "initiatedBy": by,
    }
    return [*before, {"bundle": sync.bundle, "shown": shown}][-limit:]


def origin_of(text: str, commits: str) -> Origin:
    """From what `hub.store.apps.AppState` keeps of it: `origin` and `sources`, both JSON or ""."""
    found = orjson.loads(text) if text else {}
    return Origin(
        tuple(found.get("kinds") or ()),
        found.get("source"),
        tuple(found.get("sources") or ()),
        tuple(commit for *_, commit in orjson.loads(commits)) if commits else (),
    )
