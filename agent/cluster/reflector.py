"""Keeps what the cluster holds of ours in memory, by watching: one reflector per kind, objects with our label
only.

A reflector lists and watches in one stream, goes on from the last version after a break, and lists anew when
the server no longer knows that version. What it holds may be late, never made up: a decision based on it is
checked by the server when it is carried out. It says only "look again at this assignment"; it decides
nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import structlog

from agent.cluster.base import ClusterApi, Event, Expired, KindMissing
from agent.core import marks
from agent.core.marks import Seen
from argosy import backoff
from argosy.errors import ArgosyError
from argosy.health import table
from argosy.health.user import UserChecks
from argosy.kinds import WATCHABLE, ApiKind
from argosy.objects import ObjectKey

log = structlog.get_logger("watch")

QUICK_END = 1.0


@dataclass
class _Reflected:
    """One kind: what is held, and the task that keeps it so. `listed` once the first list was complete, `tried` once
    it was or could not be had."""

    kind: ApiKind
    objects: dict[ObjectKey, Seen] = field(default_factory=dict)
    listed: bool = False
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    version: str = ""
    relisted: set[ObjectKey] | None = None
    """While a list runs: what it brought. Everything else is dropped at its end."""
    task: asyncio.Task[None] | None = None


class Watcher:
    """The reflectors of one cluster. `changed(assignment)` is called for each change of an object that bears
    the assignment's mark, also for the change that takes the mark away."""

    def __init__(self, api: ClusterApi, changed: Callable[[str], None]) -> None:
        self._api = api
        self._changed = changed
        self._kinds: dict[tuple[str, str], _Reflected] = {}
        self.checks = table.NO_USER_CHECKS
        """The users' own health checks: they say of which kinds more than metadata and status is kept."""

    async def ensure(self, kinds: Iterable[ApiKind], *, timeout: float = 10.0) -> None:
        """Starts watching these kinds where they can be watched; waits until each is listed, at most
        `timeout` s.
        """
        waiting = []
        for kind in kinds:
            name = kind.gvk.group, kind.gvk.kind
            if name not in self._kinds and kind.verbs >= WATCHABLE:
                reflected = self._kinds[name] = _Reflected(kind)
                reflected.task = asyncio.create_task(self._run(reflected), name=f"watch {kind.plural}")
            found = self._kinds.get(name)
            if found is not None and not found.tried.is_set():
                waiting.append(found.tried.wait())
        if waiting:
            try:
                async with asyncio.timeout(timeout):
                    await asyncio.gather(*waiting)
            except TimeoutError:
                log.warning("kinds are not listed yet, going on without", seconds=timeout)

    async def use(self, checks: UserChecks) -> None:
        """Takes up other checks. Kinds of which more is needed now are read again before it returns."""
        before, self.checks = self.checks, checks
        meagre = [
            reflected
            for reflected in self._kinds.values()
            if table.needs_content(reflected.kind.gvk, checks)
            and not table.needs_content(reflected.kind.gvk, before)
        ]
        for reflected in meagre:
            if reflected.task is not None:
                reflected.task.cancel()
            reflected.version, reflected.tried = "", asyncio.Event()
            reflected.task = asyncio.create_task(self._run(reflected), name=f"watch {reflected.kind.plural}")
        await self.ensure(reflected.kind for reflected in meagre)

    def listed(self, group: str, kind: str) -> bool:
        """Whether an object of that kind which is not held is not there (or not ours)."""
        found = self._kinds.get((group, kind))
        return found is not None and found.listed

    def get(self, key: ObjectKey) -> Seen | None:
        """The object as last seen, None where none with our label is known."""
        found = self._kinds.get((key.group, key.kind))
        return None if found is None else found.objects.get(key)

    def owned(self, assignment: str) -> Iterator[Seen]:
        """All objects held that bear the assignment's own mark."""
        for reflected in self._kinds.values():
            yield from (item for item in reflected.objects.values() if item.owner == assignment)

    def keep(self, item: Seen) -> None:
        """Takes in an object the agent just wrote or read, so that it need not wait for the watch to say it."""
        found = self._kinds.get((item.key.group, item.key.kind))
        if found is not None and item.owner:
            self._put(found, item, told=False)

    def forget(self, key: ObjectKey) -> None:
        """The object is known to be gone."""
        found = self._kinds.get((key.group, key.kind))
        if found is not None:
            found.objects.pop(key, None)

    async def close(self) -> None:
        """Stops all watching."""
        tasks = [found.task for found in self._kinds.values() if found.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kinds.clear()

    async def _run(self, reflected: _Reflected) -> None:
        """Watches until cancelled. A kind that is gone is asked for again with growing pauses, like any
        failure.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                if not reflected.version:
                    reflected.relisted = set()
                async for event in self._api.watch(
                    reflected.kind.gvk, resource_version=reflected.version, selector=marks.PART_OF
                ):
                    self._take(reflected, event)
                    failures = 0
                # A server that ends watches at once must not be asked in a tight circle.
                failures = failures + 1 if loop.time() - began < QUICK_END else 0
            except Expired:
                reflected.version = ""
                failures += 1
            except KindMissing:
                self._drop_all(reflected)
                failures += 1
            except ArgosyError as error:
                failures += 1
                log.info("watch failed", kind=reflected.kind.plural, error=error.message)
            except Exception:
                failures += 1
                log.exception("watch broke", kind=reflected.kind.plural)
            if reflected.relisted is not None:
                # The list did not end: what it brought stays, what it lacked is not taken for gone.
                reflected.relisted, reflected.version = None, ""
            if failures:
                reflected.tried.set()
                await asyncio.sleep(backoff.full_jitter(failures - 1, random.random(), base=0.2))

    def _take(self, reflected: _Reflected, event: Event) -> None:
        if event.type == "BOOKMARK":
            if event.listed and reflected.relisted is not None:
                for key in reflected.objects.keys() - reflected.relisted:
                    self._remove(reflected, key)
                reflected.relisted = None
                reflected.listed = True
                reflected.tried.set()
        else:
            item = marks.seen(event.object)
            if event.type == "DELETED":
                self._remove(reflected, item.key)
            else:
                self._put(reflected, item)
        # During the first list the version is not yet one to go on from.
        if reflected.relisted is None and event.resource_version:
            reflected.version = event.resource_version

    def _put(self, reflected: _Reflected, item: Seen, *, told: bool = True) -> None:
        if reflected.relisted is not None:
            reflected.relisted.add(item.key)
        before = reflected.objects.get(item.key)
        if before is not None and before.uid == item.uid and _older(item, before):
            return
        reflected.objects[item.key] = (
            item if table.needs_content(item.gvk, self.checks) else marks.slimmed(item)
        )
        if told and (before is None or before.resource_version != item.resource_version):
            for owner in {item.owner, before.owner if before is not None else ""} - {""}:
                self._changed(owner)

    def _remove(self, reflected: _Reflected, key: ObjectKey) -> None:
        before = reflected.objects.pop(key, None)
        if before is not None and before.owner:
            self._changed(before.owner)

    def _drop_all(self, reflected: _Reflected) -> None:
        reflected.version = ""
        for key in list(reflected.objects):
            self._remove(reflected, key)


def _older(item: Seen, than: Seen) -> bool:
    """Whether the watch is behind what we wrote ourselves. Versions are decimal numbers that grow (KEP-5504);
    what is not a number is believed."""
    mine, other = item.resource_version, than.resource_version
    return mine.isdecimal() and other.isdecimal() and int(mine) < int(other)
