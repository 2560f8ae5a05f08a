"""A release that would prune more of an Application's objects than its cap permits waits for a decision, as a Removal.

Noted once, when the release is made; whoever moves Applications asks what was noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from argosy.bundle import Assignment
from argosy.objects import parse_key
from hub.core.releases import releases
from hub.core.removals import caps, removals
from hub.core.removals.removals import Loss, Plan
from hub.core.rollout.model import Hold
from hub.core.served import table
from hub.loops.releases.assigning import keys_of
from hub.store import agents, plans, prunes
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.resources import Resources

_GOES = "goes with the release"


def note(tx: Tx, resources: Resources, state: AppState, current: Assignment | None, now: float) -> None:
    """Notes whether what an Application is to get next has to wait. `current` is what it has."""
    over = _over(tx, resources, state, current)
    if over is None:
        if prunes.drop(tx, state.app):
            plans.withdraw(tx, resources, state.app, now)
        return
    plan, why = over
    if plans.decided(tx, resources, plan, now):
        plans.close(tx, resources, plan.called, _GOES, now)
        prunes.drop(tx, state.app)
        return
    cause = plans.Cause(f"a release of {state.revision[:12] or 'no commit'}: {why}", "")
    if not plans.rejected(tx, resources, plan, now):
        plans.wait(tx, resources, plan, why, cause, now)
    prunes.put(tx, prunes.Row(state.app, state.bundle, plan.called, removals.undecided(plan, why)))


def holds(tx: Tx, resources: Resources, asked: Sequence[str], now: float) -> dict[str, Hold]:
    """Who among these waits. What was approved waits no more."""
    found = {}
    for row in prunes.among(tx, asked):
        phase, person = plans.state(tx, resources, row.removal, now)
        if phase == removals.APPROVED:
            plans.close(tx, resources, row.removal, _GOES, now)
            prunes.drop(tx, row.app)
        elif phase == removals.REJECTED:
            found[row.app] = Hold(f"{person} rejected removal {row.removal}: this release stays out")
        else:
            found[row.app] = Hold(row.reason)
    return found


def _over(
    tx: Tx, resources: Resources, state: AppState, current: Assignment | None
) -> tuple[Plan, str] | None:
    """(what would be pruned, why that has to wait); None where it need not."""
    if current is None or not current.bundle or not releases.policy(state.policy).prune:
        return None
    had = keys_of(tx, current.bundle)
    gone = had - keys_of(tx, state.bundle)
    app = resources.by_uid(tx, state.app) if gone else None
    if app is None:
        return None
    notes, limits = app["metadata"].get("annotations") or {}, plans.limits(tx, resources)
    if not caps.over_prune(len(gone), len(had), notes, limits):
        return None
    # What another Application of the cluster has is handed over, not pruned.
    others = tx.all(
        "SELECT DISTINCT bundle FROM app_states WHERE cluster = ? AND app <> ? AND deleting = ''",
        (state.cluster, state.app),
    )
    gone -= set[str]().union(*(keys_of(tx, digest) for (digest,) in others))
    why = caps.over_prune(len(gone), len(had), notes, limits)
    if not why:
        return None
    kinds = Counter(_kind(key) for key in gone)
    cluster = agents.name_of(tx, state.cluster) or state.cluster
    loss = Loss(state.name, state.app, cluster, cascade=True, kinds=dict(sorted(kinds.items())))
    of = f"{state.bundle} after {current.bundle}"
    return Plan(table.APPLICATION.kind.kind, state.name, state.app, (loss,), of), why


def _kind(key: str) -> str:
    parsed = parse_key(key)
    return removals.counted_as(parsed.kind, parsed.group)
