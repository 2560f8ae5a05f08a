"""Pages about the fleet as a whole.

`GET /status`: counts, problems, rollouts under way; `namespace`.
`GET /where`: where a commit is; `commit`, and `repo`, `state` (several), `limit`. `GET /stats`: delivery figures; `days`,
`by`, `label`. `GET /audit`: who changed what; `user`, `verb`, `resource`, `namespace`, `name`, `since` and `until` (Unix
seconds), `limit`, `before` (the id of the last record of the page before).
"""

from __future__ import annotations

from typing import Any, Protocol

import orjson
from starlette.responses import Response

from argosy.errors import Invalid
from hub.api import wire
from hub.api.app import Page, Visit
from hub.core.types import NAMESPACE
from hub.core.views.where import Place
from hub.store import audit
from hub.store.base import Store


class _Answer(Protocol):
    def document(self, states: frozenset[str] = ..., limit: int = ...) -> dict[str, Any]: ...


class Locator(Protocol):
    async def where(self, commit: str, repo: str = "") -> _Answer: ...


class _Overview(Protocol):
    def document(self) -> dict[str, Any]: ...


class Overviews(Protocol):
    async def overview(self, namespace: str, now: float) -> _Overview: ...


def status_page(overviews: Overviews) -> Page:
    async def answer(visit: Visit) -> Response:
        namespace = visit.request.query_params.get("namespace") or NAMESPACE
        return wire.json_answer((await overviews.overview(namespace, visit.now)).document())

    return Page("/status", "GET", answer)


class Statistics(Protocol):
    async def stats(self, *, days: float, by: str, label: str, now: float) -> dict[str, Any]: ...


MOST_RECORDS = 1000


def stats_page(statistics: Statistics) -> Page:
    async def answer(visit: Visit) -> Response:
        query = visit.request.query_params
        found = await statistics.stats(
            days=_number(query.get("days") or "30", "days"),
            by=query.get("by") or "fleet",
            label=query.get("label") or "",
            now=visit.now,
        )
        return wire.json_answer(found)

    return Page("/stats", "GET", answer)


def audit_page(store: Store) -> Page:
    async def answer(visit: Visit) -> Response:
        query = visit.request.query_params
        asked = audit.Asked(
            username=query.get("user", ""),
            verb=query.get("verb", ""),
            resource=query.get("resource", ""),
            namespace=query.get("namespace", ""),
            name=query.get("name", ""),
            since=_number(query.get("since") or "0", "since"),
            until=_number(query.get("until") or "0", "until"),
            before=wire.whole(visit.request, "before"),
        )
        limit = min(wire.whole(visit.request, "limit") or 100, MOST_RECORDS)
        found = await store.read(lambda tx: audit.found(tx, asked, limit))
        return wire.json_answer({"items": [_record(number, record) for number, record in found]})

    return Page("/audit", "GET", answer)


def _record(number: int, record: audit.Record) -> dict[str, Any]:
    return {
        "id": number,
        "time": record.time,
        "user": record.username,
        "verb": record.verb,
        "resource": record.resource,
        "namespace": record.namespace,
        "name": record.name,
        "code": record.code,
        "agent": record.agent,
        "address": record.address,
        "fields": orjson.loads(record.change),
    }


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise Invalid(f"{name}: found {text!r}, expected a number")
    return value


def where_page(locator: Locator) -> Page:
    async def answer(visit: Visit) -> Response:
        query = visit.request.query_params
        states = frozenset(query.getlist("state"))
        if unknown := sorted(states - {place.value for place in Place}):
            raise Invalid(f"state: found {unknown[0]!r}, expected one of {', '.join(Place)}")
        found = await locator.where(query.get("commit", ""), query.get("repo", ""))
        return wire.json_answer(found.document(states, wire.whole(visit.request, "limit")))

    return Page("/where", "GET", answer)
