"""`POST /plan` and `/plan/apply`, and the subresources `applicationsets/NAME/plan` and `/preview`.

A question is an object of kind Plan with a `spec` (`hub.core.plans.change`); the answer is the same with a `status`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from starlette.responses import Response

from argosy.errors import Invalid
from argosy.machinery import failure
from argosy.objects import Manifest
from hub.api import bodies, wire
from hub.api.app import Action, Page, Visit
from hub.api.calls import Call, address_of
from hub.api.discovery import Subresource
from hub.core.access import access, trail
from hub.core.access.access import Attributes
from hub.core.plans import change as changes
from hub.core.plans import model
from hub.core.plans.change import Change
from hub.core.plans.model import Plan
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.types import NAMESPACE
from hub.store import audit
from hub.store.base import Tx

LIMIT = 40 * 1024 * 1024
"""Bytes of one question: what `hub.core.plans.change` takes, in base64."""
AT_ONCE = 4
_KINDS = {
    served.kind.kind: served
    for served in (table.APPLICATION_SET, table.APPLICATION, table.APP_PROJECT, table.CONFIG_MAP)
}


class Planner(Protocol):
    async def plan(self, spec: Any, *, only: str = "", writer: bool = True) -> Plan: ...

    def asked(self, digest: str) -> Any: ...


class Executor(Protocol):
    async def execute(self, digest: str, spec: Any, note: Any) -> Plan: ...


def pages(planner: Planner, executor: Executor) -> list[Page]:
    """The two pages. Questions may be large: only so many are held at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(visit: Visit) -> Response:
        async with turn:
            spec = (await _body(visit)).get("spec") or {}
            plan = await planner.plan(spec, writer=access.ADMINS in visit.user.groups)
            return wire.json_answer(await asyncio.to_thread(model.answer, spec, plan))

    async def apply(visit: Visit) -> Response:
        body = await _body(visit)
        digest, spec = body.get("digest"), body.get("spec")
        if not isinstance(digest, str) or not digest.startswith("sha256:"):
            raise Invalid(f"digest: found {digest!r}, expected that of a plan, as in sha256:0123…")
        asked = spec if spec is not None else planner.asked(digest)
        if asked is not None:
            for what in _writes(changes.parse(asked)):
                visit.permit(what)

        def note(tx: Tx, verb: str, served: Served, before: Manifest | None, after: Manifest | None) -> None:
            metadata = (after or before or {})["metadata"]
            record = audit.Record(
                visit.now,
                visit.user.name,
                verb,
                served.resource.lstrip("/"),
                metadata.get("namespace") or "",
                metadata["name"],
                200,
                visit.user.through(f"argosy plan --apply {digest}"),
                address_of(visit.request),
                trail.change(before, after),
            )
            audit.put(tx, record)

        plan = await executor.execute(digest, spec, note)
        return wire.json_answer(model.answer(asked or {}, plan))

    return [Page("/plan", "POST", ask), Page("/plan/apply", "POST", apply)]


async def _body(visit: Visit) -> Manifest:
    raw = await bodies.read(visit.request, LIMIT)
    value, _ = await asyncio.to_thread(bodies.decode, raw, bodies.media_type(visit.request))
    if not isinstance(value, dict):
        raise failure.bad_request("the body is not an object")
    return value


def _writes(change: Change) -> Sequence[Attributes]:
    """What a user must be allowed to do who executes it."""
    found = []
    for one in change.written:
        kind, *place = _place(one)
        found += [_may(verb, _KINDS[kind], *place) for verb in ("create", "update")]
    found += [_may("delete", _KINDS[kind], namespace, name) for kind, namespace, name in change.deleted]
    found += [_may("patch", table.CLUSTER, "", one.cluster) for one in change.labels]
    found += [_may("create", table.CLUSTER, "", one.name) for one in change.joins]
    found += [_may("delete", table.CLUSTER, "", name) for name in change.leaves]
    return found or [_may("update", table.APPLICATION_SET, NAMESPACE, "")]


def _may(verb: str, served: Served, namespace: str, name: str) -> Attributes:
    return Attributes(verb, served.kind.group, served.kind.plural, "", namespace, name)


def set_actions(planner: Planner) -> list[Action]:
    """`preview`: what the set in the body (or, without one, the set as it is) would change. `plan`: what a change would
    change of this set's applications.
    """

    async def preview(call: Call) -> Response:
        body = await bodies.optional(call.request)
        spec: dict[str, Any] = {}
        if body:
            if not isinstance(body, dict) or body.get("kind") != "ApplicationSet":
                raise failure.bad_request("the body is not an ApplicationSet")
            spec = {"objects": [_named(call, body)]}
        return await _answered(call, spec)

    async def plan(call: Call) -> Response:
        body = await bodies.optional(call.request, LIMIT)
        if not isinstance(body, dict):
            raise failure.bad_request("the body is not an object")
        return await _answered(call, body.get("spec") or {})

    async def _answered(call: Call, spec: Any) -> Response:
        change = await asyncio.to_thread(changes.parse, spec)
        if call.permits is not None:
            _check_own(call, change)
        writer = all(call.permitted("update", one) for one in change.written or ({},))
        answer = model.answer(spec, await planner.plan(spec, only=call.target.name, writer=writer))
        answer["metadata"] = {"name": call.target.name, "namespace": call.target.namespace}
        return await wire.compressed(call.request, wire.json_answer(answer))

    resource = table.APPLICATION_SET.resource
    return [
        Action(Subresource(resource, name, model.KIND, ("create", "get")), run)
        for name, run in (("preview", preview), ("plan", plan))
    ]


def _check_own(call: Call, change: Change) -> None:
    """Who may ask about some sets asks about one of these alone. Raises `ApiFailure` 403."""
    target = call.target
    own = ("ApplicationSet", target.namespace, target.name)
    places = [_place(one) for one in change.written]
    if {*places, *change.deleted} - {own} or change.labels or change.joins or change.leaves:
        why = f"only the ApplicationSet {target.name} may be asked about here, its repositories and folders"
        raise failure.forbidden(target.resource, target.group, target.name, why)
    for one in change.written:
        call.check(one)


def _place(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace") or NAMESPACE, metadata["name"]


def _named(call: Call, body: Manifest) -> Manifest:
    """The set under the name that it is asked about."""
    metadata = body.get("metadata") or {}
    target = call.target
    if metadata.get("name") not in (None, target.name):
        raise failure.bad_request(f"metadata.name: found {metadata.get('name')!r}, expected {target.name!r}")
    return {**body, "metadata": {**metadata, "name": target.name, "namespace": target.namespace}}
