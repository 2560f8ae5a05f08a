"""Waits until a commit is where it shall be: the part of `argosy wait` that asks `/where`."""

from __future__ import annotations

import sys
import time

from argosy.errors import NotFound, Unavailable
from argosy.objects import Manifest
from hub.cli import waiting, where
from hub.cli.client import Client
from hub.cli.errors import Late
from hub.core.views.where import Place

AGAIN_SECONDS = 2.0
SHOWN = 5
DONE, FAILED = 0, 1
_ON_THEIR_WAY = (Place.FAILED, Place.OFFLINE, Place.WAITING, Place.IN_PROGRESS)
_HAVE = (Place.RUNNING, Place.NEWER)


def until(hub: Client, commit: str, repo: str, seconds: float, *, ignore_offline: bool) -> int:
    """The exit code: 0 once nobody is on the way, 1 where somebody stays failed. Raises `Late`.

    A commit that nobody knows may still be pushed, or be polled: it is waited for, too.
    """
    deadline = time.monotonic() + seconds
    failing: float | None = None
    told = ""
    while True:
        found = _ask(hub, commit, repo)
        left = _left(found, ignore_offline=ignore_offline) if found else 1
        if found and not left:
            print(f"commit {found['commit'][:12]} done; clusters: {where.summary(found)}")
            return DONE
        failed = bool(found and found["counts"][Place.FAILED])
        failing = (failing or time.monotonic()) if failed else None
        told = _tell(found, commit, told)
        if failing is not None and time.monotonic() - failing >= waiting.STANDING_SECONDS:
            return FAILED
        if time.monotonic() >= deadline:
            raise Late(f"commit {commit[:12]}: not done within {seconds:g} s; {told}")
        time.sleep(min(AGAIN_SECONDS, max(0.0, deadline - time.monotonic())))


def _ask(hub: Client, commit: str, repo: str) -> Manifest | None:
    """None where the commit is not known, or the hub is away."""
    try:
        return where.ask(hub, commit, repo, [place.value for place in _ON_THEIR_WAY], SHOWN)
    except (NotFound, Unavailable):
        return None


def _left(found: Manifest, *, ignore_offline: bool) -> int:
    counts = found["counts"]
    ignored = (Place.OFFLINE,) if ignore_offline else ()
    left = sum(counts[place] for place in _ON_THEIR_WAY if place not in ignored)
    # Others may follow a branch that never gets it; where nobody has it, it is not merged yet.
    return left or (counts[Place.OLDER] if not any(counts[place] for place in _HAVE) else 0)


def _tell(found: Manifest | None, commit: str, told: str) -> str:
    """Says on stderr what is waited for, where that changed."""
    if found is None:
        text = f"no repository in use has the commit {commit[:12]} yet"
    else:
        lines = [
            f"  cluster/{row['cluster']}: {row['state']} {where.reason(row, time.time())}".rstrip()
            for row in found["items"]
        ]
        text = "\n".join([where.summary(found), *lines])
    if text != told:
        print(text, file=sys.stderr, flush=True)
    return text
