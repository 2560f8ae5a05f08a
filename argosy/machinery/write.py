"""The one way an object is written: create, update, patch, apply and delete as functions of what there was.

Both the hub's API and the agent's in-memory cluster write through here, so both keep ownership, generations,
optimistic locking, finalizers and error texts as a real API server does. Storing, resourceVersions, watching and
access control are the caller's. An answered object may share parts with the live one: treat both as values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argosy.machinery import apply as ownership
from argosy.machinery import bodies, failure, names, patch, stored, typed
from argosy.machinery.kinds import Place
from argosy.objects import Manifest

PATCH_TYPES = (patch.JSON_PATCH, patch.MERGE_PATCH, patch.APPLY_PATCH)
"""What a custom kind takes; the built-in ones take `patch.STRATEGIC_PATCH`, too."""
CREATED, UPDATED, UNCHANGED, DELETED = "created", "updated", "unchanged", "deleted"


@dataclass(frozen=True, slots=True)
class Options:
    """How a request wants to be handled.

    `manager`: who writes (`managed_fields.manager_name`). `now`: RFC 3339 in seconds, UTC. `uid`: for an object that comes
    into being. `suffix`: five random characters for `generateName`. `validation`: Strict, Warn or Ignore. `strict`:
    what the parser already found strictly wrong (duplicate keys), as `duplicate field "x"`.
    """

    manager: str
    now: str
    uid: str = ""
    suffix: str = ""
    validation: str = "Ignore"
    force: bool = False
    strict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: the object to store and answer, and what to do with it.

    `action` is one of CREATED, UPDATED, UNCHANGED (store nothing), DELETED (the last finalizer went, or a delete).
    """

    object: Manifest
    action: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deletion:
    """`DeleteOptions`. `propagation`: Background, Foreground, Orphan or "" for the kind's default."""

    now: str
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""


# --- the five writes ----------------------------------------------------------------------------------------------


def create(place: Place, body: Manifest, options: Options) -> Outcome:
    """POST. The caller refuses a name that is taken (`failure.already_exists`). Raises `ApiFailure`."""
    kind = place.kind
    bodies.check_depth(body)
    bodies.check_type(kind, body)
    body, unknown = bodies.read(kind, body)
    warnings = bodies.judge(
        kind, [*options.strict, *(f'unknown field "{path}"' for path in unknown)], options.validation
    )
    metadata = dict(body.get("metadata") or {})
    _set_namespace(place, metadata)
    if metadata.get("resourceVersion"):
        raise failure.unclassified("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = names.generated(metadata["generateName"], options.suffix)
    new = ownership.track_update(
        None, {**body, "metadata": metadata}, stored.target(place), options.manager, options.now
    )
    return Outcome(
        stored.born(kind, new, options.uid, options.now),
        CREATED,
        (*warnings, *_finalizer_warnings(new, None)),
    )


def update(place: Place, live: Manifest | None, body: Manifest, options: Options) -> Outcome:
    """PUT. `live` is None where there is no such object. Raises `ApiFailure`."""
    kind = place.kind
    bodies.check_depth(body)
    bodies.check_type(kind, body)
    body, unknown = bodies.read(kind, body)
    warnings = bodies.judge(
        kind, [*options.strict, *(f'unknown field "{path}"' for path in unknown)], options.validation
    )
    _check_address(place, body)
    if live is None and kind.put_creates and not place.subresource:
        new = ownership.track_update(None, body, stored.target(place), options.manager, options.now)
        return Outcome(
            stored.born(kind, _with_namespace(place, new), options.uid, options.now), CREATED, warnings
        )
    if live is None:
        raise failure.not_found(kind.plural, kind.group, place.name)
    uid, live_uid = (body.get("metadata") or {}).get("uid"), live["metadata"]["uid"]
    if uid and uid != live_uid:
        raise failure.conflict(
            kind.plural,
            kind.group,
            place.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}",
        )
    new = ownership.track_update(live, body, stored.target(place), options.manager, options.now)
    return _replaced(place, live, new, warnings)


