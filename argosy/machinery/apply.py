"""Who owns which field: server-side apply and the bookkeeping of all other writes.

The rules are apimachinery's field manager over structured-merge-diff v6. An applier owns exactly what its
configuration says; what it no longer says and nobody else owns goes away. Every other write owns what it changed.
Objects are values: nothing here changes an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from argosy.annotations import LAST_APPLIED
from argosy.machinery import failure, fields, managed_fields, names, typed, typed_compare, typed_merge
from argosy.machinery.conflicts import Conflicts, FieldConflict, refusal
from argosy.machinery.fields import Fields
from argosy.machinery.managed_fields import Managed, Manager, Owned, identifier
from argosy.machinery.schema import Type
from argosy.objects import Manifest

BEFORE_FIRST_APPLY = "before-first-apply"
ANCIENT = "ancient-changes"
MAX_UPDATE_MANAGERS = 10

_SELF = "current-operation"
_STRIPPED: Fields = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:name": {},
        "f:namespace": {},
        "f:creationTimestamp": {},
        "f:selfLink": {},
        "f:uid": {},
        "f:clusterName": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:resourceVersion": {},
    },
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a write goes to, as ownership needs to know it."""

    api_version: str
    kind: str
    type: Type
    subresource: str = ""
    blank: Manifest = field(default_factory=dict)
    """What an object has before anybody wrote anything."""
    ignored: Fields = field(default_factory=dict)
    """Fields that this endpoint resets; nobody comes to own them through it."""

    @property
    def empty(self) -> Manifest:
        """The object that was not there yet."""
        return {"apiVersion": self.api_version, "kind": self.kind, **self.blank}


# --- the arithmetic of one write ---------------------------------------------------------------------------------


def _settle(
    live: Manifest, new: Manifest, target: Target, managed: Managed, writer: Manager, *, force: bool
) -> tuple[Managed, typed_compare.Change]:
    """Takes from all others what this write changes or removes. Raises `Conflicts` unless forced."""
    removed, modified, added = typed_compare.compare(live, new, target.type)
    if target.ignored:
        removed, modified, added = (
            fields.without_below(each, target.ignored) for each in (removed, modified, added)
        )
    touched = fields.union(modified, added)
    out: Managed = {}
    conflicts: list[FieldConflict] = []
    for manager, owned in managed.items():
        if manager == writer:
            out[manager] = owned
            continue
        disputed = fields.intersection(owned.fields, touched)
        if disputed:
            conflicts += [FieldConflict(manager, path) for path in fields.paths(disputed)]
        rest = fields.difference(fields.difference(owned.fields, disputed), removed)
        if rest:
            out[manager] = owned if rest is owned.fields else owned._replace(fields=rest)
    if conflicts and not force:
        raise Conflicts(sorted(conflicts, key=lambda each: identifier(each.manager)))
    if writer in out and not out[writer].fields:
        del out[writer]
    return out, (removed, modified, added)


def _reconciled(managed: Managed, target: Target) -> Managed:
    """Ownership after the kind's schema changed since it was written."""
    out = {}
    for manager, owned in managed.items():
        fresh = typed.reconciled(owned.fields, target.type)
        out[manager] = owned if fresh is owned.fields else owned._replace(fields=fresh)
    return out


def _own_update(
    live: Manifest, new: Manifest, target: Target, managed: Managed, name: str, now: str
) -> Managed:
    """Ownership after a write that is no apply."""
    current = Manager(_SELF, "Update", target.api_version, "")
    out, (_removed, modified, added) = _settle(
        live, new, target, _reconciled(managed, target), current, force=True
    )
    mine = fields.union(modified, added)
    if target.ignored:
        mine = fields.without_below(mine, target.ignored)
    mine = fields.difference(mine, _STRIPPED)
    if mine:
        manager = Manager(name or "unknown", "Update", target.api_version, target.subresource)
        before = out.get(manager)
        out[manager] = Owned(target.api_version, fields.union(mine, before.fields) if before else mine, now)
    return _capped(out)


