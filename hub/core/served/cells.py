"""Cells of tables: a value at a path, an age, a yes or no."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from argosy.objects import Manifest

Cell = Callable[[Manifest, float], Any]


def value(manifest: Any, *path: str) -> Any:
    """The value at a path; None where there is none."""
    for name in path:
        if not isinstance(manifest, dict):
            return None
        manifest = manifest.get(name)
    return manifest


def at(*path: str) -> Cell:
    """A cell that shows the value at a path, empty where there is none."""

    def cell(manifest: Manifest, now: float) -> Any:
        found = value(manifest, *path)
        return "" if found is None else found

    return cell


def condition(kind: str, part: str = "status") -> Cell:
    """A cell that shows a part of `status.conditions` of one type."""

    def cell(manifest: Manifest, now: float) -> Any:
        for each in value(manifest, "status", "conditions") or ():
            if isinstance(each, dict) and each.get("type") == kind:
                return each.get(part, "")
        return ""

    return cell


def raised(kind: str, part: str) -> Cell:
    """A cell that shows a part of a condition while it is true, and nothing while all is well."""
    status, shown = condition(kind), condition(kind, part)
    return lambda manifest, now: shown(manifest, now) if status(manifest, now) == "True" else ""


def count(*path: str) -> Cell:
    """A cell that shows how many entries there are at a path."""

    def cell(manifest: Manifest, now: float) -> int:
        found = value(manifest, *path)
        return len(found) if isinstance(found, dict | list) else 0

    return cell


def name(manifest: Manifest, now: float) -> str:
    """`metadata.name`."""
    return str(value(manifest, "metadata", "name") or "")


def since(*path: str) -> Cell:
    """A cell that shows how long ago a time was."""

    def cell(manifest: Manifest, now: float) -> str:
        found = value(manifest, *path)
        if found is None:
            return ""
        moment = seconds(found) if isinstance(found, str) else None
        return "<unknown>" if moment is None else duration(now - moment)

    return cell


def seconds(text: str) -> float | None:
    """An RFC 3339 time as Unix seconds; None where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return moment.timestamp()


def stamp(moment: float) -> str:
    """Unix seconds as RFC 3339 in seconds, UTC."""
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(span: float) -> str:
    """A span in seconds as kubectl shows ages (apimachinery `duration.HumanDuration`)."""
    total = int(span)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes, hours = total // 60, total // 3600
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    if days < 365 * 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"
