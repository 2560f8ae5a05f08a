"""The objects of an in-memory cluster, their versions, and the recent past that watches are served from.

Synchronous and without opinion: no validation, no ownership, no faults. Objects are values: whoever puts or takes one
must not change it afterwards.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agent.cluster.journal import Journal, Key
from argosy.objects import Manifest

Sort = tuple[str, str]
"""Group and kind: versions of one kind share their objects."""

HISTORY = 256
"""Past events kept per kind. A watch that asks for older ones is told to list again."""


class Past(NamedTuple):
    """One write: the object before and after it; None where there was none, or is none any more."""

    version: int
    before: Manifest | None
    after: Manifest | None


class Shelf:
    """All objects of one cluster."""

    def __init__(self, journal: Journal | None = None, *, history: int = HISTORY) -> None:
        self.version = 0
        self._history = history
        self._objects: dict[Sort, dict[tuple[str, str], Manifest]] = {}
        self._past: dict[Sort, deque[Past]] = {}
        self._floor: dict[Sort, int] = {}
        self._all_floor = 0
        self._waiting: dict[Sort, set[asyncio.Event]] = {}
        self._owned: dict[str, set[Key]] = {}
        self._count = 0
        self._journal = journal
        if journal is not None:
            self.version, found = journal.load()
            self._all_floor = self.version
            for key, manifest in found.items():
                self._keep(key, manifest)

    # --- reading

    def get(self, sort: Sort, namespace: str, name: str) -> Manifest | None:
        """The object, None where there is none."""
        return self._objects.get(sort, {}).get((namespace, name))

    def all(self, sort: Sort, namespace: str = "") -> list[tuple[tuple[str, str], Manifest]]:
        """Objects of one kind in the order of namespace and name; "" means all namespaces."""
        found = self._objects.get(sort, {})
        chosen = (
            found.items()
            if not namespace
            else ((key, each) for key, each in found.items() if key[0] == namespace)
        )
        return sorted(chosen, key=lambda item: item[0])

    def inside(self, namespace: str) -> list[Key]:
        """The keys of everything in a namespace."""
        return [
            (*sort, *key)
            for sort, found in self._objects.items()
            for key in list(found)
            if key[0] == namespace
        ]

    def children(self, uid: str) -> list[Key]:
        """The keys of the objects that name this uid as an owner."""
        return sorted(self._owned.get(uid, ()))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Key, Manifest]]:
        for (group, kind), found in self._objects.items():
            for (namespace, name), manifest in found.items():
                yield (group, kind, namespace, name), manifest

    # --- writing

    def put(self, key: Key, manifest: Manifest) -> Manifest:
        """Stores an object under the next version and answers it with that version in it."""
        self.version += 1
        stored = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(self.version)}}
        before = self._keep(key, stored)
        self._remember(key, before, stored)
        return stored

    def drop(self, key: Key) -> Manifest | None:
        """Removes an object; its last state, with the version of its removal. None where there was none."""
        found = self._objects.get(key[:2], {})
        before = found.pop(key[2:], None)
        if before is None:
            return None
        self._count -= 1
        self.version += 1
        self._disown(key, before)
        self._remember(key, before, None)
        return {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}

    def _keep(self, key: Key, manifest: Manifest) -> Manifest | None:
        found = self._objects.setdefault(key[:2], {})
        before = found.get(key[2:])
        found[key[2:]] = manifest
        if before is None:
            self._count += 1
        else:
            self._disown(key, before)
        for owner in manifest["metadata"].get("ownerReferences") or ():
            self._owned.setdefault(owner["uid"], set()).add(key)
        return before

    def _disown(self, key: Key, manifest: Manifest) -> None:
        for owner in manifest["metadata"].get("ownerReferences") or ():
            children = self._owned.get(owner["uid"])
            if children is not None:
                children.discard(key)
                if not children:
                    del self._owned[owner["uid"]]

    def _remember(self, key: Key, before: Manifest | None, after: Manifest | None) -> None:
        sort = key[:2]
        past = self._past.setdefault(sort, deque())
        past.append(Past(self.version, before, after))
        if len(past) > self._history:
            self._floor[sort] = past.popleft().version
        for waiting in self._waiting.get(sort, ()):
            waiting.set()
        if self._journal is not None:
            self._journal.write(self.version, key, after)
            self._journal.fold(self.version, lambda: self, self._count)

    # --- the past

    def since(self, sort: Sort, version: int) -> Iterable[Past] | None:
        """The writes to one kind after a version; None where they are no longer known."""
        if version < max(self._floor.get(sort, 0), self._all_floor):
            return None
        past = self._past.get(sort)
        if not past or past[-1].version <= version:
            return ()
        start = bisect_right(past, version, key=lambda entry: entry.version)
        return list(past)[start:]

    def forget(self) -> None:
        """Forgets the past: whoever watches from an older version than now has to list again."""
        self._all_floor = self.version
        self._past.clear()
        self.wake()

    def wake(self) -> None:
        """Lets everyone look who waits for something."""
        for waiting in self._waiting.values():
            for event in waiting:
                event.set()

    def wait_on(self, sort: Sort, event: asyncio.Event) -> None:
        """Sets the event at every write to the kind, until `stop_waiting`."""
        self._waiting.setdefault(sort, set()).add(event)

    def stop_waiting(self, sort: Sort, event: asyncio.Event) -> None:
        """The opposite of `wait_on`."""
        self._waiting.get(sort, set()).discard(event)

    def close(self) -> None:
        """Closes the journal, if there is one."""
        if self._journal is not None:
            self._journal.close()