def patched(place: Place, live: Manifest | None, media_type: str, body: Any, options: Options) -> Outcome:
    """PATCH other than apply; `body` is the parsed patch. Raises `ApiFailure`, 415 for a type the kind does not take."""
    kind = place.kind
    accepted = (
        list(PATCH_TYPES) if kind.custom else [*PATCH_TYPES[:2], patch.STRATEGIC_PATCH, patch.APPLY_PATCH]
    )
    if media_type not in accepted or media_type == patch.APPLY_PATCH:
        raise failure.unsupported_media_type(accepted)
    if live is None:
        raise failure.not_found(kind.plural, kind.group, place.name)
    bodies.check_depth(body)
    if media_type == patch.JSON_PATCH:
        changed = patch.json_patch(live, body)
    elif not isinstance(body, dict):
        raise failure.bad_request(
            "Invalid JSON Patch" if media_type == patch.MERGE_PATCH else "invalid JSON document"
        )
    elif media_type == patch.MERGE_PATCH:
        changed = patch.merge_patch(live, body)
    else:
        changed = patch.strategic_patch(live, body, kind.type)
    bodies.check_depth(changed)
    if not isinstance(changed, dict):
        raise failure.invalid("", "", "", [failure.invalid_value("patch", changed, "not an object")])
    new, unknown = bodies.read_patched(kind, changed)
    found = [*options.strict, *(f'unknown field "{path}"' for path in unknown)]
    if found and options.validation == "Strict":
        message = "strict decoding error: " + ", ".join(found)
        raise failure.invalid("", "", "", [failure.invalid_value("patch", bodies.text(changed), message)])
    new = ownership.track_update(live, new, stored.target(place), options.manager, options.now)
    _check_address(place, new)
    return _replaced(place, live, new, tuple(found) if options.validation == "Warn" else ())


def apply(place: Place, live: Manifest | None, body: Any, options: Options) -> Outcome:
    """Server-side apply; creates where there is nothing yet. `options.manager` is required. Raises `ApiFailure`."""
    kind = place.kind
    if not options.manager:
        raise failure.invalid(
            "PatchOptions",
            "meta.k8s.io",
            "",
            [failure.required("fieldManager", "is required for apply patch")],
        )
    if not isinstance(body, dict):
        raise failure.bad_request("error decoding patch: the body is not an object")
    bodies.check_depth(body)
    if live is None and place.subresource:
        raise failure.not_found(kind.plural, kind.group, place.name)
    new = ownership.apply(
        live,
        body,
        stored.target(place),
        options.manager,
        options.now,
        force=options.force,
        finish=lambda manifest: bodies.finished(kind, manifest),
    )
    if options.strict and options.validation == "Strict":
        raise failure.bad_request("error strict decoding patch: " + ", ".join(options.strict))
    warnings = options.strict if options.validation == "Warn" else ()
    said_uid = (new.get("metadata") or {}).get("uid")
    if live is None and said_uid:
        raise failure.conflict(
            kind.plural,
            kind.group,
            place.name,
            f"uid mismatch: the provided object specified uid {said_uid}, and no existing object was found",
        )
    new = _with_namespace(place, new)
    _check_name(place, new)
    if live is not None:
        return _replaced(place, live, new, warnings)
    return Outcome(
        stored.born(kind, new, options.uid, options.now),
        CREATED,
        (*warnings, *_finalizer_warnings(new, None)),
    )


