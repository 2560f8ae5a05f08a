"""Verbs on clusters that are no field: ending an identity, accepting this life of the hub, another name.

`POST .../clusters/NAME/revoke` and `.../confirm`, with an empty object as body, and `.../rename` with `{"name": NEW}`.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from argosy.machinery import failure
from argosy.objects import Manifest
from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.served import table
from hub.store import agents, audit, objects, renaming
from hub.store.base import Store, Tx
from hub.store.resources import Resources

Change = Callable[[Tx, str, float], None]
"""(tx, cluster id, now)."""


def cluster_actions(store: Store, resources: Resources) -> list[Action]:
    """The verbs of a Cluster."""

    def confirm(tx: Tx, cluster: str, now: float) -> None:
        agents.confirm(tx, cluster, store.epoch)

    return [
        _action(store, "revoke", agents.revoke),
        _action(store, "confirm", confirm),
        _rename(store, resources),
    ]


def _action(store: Store, name: str, change: Change) -> Action:
    served = table.CLUSTER

    async def run(call: Call) -> Response:
        def write(tx: Tx) -> bool:
            row = objects.get(tx, served.resource, "", call.target.name)
            if row is None:
                return False
            change(tx, row.uid, call.now)
            audit.put(tx, call.record(call.target.name, 200))
            return True

        if not await store.write(write):
            raise failure.not_found(call.target.resource, call.target.group, call.target.name)
        return wire.done()

    return Action(Subresource(served.resource, name, served.kind.kind, ("create",)), run)


def _rename(store: Store, resources: Resources) -> Action:
    served = table.CLUSTER

    async def run(call: Call) -> Response:
        target = call.target
        body, _ = bodies.decode(await bodies.read(call.request), bodies.media_type(call.request))
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str) or not name:
            raise failure.bad_request(f"name: found {name!r}, expected the cluster's new name")

        def write(tx: Tx) -> Manifest:
            before, after = renaming.rename(tx, resources, target.name, name)
            audit.put(tx, call.record(target.name, 200, before, after))
            return after

        return wire.json_answer(await store.write(write))

    return Action(Subresource(served.resource, "rename", served.kind.kind, ("create",)), run)
