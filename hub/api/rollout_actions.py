"""What operators do to a rollout: `POST .../rollouts/NAME/promote`, `/pause`, `/resume`, `/abort`, `/retry`, `/skip`,
`/rollback`, `/approve`, `/signal`.

The body is an object: `member` names one Application (retry, skip), `gate` one gate (approve, signal); both may be left
out. Every verb may be said again and is written to the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from argosy.errors import Invalid
from argosy.machinery import failure
from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.rollout import acting
from hub.core.rollout.acting import Act
from hub.core.served import table
from hub.store import audit
from hub.store.base import Store, Tx

Do = Callable[[Tx, str, str, Act], str | None]
"""(tx, namespace, name, what is asked) -> what to tell, "" where nothing had to be done; None: no such rollout."""
NOTHING = "nothing had to be done"
_FIELDS = ("member", "gate")


def rollout_actions(store: Store, do: Do) -> list[Action]:
    """One for each verb."""
    return [_action(store, do, verb) for verb in acting.VERBS]


def _action(store: Store, do: Do, verb: str) -> Action:
    served = table.ROLLOUT

    async def run(call: Call) -> Response:
        target = call.target
        member, gate = await _named(call)
        asked = Act(verb, call.user.name, call.now, member, gate, call.user.groups)

        def write(tx: Tx) -> str | None:
            said = do(tx, target.namespace, target.name, asked)
            if said is not None:
                audit.put(tx, call.record(target.name, 200))
            return said

        try:
            said = await store.write(write)
        except Invalid as error:
            raise failure.bad_request(error.message) from None
        if said is None:
            raise failure.not_found(target.resource, target.group, target.name)
        return wire.done(said or NOTHING)

    return Action(Subresource(served.resource, verb, served.kind.kind, ("create",)), run)


Knows = Callable[[Tx, str, str, str, str], bool]
"""(tx, namespace, rollout, gate, token) -> whether there is such a gate, and this its token."""
Ring = Callable[[Tx, str, str, str, str], str | None]
"""(tx, namespace, rollout, gate, token) -> what came of the call, None where the caller may not."""
CALLED = "/api/webhook/rollouts/{namespace}/{name}/{gate}"


def callers(store: Store, knows: Knows, ring: Ring) -> dict[str, Callable[[Request], Any]]:
    """`POST /api/webhook/rollouts/NAMESPACE/NAME/GATE` with the Secret's token as a bearer token, for pipelines without
    an account: what `signal` is for users. Whatever is wrong with it gives the same answer, and takes no turn of those who
    write; a call that comes too early to count is told so, 409.
    """

    async def called(request: Request) -> Response:
        namespace, name, gate = (request.path_params[key] for key in ("namespace", "name", "gate"))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise failure.unauthorized()
        asked = (namespace, name, gate, token.strip())
        known = await store.read(lambda tx: knows(tx, *asked))
        said = await store.write(lambda tx: ring(tx, *asked)) if known else None
        if said is None:
            raise failure.unauthorized()
        if said.startswith(acting.NOT_COUNTED):
            return wire.json_answer({"accepted": False, "message": said}, 409)
        return wire.json_answer({"accepted": True})

    return {CALLED: called}


async def _named(call: Call) -> tuple[str, str]:
    """(member, gate) of the body. Raises `ApiFailure` 400."""
    body = await bodies.optional(call.request)
    if not isinstance(body, dict):
        raise failure.bad_request("the body is not an object")
    for name, value in body.items():
        if name not in (*_FIELDS, "apiVersion", "kind", "metadata"):
            raise failure.bad_request(f"{name}: unknown field, expected {' or '.join(_FIELDS)}")
        if name in _FIELDS and not isinstance(value, str):
            raise failure.bad_request(f"{name}: expected a name, found {value!r}")
    return body.get("member", ""), body.get("gate", "")
