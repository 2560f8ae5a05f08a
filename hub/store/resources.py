"""The one way API objects are written, for the API and for the hub's own loops alike.

Kubernetes' rules of a write are `argosy.machinery.write`; this module finds the live row, lets a pure
function decide, asks the kind's admission, and stores what came of it. Equal content is not written.
Reports of agents are not looked at here: what is read and written is the object's own row.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy.machinery import failure, names, write
from argosy.machinery.siblings import Siblings
from argosy.machinery.write import Options, Outcome, Place
from argosy.objects import Manifest
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.core.types import LOCAL_CLUSTER, LOCAL_SERVER
from hub.store import accounts, agents, issuing, naming, objects
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.seal import Sealer

NAMESPACE = "argocd"
"""Where Argo CD's objects live, and what exists from the first start."""
MANAGER = "argosy-hub"

Mint = Callable[[Tx, str, float], str]
"""(tx, cluster id, seconds it can be used) -> the text of a new join token."""
Decide = Callable[[Manifest | None], Outcome]
"""The live object (None where there is none) -> what shall become of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write. `action` is one of `argosy.machinery.write`'s; `object` as it is stored and
    answered.
    """

    object: Manifest
    action: str
    warnings: tuple[str, ...] = ()
    before: Manifest | None = None
    """The object as it was; None where there was none."""


def _nothing_before(*_: object) -> tuple[str, tuple[str, ...]]:
    return "", ()


