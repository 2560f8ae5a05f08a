"""The names that renamed clusters had, and the servers that they keep by them."""

from __future__ import annotations

from argosy.objects import Manifest
from hub.core.served import fleet, table
from hub.store import objects
from hub.store.base import Tx


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


def reserve(tx: Tx, cluster: Manifest) -> None:
    """Notes whose the name was, and keeps the server that the cluster got by it for itself."""
    server, name, uid = cluster["spec"]["server"], cluster["metadata"]["name"], cluster["metadata"]["uid"]
    kept = [_was(name)] + ([_key(server)] if server == fleet.default_server(name) else [])
    sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    tx.many(sql, ((key, uid) for key in kept))


def _key(server: str) -> str:
    return f"server:{server}"


def _was(name: str) -> str:
    return f"cluster:{name}"
