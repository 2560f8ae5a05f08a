"""`GET /where`: where a commit is. Query: `commit`, and `repo`, `state` (several), `limit`."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.responses import Response

from argosy.errors import Invalid
from hub.api import wire
from hub.api.app import Page, Visit
from hub.core.where import Place


class _Answer(Protocol):
    def document(self, states: frozenset[str] = ..., limit: int = ...) -> dict[str, Any]: ...


class Locator(Protocol):
    async def where(self, commit: str, repo: str = "") -> _Answer: ...


def where_page(locator: Locator) -> Page:
    async def answer(visit: Visit) -> Response:
        query = visit.request.query_params
        states = frozenset(query.getlist("state"))
        if unknown := sorted(states - {place.value for place in Place}):
            raise Invalid(f"state: found {unknown[0]!r}, expected one of {', '.join(Place)}")
        found = await locator.where(query.get("commit", ""), query.get("repo", ""))
        return wire.json_answer(found.document(states, wire.whole(visit.request, "limit")))

    return Page("/where", "GET", answer)
