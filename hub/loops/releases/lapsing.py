"""What a cluster was told so long ago that its agent would not do it any more: the deletion of an Application on a cluster
that was away for longer than a written removal counts. Nothing goes by an old paper, and nothing is forgotten: a Removal
asks whether the cluster shall be told once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from argosy.bundle import Removal
from argosy.objects import Manifest
from hub.core.releases import releases
from hub.core.removals import removals
from hub.store import agents, desired, plans
from hub.store.base import Tx
from hub.store.resources import Resources

_TOLD_ANEW = "its cluster is told once more"


def waits(tx: Tx, resources: Resources, app: Manifest, clusters: Iterable[str], now: float) -> str:
    """Why an Application under deletion stays until somebody decides, "" where nothing lapsed. What was decided about is
    told anew: to remove the objects, or to leave them where that was rejected."""
    found = (_on(tx, resources, app, cluster, now) for cluster in clusters)
    return "; ".join(filter(None, found))


def _on(tx: Tx, resources: Resources, app: Manifest, cluster: str, now: float) -> str:
    uid = app["metadata"]["uid"]
    lapsed = [
        one
        for one in desired.removals(tx, cluster)
        if one.assignment == uid and not one.key and one.expires <= now
    ]
    if not lapsed:
        return ""
    old = lapsed[0]
    # Each time that it lapses it is decided about anew.
    plan = replace(plans.plan(tx, resources, app, [uid]), of=old.id)
    phase, person = plans.state(tx, resources, plan.called, now)
    if phase in (removals.APPROVED, removals.REJECTED):
        told = releases.farewell(
            uid, cascade=old.cascade and phase == removals.APPROVED, reason=old.reason, by=person, now=now
        )
        _tell(tx, cluster, lapsed, replace(told, bundle=old.bundle, namespace=old.namespace, hooks=old.hooks))
        if phase == removals.APPROVED:
            plans.close(tx, resources, plan.called, _TOLD_ANEW, now)
        return ""
    why = _why(agents.name_of(tx, cluster) or cluster, old)
    if phase != removals.WAITING:
        plans.wait(tx, resources, plan, why, plans.Cause(old.reason, old.by), now)
    return removals.undecided(plan, why)


def _tell(tx: Tx, cluster: str, lapsed: Iterable[Removal], told: Removal) -> None:
    if not told.cascade:
        told = replace(told, bundle="", namespace="", hooks="")
    desired.change(tx, cluster, close=[one.id for one in lapsed])
    desired.change(tx, cluster, remove=[told])


def _why(cluster: str, old: Removal) -> str:
    began, ended = (time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (old.created, old.expires))
    return (
        f"cluster {cluster} was told on {began} to remove it, which counted until {ended}, and has not said that it is "
        "gone: approve to tell it once more, reject to have it leave the objects"
    )
