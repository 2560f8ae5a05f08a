"""Answers the hub's questions about the cluster: looks and dry runs, never a write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from agent.cluster.base import PAGE, ClusterApi, KindMissing, NamespaceMissing
from agent.core import differences as masking
from agent.core import drift, keeping, marks, merging, prepare
from agent.core.drift import Ignored
from agent.core.marks import Wanted
from agent.core.prepare import Prepared
from argosy import bundle as bundles
from argosy import differences
from argosy.bundle import Assignment, Policy
from argosy.differences import ADDED, CHANGED, REMOVED, ObjectChange
from argosy.errors import ArgosyError, NotFound
from argosy.health import table
from argosy.kinds import Gvk, Kinds, gvk_of, served
from argosy.objects import Manifest, ObjectKey, key_of, split_api_version
from argosy.questions import Kind, Question
from argosy.status import Health

SIDE_BY_SIDE = 8
MOST_CHILDREN = 5000
"""Objects of one kind and namespace looked through for children."""
MOST_EVENTS = 200
CHILDREN = (Gvk("apps", "v1", "ReplicaSet"), Gvk("batch", "v1", "Job"), Gvk("", "v1", "Pod"))
"""Kinds that controllers make of what an app applies, parents before children."""
EVENT = Gvk("", "v1", "Event")
ORPHANS = 500
"""Objects that no app brought, named in one answer."""
_PERSISTED = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
"""Metadata that differ by themselves."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Digest -> the zstd blob of a bundle. Raises our errors."""


class Held(Protocol):
    """What of the agent's syncer this needs."""

    def assigned(self, assignment: str) -> Assignment | None: ...

    def opened(self, prepared: Prepared, manifests: list[Manifest]) -> Prepared: ...

    def door(self, account: str) -> ClusterApi: ...

    def ignoring(self, assignment: Assignment) -> Callable[[Wanted], Ignored]: ...

    def orphaned(self, assignment: Assignment) -> list[ObjectKey]: ...