def _nothing_after(*_: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Deletions:
    """What a deletion means for what depends on the object. Both are given (tx, resources, served, the object, Unix seconds,
    by whom, "" where that is not known).

    `before` answers with the finalizer that keeps the object for now, "" for none, and what to tell who asks; `after` with
    what else to tell of an object that stays under deletion.
    """

    before: Callable[[Tx, Resources, Served, Manifest, float, str], tuple[str, tuple[str, ...]]] = (
        _nothing_before
    )
    after: Callable[[Tx, Resources, Served, Manifest, float, str], tuple[str, ...]] = _nothing_after


class Resources:
    """Reads and writes API objects within a transaction. Raises `machinery.failure.ApiFailure`.

    `mint` makes join tokens; without one, JoinTokens cannot be created. `deletions` says what is asked of a deletion.
    Times are Unix seconds.
    """

    def __init__(self, sealer: Sealer, mint: Mint | None = None, deletions: Deletions | None = None) -> None:
        self._sealer = sealer
        self._mint = mint
        self._deletions = deletions or Deletions()
        self._siblings = Siblings()

    # --- reading ---

    def read(self, row: Row) -> Manifest:
        """The object of a row."""
        manifest: Manifest = orjson.loads(self.body(row))
        return manifest

    def body(self, row: Row) -> bytes:
        """The JSON of a row, unsealed."""
        return self.opened(row.resource, row.uid, row.body)

    def opened(self, resource: str, uid: str, body: bytes) -> bytes:
        """A stored body as JSON."""
        served = table.BY_RESOURCE.get(resource)
        return self._sealer.open(body, uid) if served is not None and served.sealed else body

    def get(self, tx: Tx, served: Served, namespace: str, name: str) -> Manifest | None:
        """The object; None where there is none."""
        row = objects.get(tx, served.resource, namespace if served.kind.namespaced else "", name)
        return self.read(row) if row is not None else None

    def list(self, tx: Tx, served: Served, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind in (namespace, name) order, of one namespace or (None) of all."""
        rows = (objects.page if served.sealed else objects.listed)(tx, served.resource, namespace)
        return [self.read(row) for row in rows]

    def by_uid(self, tx: Tx, uid: str) -> Manifest | None:
        """The object of this uid, whatever its kind and name; None where there is none."""
        row = objects.by_uid(tx, uid)
        return self.read(row) if row is not None else None

    def by_uids(self, tx: Tx, uids: Sequence[str]) -> dict[str, Manifest]:
        """uid -> object of those that are there, whatever their kinds."""
        return {row.uid: self.read(row) for row in objects.by_uids(tx, uids)}

    def owned(self, tx: Tx, served: Served, uid: str) -> Sequence[Manifest]:
        """Objects of a kind whose controlling owner has this uid, in name order."""
        return [self.read(row) for row in objects.owned_by(tx, uid) if row.resource == served.resource]

    # --- writing ---

    def create(
        self,
        tx: Tx,
        served: Served,
        manifest: Manifest,
        *,
        manager: str,
        now: float,
        validation: str = "Strict",
        uid: str = "",
    ) -> Manifest:
        """A new object, with this `uid` where the hub has one for it. Raises 409 AlreadyExists, 422 Invalid."""
        place = _place_of(served, manifest)
        options = _options(manager, now, validation)
        options = replace(options, uid=uid or options.uid)
        return self.commit(
            tx, served, place, lambda live: self._siblings.create(place, manifest, options), now=now
        ).object

    def update(self, tx: Tx, served: Served, manifest: Manifest, *, manager: str, now: float) -> Manifest:
        """Replaces the object; with a resourceVersion in it, only that version. Raises 404, 409, 422."""
        place = _place_of(served, manifest)
        options = _options(manager, now, "Strict")

        def decide(live: Manifest | None) -> Outcome:
            return write.update(place, live, _with_version(manifest, live), options)

        return self.commit(tx, served, place, decide, now=now).object

    def apply(
        self, tx: Tx, served: Served, manifest: Manifest, *, manager: str, force: bool = False, now: float
    ) -> Manifest:
        """Server-side apply; creates where there is nothing. Raises 409 Conflict with a cause for each
        field.
        """
        place = _place_of(served, manifest)
        options = replace(_options(manager, now, "Strict"), force=force)
        return self.commit(
            tx, served, place, lambda live: write.apply(place, live, manifest, options), now=now
        ).object

    def patch(
        self,
        tx: Tx,
        served: Served,
        namespace: str,
        name: str,
        patch: Any,
        *,
        manager: str,
        now: float,
        media_type: str = "application/merge-patch+json",
    ) -> Manifest:
        """A merge patch, or one of another media type. Raises 404, 409, 422."""
        place = Place(served.kind, namespace if served.kind.namespaced else "", name)
        options = _options(manager, now, "Strict")
        return self.commit(
            tx, served, place, lambda live: write.patched(place, live, media_type, patch, options), now=now
        ).object

    def set_status(
        self,
        tx: Tx,
        served: Served,
        namespace: str,
        name: str,
        status: dict[str, Any],
        *,
        manager: str,
        now: float,
    ) -> Manifest:
        """Writes `status` alone. An equal one writes nothing. Raises 404, 422."""
        place = Place(served.kind, namespace if served.kind.namespaced else "", name, "status")
        options = _options(manager, now, "Ignore")

        def decide(live: Manifest | None) -> Outcome:
            if live is not None and live.get("status") == status:
                return Outcome(live, write.UNCHANGED)
            return write.update(place, live, {**(live or {}), "status": status}, options)

        return self.commit(tx, served, place, decide, now=now).object

    def delete(
        self, tx: Tx, served: Served, namespace: str, name: str, *, now: float, uid: str | None = None
    ) -> Manifest | None:
        """Deletes the object, or marks it where it has finalizers. What is gone, or goes; None where there
        was none.
        """
        place = Place(served.kind, namespace if served.kind.namespaced else "", name)
        row = objects.get(tx, served.resource, place.namespace, name)
        if row is None:
            return None
        deletion = write.Deletion(cells.stamp(now), uid or "")
        finalizer, _ = self._deletions.before(tx, self, served, self.read(row), now, "")
        return self.commit(
            tx,
            served,
            place,
            lambda live: write.delete(place, live and _held(live, finalizer), deletion),
            now=now,
        ).object

    def remove(
        self,
        tx: Tx,
        served: Served,
        namespace: str,
        name: str,
        deletion: write.Deletion,
        *,
        now: float,
        dry_run: bool = False,
        by: str = "",
    ) -> Written:
        """DELETE as a client asks for it, `by` whom. Raises 404, 409.

        `Orphan` takes the object's children out of its ownership at once; `Foreground` is as `Background`,
        since what an application deployed goes by its own finalizer before the application does.
        """
        place = Place(served.kind, namespace if served.kind.namespaced else "", name)
        row = objects.get(tx, served.resource, place.namespace, name)
        if row is not None and deletion.propagation == "Orphan" and not dry_run:
            self._orphan(tx, row.uid, now)
        plain = replace(deletion, propagation="")
        finalizer, said = "", tuple[str, ...]()
        if row is not None and not dry_run:
            finalizer, said = self._deletions.before(tx, self, served, self.read(row), now, by)
        written = self.commit(
            tx,
            served,
            place,
            lambda live: write.delete(place, live and _held(live, finalizer), plain),
            now=now,
            dry_run=dry_run,
        )
        if written.action != write.DELETED and not dry_run:
            said = (*said, *self._deletions.after(tx, self, served, written.object, now, by))
        return replace(written, warnings=(*written.warnings, *said))

    def _orphan(self, tx: Tx, uid: str, now: float) -> None:
        for row in objects.owned_by(tx, uid):
            served = table.BY_RESOURCE[row.resource]
            child = self.read(row)
            owners = [
                each for each in child["metadata"].get("ownerReferences") or () if each.get("uid") != uid
            ]
            child["metadata"]["ownerReferences"] = owners
            self.update(tx, served, child, manager=MANAGER, now=now)

    def commit(
        self,
        tx: Tx,
        served: Served,
        place: Place,
        decide: Decide,
        *,
        now: float,
        said_version: str = "",
        dry_run: bool = False,
    ) -> Written:
        """Decides about the object at `place` and stores the outcome; `place.name` "" for a create.

        `said_version` is the resourceVersion the request names. Agents' reports move the version that
        clients see without changing the object, so any version from the object's own up to the newest means
        the object as it is.
        """
        row = objects.get(tx, served.resource, place.namespace, place.name) if place.name else None
        live = self.read(row) if row is not None else None
        shown = live
        if row is not None and live is not None and _means(tx, row, said_version):
            shown = {**live, "metadata": {**live["metadata"], "resourceVersion": said_version}}
        outcome = decide(shown)
        if outcome.action == write.UNCHANGED:
            return Written(live if live is not None else outcome.object, write.UNCHANGED, outcome.warnings)
        if outcome.action == write.CREATED:
            return self._created(tx, served, place, outcome, now, dry_run)
        assert row is not None
        assert live is not None
        if outcome.action == write.DELETED:
            return replace(self._deleted(tx, served, row, outcome, dry_run), before=live)
        _admit(served, outcome.object, live, place)
        if dry_run:
            return Written(_versioned(outcome.object, str(row.rv)), write.UPDATED, outcome.warnings, live)
        new = Row(served.resource, row.namespace, row.name, row.uid, b"", owner=_owner(outcome.object))
        stored = self._put(tx, served, new, outcome.object, row.rv)
        return Written(stored, write.UPDATED, outcome.warnings, live)

    def _created(
        self, tx: Tx, served: Served, place: Place, outcome: Outcome, now: float, dry_run: bool
    ) -> Written:
        manifest = served.complete(outcome.object)
        if served is table.CLUSTER:
            manifest = naming.placed(tx, manifest)
        metadata = manifest["metadata"]
        name = metadata["name"]
        kind = served.kind
        if kind.namespaced:
            _check_namespace(tx, place.namespace)
        taken = objects.get(tx, served.resource, place.namespace, name)
        if taken is not None:
            if metadata.get("generateName"):
                raise failure.name_taken(kind.plural, kind.group, name)
            deleting = bool(self.read(taken)["metadata"].get("deletionTimestamp"))
            raise failure.already_exists(kind.plural, kind.group, name, deleting=deleting)
        _admit(served, manifest, None, place)
        answer: dict[str, Any] = {}
        if served is table.JOIN_TOKEN:
            manifest, answer = self._minted(tx, manifest, now, dry_run)
        elif served is table.API_TOKEN:
            manifest, answer = issuing.issue(tx, manifest, now, dry_run=dry_run)
        if dry_run:
            return Written(manifest, write.CREATED, outcome.warnings)
        row = Row(served.resource, place.namespace, name, metadata["uid"], b"", owner=_owner(manifest))
        stored = self._put(tx, served, row, manifest, None)
        if answer:
            stored = {**stored, "status": {**(stored.get("status") or {}), **answer}}
        return Written(stored, write.CREATED, outcome.warnings)

    def _deleted(self, tx: Tx, served: Served, row: Row, outcome: Outcome, dry_run: bool) -> Written:
        _check_deletable(tx, served, row)
        if not dry_run:
            objects.delete(
                tx, row, stamp=lambda body, rv: self._stamped(served, row.uid, outcome.object, rv)[0]
            )
            if served is table.CLUSTER:
                agents.forget(tx, row.uid)
            elif served is table.API_TOKEN:
                accounts.withdraw(tx, row.uid)
        return Written(outcome.object, write.DELETED, outcome.warnings)

    def _put(self, tx: Tx, served: Served, row: Row, manifest: Manifest, expected: int | None) -> Manifest:
        stored = manifest

        def stamp(body: bytes, rv: int) -> bytes:
            nonlocal stored
            sealed, stored = self._stamped(served, row.uid, manifest, rv)
            return sealed

        objects.put(tx, row, expected_rv=expected, stamp=stamp)
        return stored

    def _stamped(self, served: Served, uid: str, manifest: Manifest, rv: int) -> tuple[bytes, Manifest]:
        stored = _versioned(manifest, str(rv))
        body = orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)
        return (self._sealer.seal(body, uid) if served.sealed else body), stored

    def _minted(
        self, tx: Tx, manifest: Manifest, now: float, dry_run: bool
    ) -> tuple[Manifest, dict[str, Any]]:
        """A JoinToken with what its creation alone answers. Raises 404 where the cluster does not exist."""
        spec = manifest["spec"]
        cluster = objects.get(tx, table.CLUSTER.resource, "", spec["cluster"])
        if cluster is None:
            raise failure.not_found("clusters", table.CLUSTER.kind.group, spec["cluster"])
        lifetime = float(spec["ttlSeconds"])
        status = {"expires": cells.stamp(now + lifetime)}
        if dry_run:
            return {**manifest, "status": status}, {}
        if self._mint is None:
            raise failure.unavailable("this hub makes no join tokens: its link is not up")
        return {**manifest, "status": status}, {"token": self._mint(tx, cluster.uid, lifetime)}

    # --- events ---

    def event(
        self,
        tx: Tx,
        about: Manifest,
        *,
        kind: str,
        reason: str,
        message: str,
        now: float,
        component: str = MANAGER,
    ) -> None:
        """Notes that something happened to an object. `kind` is Normal or Warning.

        The same happening again is counted on the event that is there.
        """
        metadata = about["metadata"]
        namespace = metadata.get("namespace") or NAMESPACE
        said = uuid.uuid5(
            uuid.NAMESPACE_OID, "\n".join((metadata["uid"], component, kind, reason, message))
        ).hex
        time = cells.stamp(now)
        name = objects.event_name(tx, said)
        live = self.get(tx, table.EVENT, namespace, name) if name else None
        if live is not None:
            changed = {"count": int(live.get("count") or 1) + 1, "lastTimestamp": time}
            self.patch(tx, table.EVENT, namespace, name, changed, manager=component, now=now)
            return
        # As in Kubernetes, names come in the order of what happened, and so does every list.
        name = f"{metadata['name'][:200]}.{tx.next_rv():016x}"
        objects.name_event(tx, said, name)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "reportingComponent": component,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        self.create(tx, table.EVENT, event, manager=component, now=now)


IDENTITY = "kube-system"


def bootstrap(tx: Tx, resources: Resources, now: float) -> None:
    """Makes what exists from the first start: namespaces and the project that permits everything.

    The id of `kube-system` is who this hub is to an agent that serves the hub's own API.
    """
    for name in (NAMESPACE, "default", IDENTITY):
        if resources.get(tx, table.NAMESPACE, "", name) is None:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            resources.create(tx, table.NAMESPACE, namespace, manager=MANAGER, now=now)
    if resources.get(tx, table.APP_PROJECT, NAMESPACE, "default") is None:
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        }
        resources.create(tx, table.APP_PROJECT, project, manager=MANAGER, now=now)


def own_cluster(tx: Tx, resources: Resources, now: float) -> str:
    """The id of the cluster that is this hub's own API; makes it where there is none yet."""
    known = resources.list(tx, table.CLUSTER)
    found = next((one for one in known if one["spec"].get("server") == LOCAL_SERVER), None)
    found = found or resources.get(tx, table.CLUSTER, "", LOCAL_CLUSTER)
    if found is None:
        manifest = {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": LOCAL_CLUSTER},
            "spec": {"server": LOCAL_SERVER},
        }
        found = resources.create(tx, table.CLUSTER, manifest, manager=MANAGER, now=now)
    return str(found["metadata"]["uid"])


def options(manager: str, now: float) -> Options:
    """Options of a write with a fresh uid and name suffix."""
    return Options(
        manager,
        cells.stamp(now),
        uid=str(uuid.uuid4()),
        suffix="".join(random.choices(names.SUFFIX_ALPHABET, k=5)),
    )


def _options(manager: str, now: float, validation: str) -> Options:
    return replace(options(manager, now), validation=validation)


def _held(live: Manifest, finalizer: str) -> Manifest:
    """The object with a finalizer, "" for none."""
    if not finalizer:
        return live
    metadata = dict(live["metadata"])
    metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]
    return {**live, "metadata": metadata}


def _place_of(served: Served, manifest: Manifest) -> Place:
    metadata = manifest.get("metadata") or {}
    namespace = (metadata.get("namespace") or NAMESPACE) if served.kind.namespaced else ""
    return Place(served.kind, namespace, metadata.get("name") or "")


def _with_version(manifest: Manifest, live: Manifest | None) -> Manifest:
    """A loop that does not say which version it read means the one that is there."""
    if live is None or (manifest.get("metadata") or {}).get("resourceVersion"):
        return manifest
    version = live["metadata"]["resourceVersion"]
    return {**manifest, "metadata": {**(manifest.get("metadata") or {}), "resourceVersion": version}}


def _means(tx: Tx, row: Row, said: str) -> bool:
    return said.isdecimal() and row.rv < int(said) <= objects.newest_rv(tx)


def _versioned(manifest: Manifest, version: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}


def _owner(manifest: Manifest) -> str:
    owners: Iterable[dict[str, Any]] = manifest["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid") or "") for owner in owners if owner.get("controller")), "")


