"""The fleet at a glance. Pure: lists of API objects in, counts and problems out."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from argosy.objects import Manifest
from hub.cli import states

SHOWN = 10
"""Problems printed in a table; JSON has all of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Counts by word, and every problem as (what, why)."""

    clusters: dict[str, int]
    sync: dict[str, int]
    health: dict[str, int]
    appsets: int
    problems: tuple[tuple[str, str], ...]
    stale: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        value = asdict(self)
        for key in ("problems", "stale"):
            value[key] = [{"name": name, "message": message} for name, message in value[key]]
        return value


def summarise(clusters: list[Manifest], appsets: list[Manifest], apps: list[Manifest]) -> Fleet:
    reachable = {str(item["metadata"]["name"]): states.cluster_state(item) for item in clusters}
    servers = states.names_by_server(clusters)
    found = [states.app_state(item, servers) for item in apps]
    problems = [
        (f"cluster/{name}", f"{state}: {why}".rstrip(": "))
        for name, (state, why) in reachable.items()
        if state != "Ready" or why
    ]
    problems += [(f"app/{app.name}", app.trouble) for app in found if app.trouble]
    for item in appsets:
        if held := states.held_removal(item):
            problems.append((f"appset/{item['metadata']['name']}", held))
    stale = [
        (f"appset/{item['metadata']['name']}", trouble)
        for item in appsets
        if (trouble := states.set_trouble(item))
    ]
    return Fleet(
        clusters=dict(Counter(state for state, _ in reachable.values())),
        sync=dict(Counter(app.sync for app in found)),
        health=dict(Counter(app.health for app in found)),
        appsets=len(appsets),
        problems=tuple(problems),
        stale=tuple(stale),
    )


def counts(words: dict[str, int]) -> str:
    """`{"Synced": 3, "OutOfSync": 1}` -> `3 Synced, 1 OutOfSync`."""
    return (
        ", ".join(f"{number} {word}" for word, number in sorted(words.items(), key=lambda item: -item[1]))
        or "none"
    )