def delete(place: Place, live: Manifest | None, deletion: Deletion) -> Outcome:
    """DELETE. With finalizers the object stays, marked (UPDATED, or UNCHANGED when it was). Raises `ApiFailure`."""
    kind = place.kind
    if live is None:
        raise failure.not_found(kind.plural, kind.group, place.name)
    metadata = live["metadata"]
    if deletion.uid and deletion.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({deletion.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise failure.conflict(kind.kind, kind.group, metadata["name"], why)
    if deletion.resource_version and deletion.resource_version != metadata.get("resourceVersion"):
        why = (
            f"the ResourceVersion in the precondition ({deletion.resource_version}) does not match the ResourceVersion "
            f"in record ({metadata.get('resourceVersion')}). The object might have been modified"
        )
        raise failure.conflict(kind.kind, kind.group, metadata["name"], why)
    finalizers = _finalizers_for(metadata.get("finalizers") or [], deletion.propagation)
    if not finalizers:
        return Outcome(live, DELETED)
    marked = dict(metadata)
    marked["finalizers"] = finalizers
    if not marked.get("deletionTimestamp"):
        marked["deletionTimestamp"] = deletion.now
        if marked.get("generation"):
            marked["generation"] += 1
    marked["deletionGracePeriodSeconds"] = 0
    if marked == metadata:
        return Outcome(live, UNCHANGED)
    return Outcome({**live, "metadata": marked}, UPDATED)


def _finalizers_for(finalizers: Sequence[str], propagation: str) -> list[str]:
    """The finalizers after a delete request: the garbage collector's own follow the propagation policy."""
    if not propagation:
        return list(finalizers)
    own = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}.get(propagation)
    out = [each for each in finalizers if each not in ("orphan", "foregroundDeletion")]
    return [*out, own] if own else out


# --- addresses ----------------------------------------------------------------------------------------------------


def _set_namespace(place: Place, metadata: dict[str, Any]) -> None:
    said = metadata.get("namespace") or ""
    if not place.kind.namespaced:
        metadata.pop("namespace", None)
        if said and place.kind.custom:
            metadata["namespace"] = said
        return
    if said and said != place.namespace:
        raise failure.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = place.namespace


def _with_namespace(place: Place, manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    if place.kind.namespaced and metadata.get("namespace") == place.namespace:
        return manifest
    metadata = dict(metadata)
    _set_namespace(place, metadata)
    return {**manifest, "metadata": metadata}


def _check_name(place: Place, manifest: Manifest) -> None:
    said = (manifest.get("metadata") or {}).get("name") or ""
    if said != place.name:
        raise failure.bad_request(
            f"the name of the object ({said or 'based on URL'}) does not match the name on the URL ({place.name})"
            if said
            else "the name of the object (based on URL) was undeterminable: name must be provided"
        )


def _check_address(place: Place, manifest: Manifest) -> None:
    metadata = manifest.get("metadata") or {}
    said = metadata.get("namespace") or ""
    if place.kind.namespaced and said and said != place.namespace:
        raise failure.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    _check_name(place, manifest)


# --- outcomes -----------------------------------------------------------------------------------------------------


def _replaced(place: Place, live: Manifest, new: Manifest, warnings: tuple[str, ...]) -> Outcome:
    """What an update of what there is comes to: without finalizers, an object under deletion goes."""
    new = stored.changed(place, live, new)
    warnings = (*warnings, *_finalizer_warnings(new, live))
    final = new["metadata"]
    if (
        final.get("deletionTimestamp")
        and not final.get("finalizers")
        and not final.get("deletionGracePeriodSeconds")
    ):
        return Outcome(new, DELETED, warnings)
    return Outcome(new, UNCHANGED if typed.equal(live, new) else UPDATED, warnings)


_STANDARD_FINALIZERS = frozenset(("orphan", "foregroundDeletion", "kubernetes"))


def _finalizer_warnings(new: Manifest, live: Manifest | None) -> list[str]:
    finalizers = new["metadata"].get("finalizers") or ()
    before = (live["metadata"].get("finalizers") or ()) if live is not None else ()
    out = []
    for name in sorted(set(finalizers) - set(before)):
        if "/" in name or name in _STANDARD_FINALIZERS:
            continue
        including = " including a path (/)" if "." in name else ""
        out.append(
            f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name{including} to avoid accidental '
            "conflicts with other finalizer writers"
        )
    return out
