"""When is a thing done, and when will it not get done by itself: the judgement of `argosy wait`, without the
waiting.

Pure: objects in, verdict out.
"""

from __future__ import annotations

from dataclasses import dataclass

from argosy.objects import Manifest
from hub.cli import states

STANDING_SECONDS = 10.0
"""A failure counts when it stood this long: an agent tries again, and a health of a moment is none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`done`, or `failed` (why), or else `waiting` says what for."""

    done: bool = False
    failed: str = ""
    waiting: str = ""


def cluster(item: Manifest | None) -> Verdict:
    """Done when its agent is connected and accepted."""
    if item is None:
        return Verdict(waiting="the cluster does not exist")
    state, why = states.cluster_state(item)
    if state == "Ready":
        return Verdict(done=True)
    if state == "revoked":
        return Verdict(failed=f"revoked: {why}")
    return Verdict(waiting=f"{state}: {why}")


def app(item: Manifest | None, revision: str = "") -> Verdict:
    """Done when it is Synced and Healthy, at the revision (a commit, may be shortened) where one is named."""
    if item is None:
        return Verdict(waiting="the application does not exist")
    state = states.app_state(item, {})
    if state.done and state.revision.startswith(revision):
        return Verdict(done=True)
    if state.trouble:
        return Verdict(failed=state.trouble)
    at = f" at {state.revision[:12]}" if state.revision else ""
    why = f": {state.waits}" if state.waits and not state.done else ""
    return Verdict(waiting=f"{state.sync}, {state.health}{at}{why}")


def appset(item: Manifest | None, apps: list[Manifest], revision: str = "") -> Verdict:
    """Done when the set is evaluated and all its applications are done; `revision` as in `app`."""
    if item is None:
        return Verdict(waiting="the set does not exist")
    name = item["metadata"]["name"]
    if trouble := states.set_trouble(item):
        return Verdict(failed=trouble)
    if not states.set_evaluated(item):
        return Verdict(waiting="the set is not evaluated yet")
    if held := states.held_removal(item):
        return Verdict(waiting=held)
    members = [found for found in apps if states.set_of(found) == name]
    verdicts = {str(member["metadata"]["name"]): app(member, revision) for member in members}
    left = {name: verdict for name, verdict in verdicts.items() if not verdict.done}
    if not left:
        return Verdict(done=True)
    failed = "; ".join(f"{name}: {verdict.failed}" for name, verdict in left.items() if verdict.failed)
    first = next(iter(left))
    said = states.release_waits(item) or f"{first}: {left[first].waiting}"
    waiting = f"{len(members) - len(left)} of {len(members)} applications done; {said}"
    return Verdict(failed=failed, waiting=waiting)
