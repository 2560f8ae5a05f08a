"""The fleet at a glance: counts, and what somebody has to look at. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest
from hub.core.clusters import clusters
from hub.core.clusters.clusters import Agent

MOST = 200
"""Problems of each kind that are named; all are counted."""
_STATES = {"Revoked": "revoked", "NeverJoined": "waiting", "NeverConnected": "waiting"}


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by word. `problems` and `stale` are (what, why); `unnamed` counts the problems that are not in them."""

    clusters: Mapping[str, int]
    sync: Mapping[str, int]
    health: Mapping[str, int]
    appsets: int
    rollouts: Sequence[tuple[str, str, str]]
    freezes: int
    problems: Sequence[tuple[str, str]]
    stale: Sequence[tuple[str, str]]
    unnamed: int = 0

    def document(self) -> dict[str, Any]:
        def named(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
            return [{"name": name, "message": message} for name, message in pairs]

        return {
            "clusters": dict(self.clusters),
            "sync": dict(self.sync),
            "health": dict(self.health),
            "appsets": self.appsets,
            "rollouts": [
                {"name": name, "phase": phase, "reason": reason} for name, phase, reason in self.rollouts
            ],
            "freezes": self.freezes,
            "problems": named(self.problems),
            "stale": named(self.stale),
            "problemsNotNamed": self.unnamed,
        }


def of_clusters(
    found: Sequence[tuple[str, Agent | None]], now: float
) -> tuple[Counter[str], list[tuple[str, str]]]:
    """(clusters by state: Ready, offline, waiting, revoked; those to be looked at, with the reason)."""
    counts = Counter[str]()
    problems: list[tuple[str, str]] = []
    for name, agent in found:
        told = {one["type"]: one for one in clusters.conditions(agent, now)}
        ready, held = told["Ready"], told.get("Held") or {}
        state = "Ready" if ready["status"] == "True" else _STATES.get(ready["reason"], "offline")
        counts[state] += 1
        why = "" if state == "Ready" else f"{state}: {ready['message']}"
        if not why and held.get("status") == "True":
            why = f"removals are held: {held['reason']}: {held['message']}"
        if not why and "Quarantined" in told:
            why = str(told["Quarantined"]["message"])
        if why:
            problems.append((f"cluster/{name}", why))
    return counts, problems


def of_sets(appsets: Sequence[Manifest]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(sets that could not be evaluated, sets whose removals wait for a decision), each with the reason."""
    stale, held = [], []
    for appset in appsets:
        name = f"appset/{appset['metadata']['name']}"
        told = {
            one.get("type"): str(one.get("message") or "")
            for one in (appset.get("status") or {}).get("conditions") or ()
            if one.get("status") == "True"
        }
        for kind in ("ErrorOccurred", "Stale"):
            if kind in told:
                stale.append((name, told[kind]))
                break
        if "RemovalHeld" in told:
            held.append((name, told["RemovalHeld"]))
    return stale, held
