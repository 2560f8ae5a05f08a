"""The one way an object is written: create, update, patch, apply and delete as functions of what there was.

Both the hub's API and the agent's in-memory cluster write through here, so both keep ownership, generations,
optimistic locking, finalizers and error texts as a real API server does. Storing, resourceVersions, watching and
access control are the caller's. An answered object may share parts with the live one: treat both as values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from argosy.machinery import apply as ownership
from argosy.machinery import defaults, failure, names, patch, rules, structural, typed, typed_form
from argosy.machinery.failure import FieldError
from argosy.machinery.fields import Fields
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

PATCH_TYPES = (patch.JSON_PATCH, patch.MERGE_PATCH, patch.APPLY_PATCH)
"""What a custom kind takes; the built-in ones take `patch.STRATEGIC_PATCH`, too."""
MAX_DEPTH = 150
"""Levels of maps and lists in a body. A real API server takes 10,000; no schema in use comes near this."""
CREATED, UPDATED, UNCHANGED, DELETED = "created", "updated", "unchanged", "deleted"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: the object's address in the URL. `name` is "" for a create; `subresource` "" or "status"."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How a request wants to be handled.

    `manager`: who writes (`ownership.manager_name`). `now`: RFC 3339 in seconds, UTC. `uid`: for an object that comes
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
    _check_depth(body)
    _check_type(kind, body)
    body, unknown = _read(kind, body)
    warnings = _judge(kind, [*options.strict, *(f'unknown field "{path}"' for path in unknown)], options)
    metadata = dict(body.get("metadata") or {})
    _set_namespace(place, metadata)
    if metadata.get("resourceVersion"):
        raise failure.unclassified("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = names.generated(metadata["generateName"], options.suffix)
    new = ownership.track_update(
        None, {**body, "metadata": metadata}, _target(place), options.manager, options.now
    )
    return Outcome(_born(kind, new, options), CREATED, (*warnings, *_finalizer_warnings(new, None)))


def update(place: Place, live: Manifest | None, body: Manifest, options: Options) -> Outcome:
    """PUT. `live` is None where there is no such object. Raises `ApiFailure`."""
    kind = place.kind
    _check_depth(body)
    _check_type(kind, body)
    body, unknown = _read(kind, body)
    warnings = _judge(kind, [*options.strict, *(f'unknown field "{path}"' for path in unknown)], options)
    _check_address(place, body)
    if live is None and kind.put_creates and not place.subresource:
        new = ownership.track_update(None, body, _target(place), options.manager, options.now)
        return Outcome(_born(kind, _with_namespace(place, new), options), CREATED, warnings)
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
    new = ownership.track_update(live, body, _target(place), options.manager, options.now)
    return _replaced(place, live, new, options, warnings)


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
    _check_depth(body)
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
    _check_depth(changed)
    if not isinstance(changed, dict):
        raise failure.invalid("", "", "", [failure.invalid_value("patch", changed, "not an object")])
    new, unknown = _read_patched(kind, changed)
    found = [*options.strict, *(f'unknown field "{path}"' for path in unknown)]
    if found and options.validation == "Strict":
        message = "strict decoding error: " + ", ".join(found)
        raise failure.invalid("", "", "", [failure.invalid_value("patch", _text(changed), message)])
    new = ownership.track_update(live, new, _target(place), options.manager, options.now)
    _check_address(place, new)
    return _replaced(place, live, new, options, tuple(found) if options.validation == "Warn" else ())


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
    _check_depth(body)
    if live is None and place.subresource:
        raise failure.not_found(kind.plural, kind.group, place.name)
    new = ownership.apply(
        live,
        body,
        _target(place),
        options.manager,
        options.now,
        force=options.force,
        finish=lambda manifest: _finished(kind, manifest),
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
        return _replaced(place, live, new, options, warnings)
    return Outcome(_born(kind, new, options), CREATED, (*warnings, *_finalizer_warnings(new, None)))


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


# --- reading a body -----------------------------------------------------------------------------------------------


def _check_depth(value: Any) -> None:
    """Refuses what is nested so deep that no walk over it would end well."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise failure.bad_request(f"exceeded max depth: a body may be nested {MAX_DEPTH} levels deep")


def _check_type(kind: Kind, body: Manifest) -> None:
    api_version, name = body.get("apiVersion"), body.get("kind")
    if not name:
        raise failure.bad_request(f"Object 'Kind' is missing in '{orjson.dumps(body).decode()[:1000]}'")
    if api_version != kind.api_version:
        raise failure.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    if name != kind.kind:
        raise failure.bad_request(f"the object provided is unrecognized (must be of type {kind.kind})")


