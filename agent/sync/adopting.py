"""Takes objects over from who had them before, where they are as wanted already, and gives them back.

Adopting writes our marks and moves ownership, and nothing else: an object that differs is left as it is and told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from agent.cluster.base import ApplyConflict, Changed, ClusterApi
from agent.core import contested, differences, drift, handing, marks
from agent.core.contested import Claim
from agent.core.drift import Ignored
from agent.core.inventory import Entry
from agent.core.marks import Seen, Wanted
from agent.core.steps import Reason, Verdict, Verified, Why
from argosy.errors import ArgosyError
from argosy.kinds import served
from argosy.objects import Manifest, ObjectKey
from argosy.status import Sync

TRIES = 3
"""How often an object is read again that changes while it changes hands."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that would only get our marks: `manifest` is what is to be applied, `uid` whom it may hit."""

    wanted: Wanted
    manifest: Manifest
    uid: str


async def look(api: ClusterApi, wanted: Wanted, ignore: Ignored) -> Candidate | Verdict:
    """Whether an object may be adopted; a verdict where it stays as it is."""
    key = wanted.key
    try:
        live = await api.get(wanted.gvk, key.namespace, key.name)
        if live is None:
            return _verdict(wanted, None, Why.MISSING, "is not there, and adopting makes nothing")
        manifest = handing.adoptable(ignore.strip(wanted.manifest), live)
        try:
            merged = await api.apply(manifest, dry_run=True)
        except ApplyConflict as conflict:
            claims = tuple(Claim(cause.manager, cause.field) for cause in conflict.causes)
            return _left(wanted, live, claims)
    except ArgosyError as error:
        return Verdict(Reason(Why.FAILED, differences.hushed(wanted, error.message)), Sync.OUT_OF_SYNC)
    old, new = (drift.content(handing.unmarked(item), ignore) for item in (live, merged))
    if found := differences.between(wanted, old, new):
        seen = marks.seen(live)
        message = f"left as it is: differs in {', '.join(item.field for item in found[:5])}"
        verified = Verified(wanted.digest, seen.mark, Sync.OUT_OF_SYNC, message, found)
        return Verdict(Reason(Why.DRIFT, message), Sync.OUT_OF_SYNC, seen, verified)
    return Candidate(wanted, manifest, live["metadata"]["uid"])


async def adopt(api: ClusterApi, candidate: Candidate) -> Verdict:
    """Puts our marks on, and takes from former tools what is ours now. The object must be as it was looked at."""
    wanted = candidate.wanted
    try:
        live = await api.apply(candidate.manifest)
        over = handing.taken_over(live)
        if over is not None:
            # Where somebody was quicker: who owns it beside us is no matter of its content.
            with contextlib.suppress(Changed):
                live = await api.update(over)
    except ArgosyError as error:
        return Verdict(Reason(Why.FAILED, differences.hushed(wanted, error.message)), Sync.OUT_OF_SYNC)
    seen = marks.seen(live)
    return Verdict(Reason(Why.ADOPTED), Sync.SYNCED, seen, Verified(wanted.digest, seen.mark, Sync.SYNCED))


async def release(
    api: ClusterApi, entries: Mapping[ObjectKey, Entry], assignment: str
) -> dict[ObjectKey, str]:
    """Takes our marks and our ownership off objects and leaves them as they are. What went wrong, by object."""
    kinds = await api.kinds()
    wrong: dict[ObjectKey, str] = {}
    for key, entry in entries.items():
        kind = served(kinds, entry.gvk)
        if kind is None:
            continue
        for _ in range(TRIES):
            try:
                live = await api.get(kind.gvk, key.namespace, key.name)
                free = None if live is None else handing.released(live, assignment)
                if free is not None:
                    await api.update(free)
                wrong.pop(key, None)
                break
            except Changed as error:
                wrong[key] = error.message
            except ArgosyError as error:
                wrong[key] = error.message
                break
    return wrong


def _left(wanted: Wanted, live: Manifest, claims: tuple[Claim, ...]) -> Verdict:
    seen = marks.seen(live)
    found = differences.of_claims(wanted, live, claims)
    message = f"left as it is: {contested.describe(claims)}"
    verified = Verified(wanted.digest, seen.mark, Sync.OUT_OF_SYNC, message, found)
    return Verdict(Reason(Why.CONFLICT, message), Sync.OUT_OF_SYNC, seen, verified)


def _verdict(wanted: Wanted, live: Seen | None, why: Why, message: str) -> Verdict:
    verified = Verified(wanted.digest, "", Sync.OUT_OF_SYNC, message)
    return Verdict(Reason(why, message), Sync.OUT_OF_SYNC, live, verified)
