"""Whom a confirmation of many clusters concerns: counted and shown before anybody is confirmed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from argosy.objects import Manifest
from hub.cli import states

SHOWN = 10
"""Names told of one line."""
_GOES_ON = "Removing"


def counted(clusters: Sequence[Manifest], removals: Sequence[Manifest]) -> list[str]:
    """The names of those that hold; says how many these are, why, what they are assigned, and what would go then."""
    holding = [one for one in clusters if states.true(one, "Held")]
    names = sorted(one["metadata"]["name"] for one in holding)
    away = [one for one in clusters if not states.true(one, "Ready") and not states.true(one, "Held")]
    print(f"{len(names)} of {len(clusters)} clusters hold{_listed(names)}")
    for reason, number in sorted(Counter(_reason(one) for one in holding).items()):
        print(f"  {number} {reason}")
    if holding:
        assigned = [int((one.get("status") or {}).get("applications") or 0) for one in holding]
        empty = sum(not number for number in assigned)
        print(f"  {sum(assigned)} applications are assigned to them, none to {empty} of them")
        going = [one for one in removals if _concerns(one, set(names))]
        print(f"  {len(going)} removals that are under way concern them{_listed(_named(going))}")
    if away:
        print(
            f"{len(away)} more are not connected and say nothing: those that hold are confirmed when they are back"
        )
    return names


def left(names: Sequence[str]) -> int:
    """What to say, and the exit code, where nobody is confirmed."""
    if not names:
        return 0
    print(f"nothing is confirmed yet: with --yes, these {len(names)} are", file=sys.stderr)
    return 2


def _reason(cluster: Manifest) -> str:
    return str(states.condition(cluster, "Held").get("reason") or "")


def _concerns(removal: Manifest, names: set[str]) -> bool:
    going = (removal.get("status") or {}).get("phase") == _GOES_ON
    return going and not names.isdisjoint((removal.get("spec") or {}).get("clusters") or ())


def _named(items: Sequence[Manifest]) -> list[str]:
    return sorted(one["metadata"]["name"] for one in items)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f": {', '.join(names[:SHOWN])}{more}"
