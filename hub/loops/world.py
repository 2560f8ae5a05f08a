"""What generators may ask about the fleet, read once per change and not once per set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.objects import Manifest
from hub.core.fleet import Fleet
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.types import ClusterFacts
from hub.store.base import Change, Store
from hub.store.resources import Resources


@dataclass
class World:
    """Clusters and other objects, with a version for each resource that grows when one of its objects is written."""

    store: Store
    resources: Resources
    versions: dict[str, int] = field(default_factory=dict)
    _kept: dict[tuple[str, str], tuple[int, list[Manifest]]] = field(default_factory=dict)
    _clusters: tuple[int, Fleet] = (-1, Fleet())
    _fleet: int = 0

    def note(self, changes: Sequence[Change]) -> set[str]:
        """Takes in committed changes; returns the resources whose own rows changed."""
        changed = {change.resource for change in changes if not change.composed}
        for resource in changed:
            self.versions[resource] = self.versions.get(resource, 0) + 1
        return changed

    async def clusters(self) -> Fleet:
        """All clusters in name order, from memory where none was written since."""
        version = self.versions.get(table.CLUSTER.resource, 0)
        if self._clusters[0] != version:
            found = await self.store.read(lambda tx: self.resources.list(tx, table.CLUSTER))
            facts = Fleet(facts_of(item) for item in found if not item["metadata"].get("deletionTimestamp"))
            if facts != self._clusters[1]:
                self._fleet += 1
            self._clusters = (version, facts)
        return self._clusters[1]

    @property
    def fleet(self) -> int:
        """Grows when what generators may know of any cluster changes, and not with a mere status."""
        return self._fleet

    async def listed(self, served: Served, namespace: str) -> list[Manifest]:
        """All objects of a resource in a namespace, from memory where none was written since."""
        version = self.versions.get(served.resource, 0)
        kept = self._kept.get((served.resource, namespace))
        if kept is None or kept[0] != version:
            found = await self.store.read(lambda tx: self.resources.list(tx, served, namespace))
            kept = self._kept[served.resource, namespace] = (version, found)
        return kept[1]


def facts_of(cluster: Manifest) -> ClusterFacts:
    """A `Cluster` object as generators see it: as if it were Argo CD's cluster Secret."""
    metadata: dict[str, Any] = cluster["metadata"]
    spec = cluster.get("spec") or {}
    return ClusterFacts(
        name=metadata["name"],
        server=spec["server"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        project=spec.get("project") or "",
        id=metadata["uid"],
    )
