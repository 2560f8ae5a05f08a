"""One watch: initial events where they are asked for, then what the rings bring, until the time is up."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from argosy.annotations import INITIAL_EVENTS_END
from argosy.machinery import failure
from argosy.objects import Manifest
from hub.api import metrics, negotiate, show
from hub.api.listing import Selection
from hub.api.negotiate import Form
from hub.api.rings import Event, Ring, Rings
from hub.api.show import Viewer
from hub.api.wire import json_bytes
from hub.core.served.base import Served
from hub.store import objects
from hub.store.base import Store, Tx

BOOKMARK_SECONDS = 60.0
SHORTEST_SECONDS = 1800
"""How long a watch lasts at least where the client names no time; twice this at most, at random."""
GRACE_SECONDS = 30.0
"""How long a client that does not read may keep its connection after the watch is over."""
DISMISSAL_SECONDS = 1.0
_BATCH = 256

log = structlog.get_logger("watch")


class Watcher:
    """Answers watches. `clock` gives Unix seconds."""

    def __init__(self, store: Store, viewer: Viewer, rings: Rings, clock: Callable[[], float]) -> None:
        self._store = store
        self._viewer = viewer
        self._rings = rings
        self._clock = clock

    async def answer(
        self, served: Served, wanted: Selection, query: Mapping[str, str], form: Form
    ) -> WatchResponse:
        """Begins a watch. Raises `ApiFailure` 400, 422 before it has begun."""
        version = query.get("resourceVersion", "")
        if version and not version.isdecimal():
            raise failure.bad_request(f"invalid resource version: {version!r}")
        initial = _initial(query, version)
        seconds = _seconds(query.get("timeoutSeconds", ""))
        watch = Watch(self._rings, served, wanted, form, query, self._clock)
        rows: list[Manifest] = []
        start = int(version or 0)
        if initial is not False:
            start, rows = await self._store.read(lambda tx: self._present(tx, served, wanted))
        else:
            newest = await self._store.read(objects.newest_rv)
            if start > newest:
                start = -1
        return WatchResponse(watch.run(start, rows, seconds, marked=initial is None), seconds)

    def _present(self, tx: Tx, served: Served, wanted: Selection) -> tuple[int, list[Manifest]]:
        if wanted.name and (wanted.namespace or not served.kind.namespaced):
            row = objects.get(tx, served.resource, wanted.namespace or "", wanted.name)
            rows = [row] if row is not None else []
        else:
            rows = objects.page(tx, served.resource, wanted.namespace)
        manifests = self._viewer.each(tx, served, rows, self._clock())
        return objects.newest_rv(tx), [manifest for manifest in manifests if wanted.matches(manifest)]


def _initial(query: Mapping[str, str], version: str) -> bool | None:
    """Whether to begin with what is there: False no, True yes, None yes and mark the end of it (streaming
    lists).
    """
    match = query.get("resourceVersionMatch", "")
    asked = query.get("sendInitialEvents")
    errors = []
    if asked is not None and match != "NotOlderThan":
        errors.append(
            failure.not_allowed(
                "resourceVersionMatch",
                'sendInitialEvents requires setting resourceVersionMatch to "NotOlderThan"',
            )
            if match
            else failure.not_allowed(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            )
        )
    elif asked is None and match:
        errors.append(
            failure.not_allowed("resourceVersionMatch", "resourceVersionMatch is forbidden for watch")
        )
    if errors:
        raise failure.invalid("ListOptions", "meta.k8s.io", "", errors)
    if asked is not None:
        return None if asked.lower() not in ("false", "0") else False
    return version in ("", "0")


def _seconds(text: str) -> float:
    if text and not text.isdecimal():
        raise failure.bad_request(f"invalid timeoutSeconds: {text!r} is not a number")
    return float(text) if text and int(text) else SHORTEST_SECONDS * (1.0 + random.random())


class Watch:
    """The lines of one watch."""

    def __init__(
        self,
        rings: Rings,
        served: Served,
        wanted: Selection,
        form: Form,
        query: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._rings = rings
        self._served = served
        self._wanted = wanted
        self._form = form
        self._include = query.get("includeObject", "Metadata")
        self._bookmarks = query.get("allowWatchBookmarks", "").lower() in ("true", "1")
        self._clock = clock
        self._headed = True
        self._key = f"{form.shape}/{form.version}/{self._include}"

    async def run(
        self, start: int, present: list[Manifest], seconds: float, *, marked: bool
    ) -> AsyncIterator[bytes]:
        """Chunks of lines. `start` is the resourceVersion after which to begin, -1 for one that is not
        known.
        """
        async with self._rings.reading(self._served) as ring:
            async for lines in self._along(ring, start, present, seconds, marked):
                yield lines

    async def _along(
        self, ring: Ring, start: int, present: list[Manifest], seconds: float, marked: bool
    ) -> AsyncIterator[bytes]:
        position = ring.position(start) if start >= 0 else None
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        for at in range(0, len(present), _BATCH):
            yield b"".join(self._line("ADDED", each) for each in present[at : at + _BATCH])
        if marked:
            yield self._bookmark(start, {INITIAL_EVENTS_END: "true"})
        bookmark_at = loop.time() + BOOKMARK_SECONDS
        while not self._rings.stopping and (left := ends - loop.time()) > 0:
            found = ring.after(position, _BATCH) if position is not None else None
            if found is None:
                yield _error(f"too old resource version: {max(start, 0)} ({ring.floor})")
                return
            events, position = found
            if events:
                # The rings may have been behind the list that the client goes on from.
                newer = (event for event in events if event.rv > start)
                lines = [line for event in newer if (line := self._event(event)) is not None]
                if lines:
                    yield b"".join(lines)
                continue
            if self._bookmarks and loop.time() >= bookmark_at:
                yield self._bookmark(max(start, self._rings.reached), {})
                bookmark_at = loop.time() + BOOKMARK_SECONDS
                # While it was sent there may have come what nobody waits for any more.
                continue
            await self._rings.moved(min(left, max(0.05, bookmark_at - loop.time())))

    def _event(self, event: Event) -> bytes | None:
        """The event as this watch sees it: objects come into and go out of a selection by their labels."""
        wanted = self._wanted
        if wanted.namespace is not None and event.namespace != wanted.namespace:
            return None
        if wanted.name and event.name != wanted.name:
            return None
        if wanted.fields is not None and not wanted.fields(event.read()):
            return None
        verb = event.verb
        if wanted.labels is not None:
            was = event.before is not None and wanted.labels(event.before)
            is_now = event.verb != "DELETED" and wanted.labels(event.labels)
            if not was and not is_now:
                return None
            verb = "DELETED" if not is_now else "MODIFIED" if was else "ADDED"
        if self._headed and self._form.shape == negotiate.TABLE:
            return self._line(verb, event.read())
        key = (verb, self._key)
        line = event.lines.get(key)
        if line is None:
            if self._form.shape == negotiate.OBJECT:
                line = b'{"type":"%s","object":%s}\n' % (verb.encode(), event.body)
            else:
                line = self._line(verb, event.read())
            event.lines[key] = line
        return line

    def _line(self, verb: str, manifest: Manifest) -> bytes:
        now = self._clock()
        if self._form.shape == negotiate.TABLE:
            metadata = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
            value: dict[str, Any] = show.as_table(
                self._served,
                [manifest],
                metadata,
                now,
                include=self._include,
                version=self._form.version,
                headed=self._headed,
            )
            self._headed = False
        else:
            value = show.one(self._served, manifest, self._form, now)
        return json_bytes({"type": verb, "object": value}) + b"\n"

    def _bookmark(self, rv: int, annotations: dict[str, str]) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(rv), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = self._served.kind
        value: dict[str, Any] = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        if self._form.shape == negotiate.TABLE:
            value = show.as_table(self._served, [], metadata, 0.0, version=self._form.version, headed=False)
        elif self._form.shape == negotiate.PARTIAL:
            value = show.partial(value, self._form.version)
        return json_bytes({"type": "BOOKMARK", "object": value}) + b"\n"


def _error(message: str) -> bytes:
    return json_bytes({"type": "ERROR", "object": failure.expired(message).to_status()}) + b"\n"


class WatchResponse:
    """The answer of a watch as an ASGI application: sends until the lines end, the client goes, or far too
    late.
    """

    status_code = 200

    def __init__(self, lines: AsyncIterator[bytes], seconds: float) -> None:
        self._lines = lines
        self._seconds = seconds
        self._over: contextlib.AbstractContextManager[asyncio.Event] = contextlib.nullcontext(asyncio.Event())

    def until(self, over: contextlib.AbstractContextManager[asyncio.Event]) -> WatchResponse:
        """The same, ended early by an event that is entered for as long as it is sent."""
        self._over = over
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_disconnected(receive))
        with self._over as over, metrics.WATCHES.track_inprogress():
            ended = asyncio.create_task(over.wait())
            tasks = (sending, gone, ended)
            try:
                await asyncio.wait(
                    tasks,
                    timeout=self._seconds + GRACE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                early = over.is_set() and not (sending.done() or gone.done())
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if early:
            await _dismiss(send)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                log.error("watch broke", error=f"{type(outcome).__name__}: {outcome}")

    async def _send(self, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache, private")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for chunk in self._lines:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _dismiss(send: Send) -> None:
    """Has the client list again, and hear what it may; one that does not read is let go."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(DISMISSAL_SECONDS):
            body = _error("what you may see has changed: list again")
            await send({"type": "http.response.body", "body": body, "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
