"""How many clusters may lose an application at once, and how many of its objects an application by one release.

The caps are the set's, else those of `argocd-cm`, else the defaults. One that cannot be read permits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from argosy.errors import Invalid

CAP_ANNOTATION = "argosy.dev/removal-cap"
TOGETHER = 60.0
"""Seconds within which removals count as one blow."""
PASSES = f"; what waits for that alone goes by itself {TOGETHER:g} s after the last of those"


@dataclass(frozen=True, slots=True)
class Cap:
    """How many clusters of a set may lose a whole application at once: the larger of `clusters` and `percent`."""

    clusters: int = 1
    percent: float = 5.0

    def limit(self, total: int) -> int:
        return max(self.clusters, int(total * self.percent / 100))


DEFAULT = Cap()


def parse(
    text: str, default: Cap = DEFAULT, place: str = f"metadata.annotations[{CAP_ANNOTATION}]", of: str = "set"
) -> Cap:
    """`"10%"` or `"3"`; "" is the default. Raises `Invalid` for anything else, naming its `place`. `of` is what a share
    is one of."""
    if not text:
        return default
    try:
        cap = Cap(0, float(text[:-1])) if text.endswith("%") else Cap(int(text), 0.0)
    except ValueError:
        cap = Cap(-1)
    counted = "objects" if of == "Application" else "clusters"
    if cap.clusters < 0 or not 0 <= cap.percent <= 100:
        raise Invalid(
            f'{place}: found "{text}", expected a number of {counted} such as "3" or a share of the {of} such as "10%"'
        )
    return cap


SET_KEY, FLEET_KEY, PRUNE_KEY = "argosy.removalCap", "argosy.fleetRemovalCap", "argosy.pruneCap"
PRUNE_ANNOTATION = "argosy.dev/prune-cap"
OF_PRUNE = Cap(10, 20.0)
"""How many of its objects an Application may lose by one release: the larger of ten and a fifth."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of sets that say none of their own, and of the fleet. What cannot be read permits nothing and is `wrong`."""

    of_set: Cap = DEFAULT
    of_fleet: Cap = DEFAULT
    of_prune: Cap = OF_PRUNE
    wrong: str = ""

    @property
    def said(self) -> str:
        """What is wrong, to be added to words about a cap."""
        return f" ({self.wrong})" if self.wrong else ""


NO_CAPS = Caps()
"""Where nobody says any: the defaults."""


def of(data: Mapping[str, Any]) -> Caps:
    """The caps that `data` of the ConfigMap `argocd-cm` says."""
    found, wrong = [], []
    for key, default, of in (
        (SET_KEY, DEFAULT, "set"),
        (FLEET_KEY, DEFAULT, "fleet"),
        (PRUNE_KEY, OF_PRUNE, "Application"),
    ):
        try:
            found.append(parse(str(data.get(key) or ""), default, f"argocd-cm data[{key}]", of))
        except Invalid as error:
            found.append(Cap(0, 0.0))
            wrong.append(error.message)
    return Caps(found[0], found[1], found[2], "; ".join(wrong))


def over_prune(gone: int, total: int, annotations: Mapping[str, str], limits: Caps = NO_CAPS) -> str:
    """Why a release may not prune so many of an Application's objects unasked, "" where it may."""
    own = annotations.get(PRUNE_ANNOTATION, "")
    place = f"metadata.annotations[{PRUNE_ANNOTATION}]"
    try:
        limit = parse(own, limits.of_prune, place, "Application").limit(total)
    except Invalid as error:
        return error.message if gone else ""
    if gone <= limit:
        return ""
    return (
        f"{gone} of {total} objects would be pruned, more than the cap of {limit}{'' if own else limits.said}"
    )


def crowded(mine: Collection[str], others: Collection[str], fleet: int, limits: Caps = NO_CAPS) -> str:
    """Why the fleet as a whole forbids a removal, "" where it does not. `mine` and `others` are the clusters that lose an
    application through this set, and lost one through other removals just now; a set alone is bounded by its own cap."""
    why = over_fleet(mine, others, fleet, limits) if mine and others else ""
    return f"{why}{PASSES}" if why else ""


def over_fleet(mine: Collection[str], others: Collection[str], fleet: int, limits: Caps = NO_CAPS) -> str:
    """As `crowded`, for what has no cap of its own."""
    limit, together = limits.of_fleet.limit(fleet), {*mine, *others}
    if len(together) <= limit:
        return ""
    other = f"with the other removals within {TOGETHER:g} s, " if others else ""
    return (
        f"{other}{len(together)} clusters of the fleet would lose applications, more than the cap of "
        f"{limit}{limits.said}"
    )
