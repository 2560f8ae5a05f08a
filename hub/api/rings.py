"""The newest changes of every kind, in memory, for all watchers together.

One task reads the objects of committed changes once and appends them to a ring for each kind; watchers only
hold a position in it. A watcher that is slower than the ring is long has lost its place and is told to list
again: nothing is buffered for anyone.

A kind that no client asks for has no ring, so that its changes cost nothing here. The first request for a kind
begins one, before it is answered: whatever version the client reads, a watch can go on from. While nobody watches,
nothing is read or composed; it is kept in mind what changed until somebody does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import orjson
import structlog

from argosy.errors import ArgosyError
from argosy.objects import Manifest
from hub.api import metrics, show
from hub.api.show import Viewer
from hub.api.wire import json_bytes
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import objects
from hub.store.base import Change, Store, Tx

MAX_EVENTS = 4096
MAX_BYTES = 24 * 1024 * 1024
"""Bounds of one kind's ring."""
RETRY_SECONDS = 0.5
IDLE_SECONDS = 300.0
"""After which a kind that nobody watches or asks for is followed no more."""

Labels = dict[str, str]
log = structlog.get_logger("watch")


@dataclass(slots=True)
class Event:
    """One change as it is shown. `before` are the labels the object had, None where it is new."""

    rv: int
    verb: str
    namespace: str
    name: str
    body: bytes
    labels: Labels
    before: Labels | None
    manifest: Manifest | None = None
    lines: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """What was sent of it already, by verb and form: made once, whoever watches."""

    def read(self) -> Manifest:
        """The object."""
        if self.manifest is None:
            self.manifest = orjson.loads(self.body)
        assert self.manifest is not None
        return self.manifest