def _read(kind: Kind, body: Manifest) -> tuple[Manifest, list[str]]:
    """The body in its stored form: pruned, nulls gone, defaults in. And the paths of what the kind does not know."""
    if kind.structural is None:
        if not kind.type.only:
            return body, []
        out, unknown = typed_form.read(body, kind.type, kind.version, kind.kind)
        if (body.get("metadata") or {}).get("managedFields") == []:
            out["metadata"] = {**out["metadata"], "managedFields": []}
        return defaults.fill(kind.api_version, kind.kind, out), unknown
    metadata, unknown = _read_metadata(kind, body.get("metadata"))
    out, more = structural.prune(body, kind.structural)
    out = structural.without_nulls(out, kind.structural)
    out = structural.with_defaults(out, kind.structural)
    return {
        **out,
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": metadata,
    }, unknown + more


def _read_patched(kind: Kind, changed: Manifest) -> tuple[Manifest, list[str]]:
    """As `_read`; what cannot be read is the patch's fault."""
    try:
        _check_type(kind, changed)
        return _read(kind, changed)
    except failure.ApiFailure as error:
        raise failure.invalid(
            "", "", "", [failure.invalid_value("patch", _text(changed), error.message)]
        ) from error


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _finished(kind: Kind, merged: Manifest) -> Manifest:
    """The result of an apply in its stored form: as `_read`, but nulls of a custom resource stay and are judged."""
    if kind.structural is None:
        return _read(kind, merged)[0]
    metadata, _ = _read_metadata(kind, merged.get("metadata"))
    out = structural.with_defaults(structural.prune(merged, kind.structural)[0], kind.structural)
    return {**out, "metadata": metadata}


def _read_metadata(kind: Kind, metadata: Any) -> tuple[Manifest, list[str]]:
    if metadata is None:
        return {}, []
    if not isinstance(metadata, dict):
        raise failure.bad_request(f"{kind.kind} cannot be handled: metadata is not an object")
    known = kind.type.child("metadata")
    if known is None or not known.fields:
        return metadata, []
    out, unknown = typed_form.read(metadata, known, kind.version, kind.kind)
    return out, [f"metadata.{path}" for path in unknown]


def _judge(kind: Kind, found: list[str], options: Options) -> tuple[str, ...]:
    """Strict mistakes: refused, or told as warnings, or ignored."""
    if not found or options.validation == "Ignore":
        return ()
    if options.validation == "Warn":
        return tuple(found)
    raise failure.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
        f"strict decoding error: {', '.join(found)}"
    )


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


# --- from a read body to a stored object --------------------------------------------------------------------------


def _target(place: Place) -> ownership.Target:
    kind = place.kind
    ignored = _ignored(kind, place.subresource)
    return ownership.Target(kind.api_version, kind.kind, kind.type, place.subresource, kind.blank, ignored)


def _ignored(kind: Kind, subresource: str) -> Fields:
    """What this endpoint resets."""
    if subresource == "status":
        return _STATUS_IGNORES if kind.custom else _BUILTIN_STATUS_IGNORES
    return _MAIN_IGNORES if kind.status else {}


_MAIN_IGNORES: Fields = {"f:status": {}}
_STATUS_IGNORES: Fields = {"f:metadata": {}, "f:spec": {}}
_BUILTIN_STATUS_IGNORES: Fields = {"f:metadata": {"f:labels": {}}, "f:spec": {}}


def _born(kind: Kind, new: Manifest, options: Options) -> Manifest:
    """A new object with what the server gives it."""
    metadata = {
        name: value
        for name, value in new["metadata"].items()
        if name
        not in (
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "resourceVersion",
            "generation",
        )
    }
    metadata["uid"] = options.uid
    metadata["creationTimestamp"] = options.now
    if kind.generation:
        metadata["generation"] = 1
    out = {**new, "metadata": metadata}
    if kind.status:
        out.pop("status", None)
        if "status" in kind.blank:
            out["status"] = kind.blank["status"]
    out = defaults.at_birth(kind.api_version, kind.kind, out)
    errors = _metadata_errors(kind, metadata, create=True)
    if kind.structural is not None:
        errors += structural.validate(out, kind.structural)
        errors += structural.duplicates(out, kind.structural)
    else:
        errors += rules.check(kind.kind, kind.group, out, None)
    if errors:
        raise failure.invalid(kind.kind, kind.group, metadata.get("name") or "", errors)
    return out


def _metadata_errors(kind: Kind, metadata: dict[str, Any], *, create: bool) -> list[FieldError]:
    return names.check_metadata(
        metadata, namespaced=kind.namespaced, name_check=kind.name_check, create=create
    )


