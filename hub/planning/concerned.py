"""Which Applications a change concerns that stay as they are themselves: their sources, clusters or projects do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.core.appsets import generated
from hub.core.fleet import Move
from hub.core.plans.compare import Pair
from hub.loops.apps.applications import Applications
from hub.loops.apps.entries import Entry
from hub.planning.governing import Governed
from hub.planning.trees import PlannedTrees


@dataclass(frozen=True, slots=True)
class Concerned:
    """Found among the Applications as the renderer knows them. `only` those of one set, "" for all."""

    applications: Applications
    trees: PlannedTrees
    moves: Sequence[Move]
    governed: Governed
    only: str

    def moved(self, known: set[str]) -> list[Pair]:
        """By a source that does not stay as it is; without those that are `known` to change, by uid."""
        return self._pairs(self.applications.using(lambda key: self.trees.concerns(key[0])), known)

    def displaced(self, pairs: Iterable[Pair]) -> list[Pair]:
        """By the cluster that they name, which comes or goes; without those of `pairs` that change."""
        ids = {move.old.id for move in self.moves if move.old is not None and move.new is None}
        joined = [move.new for move in self.moves if move.old is None and move.new is not None]
        places = {text for cluster in joined for text in (cluster.name, cluster.server)}
        if not (ids or places) or self.only:
            return []
        known = uids(pair for pair in pairs if pair.changed)
        return self._pairs(self.applications.going_to(ids, places), known)

    def subjects(self, known: set[str]) -> list[Pair]:
        """By their project, or by what holds for all; without those that are `known` to change, by uid."""
        if not self.governed.anything:
            return []
        projects = None if self.governed.settings else self.governed.projects.keys()
        return self._pairs(self.applications.governed_by(projects), known)

    def _pairs(self, found: Mapping[str, Entry], known: set[str]) -> list[Pair]:
        return [
            Pair(generated.set_of(entry.manifest), entry.manifest, entry.manifest)
            for uid, entry in found.items()
            if uid not in known and not entry.manifest["metadata"].get("deletionTimestamp")
            if not self.only or generated.set_of(entry.manifest) == self.only
        ]


def uids(pairs: Iterable[Pair]) -> set[str]:
    """Of those that are there."""
    return {pair.live["metadata"]["uid"] for pair in pairs if pair.live is not None}
