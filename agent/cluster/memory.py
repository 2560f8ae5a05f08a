"""An API server in memory behind the agent's contract: for demos, tests and benchmarks, and shipped as such.

Objects are written through `argosy.machinery`, so ownership, conflicts, list keys, finalizers and error texts are a
real API server's. What is not real: authorization, admission, most validation of built-in kinds, and the controllers,
which are toys (`growth`). Faults come from `faults`; persistence from `journal`.
"""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from agent.cluster import answers, growth
from agent.cluster.acting import ActingCluster, Rights
from agent.cluster.base import MANAGER, PAGE, ClusterApi, Event, Identity, KindMissing, Page, Propagation
from agent.cluster.faults import Fault, Faults
from agent.cluster.journal import Journal, Key
from agent.cluster.shelf import HISTORY, Past, Shelf, Sort
from argosy import errors
from argosy.kinds import CRD, ApiKind, Gvk, Kinds, gvk_of
from argosy.machinery import failure, kinds, patch, selector, write
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

VERSION = "v1.37.2"
WATCH_SECONDS = 300.0
BOOKMARK_SECONDS = 60.0
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
VERBS = frozenset(("create", "delete", "get", "list", "patch", "update", "watch"))

_NAMED = ("apiVersion", "kind", "metadata")
_NAMESPACE: Sort = ("", "Namespace")
_CRD: Sort = (CRD.group, CRD.kind)
Matches = Callable[[Mapping[str, str]], bool]


