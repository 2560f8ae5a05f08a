"""The present state of a few lists, kept up to date by watches: what waiting commands look at instead of
polling.

One thread per list; the caller sees whole states, never events, so what comes in a burst is seen once.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from argosy.errors import ArgosyError, Conflict, Unavailable
from argosy.objects import Manifest
from hub.cli.client import Client
from hub.cli.errors import Late
from hub.cli.kubeconfig import Access

WATCH_SECONDS = 240
AGAIN_SECONDS = 1.0
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Selection:
    """A list to follow: its path and, for example, a field selector."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)


class _Mirror:
    """One list and its watch, in a thread of its own."""

    def __init__(
        self, access: Access, selection: Selection, notices: queue.Queue[ArgosyError | None]
    ) -> None:
        self._client = Client(access, timeout=WATCH_SECONDS + 30)
        self._selection = selection
        self._notices = notices
        self._seen = False
        self._ended = False
        self.objects: dict[str, Manifest] | None = None

    def run(self) -> None:
        while not self._ended:
            try:
                self._once()
                # A server (or a proxy) may end watches early; that must not become a storm of lists.
                time.sleep(PAUSE_SECONDS)
            except Conflict:
                time.sleep(PAUSE_SECONDS)
            except Unavailable as error:
                # A hub that was there and restarts is waited for; one that never answered is the caller's
                # mistake.
                if not self._seen:
                    self._notices.put(error)
                    return
                time.sleep(AGAIN_SECONDS)
            except ArgosyError as error:
                self._notices.put(error)
                return

    def end(self) -> None:
        self._ended = True

    def _once(self) -> None:
        page = self._client.listing(self._selection.path, self._selection.query)
        objects = {item["metadata"]["uid"]: item for item in page["items"]}
        self._tell(objects)
        query = {
            **self._selection.query,
            "resourceVersion": str(page["metadata"].get("resourceVersion") or "0"),
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        for verb, body in self._client.watch(self._selection.path, query):
            uid = body["metadata"].get("uid")
            if verb == "DELETED":
                objects.pop(uid, None)
            elif verb in ("ADDED", "MODIFIED"):
                objects[uid] = body
            self._tell(objects)

    def _tell(self, objects: dict[str, Manifest]) -> None:
        self._seen = True
        self.objects = dict(objects)
        self._notices.put(None)


def states(
    access: Access, selections: Sequence[Selection], *, seconds: float, again: float = 5.0
) -> Iterator[tuple[list[Manifest], ...]]:
    """The objects of every selection, at first and after each change, at the latest every `again` seconds.

    Raises `Late` after `seconds`, and what the API refused.
    """
    notices: queue.Queue[ArgosyError | None] = queue.Queue()
    mirrors = [_Mirror(access, selection, notices) for selection in selections]
    for mirror in mirrors:
        threading.Thread(target=mirror.run, daemon=True, name=f"follow {mirror}").start()
    deadline = time.monotonic() + seconds
    try:
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                _take(notices, min(left, again))
            held = [mirror.objects for mirror in mirrors]
            if all(objects is not None for objects in held):
                yield tuple(list(objects.values()) for objects in held if objects is not None)
        raise Late(f"not done within {seconds:g} s")
    finally:
        for mirror in mirrors:
            mirror.end()


def _take(notices: queue.Queue[ArgosyError | None], seconds: float) -> None:
    notice = notices.get(timeout=seconds)
    while True:
        if notice is not None:
            raise notice
        notice = notices.get_nowait()
