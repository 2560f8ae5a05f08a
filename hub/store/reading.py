"""API objects as they are stored, read within a transaction. Reports of agents are not looked at here: `shown` adds them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from argosy.objects import Manifest
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import objects
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.seal import Sealer


class Reader:
    """Opens what is sealed."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    # --- reading ---

    def read(self, row: Row) -> Manifest:
        """The object of a row."""
        manifest: Manifest = orjson.loads(self.body(row))
        return manifest

    def body(self, row: Row) -> bytes:
        """The JSON of a row, unsealed."""
        return self.opened(row.resource, row.uid, row.body)

    def opened(self, resource: str, uid: str, body: bytes) -> bytes:
        """A stored body as JSON."""
        served = table.BY_RESOURCE.get(resource)
        return self._sealer.open(body, uid) if served is not None and served.sealed else body

    def get(self, tx: Tx, served: Served, namespace: str, name: str) -> Manifest | None:
        """The object; None where there is none."""
        row = objects.get(tx, served.resource, namespace if served.kind.namespaced else "", name)
        return self.read(row) if row is not None else None

    def list(self, tx: Tx, served: Served, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind in (namespace, name) order, of one namespace or (None) of all."""
        rows = (objects.page if served.sealed else objects.listed)(tx, served.resource, namespace)
        return [self.read(row) for row in rows]

    def by_uid(self, tx: Tx, uid: str) -> Manifest | None:
        """The object of this uid, whatever its kind and name; None where there is none."""
        row = objects.by_uid(tx, uid)
        return self.read(row) if row is not None else None

    def by_uids(self, tx: Tx, uids: Sequence[str]) -> dict[str, Manifest]:
        """uid -> object of those that are there, whatever their kinds."""
        return {row.uid: self.read(row) for row in objects.by_uids(tx, uids)}

    def owned(self, tx: Tx, served: Served, uid: str) -> Sequence[Manifest]:
        """Objects of a kind whose controlling owner has this uid, in name order."""
        return [self.read(row) for row in objects.owned_by(tx, uid) if row.resource == served.resource]
