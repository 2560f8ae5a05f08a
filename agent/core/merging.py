"""Writing an object without server-side apply: a three-way merge as `kubectl apply` makes it, or replacing it whole.

What the manifest says is put over the live object; what the configuration applied before said and this one does not
goes away; everything else stays. Lists of built-in kinds merge by their keys, those of other kinds are replaced as
wholes, as kubectl does for kinds whose schema it does not have. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from agent.core import fieldpath
from argosy import objects
from argosy.annotations import LAST_APPLIED
from argosy.kinds import Gvk, gvk_of
from argosy.machinery import fields, kinds, schema, typed, typed_compare, typed_merge
from argosy.machinery.fields import Fields
from argosy.machinery.schema import Type
from argosy.objects import Manifest

_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
"""Parts of metadata that only the server writes."""


def remembered(manifest: Manifest) -> Manifest:
    """The manifest with itself in kubectl's annotation, so that the next merge, ours or kubectl's, knows it."""
    said = objects.canonical(manifest).decode() + "\n"
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), LAST_APPLIED: said}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def last_applied(live: Manifest) -> Manifest | None:
    """What kubectl's annotation says was applied last, None where it says nothing that can be read."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        found = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def merged(live: Manifest, wanted: Manifest, *, remember: bool = True, record: bool = True) -> Manifest:
    """The live object with the wanted one merged in; carries the live one's resourceVersion. Without `remember`
    nothing goes away; without it or `record` kubectl's annotation stays as it is.

    Raises `ValueError` where the two do not fit together (a list where the live object has a map).
    """
    kind = shape(gvk_of(wanted))
    target = content(wanted)
    before = last_applied(live) if remember else None
    if remember and record:
        target = remembered(target)
    out: Any = {name: item for name, item in live.items() if name != "status"}
    if before is not None:
        gone = fields.difference(typed.field_set(content(before), kind), typed.field_set(target, kind))
        out = typed.remove(out, gone, kind) or {}
    out = typed_merge.merge(out, target, kind)
    metadata = {**out["metadata"], **_kept(live)}
    return {**out, "metadata": metadata}


def replaced(live: Manifest, wanted: Manifest) -> Manifest:
    """The wanted object in the place of the live one, to be written only if nobody changed it meanwhile."""
    metadata = wanted["metadata"]
    version = live["metadata"].get("resourceVersion", "")
    return {**wanted, "metadata": {**metadata, "resourceVersion": version}}


def yielded(live: Manifest, new: Manifest, managers: Collection[str]) -> Manifest:
    """The new form with the live value in each field that it changes and that one of these managers owns (Argo CD 3.6,
    `util/argo/managedfields`: a field that both sides have counts for neither where a named manager owns it).
    """
    theirs = owned(live, managers)
    if not theirs:
        return new
    _, modified, _ = typed_compare.compare(content(live), content(new), shape(gvk_of(new)))
    for path in fields.paths(fields.intersection(modified, theirs)):
        field = fields.path_text(path)
        if (value := fieldpath.get(live, field)) is not None:
            new = fieldpath.put(new, field, value[0])
    return new


def owned(live: Manifest, managers: Collection[str]) -> Fields:
    """The fields that any of these managers owns, by the live object's managedFields."""
    found: Fields = {}
    for entry in live["metadata"].get("managedFields") or () if managers else ():
        if entry.get("manager") in managers and entry.get("fieldsV1"):
            found = fields.union(found, fields.decode(entry["fieldsV1"]))
    return found


def left(live: Manifest, new: Manifest, paths: Collection[str]) -> Manifest:
    """The new form with the live value in each of these fields (`.data.k`), and without those that the live object has
    not.
    """
    for path in paths:
        value = fieldpath.get(live, path)
        new = fieldpath.drop(new, path) if value is None else fieldpath.put(new, path, value[0])
    return new


def _kept(live: Manifest) -> Manifest:
    metadata = live["metadata"]
    return {name: metadata[name] for name in _SERVERS if name in metadata and name != "managedFields"}


def content(manifest: Manifest) -> Manifest:
    """Without what is the server's, and without the annotation that holds the manifest itself."""
    metadata = {name: item for name, item in manifest["metadata"].items() if name not in _SERVERS}
    notes = metadata.get("annotations")
    if notes and LAST_APPLIED in notes:
        metadata["annotations"] = {name: item for name, item in notes.items() if name != LAST_APPLIED}
    return {name: item for name, item in manifest.items() if name != "status"} | {"metadata": metadata}


def shape(gvk: Gvk) -> Type:
    """What is known of a kind's fields here: nothing of those that are not built in."""
    for kind in kinds.builtin():
        if (kind.group, kind.version, kind.kind) == (gvk.group, gvk.version, gvk.kind):
            return kind.type
    return schema.DEDUCED
