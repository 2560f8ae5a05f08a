"""Objects that change hands: what stays of the marks and the ownership of who had them before. Pure.

Ownership is the object's managedFields; a write that changes nothing else leaves its generation, its pods and its
content as they are.
"""

from __future__ import annotations

from typing import Any

from agent.core import marks
from argosy.annotations import INSTALLATION_ID, INSTANCE_LABEL, LAST_APPLIED, TRACKING_ID
from argosy.objects import Manifest

Fields = dict[str, Any]
"""A FieldsV1 set."""

FORMER = frozenset(
    {
        "argocd-controller",
        "argocd-application-controller",
        "before-first-apply",
        "flux",
        "fluxcd",
        "helm",
        "Helm",
        "helm-controller",
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-create",
        "kustomize-controller",
    }
)
"""Managers of tools that bring manifests, as we do: what we take over from them they no longer own. People
(`kubectl-edit`) and controllers keep what they have."""
_REMEMBERED: Fields = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}
TRACKING_ANNOTATIONS = (TRACKING_ID, INSTALLATION_ID)


def unmarked(manifest: Manifest) -> Manifest:
    """Without the marks of ours, and without Argo CD's: an Argo CD that still runs must not take the object for its
    own, or lose it, by what we write while we only look or adopt.
    """
    metadata = dict(manifest["metadata"])
    _strip(metadata, "labels", marks.own)
    _strip(metadata, "annotations", lambda name: name in marks.OWN or name in TRACKING_ANNOTATIONS)
    return {**manifest, "metadata": metadata}


def adoptable(manifest: Manifest, live: Manifest) -> Manifest:
    """What is applied to a live object that is adopted: our marks and content, Argo CD's marks as they are there. Holds
    the version that was looked at, so that a change in between is noticed.
    """
    metadata = dict(manifest["metadata"])
    _strip(metadata, "annotations", lambda name: name in TRACKING_ANNOTATIONS)
    there = (live["metadata"].get("labels") or {}).get(INSTANCE_LABEL)
    if (metadata.get("labels") or {}).get(INSTANCE_LABEL) != there:
        _strip(metadata, "labels", lambda name: name == INSTANCE_LABEL)
    metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
    return {**manifest, "metadata": metadata}


def taken_over(live: Manifest) -> Manifest | None:
    """The object with former tools owning nothing any more that we own, None where that is so already."""
    entries = live["metadata"].get("managedFields") or []
    ours: dict[str, Any] = next((entry.get("fieldsV1") or {} for entry in entries if _is_ours(entry)), {})
    out = []
    for entry in entries:
        fields = entry.get("fieldsV1") or {}
        if entry.get("manager") in FORMER and not entry.get("subresource"):
            fields = without(fields, ours)
            if not fields:
                continue
        out.append({**entry, "fieldsV1": fields})
    return None if out == entries else _with_entries(live, out)


def migrated(live: Manifest, manager: str) -> Manifest | None:
    """The object with all that a manager applied client-side owned by our apply instead, None where it applied nothing.

    What it said and our manifest does not goes with our next apply, as with the manager's own. Argo CD's
    `ClientSideApplyMigration` (kubectl's `csaupgrade`).
    """
    entries = live["metadata"].get("managedFields") or []
    theirs = [entry for entry in entries if _client_side(entry, manager)]
    if not manager or not theirs:
        return None
    out = []
    for entry in entries:
        if _is_ours(entry):
            fields: dict[str, Any] = entry.get("fieldsV1") or {}
            for other in theirs:
                fields = union(fields, without(other.get("fieldsV1") or {}, _REMEMBERED))
            out.append({**entry, "fieldsV1": fields})
        elif entry not in theirs:
            out.append(entry)
    return _with_entries(live, out)


def released(live: Manifest, assignment: str) -> Manifest | None:
    """The object without our marks and our ownership, for a live object that is this assignment's; else None."""
    if marks.seen(live).owner != assignment:
        return None
    metadata = dict(live["metadata"])
    _strip(metadata, "labels", marks.own)
    _strip(metadata, "annotations", marks.own)
    kept = [entry for entry in metadata.get("managedFields") or () if entry.get("manager") != marks.MANAGER]
    return _with_entries({**live, "metadata": metadata}, kept)


def union(fields: Fields, others: Fields) -> Fields:
    """What either of two FieldsV1 sets has."""
    out = dict(fields)
    for name, below in others.items():
        out[name] = union(out[name], below) if name in out else below
    return out


def without(fields: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    """A FieldsV1 set without what another one has."""
    out: dict[str, Any] = {}
    for name, below in fields.items():
        if name not in taken:
            out[name] = below
        elif below:
            rest = without(below, taken[name])
            if rest:
                out[name] = rest
    return out


def _client_side(entry: dict[str, Any], manager: str) -> bool:
    named = (entry.get("manager"), entry.get("operation"))
    return named == (manager, "Update") and not entry.get("subresource")


def _is_ours(entry: dict[str, Any]) -> bool:
    return (
        entry.get("manager") == marks.MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


def _with_entries(live: Manifest, entries: list[dict[str, Any]]) -> Manifest:
    # One empty entry is how the API takes "nobody owns anything"; an empty list would be taken for "not said".
    return {**live, "metadata": {**live["metadata"], "managedFields": entries or [{}]}}


def _strip(metadata: dict[str, Any], part: str, goes: Any) -> None:
    there = metadata.get(part)
    if there is None:
        return
    left = {name: value for name, value in there.items() if not goes(name)}
    if left:
        metadata[part] = left
    else:
        del metadata[part]
