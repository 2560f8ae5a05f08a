"""A cluster under another name. Its id stays, and with it its agent, its assignments and its server: names are attributes.

What is called after the cluster (the Applications of a set whose template uses the name) is handed over by the sets'
next evaluation, like every other name that changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from argosy.machinery import failure, names
from argosy.objects import Manifest
from hub.core.served import fleet, table
from hub.store import objects
from hub.store.base import Tx

if TYPE_CHECKING:
    from hub.store.resources import Resources

_NAMING = (table.FREEZE, table.OVERRIDE)
"""What says clusters' names and would not mean the cluster any more."""


def rename(tx: Tx, resources: Resources, old: str, new: str) -> tuple[Manifest, Manifest]:
    """Gives a cluster another name: (the object before, the object after). To watchers the one goes and the other comes.

    Raises `ApiFailure`: 404, 409 where the name is taken, the cluster is under deletion or a freeze names it, 422.
    """
    served = table.CLUSTER
    kind = served.kind
    row = objects.get(tx, served.resource, "", old)
    if row is None:
        raise failure.not_found(kind.plural, kind.group, old)
    before = resources.read(row)
    if old == new:
        return before, before
    if wrong := names.dns_subdomain(new):
        errors = [failure.invalid_value("name", new, why) for why in wrong]
        raise failure.invalid(kind.kind, kind.group, old, errors)
    if objects.get(tx, served.resource, "", new) is not None:
        raise failure.already_exists(kind.plural, kind.group, new)
    if before["metadata"].get("deletionTimestamp"):
        raise failure.conflict(kind.plural, kind.group, old, "it is under deletion")
    for one in (item for naming in _NAMING for item in resources.list(tx, naming)):
        if old in (one["spec"].get("clusters") or ()):
            why = f"{one['kind']} {one['metadata']['name']} names it, and would not hold any more: let it end first"
            raise failure.conflict(kind.plural, kind.group, old, why)
    after = {**before, "metadata": {**before["metadata"], "name": new}}
    objects.delete(tx, row, stamp=lambda body, rv: _stamped(before, rv))
    _reserve(tx, before)
    objects.put(
        tx, replace(row, name=new, rv=0), expected_rv=None, stamp=lambda body, rv: _stamped(after, rv)
    )
    return before, resources.get(tx, served, "", new) or after


def placed(tx: Tx, cluster: Manifest) -> Manifest:
    """A new cluster, with another server than its name gives where a renamed cluster has that."""
    metadata, spec = cluster["metadata"], cluster["spec"]
    if tx.one("SELECT 1 FROM meta WHERE key = ?", (_key(spec["server"]),)) is None:
        return cluster
    server = fleet.default_server(f"{metadata['name']}-{metadata['uid'][:8]}")
    return {**cluster, "spec": {**spec, "server": server}}


def today(tx: Tx, name: str) -> str:
    """What the cluster is called now that had this name when something was written down."""
    if objects.get(tx, table.CLUSTER.resource, "", name) is not None:
        return name
    found = tx.one(
        "SELECT o.name FROM meta m JOIN objects o ON o.uid = m.value WHERE m.key = ?", (_was(name),)
    )
    return str(found[0]) if found else name


def _reserve(tx: Tx, cluster: Manifest) -> None:
    """Notes whose the name was, and keeps the server that the cluster got by it for itself."""
    server, name, uid = cluster["spec"]["server"], cluster["metadata"]["name"], cluster["metadata"]["uid"]
    kept = [_was(name)] + ([_key(server)] if server == fleet.default_server(name) else [])
    sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    tx.many(sql, ((key, uid) for key in kept))


def _key(server: str) -> str:
    return f"server:{server}"


def _was(name: str) -> str:
    return f"cluster:{name}"


def _stamped(manifest: Manifest, rv: int) -> bytes:
    stored = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(rv)}}
    return orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)