def _replaced(
    place: Place, live: Manifest, new: Manifest, options: Options, warnings: tuple[str, ...]
) -> Outcome:
    """An update of what there is: locking, what may not change, generation, validation, finalizers."""
    kind = place.kind
    before = live["metadata"]
    metadata = dict(new.get("metadata") or {})
    said_version = metadata.get("resourceVersion") or ""
    if not said_version and kind.custom:
        error = failure.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise failure.invalid(kind.plural, kind.group, place.name, [error])
    if said_version and said_version != before.get("resourceVersion"):
        raise failure.conflict(kind.plural, kind.group, place.name)
    new = {**new, "metadata": _kept_metadata(place, before, metadata)}
    new = _kept_parts(place, live, new)
    if kind.structural is None and not place.subresource:
        new = defaults.on_change(kind.api_version, kind.kind, live, new)
    if place.subresource != "status":
        new = _with_generation(kind, live, new)
    errors = _change_errors(kind, before, new["metadata"])
    errors += _validate_change(place, live, new)
    if errors:
        raise failure.invalid(kind.kind, kind.group, place.name, errors)
    new = _without_mere_times(live, new)
    warnings = (*warnings, *_finalizer_warnings(new, live))
    final = new["metadata"]
    if (
        final.get("deletionTimestamp")
        and not final.get("finalizers")
        and not final.get("deletionGracePeriodSeconds")
    ):
        return Outcome(new, DELETED, warnings)
    return Outcome(new, UNCHANGED if typed.equal(live, new) else UPDATED, warnings)


def _kept_metadata(place: Place, before: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    if place.kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or place.namespace
    elif not place.kind.custom:
        metadata.pop("namespace", None)
    if not metadata.get("uid"):
        metadata["uid"] = before["uid"]
    for name in ("resourceVersion", "creationTimestamp", "generation"):
        if name in before:
            metadata[name] = before[name]
        else:
            metadata.pop(name, None)
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if before.get(name) is not None:
            metadata[name] = before[name]
    return metadata


def _kept_parts(place: Place, live: Manifest, new: Manifest) -> Manifest:
    """What this endpoint may not write stays as it was."""
    if place.subresource == "status":
        metadata = dict(live["metadata"]) if place.kind.custom else _labelled_as(live, new)
        entries = new["metadata"].get("managedFields")
        metadata.pop("managedFields", None)
        if entries:
            metadata["managedFields"] = entries
        out = {**live, "metadata": metadata}
        out.pop("status", None)
        if "status" in new:
            out["status"] = new["status"]
        return out
    if place.kind.status:
        out = dict(new)
        out.pop("status", None)
        if "status" in live:
            out["status"] = live["status"]
        return out
    return new


def _labelled_as(live: Manifest, new: Manifest) -> dict[str, Any]:
    """The new metadata with the labels as they were: no status write of a built-in kind changes them."""
    metadata = {name: value for name, value in new["metadata"].items() if name != "labels"}
    if "labels" in live["metadata"]:
        metadata["labels"] = live["metadata"]["labels"]
    return metadata


def _with_generation(kind: Kind, live: Manifest, new: Manifest) -> Manifest:
    if not kind.generation:
        return new
    ours = {name: value for name, value in new.items() if name != "metadata"}
    theirs = {name: value for name, value in live.items() if name != "metadata"}
    if (kind.group, kind.kind) == ("apps", "Deployment"):
        # Its controller copies annotations to ReplicaSets, so they count as a change of what is wanted.
        ours["metadata"] = new["metadata"].get("annotations") or {}
        theirs["metadata"] = live["metadata"].get("annotations") or {}
    if typed.equal(ours, theirs):
        return new
    metadata = {**new["metadata"], "generation": (live["metadata"].get("generation") or 0) + 1}
    return {**new, "metadata": metadata}


_IMMUTABLE = "field is immutable"


def _change_errors(kind: Kind, before: dict[str, Any], after: dict[str, Any]) -> list[FieldError]:
    fixed = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
    changed = [name for name in fixed if before.get(name) != after.get(name)]
    out = [failure.invalid_value(f"metadata.{name}", after.get(name), _IMMUTABLE) for name in changed]
    if before.get("deletionTimestamp"):
        extra = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if extra:
            shown = "[]string{" + ", ".join(f'"{each}"' for each in extra) + "}"
            detail = (
                f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            )
            out.append(failure.not_allowed("metadata.finalizers", detail))
    return out + _metadata_errors(kind, after, create=False)


def _validate_change(place: Place, live: Manifest, new: Manifest) -> list[FieldError]:
    kind = place.kind
    if kind.structural is None:
        return [] if place.subresource else rules.check(kind.kind, kind.group, new, live)
    if place.subresource == "status":
        part = (kind.structural.get("properties") or {}).get("status")
        if "status" not in new or not part:
            return []
        out = structural.validate_part(new["status"], part, "status", live.get("status", typed.ABSENT))
    else:
        out = structural.validate(new, kind.structural, live)
    if not structural.duplicates(live, kind.structural):
        out += structural.duplicates(new, kind.structural)
    return out


def _without_mere_times(live: Manifest, new: Manifest) -> Manifest:
    """A write that changes nothing but times in managedFields changes nothing."""
    before, after = live["metadata"].get("managedFields"), new["metadata"].get("managedFields")
    if not before or not after or len(before) != len(after) or before == after:
        return new
    if not all(
        {**one, "time": None} == {**other, "time": None} for one, other in zip(before, after, strict=True)
    ):
        return new
    candidate = {**new, "metadata": {**new["metadata"], "managedFields": before}}
    return candidate if typed.equal(live, candidate) else new


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