class Ring:
    """The newest events of one kind. Positions count events from the beginning and never repeat."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        """The resourceVersion up to which events are not kept."""
        self.readers = 0
        """Watches that go along it."""
        self.later: list[Change] = []
        """Changes that wait for somebody who watches; all are newer than what is in the ring."""
        self._later_bytes = 0
        self._events: list[Event] = []
        self._first = 0
        self._bytes = 0

    def postpone(self, change: Change) -> None:
        self.later.append(change)
        self._later_bytes += len(change.body)

    def taken_up(self) -> None:
        """What was postponed is in the ring now."""
        self.later, self._later_bytes = [], 0

    @property
    def overfull(self) -> bool:
        """Whether more was postponed than the ring would hold."""
        return len(self.later) > MAX_EVENTS or self._later_bytes > MAX_BYTES

    def append(self, event: Event) -> None:
        self._events.append(event)
        self._bytes += len(event.body)
        if len(self._events) > MAX_EVENTS or self._bytes > MAX_BYTES:
            self._trim()

    def _trim(self) -> None:
        """Drops the older part at once, so that appending stays cheap."""
        drop = 0
        while drop < len(self._events) - 1 and (
            len(self._events) - drop > MAX_EVENTS * 3 // 4 or self._bytes > MAX_BYTES * 3 // 4
        ):
            self._bytes -= len(self._events[drop].body)
            drop += 1
        self.floor = self._events[drop - 1].rv if drop else self.floor
        del self._events[:drop]
        self._first += drop

    def position(self, rv: int) -> int | None:
        """Where the events after a resourceVersion begin; None where they are no longer all there."""
        if rv < self.floor:
            return None
        low, high = 0, len(self._events)
        while low < high:
            middle = (low + high) // 2
            if self._events[middle].rv <= rv:
                low = middle + 1
            else:
                high = middle
        return self._first + low

    def after(self, position: int, limit: int) -> tuple[list[Event], int] | None:
        """Up to `limit` events from a position, and the next one; None where the position is lost."""
        if position < self._first:
            return None
        start = position - self._first
        found = self._events[start : start + limit]
        return found, position + len(found)


class Rings:
    """The rings of all kinds, fed from the store's changes. Use `start` before, `stop` after.

    `clock` gives Unix seconds.
    """

    def __init__(self, store: Store, viewer: Viewer, clock: Callable[[], float]) -> None:
        self._store = store
        self._viewer = viewer
        self._clock = clock
        self._rings: dict[str, Ring] = {}
        self._labels: dict[str, dict[str, Labels]] = {}
        """By kind and uid, of the kinds that have a ring."""
        self._asked: dict[str, float] = {}
        """When a kind was last asked for, by a clock that nobody sets."""
        self._taking = asyncio.Lock()
        self._pending: list[Change] = []
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] = lambda: None
        self.reached = 0
        """All changes up to this resourceVersion are in the rings."""
        self.stopping = False

    async def start(self) -> None:
        """Begins to follow the store."""
        self._unlisten = self._store.listen(self._changed)
        self.reached = await self._store.read(objects.newest_rv)
        self._task = asyncio.create_task(self._feed(), name="watch-feed")

    async def stop(self) -> None:
        """Ends all watches."""
        self.stopping = True
        self._unlisten()
        self._announce()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def follow(self, served: Served) -> None:
        """Keeps the changes of a kind from here on. To be called before a request for the kind is answered."""
        resource = served.resource
        self._asked[resource] = time.monotonic()
        if resource in self._rings:
            return
        async with self._taking:
            if resource in self._rings:
                return

            def job(tx: Tx) -> tuple[int, dict[str, Labels]]:
                return objects.newest_rv(tx), self._labels_of(tx, served)

            floor, self._labels[resource] = await self._store.read(job)
            self._rings[resource] = Ring(floor)

    def _labels_of(self, tx: Tx, served: Served) -> dict[str, Labels]:
        if not served.sealed:
            return objects.labels(tx, served.resource)
        rows = objects.page(tx, served.resource)
        return {row.uid: _labels(self._viewer.resources.read(row)) for row in rows}

    @contextlib.asynccontextmanager
    async def reading(self, served: Served) -> AsyncIterator[Ring]:
        """The ring of a kind that is followed, for as long as a watch goes along it."""
        ring = self._rings[served.resource]
        ring.readers += 1
        try:
            async with self._taking:
                await self._append(ring.later)
                ring.taken_up()
            yield ring
        finally:
            ring.readers -= 1
            self._asked[served.resource] = time.monotonic()

    def _forget_idle(self) -> None:
        """Lets go of kinds that nobody watches: after a while, or when more has changed than a ring holds."""
        now = time.monotonic()
        for resource, ring in tuple(self._rings.items()):
            idle = now - self._asked[resource] > IDLE_SECONDS or ring.overfull
            if idle and not ring.readers:
                del self._rings[resource], self._labels[resource]

    async def moved(self, seconds: float) -> None:
        """Waits until something new is in any ring, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    def _changed(self, changes: Sequence[Change]) -> None:
        self._pending.extend(changes)
        self._wake.set()

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _feed(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                taken = self._pending
                self._pending = []
                try:
                    async with self._taking:
                        await self._take([change for change in taken if change.rv > self.reached])
                except ArgosyError as error:
                    log.warning("changes could not be read", error=error.message)
                    self._pending = taken + self._pending
                    await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, changes: list[Change]) -> None:
        if not changes:
            return
        changes.sort(key=lambda change: change.rv)
        self._forget_idle()
        # What was there when a ring began is no event of it.
        rings = self._rings
        news = [one for one in changes if one.resource in rings and one.rv > rings[one.resource].floor]
        waits = {resource for resource, ring in rings.items() if not ring.readers}
        await self._append([one for one in news if one.resource not in waits])
        for one in news:
            if one.resource in waits:
                rings[one.resource].postpone(one)
        self.reached = max(self.reached, changes[-1].rv)
        self._announce()

    async def _append(self, changes: Sequence[Change]) -> None:
        """Puts changes, in order of their versions, into their rings. An object is shown as each write left it, with what is
        composed into it now; of changes of what is composed alone the newest counts.
        """
        latest = {change.uid: change for change in changes}
        shown = [one for one in changes if one.body or latest[one.uid] is one]
        wanted = [change for change in shown if change.verb != "DELETED"]
        now = self._clock()
        found = await self._store.read(lambda tx: self._read(tx, wanted, now)) if wanted else {}
        for change in shown:
            event = self._event(change, found.get(change.rv))
            if event is not None:
                self._rings[change.resource].append(event)
                metrics.EVENTS.labels(change.resource).inc()

    def _read(self, tx: Tx, changes: Sequence[Change], now: float) -> dict[int, Manifest]:
        """The changed objects by the versions of the changes."""
        out: dict[int, Manifest] = {}
        for resource in {change.resource for change in changes}:
            of_kind = [change for change in changes if change.resource == resource]
            present = objects.by_uids(tx, [change.uid for change in of_kind if not change.body])
            by_uid = {row.uid: row for row in present}
            rows = {
                one.rv: row
                for one in of_kind
                if (row := objects.written(one) if one.body else by_uid.get(one.uid)) is not None
            }
            manifests = self._viewer.each(tx, table.BY_RESOURCE[resource], list(rows.values()), now)
            out.update(zip(rows, manifests, strict=True))
        return out

    def _event(self, change: Change, manifest: Manifest | None) -> Event | None:
        labelled = self._labels[change.resource]
        if change.verb == "DELETED":
            body = self._viewer.resources.opened(change.resource, change.uid, change.body)
            # One that came and went unread is known to whoever goes on from between.
            before = labelled.pop(change.uid, None) or _labels(orjson.loads(body))
            return Event(change.rv, "DELETED", change.namespace, change.name, body, before, before)
        if manifest is None:
            return None
        manifest = show.at_version(manifest, change.rv)
        known = labelled.get(change.uid)
        labels = labelled[change.uid] = _labels(manifest)
        verb = "ADDED" if known is None else "MODIFIED"
        return Event(
            change.rv, verb, change.namespace, change.name, json_bytes(manifest), labels, known, manifest
        )


def _labels(manifest: Manifest) -> Labels:
    labels: Labels = manifest["metadata"].get("labels") or {}
    return labels