def _admit(served: Served, new: Manifest, live: Manifest | None, place: Place) -> None:
    if place.subresource:
        return
    errors = served.admit(new, live)
    if errors:
        raise failure.invalid(served.kind.kind, served.kind.group, new["metadata"].get("name") or "", errors)


def _check_namespace(tx: Tx, namespace: str) -> None:
    if objects.get(tx, table.NAMESPACE.resource, "", namespace) is None:
        raise failure.not_found("namespaces", "", namespace)


def _check_deletable(tx: Tx, served: Served, row: Row) -> None:
    """A namespace goes when it is empty, so that no application goes by surprise; the first objects stay."""
    if served is table.APP_PROJECT and row.name == "default":
        raise failure.forbidden(
            "appprojects", served.kind.group, row.name, "the default project may not be deleted"
        )
    if served is not table.NAMESPACE:
        return
    if row.name in (NAMESPACE, "default"):
        raise failure.forbidden("namespaces", "", row.name, "this namespace may not be deleted")
    found = tx.one(
        "SELECT resource, count(*) FROM objects WHERE namespace = ? AND resource <> ? GROUP BY resource "
        "ORDER BY count(*) DESC LIMIT 1",
        (row.name, table.EVENT.resource),
    )
    if found is not None:
        why = f"it is not empty: delete its {found[1]} {found[0].rpartition('/')[2]} first"
        raise failure.conflict("namespaces", "", row.name, why)
    for event in objects.page(tx, table.EVENT.resource, row.name):
        objects.delete(tx, event, stamp=lambda body, rv: body)
