"""Takes back the deletion of an Application that went by a Removal, where its cluster was not told yet and a set wants it
again: what a freeze, a turn or an heir kept there must not go once these are over.
"""

from __future__ import annotations

from argosy.machinery import write
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.core.served import table
from hub.store import apps, desired, holds, plans
from hub.store.base import Tx
from hub.store.resources import Resources


def may(tx: Tx, resources: Resources, app: Manifest) -> bool:
    """Whether it goes by a Removal that is carried out, and nothing of that was done to it yet. What somebody deleted
    themselves goes."""
    metadata = app["metadata"]
    if not metadata.get("deletionTimestamp") or not plans.going_by(tx, resources, metadata["uid"]):
        return False
    uid, state = metadata["uid"], apps.get(tx, metadata["uid"])
    clusters = {*desired.clusters_of(tx, uid), *([state.cluster] if state and state.cluster else [])}
    told = (one for cluster in clusters for one in desired.removals(tx, cluster))
    return not any(one.assignment == uid and not one.key for one in told)


def back(tx: Tx, resources: Resources, app: Manifest, now: float) -> Manifest:
    """The Application as it was before it was deleted."""
    metadata = {
        key: value
        for key, value in app["metadata"].items()
        if key not in ("deletionTimestamp", "deletionGracePeriodSeconds")
    }
    wanted = {**app, "metadata": metadata}
    place = Place(table.APPLICATION.kind, metadata["namespace"], metadata["name"])
    # No client may take a deletion back.
    outcome = write.Outcome(wanted, write.UPDATED)
    found = resources.commit(tx, table.APPLICATION, place, lambda _: outcome, now=now).object
    plans.returned(tx, resources, metadata["uid"], now)
    holds.end(tx, [metadata["uid"]])
    return found
