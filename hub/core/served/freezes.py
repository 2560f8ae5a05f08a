"""Freeze and Override (argosy.dev/v1alpha1): what shall not change for a while, and what may after all."""

from __future__ import annotations

from typing import Any

from argosy import windows
from argosy.errors import Invalid
from argosy.machinery import failure, kinds
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest
from hub.core.holds import freezes
from hub.core.served import cells, shapes
from hub.core.served.base import Column, Served
from hub.core.served.shapes import FLAG, TEXT, TEXT_MAP, TEXTS, TIME, many, root, struct

GROUP, VERSION = "argosy.dev", "v1alpha1"

_SELECTOR = struct(
    {
        "matchLabels": TEXT_MAP,
        "matchExpressions": many(
            struct({"key": TEXT, "operator": TEXT, "values": TEXTS}, required=("key", "operator"))
        ),
    }
)
_SCOPE = {
    "fleet": shapes.described(FLAG, "Everything; stands alone."),
    "clusters": shapes.described(TEXTS, "Names of clusters."),
    "clusterSelector": shapes.described(_SELECTOR, "Clusters by their labels."),
    "applications": shapes.described(TEXTS, "Applications, as `name` or `namespace/name`."),
    "applicationSets": shapes.described(TEXTS, "All Applications of these ApplicationSets."),
    "rollouts": shapes.described(TEXTS, "Members of these rollouts that have not moved yet."),
}
_TERMS = {
    "reason": shapes.described({**TEXT, "minLength": 1, "maxLength": 500}, "Why, for those who meet it."),
    "expiresAt": shapes.described(TIME, "When it ends by itself."),
    "duration": shapes.described(TEXT, "Instead of expiresAt: how long from its creation, as in 2h30m."),
    "person": shapes.described(TEXT, "Who made it. Written by the hub."),
}


def _expiring(manifest: Manifest) -> Manifest:
    """`expiresAt` from `duration`. What is wrong with either is admission's to say."""
    spec: dict[str, Any] = manifest.get("spec") or {}
    made = (manifest.get("metadata") or {}).get("creationTimestamp") or ""
    if spec.get("expiresAt") or not spec.get("duration"):
        return manifest
    try:
        end = freezes.moment(made) + float(windows.seconds(spec["duration"]))
        stamp = cells.stamp(end)
    except (Invalid, ValueError, OverflowError):
        return manifest
    return {**manifest, "spec": {**spec, "expiresAt": stamp}}


def _admit(new: Manifest, live: Manifest | None) -> list[FieldError]:
    spec: dict[str, Any] = new.get("spec") or {}
    named = [field for field, _ in freezes.SCOPES if spec.get(field)]
    errors = []
    if not named:
        errors.append(failure.required("spec", f"one of {', '.join(field for field, _ in freezes.SCOPES)}"))
    if "fleet" in named and len(named) > 1:
        errors.append(failure.not_allowed(f"spec.{named[1]}", "fleet is everything, and stands alone"))
    try:
        freezes.scope(spec)
    except Invalid as error:
        errors.append(
            failure.invalid_value("spec.clusterSelector", spec.get("clusterSelector"), error.message)
        )
    if not spec.get("expiresAt"):
        given = spec.get("duration")
        errors.append(
            failure.invalid_value("spec.duration", given, "expected a number with a unit, as in 2h30m")
            if given
            else failure.required("spec.expiresAt", "or spec.duration: none lasts for ever")
        )
    else:
        errors += _end_errors(new, spec)
    return errors


def _end_errors(new: Manifest, spec: dict[str, Any]) -> list[FieldError]:
    try:
        end = freezes.moment(spec["expiresAt"])
    except Invalid as error:
        return [failure.invalid_value("spec.expiresAt", spec["expiresAt"], error.message)]
    made = freezes.moment(new["metadata"]["creationTimestamp"])
    longest = made + freezes.LONGEST_OVERRIDE
    if new.get("kind") == "Override" and end > longest:
        detail = f"an override ends within a day, by {cells.stamp(longest)}"
        return [failure.invalid_value("spec.expiresAt", spec["expiresAt"], detail)]
    return []


def _scope_cell(manifest: Manifest, now: float) -> str:
    return freezes.words(manifest.get("spec") or {})


def _state_cell(manifest: Manifest, now: float) -> str:
    end = cells.seconds(str(cells.value(manifest, "spec", "expiresAt") or ""))
    return "Active" if end is not None and end > now else "Expired"


def _left_cell(manifest: Manifest, now: float) -> str:
    end = cells.seconds(str(cells.value(manifest, "spec", "expiresAt") or ""))
    return cells.duration(end - now) if end is not None and end > now else ""


_COLUMNS = (
    Column("Name", cells.name, format="name", description="Name of the object."),
    Column("Scope", _scope_cell, description="What it is about."),
    Column("State", _state_cell, description="Whether it counts now."),
    Column("Left", _left_cell, description="How long it still counts."),
    Column("Person", cells.at("spec", "person"), description="Who made it."),
    Column("Reason", cells.at("spec", "reason"), description="Why."),
    Column("Age", cells.since("metadata", "creationTimestamp"), description="Time since it was created."),
)


def _kind(kind: str, plural: str, extra: dict[str, Any], description: str) -> Served:
    spec = struct({**_SCOPE, **_TERMS, **extra}, required=("reason",))
    return Served(
        kinds.custom(
            GROUP,
            VERSION,
            kind,
            plural,
            root({"spec": spec}, required=("spec",), description=description),
            namespaced=False,
            categories=("argosy",),
        ),
        kind.lower(),
        _COLUMNS,
        admit=_admit,
        complete=_expiring,
        signed=True,
    )


FREEZE = _kind(
    "Freeze",
    "freezes",
    {"heal": shapes.described(FLAG, "Whether agents go on correcting drift from what runs.")},
    "Nothing new is assigned to what it names, and agents that have heard of it change nothing there.",
)
OVERRIDE = _kind(
    "Override",
    "overrides",
    {},
    "Lets what it names change in spite of freezes and sync windows, for at most a day: breaks the glass.",
)
