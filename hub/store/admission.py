"""What must be so for an object to be written or to go, beside the rules of any Kubernetes API."""

from __future__ import annotations

from argosy.machinery import failure
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.types import NAMESPACE
from hub.store import objects
from hub.store.base import Tx
from hub.store.objects import Row


def check(served: Served, new: Manifest, live: Manifest | None, place: Place) -> None:
    """What the kind itself demands. Raises 422 Invalid."""
    if place.subresource:
        return
    errors = served.admit(new, live)
    if errors:
        raise failure.invalid(served.kind.kind, served.kind.group, new["metadata"].get("name") or "", errors)


def check_namespace(tx: Tx, namespace: str) -> None:
    """Raises 404 where there is no such namespace."""
    if objects.get(tx, table.NAMESPACE.resource, "", namespace) is None:
        raise failure.not_found("namespaces", "", namespace)


def check_deletable(tx: Tx, served: Served, row: Row) -> None:
    """A namespace goes when it is empty, so that no application goes by surprise; the first objects stay.

    Raises 403, 409.
    """
    if served is table.APP_PROJECT and row.name == "default":
        raise failure.forbidden(
            "appprojects", served.kind.group, row.name, "the default project may not be deleted"
        )
    if served is not table.NAMESPACE:
        return
    if row.name in (NAMESPACE, "default"):
        raise failure.forbidden("namespaces", "", row.name, "this namespace may not be deleted")
    found = tx.one(
        "SELECT resource, count(*) FROM objects WHERE namespace = ? AND resource <> ? GROUP BY resource "
        "ORDER BY count(*) DESC LIMIT 1",
        (row.name, table.EVENT.resource),
    )
    if found is not None:
        why = f"it is not empty: delete its {found[1]} {found[0].rpartition('/')[2]} first"
        raise failure.conflict("namespaces", "", row.name, why)
    for event in objects.page(tx, table.EVENT.resource, row.name):
        objects.delete(tx, event, stamp=lambda body, rv: body)
