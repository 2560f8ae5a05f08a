"""What must be so for an object to be written or to go, beside the rules of any Kubernetes API."""

from __future__ import annotations

from typing import Any

from argosy.machinery import failure
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.core.served import fleet, table
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


def check_server(tx: Tx, new: Manifest, live: Manifest | None = None) -> None:
    """No two clusters are at one address, or Applications that name it would go to whoever took it last. Raises 422.

    The address that a cluster has by its name alone is nobody else's, so that most need no look at the others.
    """
    name, uid, server = new["metadata"]["name"], new["metadata"].get("uid") or "", _server(new)
    if server == (_server(live) if live is not None else fleet.default_server(name)):
        return
    if server.endswith(f".{fleet.SERVER_DOMAIN}"):
        found: tuple[Any, ...] | None = (
            server.removeprefix("https://").removesuffix(f".{fleet.SERVER_DOMAIN}"),
        )
    else:
        found = tx.one(
            "SELECT name FROM objects WHERE resource = ? AND uid <> ? "
            "AND rtrim(json_extract(CAST(body AS TEXT), '$.spec.server'), '/') = ?",
            (table.CLUSTER.resource, uid, server),
        )
    if found is not None:
        why = f"it is that of the cluster {found[0]}"
        cause = failure.invalid_value("spec.server", new["spec"]["server"], why)
        raise failure.invalid(table.CLUSTER.kind.kind, table.CLUSTER.kind.group, name, [cause])


def _server(cluster: Manifest) -> str:
    return str((cluster.get("spec") or {}).get("server") or "").rstrip("/")


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