def _copy(manifest: Manifest) -> Manifest:
    """A copy of JSON data that shares nothing; faster than `copy.deepcopy`."""
    out: Manifest = orjson.loads(orjson.dumps(manifest))
    return out


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
        self._clock = clock
        self._second, self._text = -1, ""
        self._settled = settled
        self._watch_seconds = watch_seconds
        self._unsettled: dict[Key, None] = {}
        self._breaks = 0
        self._closed = False
        self._kinds: dict[Gvk, Kind] = {
            Gvk(each.group, each.version, each.kind): each for each in kinds.builtin()
        }
        self._served: dict[Gvk, ApiKind] = {gvk: _api_kind(gvk, kind) for gvk, kind in self._kinds.items()}
        self._shelf = Shelf(Journal(journal) if journal is not None else None, history=history)
        for name in NAMESPACES:
            if self._shelf.get(_NAMESPACE, "", name) is None:
                self.put(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
                    manager="kube-apiserver",
                )
        for _, crd in self._shelf.all(_CRD):
            if crd.get("status", {}).get("conditions"):
                self._learn(crd)

    # --- the contract

    def acting(self, account: str) -> ClusterApi:
        return ActingCluster(self, account, self.rights) if self.rights is not None else self

    async def identity(self) -> Identity:
        await self._call("identity")
        system = self._shelf.get(_NAMESPACE, "", "kube-system")
        if system is None:
            raise errors.Unavailable("the cluster has no namespace kube-system")
        return Identity(system["metadata"]["uid"], VERSION)

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        await self._call("kinds")
        return self._served

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        await self._call("get", gvk.kind, name)
        kind = self._kind(gvk)
        found = self._shelf.get((gvk.group, gvk.kind), namespace if kind.namespaced else "", name)
        return None if found is None else _copy(_at_version(found, kind))

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
        kind = self._kind(gvk)
        matches = _label_selector(selector)
        started, after = _read_token(more) if more else (self._shelf.version, ("", ""))
        if more and self._shelf.since((gvk.group, gvk.kind), started) is None:
            raise answers.from_status(
                failure.expired("The provided continue parameter is too old.").to_status()
            )
        items: list[Manifest] = []
        last = after
        for key, manifest in self._shelf.all((gvk.group, gvk.kind), namespace if kind.namespaced else ""):
            if (more and key <= after) or not matches(manifest["metadata"].get("labels") or {}):
                continue
            if len(items) == limit:
                return Page(tuple(items), str(started), _token(started, last))
            item = _copy(_at_version(manifest, kind))
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
        options = self._options(manager, force=force, validate=validate)
        return await self._write("apply", manifest, self._apply, options, dry_run=dry_run)

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        options = self._options(manager, validate=validate)
        return await self._write("create", manifest, self._create, options, dry_run=dry_run)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        options = self._options(manager, validate=validate)
        return await self._write("update", manifest, self._update, options, dry_run=dry_run)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        lost = await self._call("delete", gvk.kind, name)
        kind = self._kind(gvk)
        try:
            found = self._delete(kind, namespace, name, uid, propagation)
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        _break(lost)
        return found

    async def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        await self._call("watch", gvk.kind)
        kind = self._kind(gvk)
        sort: Sort = (gvk.group, gvk.kind)
        scope = namespace if kind.namespaced else ""
        matches = _label_selector(selector)
        waiting = asyncio.Event()
        self._shelf.wait_on(sort, waiting)
        breaks = self._breaks
        ends = time.monotonic() + self._watch_seconds
        try:
            version = int(resource_version or "0")
            if not resource_version:
                version = self._shelf.version
                for _, manifest in self._shelf.all(sort, scope):
                    if matches(manifest["metadata"].get("labels") or {}):
                        yield _event("ADDED", manifest, kind)
                yield Event("BOOKMARK", {}, str(version), listed=True)
            while True:
                past = self._shelf.since(sort, version)
                if past is None:
                    self.faults.counts["expired watch"] += 1
                    raise answers.from_status(
                        failure.expired(f"too old resource version: {version}").to_status()
                    )
                for entry in past:
                    version = entry.version
                    event = _seen(entry, scope, matches, kind)
                    if event is not None:
                        yield event
                if self._breaks != breaks:
                    self.faults.counts["dropped watch"] += 1
                    raise errors.Unavailable(f"the watch of {kind.plural} broke off")
                if self._closed or time.monotonic() >= ends or gvk not in self._kinds:
                    return
                if self._shelf.since(sort, version) != ():
                    continue
                waiting.clear()
                try:
                    async with asyncio.timeout(min(BOOKMARK_SECONDS, max(ends - time.monotonic(), 0.001))):
                        await waiting.wait()
                except TimeoutError:
                    version = self._shelf.version
                    yield Event("BOOKMARK", {}, str(version))
        finally:
            self._shelf.stop_waiting(sort, waiting)

    async def close(self) -> None:
        self._closed = True
        self._shelf.wake()
        self._shelf.close()

    # --- for whoever plays the rest of the cluster

    def put(self, manifest: Manifest, *, manager: str = "kubectl-create") -> Manifest:
        """Creates or replaces an object as another field manager. Raises the contract's errors."""
        kind = self._kind(gvk_of(manifest))
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", "") if kind.namespaced else ""
        live = self._shelf.get((kind.group, kind.kind), namespace, metadata["name"])
        place = write.Place(kind, namespace, metadata["name"])
        body = _copy(manifest)
        try:
            if live is None:
                self._check_namespace(kind, namespace, metadata["name"])
                outcome = write.create(place, body, self._options(manager))
            else:
                body["metadata"].setdefault("resourceVersion", live["metadata"]["resourceVersion"])
                outcome = write.update(place, live, body, self._options(manager))
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        return _copy(self._store(kind, outcome))

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
        kind = self._kind(gvk)
        place = write.Place(kind, namespace if kind.namespaced else "", name, subresource)
        live = self._shelf.get((gvk.group, gvk.kind), place.namespace, name)
        try:
            outcome = write.patched(place, live, patch.MERGE_PATCH, dict(changes), self._options(manager))
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        return _copy(self._store(kind, outcome))

    def remove(self, gvk: Gvk, namespace: str, name: str) -> bool:
        """Deletes an object behind the agent's back; False where there is none. Raises the contract's errors."""
        try:
            return self._delete(self._kind(gvk), namespace, name, "", "Background")
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None

    def objects(self) -> dict[Key, Manifest]:
        """All there is, copied: for tests that count."""
        return {key: _copy(manifest) for key, manifest in self._shelf}

    def settle(self) -> int:
        """Lets the toy controllers act on all that changed; how many objects they touched."""
        count = 0
        while self._unsettled:
            key = next(iter(self._unsettled))
            del self._unsettled[key]
            count += self._grow(key)
        return count

    def drop_watches(self) -> None:
        """Breaks off every watch (counted as `dropped watch`)."""
        self._breaks += 1
        self._shelf.wake()

    def expire_watches(self) -> None:
        """Forgets the past: watches from older versions get 410 (counted as `expired watch`)."""
        self._shelf.forget()

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
                raise _error_of(fault, kind, name)
        return None

    def _options(self, manager: str, *, force: bool = False, validate: bool = False) -> write.Options:
        uid = str(uuid.uuid4())
        validation = "Strict" if validate else "Ignore"
        return write.Options(
            manager, self._now(), uid=uid, suffix=uid[-5:], validation=validation, force=force
        )

    def _now(self) -> str:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self._text

    def _kind(self, gvk: Gvk) -> Kind:
        found = self._kinds.get(gvk)
        if found is None:
            raise KindMissing(f"the cluster does not serve {gvk.kind} of {gvk.api_version}")
        return found

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
        kind = self._kind(gvk_of(manifest))
        try:
            outcome = way(kind, _received(manifest), options)
            out = outcome.object if dry_run else self._store(kind, outcome)
        except failure.ApiFailure as error:
            raise answers.from_status(error.to_status()) from None
        _break(lost)
        return _copy(out)

    def _apply(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        if not name or (kind.namespaced and not namespace):
            raise failure.method_not_allowed(kind.plural, kind.group, "patch")
        live = self._shelf.get((kind.group, kind.kind), namespace, name)
        if live is None:
            self._check_namespace(kind, namespace, name)
        return write.apply(write.Place(kind, namespace, name), live, manifest, options)

    def _create(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        if self._shelf.get((kind.group, kind.kind), namespace, name) is not None:
            raise failure.already_exists(kind.plural, kind.group, name)
        self._check_namespace(kind, namespace, name)
        return write.create(write.Place(kind, namespace), manifest, options)

    def _update(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        live = self._shelf.get((kind.group, kind.kind), namespace, name)
        if live is None:
            # A server may create it then; whoever replaces an object means the one there was.
            raise failure.conflict(kind.plural, kind.group, name, "the object is gone")
        return write.update(write.Place(kind, namespace, name), live, manifest, options)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self._shelf.get(_NAMESPACE, "", namespace)
        if found is None:
            raise failure.not_found("namespaces", "", namespace)
        if found["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            refused = failure.forbidden(kind.plural, kind.group, name, why)
            refused.causes = (
                failure.Cause(
                    "NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace"
                ),
            )
            raise refused

    def _delete(self, kind: Kind, namespace: str, name: str, uid: str, propagation: str) -> bool:
        namespace = namespace if kind.namespaced else ""
        key: Key = (kind.group, kind.kind, namespace, name)
        live = self._shelf.get(key[:2], namespace, name)
        if live is None:
            return False
        place = write.Place(kind, namespace, name)
        outcome = write.delete(place, live, write.Deletion(self._now(), uid))
        if propagation == "Orphan":
            self._orphan(live["metadata"]["uid"])
        if kind.kind == "Namespace" and not kind.group:
            self._terminate(key, live)
            return True
        if outcome.action == write.DELETED:
            self._drop(key)
        else:
            self._store(kind, outcome)
        return True

    def _store(self, kind: Kind, outcome: write.Outcome) -> Manifest:
        metadata = outcome.object["metadata"]
        key: Key = (kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
        if outcome.action == write.DELETED:
            self._drop(key)
            return outcome.object
        if outcome.action == write.UNCHANGED:
            return outcome.object
        stored = self._shelf.put(key, outcome.object)
        if key[:2] in growth.GROWN:
            self._unsettled[key] = None
            if self._settled:
                self.settle()
        return stored

    def _drop(self, key: Key) -> None:
        """Removes an object, then what belonged to it."""
        gone = self._shelf.drop(key)
        self._unsettled.pop(key, None)
        if gone is None:
            return
        if key[:2] == _CRD:
            self._unlearn(gone)
        for child in self._shelf.children(gone["metadata"]["uid"]):
            self._collect(child)
        namespace = self._shelf.get(_NAMESPACE, "", key[2]) if key[2] else None
        if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
            self._finish(("", "Namespace", "", key[2]))

    def _collect(self, key: Key) -> None:
        """Deletes an object none of whose owners is left."""
        child = self._shelf.get(key[:2], key[2], key[3])
        if child is None:
            return
        owners = child["metadata"].get("ownerReferences") or ()
        if any(self._owner_lives(owner, key[2]) for owner in owners):
            return
        kind = next((each for gvk, each in self._kinds.items() if (gvk.group, gvk.kind) == key[:2]), None)
        if kind is not None:
            self._delete(kind, key[2], key[3], "", "")

    def _owner_lives(self, owner: Mapping[str, Any], namespace: str) -> bool:
        sort = (str(owner["apiVersion"]).rpartition("/")[0], str(owner["kind"]))
        found = self._shelf.get(sort, namespace, owner["name"]) or self._shelf.get(sort, "", owner["name"])
        return found is not None and found["metadata"]["uid"] == owner["uid"]

    def _orphan(self, uid: str) -> None:
        for key in self._shelf.children(uid):
            child = self._shelf.get(key[:2], key[2], key[3])
            if child is not None:
                owners = [each for each in child["metadata"]["ownerReferences"] if each["uid"] != uid]
                self._shelf.put(key, {**child, "metadata": {**child["metadata"], "ownerReferences": owners}})

    def _terminate(self, key: Key, live: Manifest) -> None:
        """A namespace ends when all in it is gone: at once, or when the last finalizer in it goes."""
        if not live["metadata"].get("deletionTimestamp"):
            metadata = {**live["metadata"], "deletionTimestamp": self._now()}
            status = {**(live.get("status") or {}), "phase": "Terminating"}
            self._shelf.put(key, {**live, "metadata": metadata, "status": status})
        for inner in self._shelf.inside(key[3]):
            kind = next(
                (each for gvk, each in self._kinds.items() if (gvk.group, gvk.kind) == inner[:2]), None
            )
            if kind is not None:
                self._delete(kind, inner[2], inner[3], "", "")
        self._finish(key)

    def _finish(self, key: Key) -> None:
        namespace = self._shelf.get(_NAMESPACE, "", key[3])
        if (
            namespace is not None
            and not namespace["metadata"].get("finalizers")
            and not self._shelf.inside(key[3])
        ):
            self._shelf.drop(key)

    # --- controllers and kinds

    def _grow(self, key: Key) -> bool:
        manifest = self._shelf.get(key[:2], key[2], key[3])
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            return False
        status = growth.grown(manifest, self._now())
        kind = self._kinds.get(gvk_of(manifest))
        if status is None or kind is None:
            return False
        place = write.Place(kind, key[2], key[3], "status")
        outcome = write.update(place, manifest, {**manifest, "status": status}, self._options(growth.MANAGER))
        if outcome.action != write.UNCHANGED:
            self._shelf.put(key, outcome.object)
        if key[:2] == _CRD:
            self._learn(outcome.object)
        return outcome.action != write.UNCHANGED

    def _learn(self, crd: Manifest) -> None:
        self._unlearn(crd, objects=False)
        for kind in kinds.from_crd(crd):
            gvk = Gvk(kind.group, kind.version, kind.kind)
            self._kinds[gvk] = kind
            self._served = {**self._served, gvk: _api_kind(gvk, kind)}

    def _unlearn(self, crd: Manifest, *, objects: bool = True) -> None:
        group, name = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        if objects:
            for (namespace, each), _ in self._shelf.all((group, name)):
                self._shelf.drop((group, name, namespace, each))
        gone = [gvk for gvk in self._kinds if (gvk.group, gvk.kind) == (group, name)]
        for gvk in gone:
            del self._kinds[gvk]
        self._served = {gvk: kind for gvk, kind in self._served.items() if gvk not in gone}


def _received(manifest: Manifest) -> Manifest:
    """The manifest as it arrives over a wire: copied, as JSON, of bounded size. Raises `ApiFailure`."""
    try:
        data = orjson.dumps(manifest)
    except orjson.JSONEncodeError as error:
        raise failure.bad_request(f"error decoding patch: {error}") from None
    if len(data) > patch.MAX_BODY:
        raise failure.too_large(f"limit is {patch.MAX_BODY}")
    out: Manifest = orjson.loads(data)
    return out


def _api_kind(gvk: Gvk, kind: Kind) -> ApiKind:
    return ApiKind(gvk, kind.plural, kind.namespaced, VERBS)


def _at_version(manifest: Manifest, kind: Kind) -> Manifest:
    if manifest["apiVersion"] == kind.api_version:
        return manifest
    return {**manifest, "apiVersion": kind.api_version}


def _label_selector(text: str) -> Matches:
    try:
        return selector.parse(text)
    except failure.ApiFailure as error:
        raise answers.from_status(error.to_status()) from None


def _token(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, *key])).decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        return int(version), (str(namespace), str(name))
    except (ValueError, TypeError):
        refused = failure.bad_request("continue key is not valid")
        raise answers.from_status(refused.to_status()) from None


def _event(kind_of_event: Any, manifest: Manifest, kind: Kind) -> Event:
    return Event(kind_of_event, _copy(_at_version(manifest, kind)), manifest["metadata"]["resourceVersion"])


def _seen(entry: Past, scope: str, matches: Matches, kind: Kind) -> Event | None:
    """The write as a watch with this scope and selector sees it."""
    some = entry.after if entry.after is not None else entry.before
    assert some is not None
    if scope and some["metadata"].get("namespace") != scope:
        return None
    before = entry.before is not None and matches(entry.before["metadata"].get("labels") or {})
    after = entry.after is not None and matches(entry.after["metadata"].get("labels") or {})
    if after:
        assert entry.after is not None
        return _event("MODIFIED" if before else "ADDED", entry.after, kind)
    if not before:
        return None
    assert entry.before is not None
    last = {**entry.before, "metadata": {**entry.before["metadata"], "resourceVersion": str(entry.version)}}
    return _event("DELETED", last, kind)


def _break(lost: Fault | None) -> None:
    if lost is not None:
        raise errors.Unavailable("the connection broke before the answer (injected)")


def _error_of(fault: Fault, kind: str, name: str) -> errors.ArgosyError:
    if fault.effect == "unavailable":
        return errors.Unavailable("the server did not answer (injected)")
    seconds = int(fault.seconds)
    made = {
        "error": lambda: failure.internal("injected"),
        "busy": lambda: failure.ApiFailure(503, "ServiceUnavailable", "injected", retry_after=seconds),
        "throttled": lambda: failure.too_many_requests("injected", seconds or 1),
        "conflict": lambda: failure.conflict(kind.lower() + "s", "", name),
        "forbidden": lambda: failure.forbidden(kind.lower() + "s", "", name, "injected"),
        "expired": lambda: failure.expired("injected"),
        "refused": lambda: failure.invalid(
            kind, "", name, [failure.invalid_value("spec", "injected", "injected")]
        ),
    }[fault.effect]()
    return answers.from_status(made.to_status())


def connect(journal: Path | None = None) -> MemoryCluster:
    """The cluster of `--memory`: kept in the file across processes where one is given."""
    return MemoryCluster(journal=journal)
