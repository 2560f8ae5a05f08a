"""A cluster under another name. Its id stays, and with it its agent, its assignments and its server: names are attributes.

What is called after the cluster (the Applications of a set whose template uses the name) is handed over by the sets'
next evaluation, like every other name that changes.
"""

from __future__ import annotations

import orjson

from argosy.machinery import failure, names
from argosy.objects import Manifest
from hub.core.served import table
from hub.store import naming, objects
from hub.store.base import Tx
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
    for one in (item for kind_named in _NAMING for item in resources.list(tx, kind_named)):
        if old in (one["spec"].get("clusters") or ()):
            why = f"{one['kind']} {one['metadata']['name']} names it, and would not hold any more: let it end first"
            raise failure.conflict(kind.plural, kind.group, old, why)
    after = {**before, "metadata": {**before["metadata"], "name": new}}
    objects.delete(tx, row, stamp=lambda body, rv: _stamped(before, rv))
    naming.reserve(tx, before)
    objects.put(
        tx, row._replace(name=new, rv=0), expected_rv=None, stamp=lambda body, rv: _stamped(after, rv)
    )
    return before, resources.get(tx, served, "", new) or after


def _stamped(manifest: Manifest, rv: int) -> bytes:
    stored = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(rv)}}
    return orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)
