"""What happens inside a cluster in memory: writes through `argosy.machinery`, owners and namespaces that take what is theirs
along, kinds that definitions bring, and the toy controllers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from agent.cluster import growth, serving
from agent.cluster.base import KindMissing
from agent.cluster.journal import Key
from agent.cluster.shelf import Shelf, Sort
from argosy.kinds import CRD, ApiKind, Gvk, gvk_of
from argosy.machinery import failure, kinds, write
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

_NAMESPACE: Sort = ("", "Namespace")
_CRD: Sort = (CRD.group, CRD.kind)


class Interior:
    """All calls raise `ApiFailure`. With `settled` the toy controllers act at once after each write, otherwise only in
    `settle`. `clock` answers Unix seconds.
    """

    def __init__(self, shelf: Shelf, clock: Callable[[], float], *, settled: bool) -> None:
        self.shelf = shelf
        self.settled = settled
        self._clock = clock
        self._second, self._text = -1, ""
        self._unsettled: dict[Key, None] = {}
        self.kinds: dict[Gvk, Kind] = {
            Gvk(each.group, each.version, each.kind): each for each in kinds.builtin()
        }
        self.served: dict[Gvk, ApiKind] = {
            gvk: serving.api_kind(gvk, kind) for gvk, kind in self.kinds.items()
        }

    def begin(self) -> None:
        """Takes up the kinds that were defined in an earlier life."""
        for _, crd in self.shelf.all(_CRD):
            if crd.get("status", {}).get("conditions"):
                self.learn(crd)

    def options(self, manager: str, *, force: bool = False, validate: bool = False) -> write.Options:
        uid = str(uuid.uuid4())
        validation = "Strict" if validate else "Ignore"
        return write.Options(
            manager, self.now(), uid=uid, suffix=uid[-5:], validation=validation, force=force
        )

    def now(self) -> str:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self._text

    def kind(self, gvk: Gvk) -> Kind:
        found = self.kinds.get(gvk)
        if found is None:
            raise KindMissing(f"the cluster does not serve {gvk.kind} of {gvk.api_version}")
        return found

    def settle(self) -> int:
        """Lets the toy controllers act on all that changed; how many objects they touched."""
        count = 0
        while self._unsettled:
            key = next(iter(self._unsettled))
            del self._unsettled[key]
            count += self._grow(key)
        return count

    def apply(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        if not name or (kind.namespaced and not namespace):
            raise failure.method_not_allowed(kind.plural, kind.group, "patch")
        live = self.shelf.get((kind.group, kind.kind), namespace, name)
        if live is None:
            self.check_namespace(kind, namespace, name)
        return write.apply(kinds.Place(kind, namespace, name), live, manifest, options)

    def create(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        if self.shelf.get((kind.group, kind.kind), namespace, name) is not None:
            raise failure.already_exists(kind.plural, kind.group, name)
        self.check_namespace(kind, namespace, name)
        return write.create(kinds.Place(kind, namespace), manifest, options)

    def update(self, kind: Kind, manifest: Manifest, options: write.Options) -> write.Outcome:
        metadata = manifest.get("metadata") or {}
        name = metadata.get("name") or ""
        namespace = (metadata.get("namespace") or "") if kind.namespaced else ""
        live = self.shelf.get((kind.group, kind.kind), namespace, name)
        if live is None:
            # A server may create it then; whoever replaces an object means the one there was.
            raise failure.conflict(kind.plural, kind.group, name, "the object is gone")
        return write.update(kinds.Place(kind, namespace, name), live, manifest, options)

    def check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.shelf.get(_NAMESPACE, "", namespace)
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

    def delete(self, kind: Kind, namespace: str, name: str, uid: str, propagation: str) -> bool:
        namespace = namespace if kind.namespaced else ""
        key: Key = (kind.group, kind.kind, namespace, name)
        live = self.shelf.get(key[:2], namespace, name)
        if live is None:
            return False
        place = kinds.Place(kind, namespace, name)
        outcome = write.delete(place, live, write.Deletion(self.now(), uid))
        if propagation == "Orphan":
            self._orphan(live["metadata"]["uid"])
        if kind.kind == "Namespace" and not kind.group:
            self._terminate(key, live)
            return True
        if outcome.action == write.DELETED:
            self._drop(key)
        else:
            self.store(kind, outcome)
        return True

    def store(self, kind: Kind, outcome: write.Outcome) -> Manifest:
        metadata = outcome.object["metadata"]
        key: Key = (kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
        if outcome.action == write.DELETED:
            self._drop(key)
            return outcome.object
        if outcome.action == write.UNCHANGED:
            return outcome.object
        stored = self.shelf.put(key, outcome.object)
        if key[:2] in growth.GROWN:
            self._unsettled[key] = None
            if self.settled:
                self.settle()
        return stored

    def _drop(self, key: Key) -> None:
        """Removes an object, then what belonged to it."""
        gone = self.shelf.drop(key)
        self._unsettled.pop(key, None)
        if gone is None:
            return
        if key[:2] == _CRD:
            self._unlearn(gone)
        for child in self.shelf.children(gone["metadata"]["uid"]):
            self._collect(child)
        namespace = self.shelf.get(_NAMESPACE, "", key[2]) if key[2] else None
        if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
            self._finish(("", "Namespace", "", key[2]))

    def _collect(self, key: Key) -> None:
        """Deletes an object none of whose owners is left."""
        child = self.shelf.get(key[:2], key[2], key[3])
        if child is None:
            return
        owners = child["metadata"].get("ownerReferences") or ()
        if any(self._owner_lives(owner, key[2]) for owner in owners):
            return
        kind = next((each for gvk, each in self.kinds.items() if (gvk.group, gvk.kind) == key[:2]), None)
        if kind is not None:
            self.delete(kind, key[2], key[3], "", "")

    def _owner_lives(self, owner: Mapping[str, Any], namespace: str) -> bool:
        sort = (str(owner["apiVersion"]).rpartition("/")[0], str(owner["kind"]))
        found = self.shelf.get(sort, namespace, owner["name"]) or self.shelf.get(sort, "", owner["name"])
        return found is not None and found["metadata"]["uid"] == owner["uid"]

    def _orphan(self, uid: str) -> None:
        for key in self.shelf.children(uid):
            child = self.shelf.get(key[:2], key[2], key[3])
            if child is not None:
                owners = [each for each in child["metadata"]["ownerReferences"] if each["uid"] != uid]
                self.shelf.put(key, {**child, "metadata": {**child["metadata"], "ownerReferences": owners}})

    def _terminate(self, key: Key, live: Manifest) -> None:
        """A namespace ends when all in it is gone: at once, or when the last finalizer in it goes."""
        if not live["metadata"].get("deletionTimestamp"):
            metadata = {**live["metadata"], "deletionTimestamp": self.now()}
            status = {**(live.get("status") or {}), "phase": "Terminating"}
            self.shelf.put(key, {**live, "metadata": metadata, "status": status})
        for inner in self.shelf.inside(key[3]):
            kind = next(
                (each for gvk, each in self.kinds.items() if (gvk.group, gvk.kind) == inner[:2]), None
            )
            if kind is not None:
                self.delete(kind, inner[2], inner[3], "", "")
        self._finish(key)

    def _finish(self, key: Key) -> None:
        namespace = self.shelf.get(_NAMESPACE, "", key[3])
        if (
            namespace is not None
            and not namespace["metadata"].get("finalizers")
            and not self.shelf.inside(key[3])
        ):
            self.shelf.drop(key)

    def _grow(self, key: Key) -> bool:
        manifest = self.shelf.get(key[:2], key[2], key[3])
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            return False
        status = growth.grown(manifest, self.now())
        kind = self.kinds.get(gvk_of(manifest))
        if status is None or kind is None:
            return False
        place = kinds.Place(kind, key[2], key[3], "status")
        outcome = write.update(place, manifest, {**manifest, "status": status}, self.options(growth.MANAGER))
        if outcome.action != write.UNCHANGED:
            self.shelf.put(key, outcome.object)
        if key[:2] == _CRD:
            self.learn(outcome.object)
        return outcome.action != write.UNCHANGED

    def learn(self, crd: Manifest) -> None:
        self._unlearn(crd, objects=False)
        for kind in kinds.from_crd(crd):
            gvk = Gvk(kind.group, kind.version, kind.kind)
            self.kinds[gvk] = kind
            self.served = {**self.served, gvk: serving.api_kind(gvk, kind)}

    def _unlearn(self, crd: Manifest, *, objects: bool = True) -> None:
        group, name = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        if objects:
            for (namespace, each), _ in self.shelf.all((group, name)):
                self.shelf.drop((group, name, namespace, each))
        gone = [gvk for gvk in self.kinds if (gvk.group, gvk.kind) == (group, name)]
        for gvk in gone:
            del self.kinds[gvk]
        self.served = {gvk: kind for gvk, kind in self.served.items() if gvk not in gone}
