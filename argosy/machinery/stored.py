"""From a read body to the object that is stored: what the server gives, keeps and refuses."""

from __future__ import annotations

from typing import Any

from argosy.machinery import apply as ownership
from argosy.machinery import births, failure, names, rules, structural, typed
from argosy.machinery.failure import FieldError
from argosy.machinery.fields import Fields
from argosy.machinery.kinds import Kind, Place
from argosy.objects import Manifest


def target(place: Place) -> ownership.Target:
    """The place as ownership needs to know it."""
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


def born(kind: Kind, new: Manifest, uid: str, now: str) -> Manifest:
    """A new object with what the server gives it. Raises 422 where it is not valid."""
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
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if kind.generation:
        metadata["generation"] = 1
    out = {**new, "metadata": metadata}
    if kind.status:
        out.pop("status", None)
        if "status" in kind.blank:
            out["status"] = kind.blank["status"]
    out = births.at_birth(kind.api_version, kind.kind, out)
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


def changed(place: Place, live: Manifest, new: Manifest) -> Manifest:
    """An update of what there is: locking, what may not change, generation, validation. Raises 409, 422."""
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
        new = births.on_change(kind.api_version, kind.kind, live, new)
    if place.subresource != "status":
        new = _with_generation(kind, live, new)
    errors = _change_errors(kind, before, new["metadata"])
    errors += _validate_change(place, live, new)
    if errors:
        raise failure.invalid(kind.kind, kind.group, place.name, errors)
    return _without_mere_times(live, new)


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


def _change_errors(kind: Kind, before: dict[str, Any], after: dict[str, Any]) -> list[FieldError]:
    fixed = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
    changed = [name for name in fixed if before.get(name) != after.get(name)]
    out = [failure.invalid_value(f"metadata.{name}", after.get(name), rules.IMMUTABLE) for name in changed]
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
    twice = structural.duplicates(new, kind.structural)
    if twice and not structural.duplicates(live, kind.structural):
        out += twice
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
