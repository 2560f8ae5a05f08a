"""The one way API objects are written, for the API and for the hub's own loops alike.

Kubernetes' rules of a write are `argosy.machinery.write`; this module finds the live row, lets a pure
function decide, asks the kind's admission, and stores what came of it. Equal content is not written.
Reports of agents are not looked at here: what is read and written is the object's own row.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy.machinery import failure, names, write
from argosy.machinery.kinds import Place
from argosy.machinery.siblings import Siblings
from argosy.machinery.write import Options, Outcome
from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.core.types import NAMESPACE
from hub.store import accounts, admission, agents, issuing, naming, objects
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.reading import Reader
from hub.store.seal import Sealer

MANAGER = "argosy-hub"

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


class Resources(Reader):
    """Reads and writes API objects within a transaction. Raises `machinery.failure.ApiFailure`.

    `mint` makes join tokens; without one, JoinTokens cannot be created. `deletions` says what is asked of a deletion.
    Times are Unix seconds.
    """

    def __init__(
        self, sealer: Sealer, mint: issuing.Mint | None = None, deletions: Deletions | None = None
    ) -> None:
        super().__init__(sealer)
        self._mint = mint
        self._deletions = deletions or Deletions()
        self._siblings = Siblings()

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
        wanted = options(manager, now, validation)
        wanted = replace(wanted, uid=uid or wanted.uid)
        return self.commit(
            tx, served, place, lambda live: self._siblings.create(place, manifest, wanted), now=now
        ).object

    def update(self, tx: Tx, served: Served, manifest: Manifest, *, manager: str, now: float) -> Manifest:
        """Replaces the object; with a resourceVersion in it, only that version. Raises 404, 409, 422."""
        place = _place_of(served, manifest)
        wanted = options(manager, now, "Strict")

        def decide(live: Manifest | None) -> Outcome:
            return write.update(place, live, _with_version(manifest, live), wanted)

        return self.commit(tx, served, place, decide, now=now).object

    def apply(
        self, tx: Tx, served: Served, manifest: Manifest, *, manager: str, force: bool = False, now: float
    ) -> Manifest:
        """Server-side apply; creates where there is nothing. Raises 409 Conflict with a cause for each
        field.
        """
        place = _place_of(served, manifest)
        wanted = replace(options(manager, now, "Strict"), force=force)
        return self.commit(
            tx, served, place, lambda live: write.apply(place, live, manifest, wanted), now=now
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
        wanted = options(manager, now, "Strict")
        return self.commit(
            tx, served, place, lambda live: write.patched(place, live, media_type, patch, wanted), now=now
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
        wanted = options(manager, now)

        def decide(live: Manifest | None) -> Outcome:
            if live is not None and live.get("status") == status:
                return Outcome(live, write.UNCHANGED)
            return write.update(place, live, {**(live or {}), "status": status}, wanted)

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
        return self._end(tx, served, place, row, deletion, now=now).object

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
        written = self._end(tx, served, place, row, plain, now=now, dry_run=dry_run, by=by)
        if written.action == write.DELETED or dry_run:
            return written
        said = self._deletions.after(tx, self, served, written.object, now, by)
        return replace(written, warnings=(*written.warnings, *said))

    def _end(
        self,
        tx: Tx,
        served: Served,
        place: Place,
        row: Row | None,
        deletion: write.Deletion,
        *,
        now: float,
        dry_run: bool = False,
        by: str = "",
    ) -> Written:
        """Deletes what is at `place`, or marks it: with the finalizer, too, that what depends on it needs."""
        finalizer, said = "", tuple[str, ...]()
        if row is not None and not dry_run:
            finalizer, said = self._deletions.before(tx, self, served, self.read(row), now, by)

        def decide(live: Manifest | None) -> Outcome:
            return write.delete(place, live and _held(live, finalizer), deletion)

        written = self.commit(tx, served, place, decide, now=now, dry_run=dry_run)
        return replace(written, warnings=(*written.warnings, *said))

    def _orphan(self, tx: Tx, uid: str, now: float) -> None:
        for row in objects.owned_by(tx, uid):
            served = table.BY_RESOURCE[row.resource]
            child = generated.disowned(self.read(row), uid)
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
            return self._created(tx, served, place, outcome, now, dry_run, taken=row)
        assert row is not None
        assert live is not None
        if outcome.action == write.DELETED:
            return replace(self._deleted(tx, served, row, outcome, dry_run), before=live)
        admission.check(served, outcome.object, live, place)
        if served is table.CLUSTER:
            admission.check_server(tx, outcome.object, live)
        if dry_run:
            return Written(_versioned(outcome.object, str(row.rv)), write.UPDATED, outcome.warnings, live)
        new = Row(
            served.resource,
            row.namespace,
            row.name,
            row.uid,
            b"",
            owner=generated.controller_of(outcome.object),
        )
        stored = self._put(tx, served, new, outcome.object, row.rv)
        return Written(stored, write.UPDATED, outcome.warnings, live)

    def _created(
        self,
        tx: Tx,
        served: Served,
        place: Place,
        outcome: Outcome,
        now: float,
        dry_run: bool,
        *,
        taken: Row | None,
    ) -> Written:
        """`taken` is what has the name that the request gives; where it gives none, that is looked up."""
        manifest = served.complete(outcome.object)
        if served is table.CLUSTER:
            admission.check_server(tx, manifest)
            manifest = naming.placed(tx, manifest)
        metadata = manifest["metadata"]
        name = metadata["name"]
        kind = served.kind
        if kind.namespaced:
            admission.check_namespace(tx, place.namespace)
        if not place.name:
            taken = objects.get(tx, served.resource, place.namespace, name)
        if taken is not None:
            if metadata.get("generateName"):
                raise failure.name_taken(kind.plural, kind.group, name)
            deleting = bool(self.read(taken)["metadata"].get("deletionTimestamp"))
            raise failure.already_exists(kind.plural, kind.group, name, deleting=deleting)
        admission.check(served, manifest, None, place)
        answer: dict[str, Any] = {}
        if served is table.JOIN_TOKEN:
            manifest, answer = issuing.join_token(tx, manifest, now, self._mint, dry_run=dry_run)
        elif served is table.API_TOKEN:
            manifest, answer = issuing.api_token(tx, manifest, now, dry_run=dry_run)
        if dry_run:
            return Written(manifest, write.CREATED, outcome.warnings)
        row = Row(
            served.resource,
            place.namespace,
            name,
            metadata["uid"],
            b"",
            owner=generated.controller_of(manifest),
        )
        stored = self._put(tx, served, row, manifest, None)
        if answer:
            stored = {**stored, "status": {**(stored.get("status") or {}), **answer}}
        return Written(stored, write.CREATED, outcome.warnings)

    def _deleted(self, tx: Tx, served: Served, row: Row, outcome: Outcome, dry_run: bool) -> Written:
        admission.check_deletable(tx, served, row)
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


def options(manager: str, now: float, validation: str = "Ignore") -> Options:
    """Options of a write with a fresh uid and name suffix."""
    return Options(
        manager,
        cells.stamp(now),
        uid=str(uuid.uuid4()),
        suffix="".join(random.choices(names.SUFFIX_ALPHABET, k=5)),
        validation=validation,
    )


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
