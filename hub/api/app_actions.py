"""Verbs of an Application that are no field: `POST .../applications/NAME/sync` and `.../terminate`.

The body of a sync is what would stand in `operation`, or in `operation.sync` alone; an empty one syncs everything. Both
leave the object as a patch of it would, so kubectl and the command get the same.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from argosy.machinery import failure
from argosy.objects import Manifest
from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.apps import operations
from hub.core.served import table
from hub.core.views import views
from hub.store import audit, objects, shown
from hub.store.base import Store, Tx
from hub.store.resources import Resources

MANAGER = "argosy-sync"
OVERRIDE = "override"
_WHOLE = frozenset(("sync", "retry", "info", "initiatedBy"))
"""By these a body is known for a whole operation."""


def application_actions(store: Store, resources: Resources) -> list[Action]:
    """The verbs of an Application."""

    def ask(tx: Tx, live: Manifest, call: Call, body: Any) -> Manifest:
        if not isinstance(body, dict):
            raise failure.bad_request("the body is no operation")
        operation = dict(body) if body.keys() & _WHOLE else {"sync": body}
        operation = {"sync": {}, **operation, "initiatedBy": {"username": call.user.name}}
        _check_sources(call, live, operation["sync"])
        if operations.of(live) is not None:
            why = "another operation is already in progress"
            raise failure.conflict(call.target.resource, call.target.group, call.target.name, why)
        return resources.update(
            tx, table.APPLICATION, {**live, "operation": operation}, manager=MANAGER, now=call.now
        )

    def terminate(tx: Tx, live: Manifest, call: Call, body: Any) -> Manifest:
        uid = live["metadata"]["uid"]
        joined = shown.applications(tx, [uid]).get(uid)
        now = views.application(live, joined.view()) if joined else live
        state = (now.get("status") or {}).get("operationState") or {}
        if state.get("phase") not in ("Running", operations.TERMINATING):
            raise failure.bad_request("Unable to terminate operation. No operation is in progress")
        status = {**(live.get("status") or {}), "operationState": {"phase": operations.TERMINATING}}
        metadata = live["metadata"]
        return resources.set_status(
            tx,
            table.APPLICATION,
            metadata["namespace"],
            metadata["name"],
            status,
            manager=MANAGER,
            now=call.now,
        )

    return [_action(store, resources, "sync", ask), _action(store, resources, "terminate", terminate)]


def _check_sources(call: Call, live: Manifest, sync: Any) -> None:
    """Whose right is to sync brings what the Application follows. Other content is for who may change that, or has Argo
    CD's right `override`. Raises `ApiFailure` 403.
    """
    others = isinstance(sync, dict) and any(sync.get(name) for name in ("source", "sources", "manifests"))
    if others and not (call.permitted("update", live) or call.permitted("create", live, OVERRIDE)):
        target = call.target
        what = f"{target.resource}/{OVERRIDE}"
        raise failure.access_denied(
            call.user.name, call.verb, what, target.group, target.namespace, target.name
        )


def _action(store: Store, resources: Resources, name: str, change: Any) -> Action:
    served = table.APPLICATION

    async def run(call: Call) -> Response:
        target = call.target
        body = await bodies.optional(call.request)

        def write(tx: Tx) -> Manifest | None:
            row = objects.get(tx, served.resource, target.namespace, target.name)
            if row is None:
                return None
            before = resources.read(row)
            written: Manifest = change(tx, before, call, body)
            audit.put(tx, call.record(target.name, 200, before, written))
            return written

        found = await store.write(write)
        if found is None:
            raise failure.not_found(target.resource, target.group, target.name)
        return wire.json_answer(found)

    return Action(Subresource(served.resource, name, served.kind.kind, ("create",)), run)
