"""Writes what a change says, or looks at what that would give: admitted and defaulted exactly as the API does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from argosy.errors import Invalid
from argosy.machinery import write
from argosy.machinery.failure import ApiFailure
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.core.plans import change as changes
from hub.core.plans.change import Change
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.types import NAMESPACE
from hub.store.base import Tx
from hub.store.resources import Resources, options

MANAGER = "argosy"
SERVED: Mapping[str, Served] = {
    "ApplicationSet": table.APPLICATION_SET,
    "Application": table.APPLICATION,
    "AppProject": table.APP_PROJECT,
    "ConfigMap": table.CONFIG_MAP,
}

Note = Callable[[Tx, str, Served, Manifest | None, Manifest | None], None]
"""Keeps for the audit that something was written: (tx, verb, kind, the object before, the object after)."""


def objects(
    tx: Tx, resources: Resources, change: Change, now: float, *, dry_run: bool
) -> list[tuple[Manifest | None, Manifest | None]]:
    """(what there was, what there is) of everything that is written or deleted; with `dry_run` what there would be.

    Raises `Invalid`, naming the entry.
    """
    found: list[tuple[Manifest | None, Manifest | None]] = []
    for at, given in enumerate(change.written):
        served, place = SERVED[given["kind"]], place_of(given)
        live = resources.get(tx, served, place.namespace, place.name)
        try:
            found.append((live, _put(tx, resources, place, served, live, given, now, dry_run=dry_run)))
        except (ApiFailure, Invalid) as error:
            raise Invalid(f"spec.objects[{at}]: {error}") from None
    for at, (kind, namespace, name) in enumerate(change.deleted):
        live = resources.get(tx, SERVED[kind], namespace, name)
        if live is None:
            raise Invalid(f"spec.deletions[{at}]: there is no {kind} {namespace}/{name}")
        if not dry_run:
            resources.delete(tx, SERVED[kind], namespace, name, now=now)
        found.append((live, None))
    return found


def place_of(given: Manifest) -> Place:
    metadata = given["metadata"]
    return Place(SERVED[given["kind"]].kind, metadata.get("namespace") or NAMESPACE, metadata["name"])


def _put(
    tx: Tx,
    resources: Resources,
    place: Place,
    served: Served,
    live: Manifest | None,
    given: Manifest,
    now: float,
    *,
    dry_run: bool,
) -> Manifest:
    how = options(MANAGER, now)
    metadata = {**given["metadata"], "namespace": place.namespace}
    body = {"apiVersion": changes.KINDS[given["kind"]], **given, "metadata": metadata}

    def decide(stored: Manifest | None) -> write.Outcome:
        if live is None:
            return write.create(place, body, how)
        return write.update(place, stored, changes.edited(stored, body), how)

    where = place if live is not None else Place(served.kind, place.namespace, "")
    return resources.commit(tx, served, where, decide, now=now, dry_run=dry_run).object


def everything(tx: Tx, resources: Resources, change: Change, now: float, note: Note) -> None:
    """Writes all of a change that is not in Git. Raises `Invalid`, and what the API refuses."""
    for live, wanted in objects(tx, resources, change, now, dry_run=False):
        found = wanted or live
        assert found is not None
        verb = "delete" if wanted is None else "create" if live is None else "update"
        note(tx, verb, SERVED[found["kind"]], live, wanted)
    for one in change.labels:
        before = resources.get(tx, table.CLUSTER, "", one.cluster)
        labels = {**one.put, **dict.fromkeys(one.drop)}
        patch = {"metadata": {"labels": labels}}
        after = resources.patch(tx, table.CLUSTER, "", one.cluster, patch, manager=MANAGER, now=now)
        note(tx, "patch", table.CLUSTER, before, after)
    for join in change.joins:
        cluster: Manifest = {
            "apiVersion": table.CLUSTER.kind.api_version,
            "kind": table.CLUSTER.kind.kind,
            "metadata": {"name": join.name, "labels": dict(join.labels)},
        }
        if join.server:
            cluster["spec"] = {"server": join.server}
        made = resources.create(tx, table.CLUSTER, cluster, manager=MANAGER, now=now)
        note(tx, "create", table.CLUSTER, None, made)
    for name in change.leaves:
        note(tx, "delete", table.CLUSTER, resources.get(tx, table.CLUSTER, "", name), None)
        resources.delete(tx, table.CLUSTER, "", name, now=now)
