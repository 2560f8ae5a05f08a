"""Lists what is in namespaces whose projects ask about orphans: metadata alone, in the background, each namespace once
for all of its apps and not more often than the usual period.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from agent.cluster.base import ClusterApi, KindMissing
from agent.core import marks, orphans
from agent.core.orphans import Loose
from argosy import objects
from argosy.errors import ArgosyError, Forbidden
from argosy.kinds import Gvk
from argosy.objects import ObjectKey

FRESH = 150.0
"""Seconds for which a listing counts: less than an app's usual period, so that every pass finds a new one."""
MOST = 5000
"""Objects of one namespace that are looked at."""

log = structlog.get_logger("orphans")


@dataclass
class _Namespace:
    found: list[Loose] | None = None
    at: float = float("-inf")
    asking: set[str] = field(default_factory=set)
    """Assignments that want to hear of news."""
    task: asyncio.Task[None] | None = None


class Orphans:
    """Of one cluster. `changed` is called with every assignment that asked, when a listing brought news to it."""

    def __init__(self, api: ClusterApi, changed: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._api = api
        self._changed = changed
        self._clock = clock
        self._namespaces: dict[str, _Namespace] = {}
        self._turn = asyncio.Semaphore(1)
        self.listings = 0
        """Namespaces listed since the start."""

    def loose(self, namespace: str, assignment: str) -> list[Loose]:
        """What nobody owns there, as last listed; a new listing begins where that is old."""
        place = self._namespaces.setdefault(namespace, _Namespace())
        place.asking.add(assignment)
        if place.task is None and self._clock() - place.at >= FRESH:
            place.task = asyncio.create_task(self._look(namespace, place))
        return place.found or []

    async def close(self) -> None:
        tasks = [place.task for place in self._namespaces.values() if place.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, namespace: str, place: _Namespace) -> None:
        before = place.found
        try:
            async with self._turn:
                place.found = await self._listed(namespace)
        except ArgosyError as error:
            # What was known stays; the next pass after the period asks again.
            log.warning("orphans not looked for", namespace=namespace, error=error.message)
        finally:
            place.at, place.task = self._clock(), None
            asking, place.asking = place.asking, set()
        if place.found != before:
            for assignment in asking:
                self._changed(assignment)

    async def _listed(self, namespace: str) -> list[Loose]:
        self.listings += 1
        found: list[tuple[ObjectKey, str, Mapping[str, Any]]] = []
        for gvk in orphans.looked_at(await self._api.kinds()):
            more = "first"
            while more and len(found) < MOST:
                try:
                    more = await self._page(gvk, namespace, "" if more == "first" else more, found)
                except (Forbidden, KindMissing):
                    more = ""
        return orphans.loose(found[:MOST])

    async def _page(
        self, gvk: Gvk, namespace: str, more: str, found: list[tuple[ObjectKey, str, Mapping[str, Any]]]
    ) -> str:
        page = await self._api.list(gvk, namespace=namespace, more=more, metadata=True)
        for item in page.items:
            metadata = {
                k: v for k, v in item["metadata"].items() if k in ("uid", "ownerReferences", "annotations")
            }
            found.append((objects.key_of(item), marks.owner(item), metadata))
        return page.more