class Answerer:
    """`load` gives the objects of a bundle that is here, None where it is not; then `fetch` brings it."""

    def __init__(
        self, api: ClusterApi, held: Held, load: Callable[[str], list[Manifest] | None], fetch: Fetch
    ) -> None:
        self._api = api
        self._held = held
        self._load = load
        self._fetch = fetch

    async def answer(self, question: Question) -> dict[str, Any]:
        """Raises our errors."""
        if question.kind is Kind.DRY_RUN:
            return {"objects": await self._dry_run(question)}
        if question.kind is Kind.CONDITIONS:
            return await self._conditions(question)
        assignment = self._held.assigned(question.assignment)
        if assignment is None:
            raise NotFound("the cluster is not assigned such an application (any more)")
        if question.kind is Kind.DIFF:
            return {"objects": await self._compared(assignment, await self._objects(assignment.bundle))}
        nodes = await self._tree(assignment)
        if question.kind is Kind.TREE:
            loose = self._held.orphaned(assignment)[:ORPHANS]
            return {"nodes": nodes, "orphanedNodes": [_placed(key) for key in loose]}
        return {"events": await self._events(nodes)}

    # --- what a sync would change -----------------------------------------------------------------------------------

    async def _dry_run(self, question: Question) -> list[dict[str, Any]]:
        current = self._held.assigned(question.assignment)
        policy = replace(
            current.policy if current else Policy(),
            sync_options=question.sync_options,
            account=question.account,
        )
        base = current or Assignment(question.assignment, "", "", "", "", "", "", "")
        wanted = replace(
            base, bundle=question.bundle, destination_namespace=question.destination_namespace, policy=policy
        )
        before = await self._objects(current.bundle) if current is not None else []
        return await self._compared(wanted, await self._objects(question.bundle), before)

    async def _compared(
        self, assignment: Assignment, manifests: list[Manifest], before: list[Manifest] | None = None
    ) -> list[dict[str, Any]]:
        """What applying the objects would change, by the API server's own word. `before` had these, too: what of them is
        there and no longer wanted would go.
        """
        kinds = await self._api.kinds()
        prepared = prepare.prepare(manifests, assignment, kinds)
        prepared = await asyncio.to_thread(self._held.opened, prepared, manifests)
        door = self._held.door(assignment.policy.account)
        ignoring, respects = self._held.ignoring(assignment), drift.respects(assignment.policy)
        limit = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(wanted: Wanted) -> dict[str, Any] | None:
            async with limit:
                ignored = ignoring(wanted)
                kept = ignored if respects else drift.NOTHING
                return await self._object(door, wanted, prepared, ignored, kept)

        found = await asyncio.gather(*(one(wanted) for wanted in prepared.wanted.values()))
        old = prepare.prepare(before or [], assignment, kinds).wanted
        gone = [old[key] for key in sorted(old.keys() - prepared.wanted.keys())]
        lives = await asyncio.gather(*(self._live(item.gvk, item.key, kinds) for item in gone))
        left = [
            ObjectChange(item.key, REMOVED).document()
            for item, live in zip(gone, lives, strict=True)
            if live is not None
        ]
        return [*(item for item in found if item is not None), *left]

    async def _object(
        self, door: ClusterApi, wanted: Wanted, prepared: Prepared, ignored: Ignored, kept: Ignored
    ) -> dict[str, Any] | None:
        """None where nothing would change: for what is `ignored` alone nothing is written, and what is `kept` stays as it
        is whenever something is.
        """
        key, manifest = wanted.key, wanted.manifest
        try:
            live = await self._api.get(wanted.gvk, key.namespace, key.name)
        except KindMissing as error:
            if (key.group, key.kind) in prepared.defines:
                return ObjectChange(key, ADDED).document()
            return {**ObjectChange(key, ADDED).document(), "error": error.message}
        try:
            if live is not None:
                manifest = keeping.kept(manifest, live, kept, owned=True)
            merged = await door.apply(manifest, dry_run=True, force=True)
        except NamespaceMissing as error:
            made = (
                ObjectKey("", "Namespace", "", key.namespace) in prepared.wanted or prepared.creates_namespace
            )
            return ObjectChange(key, ADDED).document() | ({} if made else {"error": error.message})
        except ArgosyError as error:
            change = ADDED if live is None else CHANGED
            told = masking.hushed(wanted, error.message)
            return {**ObjectChange(key, change).document(), "error": told[:1000]}
        if live is None:
            return ObjectChange(key, ADDED).document()
        compared = merging.yielded(live, merged, ignored.managers)
        if not drift.differs(marks.seen(live), marks.seen(compared), ignored, ownership=False):
            return None
        merged = merging.yielded(live, merged, kept.managers)
        old, new = (masking.veiled(wanted, _plain(each)) for each in (live, merged))
        found = differences.between(old, new)
        return ObjectChange(key, CHANGED, found).document() if found.fields else None

    # --- what is there ------------------------------------------------------------------------------------------------

    async def _tree(self, assignment: Assignment) -> list[dict[str, Any]]:
        """The app's objects and, below them, what controllers made of them; parents before children."""
        kinds = await self._api.kinds()
        prepared = prepare.prepare(await self._objects(assignment.bundle), assignment, kinds)
        limit = asyncio.Semaphore(SIDE_BY_SIDE)

        async def look(wanted: Wanted) -> Manifest | None:
            async with limit:
                return await self._live(wanted.gvk, wanted.key, kinds)

        items = list(prepared.wanted.values())
        lives = await asyncio.gather(*(look(item) for item in items))
        nodes = [_node(item.key, live) for item, live in zip(items, lives, strict=True)]
        parents = {live["metadata"]["uid"] for live in lives if live is not None}
        places = {key.namespace for key in prepared.wanted if key.namespace}
        for gvk in CHILDREN if parents else ():
            for place in sorted(places):
                children = [
                    child for child in await self._listed(gvk, place, kinds) if _owner(child) in parents
                ]
                nodes += [_node(key_of(child), child, _owner(child)) for child in children]
                parents |= {child["metadata"]["uid"] for child in children}
        return nodes

    async def _conditions(self, question: Question) -> dict[str, Any]:
        """`conditions`, type -> status, of one object, with `Healthy` by its health check; `found` is False where it is
        not there. Nothing else of it is told."""
        group, version = split_api_version(question.api_version)
        gvk = Gvk(group, version, question.object_kind)
        kinds = await self._api.kinds()
        live = await self._live(gvk, ObjectKey(group, gvk.kind, question.namespace, question.name), kinds)
        if live is None:
            return {"found": False, "conditions": {}}
        listed = (live.get("status") or {}).get("conditions")
        conditions = {
            str(each["type"]): str(each.get("status") or "")
            for each in (listed if isinstance(listed, list) else ())
            if isinstance(each, dict) and each.get("type")
        }
        health = table.assess(live).status
        if health is not None:
            conditions.setdefault("Healthy", "True" if health is Health.HEALTHY else "False")
        return {"found": True, "conditions": conditions}

    async def _events(self, nodes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The newest events about the tree's objects, newest first."""
        uids = {node["uid"] for node in nodes if node.get("uid")}
        places = {node["namespace"] for node in nodes if node["namespace"]}
        kinds = await self._api.kinds()
        found = [
            event
            for place in sorted(places)
            for event in await self._listed(EVENT, place, kinds)
            if (event.get("involvedObject") or {}).get("uid") in uids
        ]
        found.sort(key=_when, reverse=True)
        return [_event(event) for event in found[:MOST_EVENTS]]

    async def _listed(self, gvk: Gvk, namespace: str, kinds: Kinds) -> list[Manifest]:
        """At most `MOST_CHILDREN`; nothing where the cluster has no such kind or says no."""
        found: list[Manifest] = []
        if gvk not in kinds:
            return found
        more = ""
        while len(found) < MOST_CHILDREN:
            try:
                page = await self._api.list(gvk, namespace=namespace, limit=PAGE, more=more)
            except ArgosyError:
                return found
            found += page.items
            more = page.more
            if not more:
                break
        return found

    async def _live(self, gvk: Gvk, key: ObjectKey, kinds: Kinds) -> Manifest | None:
        there = served(kinds, gvk)
        return await self._api.get(there.gvk, key.namespace, key.name) if there is not None else None

    async def _objects(self, digest: str) -> list[Manifest]:
        if not digest:
            return []
        found = await asyncio.to_thread(self._load, digest)
        if found is not None:
            return found
        return await asyncio.to_thread(bundles.unpack, await self._fetch(digest), digest)


def _plain(live: Manifest) -> Manifest:
    """Without status and what the server writes itself."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _PERSISTED}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


def _owner(live: Manifest) -> str:
    for owner in live["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner.get("uid") or "")
    return ""


def _placed(key: ObjectKey) -> dict[str, Any]:
    return {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}


def _node(key: ObjectKey, live: Manifest | None, parent: str = "") -> dict[str, Any]:
    out = _placed(key)
    if parent:
        out["parent"] = parent
    if live is None:
        return {**out, "health": "Missing"}
    out["uid"] = live["metadata"].get("uid") or ""
    out["version"] = gvk_of(live).version
    found = table.assess(live)
    if found.status is not None:
        out["health"] = found.status
        if found.message:
            out["message"] = found.message[:500]
    images = _images(live)
    return out | ({"images": images} if images else {})


def _images(live: Manifest) -> list[str]:
    if live.get("kind") != "Pod":
        return []
    containers = (live.get("spec") or {}).get("containers") or []
    return [str(each.get("image") or "") for each in containers if isinstance(each, dict)]


def _when(event: Manifest) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def _event(event: Manifest) -> dict[str, Any]:
    about = event.get("involvedObject") or {}
    return {
        "time": _when(event),
        "type": event.get("type") or "",
        "reason": event.get("reason") or "",
        "kind": about.get("kind") or "",
        "namespace": about.get("namespace") or "",
        "name": about.get("name") or "",
        "message": str(event.get("message") or "")[:1000],
        "count": event.get("count") or 1,
    }