def _capped(managed: Managed) -> Managed:
    """At most ten entries of updates: the oldest of one version become one."""
    updaters = [manager for manager in managed if manager.operation == "Update"]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return managed
    updaters.sort(key=lambda manager: (managed[manager].time or "", identifier(manager)))
    out = dict(managed)
    first: dict[str, Manager] = {}
    left = len(updaters)
    for manager in updaters:
        if left <= MAX_UPDATE_MANAGERS:
            break
        owned = out[manager]
        bucket = Manager(ANCIENT, "Update", owned.version, "")
        if owned.version not in first:
            first[owned.version] = manager
            continue
        if bucket not in out:
            out[bucket] = out.pop(first[owned.version])
        out[bucket] = Owned(owned.version, fields.union(owned.fields, out[bucket].fields), owned.time)
        if manager != bucket:
            del out[manager]
        left -= 1
    return out


def _pruned(merged: Manifest, managed: Managed, last: Fields, mine: Fields, kind: Type) -> Manifest:
    """Takes away what this manager applied last time, not now, and nobody else owns."""
    if not last or last == mine:
        return merged
    dropped = typed.with_named(last, kind)
    if not fields.difference(dropped, typed.with_named(mine, kind)):
        return merged
    held: Fields = {}
    for owned in managed.values():
        held = fields.union(held, owned.fields)
    held = typed.with_named(held, kind)
    whole = typed.with_named(typed.field_set(merged, kind), kind)
    slim = typed.remove(merged, dropped, kind)
    kept = fields.union(typed.with_named(typed.field_set(slim, kind), kind), held)
    slim = typed.remove(merged, fields.difference(whole, kept), kind)
    kept = typed.with_named(typed.field_set(slim, kind), kind)
    gone = fields.intersection(fields.difference(whole, kept), dropped)
    out = typed.remove(merged, gone, kind)
    return out if isinstance(out, dict) else {}


# --- writes ------------------------------------------------------------------------------------------------------


def track_update(live: Manifest | None, new: Manifest, target: Target, name: str, now: str) -> Manifest:
    """The new object with `managedFields` after a create (no live object), update or patch by `name`.

    `managedFields` in the new object replace the live ones, unless they cannot be read or this is a subresource; an
    empty list, or a list of one empty entry, throws all ownership away.
    """
    before = live or target.empty
    sent = (new.get("metadata") or {}).get("managedFields")
    slim = managed_fields.without_managed(new)
    known = (before.get("metadata") or {}).get("managedFields")
    kept = _kept_managed(known)
    if target.subresource or (sent and sent == known):
        managed = kept
    elif sent is not None and (sent == [] or sent == [{}]):
        managed = {}
    else:
        try:
            managed = managed_fields.decode(sent) or kept
        except (ValueError, AttributeError, TypeError):
            managed = kept
    if not managed and live is not None:
        return slim
    try:
        typed.check(slim, target.type, allow_duplicates=True)
        managed = _own_update(managed_fields.without_managed(before), slim, target, managed, name, now)
    except typed.TypedError:
        return managed_fields.with_managed(slim, kept)
    return managed_fields.with_managed(slim, managed)


def _kept_managed(entries: Any) -> Managed:
    try:
        return managed_fields.stored(entries)
    except (KeyError, AttributeError, TypeError):
        return {}


def apply(
    live: Manifest | None,
    applied: Manifest,
    target: Target,
    name: str,
    now: str,
    *,
    force: bool,
    finish: Callable[[Manifest], Manifest] = lambda manifest: manifest,
) -> Manifest:
    """Server-side apply of a configuration by `name`; the object as it should be stored.

    `finish` prunes and fills defaults. Raises `ApiFailure`: 400 for a body of another kind or with managedFields, 409
    with a cause per field for conflicts, 500 (as a real server) for a body that does not fit the schema.
    """
    if applied.get("apiVersion") != target.api_version or applied.get("kind") != target.kind:
        raise failure.bad_request(f"invalid object type: {_kind_text(applied)}")
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise failure.bad_request("metadata.managedFields must be nil")
    try:
        return _apply(live, applied, target, name, now, force, finish)
    except Conflicts as error:
        raise refusal(error.conflicts) from error


