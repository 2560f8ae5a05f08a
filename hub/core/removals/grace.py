"""How long a deleted ApplicationSet keeps its applications: whoever comes in its place until then gets them as they are.

The default is short, since whoever deletes a set waits for that. A pipeline that deletes a set and applies it under another
name needs as long as it takes to come from one to the other; who applies the new one first needs no time at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy import windows
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.served import cells

ANNOTATION, KEY = "argosy.dev/deletion-grace", "argosy.deletionGrace"
DEFAULT, LONGEST = 2.0, 24 * 3600.0
"""Seconds."""


def of(appset: Manifest, data: Mapping[str, Any]) -> float:
    """Seconds, by the set itself, else by `data` of `argocd-cm`. Raises `Invalid` for what cannot be read."""
    notes = appset["metadata"].get("annotations") or {}
    for place, text in (
        (f"metadata.annotations[{ANNOTATION}]", notes.get(ANNOTATION)),
        (f"argocd-cm data[{KEY}]", data.get(KEY)),
    ):
        if text:
            return _read(str(text), place)
    return DEFAULT


def ends(appset: Manifest, seconds: float) -> float:
    """Until when a set keeps its applications, Unix seconds; 0 for one that is not deleted."""
    deleted = cells.seconds(str(appset["metadata"].get("deletionTimestamp") or ""))
    return deleted + seconds if deleted is not None else 0.0


def told(until: float) -> str:
    """What a set says that keeps its applications for longer than usual."""
    return (
        f"the set was deleted: its applications stay until {cells.stamp(until)}, for another set to take them over "
        f"({ANNOTATION})"
    )


def _read(text: str, place: str) -> float:
    try:
        found = float(windows.seconds(text))
    except Invalid:
        found = -1.0
    if not 0 <= found <= LONGEST:
        raise Invalid(f'{place}: found "{text}", expected a time such as "30s", at most 24h')
    return found
