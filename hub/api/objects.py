"""The verbs on objects: get, list, watch, create, update, patch, delete, deletecollection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from argosy import yamlio
from argosy.errors import ArgosyError
from argosy.machinery import failure, patch, write
from argosy.machinery.kinds import Place
from argosy.machinery.write import Outcome
from argosy.objects import Manifest
from hub.api import bodies, negotiate, options, show, wire
from hub.api.calls import Call
from hub.api.listing import Lister, restricted, selection
from hub.api.negotiate import Form
from hub.api.options import Deleting
from hub.api.show import Viewer
from hub.api.watching import Watcher, WatchResponse
from hub.core.served.base import Served
from hub.store import audit, objects
from hub.store.base import Store, Tx
from hub.store.resources import Resources, Written


class Objects:
    """Answers the verbs. Methods raise `ApiFailure`."""

    def __init__(
        self, store: Store, kept: Resources, viewer: Viewer, lister: Lister, watcher: Watcher
    ) -> None:
        self._store = store
        self._resources = kept
        self._viewer = viewer
        self._lister = lister
        self._watcher = watcher
        self._verbs: dict[str, Callable[[Call], Any]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def answer(self, call: Call) -> Response | WatchResponse:
        """The answer to one request."""
        if call.target.subresource and call.verb in ("create", "delete"):
            raise failure.method_not_allowed(call.target.resource, call.target.group, call.verb)
        found: Response | WatchResponse = await self._verbs[call.verb](call)
        return found

    async def admit(self, call: Call) -> None:
        """Whether the user may do what is asked of an object that is there. Raises `ApiFailure` 403."""
        target = call.target
        if call.permits is not None:
            row = await self._store.read(
                lambda tx: objects.get(tx, call.served.resource, target.namespace, target.name)
            )
            if row is not None:
                call.check(self._resources.read(row))

    # --- reading ---

    async def _get(self, call: Call) -> Response:
        form, served, target = call.form, call.served, call.target

        def job(tx: Tx) -> bytes | Manifest | None:
            row = objects.get(tx, served.resource, target.namespace, target.name)
            if row is None:
                return None
            if call.permits is not None:
                call.check(self._resources.read(row))
            if form.shape == negotiate.OBJECT and not form.yaml:
                return next(iter(self._viewer.bodies(tx, served, [row], call.now)))
            return self._viewer.one(tx, served, row, call.now)

        found = await self._store.read(job)
        if found is None:
            raise failure.not_found(target.resource, target.group, target.name)
        if isinstance(found, bytes):
            return wire.json_answer(found)
        include = call.request.query_params.get("includeObject", "Metadata")
        return self._rendered(show.one(served, found, form, call.now, include), form)

    async def _list(self, call: Call) -> Response:
        form, query = call.form, call.request.query_params
        wanted = restricted(selection(call.served, call.target.namespace, query), call.permits)
        page = await self._lister.page(call.served, wanted, query, form, alike=call.permits is None)
        response = self._rendered(page.body, form)
        if not form.yaml and wire.compresses(call.request, page.body):
            return wire.with_packed(response, await page.packed())
        return response

    async def _watch(self, call: Call) -> WatchResponse:
        query = dict(call.request.query_params)
        wanted = restricted(selection(call.served, call.target.namespace, query), call.permits)
        if call.target.name:
            named = restricted(
                replace(wanted, name=call.target.name, fields=_named(call.target.name)), call.permits
            )
            return await self._watcher.answer(call.served, named, query, call.form)
        return await self._watcher.answer(call.served, wanted, query, call.form)

    @staticmethod
    def _rendered(value: bytes | dict[str, Any], form: Form, status: int = 200) -> Response:
        if form.yaml:
            value = orjson.loads(value) if isinstance(value, bytes) else value
            return wire.json_answer(yamlio.dump(value).encode(), status, media_type=form.media_type)
        return wire.json_answer(value, status)

    # --- writing ---

    async def _create(self, call: Call) -> Response:
        wanted = options.of_write(call)
        body, strict = await self._manifest(call)
        wanted = replace(wanted, strict=strict)
        metadata = body.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise failure.bad_request("metadata is not an object")
        named = replace(call.place, name=str((metadata or {}).get("name") or ""))
        return await self._write(
            call, replace(named, name=""), lambda live: write.create(named, body, wanted)
        )

    async def _update(self, call: Call) -> Response:
        wanted = options.of_write(call)
        body, strict = await self._manifest(call)
        wanted = replace(wanted, strict=strict)
        place = call.place

        def decide(live: Manifest | None) -> Outcome:
            return write.update(place, live, body, wanted)

        return await self._write(call, place, decide, said_version=options.version_in(body))

    async def _patch(self, call: Call) -> Response:
        media = bodies.media_type(call.request)
        wanted = options.of_write(call, apply=media == patch.APPLY_PATCH)
        place, kind = call.place, call.served.kind
        raw = await bodies.read(call.request)
        if media == patch.APPLY_PATCH:
            body, strict = bodies.parse_yaml(raw)
            wanted = replace(wanted, strict=strict, force=wire.flag(call.request, "force"))
            return await self._write(
                call,
                place,
                lambda live: write.apply(place, live, body, wanted),
                said_version=options.version_in(body),
            )
        if wire.flag(call.request, "force") and "force" in call.request.query_params:
            error = failure.not_allowed("force", "may not be specified for non-apply patch")
            raise failure.invalid("PatchOptions", "meta.k8s.io", "", [error])
        accepted = list(write.PATCH_TYPES)
        if not kind.custom:
            accepted = [patch.JSON_PATCH, patch.MERGE_PATCH, patch.STRATEGIC_PATCH, patch.APPLY_PATCH]
        if media not in accepted:
            raise failure.unsupported_media_type(accepted)
        body, strict = bodies.parse_json(raw)
        wanted = replace(wanted, strict=strict)
        return await self._write(
            call,
            place,
            lambda live: write.patched(place, live, media, body, wanted),
            said_version=options.version_in_patch(body),
        )

    async def _write(
        self,
        call: Call,
        place: Place,
        decide: Callable[[Manifest | None], Outcome],
        *,
        said_version: str = "",
    ) -> Response:
        form, dry_run = call.form, options.dry_run(call.request)
        served = call.served
        if served.signed:
            decide = _signed(decide, call.user.name)
        if call.permits is not None:
            decide = _guarded(decide, call)

        def job(tx: Tx) -> tuple[Written, Manifest]:
            written = self._resources.commit(
                tx, served, place, decide, now=call.now, said_version=said_version, dry_run=dry_run
            )
            if dry_run:
                return written, self._imagined(tx, served, written, call.now)
            metadata = written.object["metadata"]
            if written.action != write.UNCHANGED:
                code = 201 if written.action == write.CREATED else 200
                audit.put(tx, call.record(metadata["name"], code, written.before, written.object))
            return written, self._answered(tx, served, written, call.now)

        run = self._store.read if dry_run else self._store.write
        written, answered = await run(job)
        status = 201 if written.action == write.CREATED else 200
        response = self._rendered(show.one(served, answered, form, call.now), form, status)
        return wire.with_warnings(response, (*written.warnings, *_advice(served, written)))

    def _answered(self, tx: Tx, served: Served, written: Written, now: float) -> Manifest:
        """What is stored, as it is shown."""
        if not served.composed or written.action == write.DELETED:
            return written.object
        metadata = written.object["metadata"]
        row = objects.get(tx, served.resource, metadata.get("namespace", ""), metadata["name"])
        return self._viewer.one(tx, served, row, now) if row is not None else written.object

    def _imagined(self, tx: Tx, served: Served, written: Written, now: float) -> Manifest:
        """The outcome of a dry run as it would be shown."""
        if not served.composed:
            return written.object
        metadata = written.object["metadata"]
        namespace, version = metadata.get("namespace", ""), metadata.get("resourceVersion") or "0"
        body = wire.json_bytes(written.object)
        row = objects.Row(served.resource, namespace, metadata["name"], metadata["uid"], body, int(version))
        return self._viewer.one(tx, served, row, now)

    # --- deleting ---

    async def _delete(self, call: Call) -> Response:
        deleting = await options.of_delete(call)
        served, target, form = call.served, call.target, call.form

        def job(tx: Tx) -> Written:
            if call.permits is not None:
                row = objects.get(tx, served.resource, target.namespace, target.name)
                if row is not None:
                    call.check(self._resources.read(row))
            return self._remove(tx, call, deleting, target.namespace, target.name)

        run = self._store.read if deleting.dry_run else self._store.write
        written = await run(job)
        if written.action != write.DELETED:
            marked = self._rendered(show.one(served, written.object, form, call.now), form)
            return wire.with_warnings(marked, written.warnings)
        kind = served.kind
        subject = failure.Subject(target.name, kind.group, kind.plural, written.object["metadata"]["uid"])
        return wire.with_warnings(self._rendered(failure.success(subject), form), written.warnings)

    async def _delete_collection(self, call: Call) -> Response:
        deleting = await options.of_delete(call)
        served = call.served
        wanted = restricted(selection(served, call.target.namespace, call.request.query_params), call.permits)

        def job(tx: Tx) -> list[Written]:
            rows = objects.page(tx, served.resource, wanted.namespace)
            return [
                self._remove(tx, call, deleting, row.namespace, row.name)
                for row in rows
                if wanted.matches(self._resources.read(row))
            ]

        run = self._store.read if deleting.dry_run else self._store.write
        gone = await run(job)
        kind = served.kind
        value = {
            "apiVersion": kind.api_version,
            "kind": kind.list_kind,
            "metadata": {},
            "items": [one.object for one in gone],
        }
        said = tuple(warning for one in gone for warning in one.warnings)
        return wire.with_warnings(self._rendered(value, call.form), said)

    def _remove(self, tx: Tx, call: Call, deleting: Deleting, namespace: str, name: str) -> Written:
        """Deletes one object, with its record."""
        written = self._resources.remove(
            tx,
            call.served,
            namespace,
            name,
            deleting.deletion(call.now),
            now=call.now,
            dry_run=deleting.dry_run,
            by=f"{call.user.name}: {call.verb}",
        )
        if not deleting.dry_run:
            left = None if written.action == write.DELETED else written.object
            audit.put(tx, call.record(name, 200, written.before, left))
        return written

    @staticmethod
    async def _manifest(call: Call) -> tuple[Manifest, tuple[str, ...]]:
        body, strict = bodies.decode(await bodies.read(call.request), bodies.media_type(call.request))
        if not isinstance(body, dict):
            raise failure.bad_request("the body is not an object")
        kind = call.served.kind
        if not body.get("apiVersion") and not body.get("kind"):
            body = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        return body, strict


def _guarded(
    decide: Callable[[Manifest | None], Outcome], call: Call
) -> Callable[[Manifest | None], Outcome]:
    """What is decided, where the user may do it with the object as it is and as it will be."""

    def decided(live: Manifest | None) -> Outcome:
        if live is not None:
            call.check(live)
        outcome = decide(live)
        call.check(outcome.object)
        return outcome

    return decided


def _signed(
    decide: Callable[[Manifest | None], Outcome], person: str
) -> Callable[[Manifest | None], Outcome]:
    """What is decided, with the name of who created the object: nobody speaks for somebody else."""

    def decided(live: Manifest | None) -> Outcome:
        outcome = decide(live)
        spec = outcome.object.get("spec") if outcome.action in (write.CREATED, write.UPDATED) else None
        if not isinstance(spec, dict):
            return outcome
        creator = (live.get("spec") or {}).get("person", "") if live is not None else person
        return replace(outcome, object={**outcome.object, "spec": {**spec, "person": creator}})

    return decided


def _named(name: str) -> Callable[[Any], bool]:
    return lambda manifest: bool(manifest["metadata"].get("name") == name)


def _advice(served: Served, written: Written) -> list[str]:
    """What looks like a mistake in a spec that was just written; an accepted object is never refused for it."""
    before = (written.before or {}).get("spec")
    if written.action not in (write.CREATED, write.UPDATED) or before == written.object.get("spec"):
        return []
    try:
        return served.advise(written.object)
    except ArgosyError:
        return []