def _apply(
    live: Manifest | None,
    applied: Manifest,
    target: Target,
    name: str,
    now: str,
    force: bool,
    finish: Callable[[Manifest], Manifest],
) -> Manifest:
    before = managed_fields.without_managed(live) if live is not None else target.empty
    managed = _kept_managed((live.get("metadata") or {}).get("managedFields")) if live is not None else {}
    try:
        typed.check(applied, target.type, allow_duplicates=False)
    except typed.TypedError as error:
        raise failure.unclassified(
            f"failed to create typed patch object ({_object_text(applied)}): {error}"
        ) from error
    if not managed and live is not None:
        managed = _own_update(target.empty, before, target, {}, BEFORE_FIRST_APPLY, now)
    try:
        out = _merged(before, applied, target, managed, name, now, force, finish)
    except Conflicts as error:
        left = (
            _not_from_client_side_apply(error.conflicts, before, target)
            if name == "kubectl"
            else error.conflicts
        )
        if left:
            raise Conflicts(left) from error
        out = _merged(before, applied, target, managed, name, now, True, finish)
    return _with_last_applied(out, applied) if name == "kubectl" else out


def _merged(
    before: Manifest,
    applied: Manifest,
    target: Target,
    managed: Managed,
    name: str,
    now: str,
    force: bool,
    finish: Callable[[Manifest], Manifest],
) -> Manifest:
    writer = Manager(name or "unknown", "Apply", "", target.subresource)
    managed = _reconciled(managed, target)
    try:
        merged = typed_merge.merge(before, applied, target.type)
    except typed.TypedError as error:
        raise failure.unclassified(f"failed to merge config: {error}") from error
    mine = typed.field_set(applied, target.type)
    if target.ignored:
        mine = fields.without_below(mine, target.ignored)
    previous = managed.get(writer)
    managed[writer] = Owned(target.api_version, mine, previous.time if previous else None)
    new = _pruned(merged, managed, previous.fields if previous else {}, mine, target.type)
    managed, _ = _settle(before, new, target, managed, writer, force=force)
    if writer in managed:
        rest = fields.difference(managed[writer].fields, _STRIPPED)
        if rest:
            managed[writer] = managed[writer]._replace(fields=rest)
        else:
            del managed[writer]
    if new is before or typed.equal(before, new):
        return managed_fields.with_managed(before, managed)
    if writer in managed:
        managed[writer] = managed[writer]._replace(time=now)
    return managed_fields.with_managed(finish(new), managed)


def _not_from_client_side_apply(
    conflicts: Iterable[FieldConflict], before: Manifest, target: Target
) -> list[FieldConflict]:
    """The conflicts that are not with values `kubectl apply` itself wrote before it applied on the server's side."""
    allowed = _last_applied_fields(before, target)
    return [conflict for conflict in conflicts if not fields.has(allowed, conflict.path)]


def _last_applied_fields(before: Manifest, target: Target) -> Fields:
    text = ((before.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = orjson.loads(text) if text else None
        if not isinstance(last, dict) or last.get("apiVersion") != target.api_version:
            return {}
        typed.check(last, target.type, allow_duplicates=False)
        removed, modified, added = typed_compare.compare(last, before, target.type)
    except (orjson.JSONDecodeError, typed.TypedError):
        return {}
    owned = typed.field_set(last, target.type)
    for changed in (modified, added, removed):
        owned = fields.difference(owned, changed)
    return owned


def _with_last_applied(out: Manifest, applied: Manifest) -> Manifest:
    """Keeps kubectl's client-side annotation, where there is one, in step with its server-side applies."""
    metadata = out.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return out
    said = applied.get("metadata") or {}
    said_annotations = {k: v for k, v in (said.get("annotations") or {}).items() if k != LAST_APPLIED}
    said = {**said, "annotations": said_annotations}
    if not said_annotations:
        said.pop("annotations")
    text = orjson.dumps({**applied, "metadata": said}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    fresh = {**annotations, LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in fresh.items()) > names.MAX_ANNOTATIONS:
        del fresh[LAST_APPLIED]
    return {**out, "metadata": {**metadata, "annotations": fresh}}


# --- texts -------------------------------------------------------------------------------------------------------


def _kind_text(manifest: Manifest) -> str:
    group, _, version = (manifest.get("apiVersion") or "").rpartition("/")
    return f"{group}/{version}, Kind={manifest.get('kind') or ''}"


def _object_text(manifest: Manifest) -> str:
    metadata = manifest.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {_kind_text(manifest)}"
