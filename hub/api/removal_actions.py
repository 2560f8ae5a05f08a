"""What people decide about a removal that waits: `POST .../removals/NAME/approve` and `/reject`.

The body is an object; its `digest`, where given, must be the plan's, so that nobody approves what he has not seen.
"""

from __future__ import annotations

from starlette.responses import Response

from argosy.machinery import failure
from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.served import table
from hub.store import audit, objects, plans
from hub.store.base import Store, Tx
from hub.store.resources import Resources


def removal_actions(store: Store, resources: Resources) -> list[Action]:
    """The verbs of a Removal."""
    return [_action(store, resources, verb, yes=verb == "approve") for verb in ("approve", "reject")]


def _action(store: Store, resources: Resources, verb: str, *, yes: bool) -> Action:
    served = table.REMOVAL

    async def run(call: Call) -> Response:
        target = call.target
        digest = await _digest(call)

        def write(tx: Tx) -> str:
            if objects.get(tx, served.resource, "", target.name) is None:
                raise failure.not_found(target.resource, target.group, target.name)
            wrong = plans.decide(tx, resources, target.name, call.user.name, digest, call.now, yes=yes)
            if wrong:
                raise failure.conflict(target.resource, target.group, target.name, wrong)
            audit.put(tx, call.record(target.name, 200))
            return f"removal {target.name} {'approved' if yes else 'rejected'}"

        return wire.done(await store.write(write))

    return Action(Subresource(served.resource, verb, served.kind.kind, ("create",)), run)


async def _digest(call: Call) -> str:
    body = await bodies.optional(call.request)
    if not isinstance(body, dict):
        raise failure.bad_request("the body is not an object")
    digest = body.get("digest") or ""
    if not isinstance(digest, str):
        raise failure.bad_request(f"digest: found {digest!r}, expected the digest of the plan")
    return digest
