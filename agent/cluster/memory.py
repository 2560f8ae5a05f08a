"""An API server in memory behind the agent's contract: for demos, tests and benchmarks, and shipped as such.

Objects are written through `argosy.machinery`, so ownership, conflicts, list keys, finalizers and error texts are a
real API server's. What is not real: authorization, admission, most validation of built-in kinds, and the controllers,
which are toys (`growth`). Faults come from `faults`; persistence from `journal`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from agent.cluster import answers, faults, serving
from agent.cluster.acting import ActingCluster, Rights
from agent.cluster.base import MANAGER, PAGE, ClusterApi, Event, Identity, Page, Propagation
from agent.cluster.faults import Fault, Faults
from agent.cluster.interior import Interior
from agent.cluster.journal import Journal, Key
from agent.cluster.shelf import HISTORY, Shelf, Sort
from argosy import errors
from argosy.kinds import Gvk, Kinds, gvk_of
from argosy.machinery import failure, patch, write
from argosy.machinery.kinds import Kind, Place
from argosy.objects import Manifest

VERSION = "v1.37.2"
WATCH_SECONDS = 300.0
BOOKMARK_SECONDS = 60.0
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

_NAMED = ("apiVersion", "kind", "metadata")
_NAMESPACE: Sort = ("", "Namespace")


class MemoryCluster:
    """One cluster. Use from one event loop.

    `journal` is the file it lives in across processes, None for none. With `settled` the toy controllers act at once
    after each write, otherwise only in `settle`. `clock` answers Unix seconds.
    """

    def __init__(
        self,
        *,
        journal: Path | None = None,
        settled: bool = True,
        clock: Callable[[], float] = time.time,
        history: int = HISTORY,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self.faults = Faults()
        self.rights: Rights | None = None
        """Who may do what when a call is made in a ServiceAccount's name; None: everybody everything."""
        self._watch_seconds = watch_seconds
        self._breaks = 0
        self._closed = False
        shelf = Shelf(Journal(journal) if journal is not None else None, history=history)
        self.inside = Interior(shelf, clock, settled=settled)
        """Where its objects live; `inside.settled` may be changed at any time."""
        for name in NAMESPACES:
            if shelf.get(_NAMESPACE, "", name) is None:
                self.put(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
                    manager="kube-apiserver",
                )
        self.inside.begin()

    # --- the contract

    def acting(self, account: str) -> ClusterApi:
        return ActingCluster(self, account, self.rights) if self.rights is not None else self

    async def identity(self) -> Identity:
        await self._call("identity")
        system = self.inside.shelf.get(_NAMESPACE, "", "kube-system")
        if system is None:
            raise errors.Unavailable("the cluster has no namespace kube-system")
        return Identity(system["metadata"]["uid"], VERSION)

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        await self._call("kinds")
        return self.inside.served

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        await self._call("get", gvk.kind, name)
        kind = self.inside.kind(gvk)
        found = self.inside.shelf.get((gvk.group, gvk.kind), namespace if kind.namespaced else "", name)
        return None if found is None else serving.copy(serving.at_version(found, kind))

    async def list(
        self,
        gvk: Gvk,
        *,
        namespace: str = "",
        selector: str = "",
        limit: int = PAGE,
        more: str = "",
        metadata: bool = False,
    ) -> Page:
        await self._call("list", gvk.kind)
        kind = self.inside.kind(gvk)
        matches = serving.label_selector(selector)
        started, after = serving.read_token(more) if more else (self.inside.shelf.version, ("", ""))
        if more and self.inside.shelf.since((gvk.group, gvk.kind), started) is None:
            raise answers.from_status(
                failure.expired("The provided continue parameter is too old.").to_status()
            )
        items: list[Manifest] = []
        last = after
        for key, manifest in self.inside.shelf.all(
            (gvk.group, gvk.kind), namespace if kind.namespaced else ""
        ):
            if (more and key <= after) or not matches(manifest["metadata"].get("labels") or {}):
                continue
            if len(items) == limit:
                return Page(tuple(items), str(started), serving.token(started, last))
            item = serving.copy(serving.at_version(manifest, kind))
            items.append({name: item[name] for name in _NAMED} if metadata else item)
            last = key
        return Page(tuple(items), str(started))

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        options = self.inside.options(manager, force=force, validate=validate)
        return await self._write("apply", manifest, self.inside.apply, options, dry_run=dry_run)

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        options = self.inside.options(manager, validate=validate)
        return await self._write("create", manifest, self.inside.create, options, dry_run=dry_run)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        options = self.inside.options(manager, validate=validate)
        return await self._write("update", manifest, self.inside.update, options, dry_run=dry_run)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        lost = await self._call("delete", gvk.kind, name)
        kind = self.inside.kind(gvk)
        try:
            found = self.inside.delete(kind, namespace, name, uid, propagation)
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        faults.broken(lost)
        return found

    async def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        await self._call("watch", gvk.kind)
        kind = self.inside.kind(gvk)
        sort: Sort = (gvk.group, gvk.kind)
        scope = namespace if kind.namespaced else ""
        matches = serving.label_selector(selector)
        waiting = asyncio.Event()
        self.inside.shelf.wait_on(sort, waiting)
        breaks = self._breaks
        ends = time.monotonic() + self._watch_seconds
        try:
            version = int(resource_version or "0")
            if not resource_version:
                version = self.inside.shelf.version
                for _, manifest in self.inside.shelf.all(sort, scope):
                    if matches(manifest["metadata"].get("labels") or {}):
                        yield serving.event("ADDED", manifest, kind)
                yield Event("BOOKMARK", {}, str(version), listed=True)
            while True:
                past = self.inside.shelf.since(sort, version)
                if past is None:
                    self.faults.counts["expired watch"] += 1
                    raise answers.from_status(
                        failure.expired(f"too old resource version: {version}").to_status()
                    )
                for entry in past:
                    version = entry.version
                    event = serving.seen(entry, scope, matches, kind)
                    if event is not None:
                        yield event
                if self._breaks != breaks:
                    self.faults.counts["dropped watch"] += 1
                    raise errors.Unavailable(f"the watch of {kind.plural} broke off")
                if self._closed or time.monotonic() >= ends or gvk not in self.inside.kinds:
                    return
                if self.inside.shelf.since(sort, version) != ():
                    continue
                waiting.clear()
                try:
                    async with asyncio.timeout(min(BOOKMARK_SECONDS, max(ends - time.monotonic(), 0.001))):
                        await waiting.wait()
                except TimeoutError:
                    # What was written since the time was up comes first: a bookmark says that all before it was told.
                    if self.inside.shelf.since(sort, version) == ():
                        version = self.inside.shelf.version
                        yield Event("BOOKMARK", {}, str(version))
        finally:
            self.inside.shelf.stop_waiting(sort, waiting)

    async def close(self) -> None:
        self._closed = True
        self.inside.shelf.wake()
        self.inside.shelf.close()

    # --- for whoever plays the rest of the cluster

    def put(self, manifest: Manifest, *, manager: str = "kubectl-create") -> Manifest:
        """Creates or replaces an object as another field manager. Raises the contract's errors."""
        kind = self.inside.kind(gvk_of(manifest))
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", "") if kind.namespaced else ""
        live = self.inside.shelf.get((kind.group, kind.kind), namespace, metadata["name"])
        place = Place(kind, namespace, metadata["name"])
        body = serving.copy(manifest)
        try:
            if live is None:
                self.inside.check_namespace(kind, namespace, metadata["name"])
                outcome = write.create(place, body, self.inside.options(manager))
            else:
                body["metadata"].setdefault("resourceVersion", live["metadata"]["resourceVersion"])
                outcome = write.update(place, live, body, self.inside.options(manager))
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        return serving.copy(self.inside.store(kind, outcome))

    def edit(
        self,
        gvk: Gvk,
        namespace: str,
        name: str,
        changes: Mapping[str, Any],
        *,
        manager: str = "kubectl-edit",
        subresource: str = "",
    ) -> Manifest:
        """A JSON merge patch by another field manager. Raises the contract's errors."""
        kind = self.inside.kind(gvk)
        place = Place(kind, namespace if kind.namespaced else "", name, subresource)
        live = self.inside.shelf.get((gvk.group, gvk.kind), place.namespace, name)
        try:
            outcome = write.patched(
                place, live, patch.MERGE_PATCH, dict(changes), self.inside.options(manager)
            )
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        return serving.copy(self.inside.store(kind, outcome))

    def remove(self, gvk: Gvk, namespace: str, name: str) -> bool:
        """Deletes an object behind the agent's back; False where there is none. Raises the contract's errors."""
        try:
            return self.inside.delete(self.inside.kind(gvk), namespace, name, "", "Background")
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None

    def objects(self) -> dict[Key, Manifest]:
        """All there is, copied: for tests that count."""
        return {key: serving.copy(manifest) for key, manifest in self.inside.shelf}

    def settle(self) -> int:
        """Lets the toy controllers act on all that changed; how many objects they touched."""
        return self.inside.settle()

    def drop_watches(self) -> None:
        """Breaks off every watch (counted as `dropped watch`)."""
        self._breaks += 1
        self.inside.shelf.wake()

    def expire_watches(self) -> None:
        """Forgets the past: watches from older versions get 410 (counted as `expired watch`)."""
        self.inside.shelf.forget()

    # --- calls and their faults

    async def _call(self, verb: str, kind: str = "", name: str = "") -> Fault | None:
        """What every call does first: it gives others a turn, and meets its faults. A `lost` one is answered, to be
        raised after the work is done."""
        if self._closed:
            raise errors.Unavailable("the cluster is closed")
        await asyncio.sleep(0)
        for fault in self.faults.strike(verb, kind, name):
            if fault.effect == "latency":
                await asyncio.sleep(fault.seconds)
            elif fault.effect == "lost":
                return fault
            else:
                raise faults.error_of(fault, kind, name)
        return None

    # --- writes

    async def _write(
        self,
        verb: str,
        manifest: Manifest,
        way: Callable[[Kind, Manifest, write.Options], write.Outcome],
        options: write.Options,
        *,
        dry_run: bool,
    ) -> Manifest:
        metadata = manifest.get("metadata") or {}
        lost = await self._call(verb, manifest.get("kind", ""), metadata.get("name", ""))
        kind = self.inside.kind(gvk_of(manifest))
        try:
            outcome = way(kind, serving.received(manifest), options)
            out = outcome.object if dry_run else self.inside.store(kind, outcome)
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        faults.broken(lost)
        return serving.copy(out)


def connect(journal: Path | None = None) -> MemoryCluster:
    """The cluster of `--memory`: kept in the file across processes where one is given."""
    return MemoryCluster(journal=journal)
