"""What an audit record keeps of a mutation: the fields before and after, without what is secret, and never much of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from argosy import differences
from argosy.annotations import LAST_APPLIED
from argosy.objects import Manifest

MOST_BYTES = 8192
"""Of one record's fields; what is more is counted."""
_KEPT = ("labels", "annotations", "finalizers", "ownerReferences", "deletionTimestamp")
_LEFT_OUT = ("apiVersion", "kind", "metadata", "status")


def change(before: Manifest | None, after: Manifest | None, *, status: bool = False) -> bytes:
    """The fields that differ, as a JSON array of {path, before, after}; `status`: those of the status, too.

    None stands for an object that was not, or is not, there: then all of its fields came, or went.
    """
    found = differences.between(
        _looked_at(before, after, status=status), _looked_at(after, before, status=status)
    )
    kept: list[dict[str, Any]] = []
    size = 2
    for each in found.fields:
        document = each.document()
        size += len(orjson.dumps(document, default=str)) + 1
        if size > MOST_BYTES:
            break
        kept.append(document)
    if left := len(found.fields) + found.more - len(kept):
        kept.append({"path": "", "more": left})
    return orjson.dumps(kept)


def _looked_at(manifest: Manifest | None, other: Manifest | None, *, status: bool) -> Manifest:
    named = manifest or other or {}
    # One that comes or goes differs in all but what it is; so a Secret stays one on both sides.
    out: Manifest = {"apiVersion": named.get("apiVersion"), "kind": named.get("kind"), "metadata": {}}
    if manifest is None:
        return out
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    kept = {name: metadata[name] for name in _KEPT if metadata.get(name)}
    notes = {key: text for key, text in (kept.pop("annotations", None) or {}).items() if key != LAST_APPLIED}
    if notes:
        kept["annotations"] = notes
    parts = {
        name: value
        for name, value in manifest.items()
        if name not in _LEFT_OUT or (name == "status" and status)
    }
    return {**parts, **out, "metadata": kept}
