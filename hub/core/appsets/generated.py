"""What becomes of an Application when its set is evaluated again: the rules of Argo CD's `CreateOrUpdate` (3.6).

The generated spec replaces the live one; labels, annotations and finalizers become the generated ones plus those that
the set preserves; everything else on the live object stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest
from hub.core.apps import hooks

ALWAYS_KEPT = (
    "notified.notifications.argoproj.io",
    "argocd.argoproj.io/refresh",
    "argocd.argoproj.io/hydrate",
    "argocd.argoproj.io/deletion-approved",
)
"""Argo CD's, and a person's word that a deletion may go on, which is read later than it is written."""
KEPT_FINALIZERS = tuple(hooks.FINALIZERS.values())
OURS = "argosy.dev/assignment"
"""Our own finalizer: an Application's row stays until its cluster has been told what becomes of its objects."""


@dataclass(frozen=True, slots=True)
class May:
    """What `spec.syncPolicy.applicationsSync` lets the set do to applications that exist."""

    update: bool
    delete: bool


POLICIES = {
    "sync": May(update=True, delete=True),
    "create-only": May(update=False, delete=False),
    "create-update": May(update=True, delete=False),
    "create-delete": May(update=False, delete=True),
}


def may(spec: Mapping[str, Any]) -> May:
    """The row of `POLICIES` for a set's spec."""
    return POLICIES[(spec.get("syncPolicy") or {}).get("applicationsSync") or "sync"]


def merge(live: Manifest | None, generated: Manifest, appset: Manifest) -> Manifest:
    """The Application to write. `live` is what there is, `appset` the owner; equal to `live` where nothing changes."""
    kept = (appset["spec"].get("preservedFields")) or {}
    before: dict[str, Any] = (live or {}).get("metadata") or {}
    wanted = generated["metadata"]
    metadata = dict(before)
    metadata["name"], metadata["namespace"] = wanted["name"], wanted["namespace"]
    _put(metadata, "labels", _joined(before, wanted, "labels", kept.get("labels") or ()))
    _put(
        metadata,
        "annotations",
        _joined(before, wanted, "annotations", (*ALWAYS_KEPT, *(kept.get("annotations") or ()))),
    )
    finalizers = [
        *(wanted.get("finalizers") or ()),
        *(name for name in before.get("finalizers") or () if name.startswith(KEPT_FINALIZERS)),
        OURS,
    ]
    _put(metadata, "finalizers", list(dict.fromkeys(finalizers)))
    metadata["ownerReferences"] = [owner_reference(appset)]
    return {**(live or {}), **generated, "metadata": metadata}


def owner_reference(appset: Manifest) -> dict[str, Any]:
    return {
        "apiVersion": appset["apiVersion"],
        "kind": appset["kind"],
        "name": appset["metadata"]["name"],
        "uid": appset["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(manifest: Manifest) -> str:
    """The uid of the controlling owner, "" where there is none."""
    return str(_controller(manifest).get("uid") or "")


def set_of(app: Manifest) -> str:
    """The name of the ApplicationSet that controls an Application, "" for none."""
    owner = _controller(app)
    return str(owner["name"]) if owner.get("kind") == "ApplicationSet" else ""


def _controller(manifest: Manifest) -> Mapping[str, Any]:
    references = manifest["metadata"].get("ownerReferences") or ()
    return next((each for each in references if each.get("controller")), {})


def disowned(manifest: Manifest, uid: str) -> Manifest:
    """The object without the owner of this uid."""
    metadata = manifest["metadata"]
    left = [each for each in metadata.get("ownerReferences") or () if each.get("uid") != uid]
    return {**manifest, "metadata": {**metadata, "ownerReferences": left}}


def _joined(
    before: Mapping[str, Any], wanted: Mapping[str, Any], field: str, kept: tuple[str, ...] | list[str]
) -> dict[str, str]:
    """A preserved key's live value beats the template's."""
    live = before.get(field) or {}
    return {**(wanted.get(field) or {}), **{key: live[key] for key in kept if key in live}}


def _put(metadata: dict[str, Any], field: str, value: Any) -> None:
    if value:
        metadata[field] = value
    else:
        metadata.pop(field, None)
