"""`applications/NAME/tree`, `/diff` and `/events`: what the cluster's agent says now. Query: `timeoutSeconds`."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.responses import Response

from argosy.questions import Kind
from hub.api import wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.served import table

SECONDS, MOST_SECONDS = 20, 50


class Live(Protocol):
    async def of_app(self, kind: Kind, namespace: str, name: str, seconds: float) -> dict[str, Any]: ...


def application_questions(live: Live) -> list[Action]:
    """One for each kind of question about an application."""
    return [_action(live, kind) for kind in (Kind.TREE, Kind.DIFF, Kind.EVENTS)]


def _action(live: Live, kind: Kind) -> Action:
    async def run(call: Call) -> Response:
        target = call.target
        seconds = min(wire.whole(call.request, "timeoutSeconds") or SECONDS, MOST_SECONDS)
        found = await live.of_app(kind, target.namespace, target.name, seconds)
        named = {"name": target.name, "namespace": target.namespace}
        return await wire.compressed(call.request, wire.json_answer({"metadata": named, **found}))

    return Action(Subresource(table.APPLICATION.resource, kind.value, "Application", ("get",)), run)
