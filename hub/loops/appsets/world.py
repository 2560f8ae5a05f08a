"""What generators may ask about the fleet, kept in memory: of what changed, only that is read again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from argosy.objects import Manifest
from hub.core.apps import destinations
from hub.core.apps.destinations import Directory
from hub.core.clusters.clusters import facts_of, going
from hub.core.fleet import Fleet, Move
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.types import ClusterFacts
from hub.store.base import Change, Store
from hub.store.resources import Resources

Address = tuple[str, str]
"""(namespace, name) of an object."""


@dataclass
class _Kind:
    """The objects of one resource; `dirty` are those to be read again. Loaded at the first question."""

    objects: dict[Address, Manifest] = field(default_factory=dict)
    dirty: set[Address] = field(default_factory=set)
    loaded: bool = False
    listed: dict[str, list[Manifest]] = field(default_factory=dict)
    """By namespace, in name order, until one of the objects changes."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class World:
    """Clusters and other objects, with a version for each resource that grows when one of its objects is written."""

    store: Store
    resources: Resources
    versions: dict[str, int] = field(default_factory=dict)
    _kinds: dict[str, _Kind] = field(default_factory=dict)
    _clusters: _Kind = field(default_factory=_Kind)
    """What of the clusters is to be read again; of the objects themselves only the facts are kept."""
    _facts: dict[Address, ClusterFacts] = field(default_factory=dict)
    _fleet: Fleet = field(default_factory=Fleet)
    _moves: list[Move] = field(default_factory=list)
    _moved_places: list[str] = field(default_factory=list)
    """What clusters are called that came, went or got another address, in turn."""
    _directory: tuple[int, Directory] = (-1, Directory(()))

    def note(self, changes: Sequence[Change]) -> set[str]:
        """Takes in committed changes of objects themselves; returns the resources whose own rows changed."""
        changed = set()
        for change in changes:
            changed.add(change.resource)
            if change.resource == table.CLUSTER.resource:
                self._clusters.dirty.add((change.namespace, change.name))
            if (kind := self._kinds.get(change.resource)) is not None:
                kind.dirty.add((change.namespace, change.name))
        for resource in changed:
            self.versions[resource] = self.versions.get(resource, 0) + 1
        return changed

    async def clusters(self) -> Fleet:
        """All clusters, from memory but for those that were written since."""
        moves = []
        for where, manifest in await self._refreshed(table.CLUSTER, self._clusters):
            new = facts_of(manifest) if manifest is not None and not going(manifest) else None
            old = self._facts.get(where)
            if old != new:
                moves.append(Move(old, new))
                self._take_up(where, moves[-1])
        self._clusters.objects.clear()
        if moves:
            self._fleet = self._fleet.moved(moves) if len(self._fleet) else Fleet(self._facts.values())
            self._moves += moves
        return self._fleet

    def _take_up(self, where: Address, move: Move) -> None:
        old, new = move.old, move.new
        if new is None:
            del self._facts[where]
        else:
            self._facts[where] = new
        if old is None or new is None or (old.server, old.id) != (new.server, new.id):
            for cluster in (old, new):
                if cluster is not None:
                    self._moved_places += destinations.places(cluster)

    def moved(self) -> list[Move]:
        """The clusters that moved since this was last asked, as `clusters` found them. One loop may ask."""
        found, self._moves = self._moves, []
        return found

    @property
    def places(self) -> int:
        """Grows when a destination may mean another cluster, as `clusters` found it."""
        return len(self._moved_places)

    def moved_places(self, since: int) -> frozenset[str]:
        """The names and servers that may mean another cluster than when `places` was `since`."""
        return frozenset(self._moved_places[since:])

    async def directory(self) -> Directory:
        """Who is where, made anew only where `places` grew."""
        await self.clusters()
        if self._directory[0] != self.places:
            self._directory = (self.places, Directory(self._fleet))
        return self._directory[1]

    async def listed(self, served: Served, namespace: str) -> list[Manifest]:
        """All objects of a resource in a namespace in name order, from memory but for those that were written since."""
        kind = self._kinds.setdefault(served.resource, _Kind())
        await self._refreshed(served, kind)
        found = kind.listed.get(namespace)
        if found is None:
            places = sorted(place for place in kind.objects if place[0] == namespace)
            found = kind.listed[namespace] = [kind.objects[place] for place in places]
        return found

    async def _refreshed(self, served: Served, kind: _Kind) -> list[tuple[Address, Manifest | None]]:
        """Reads again what changed; returns that."""
        async with kind.lock:
            if not kind.loaded:
                found: list[tuple[Address, Manifest | None]] = [
                    (_address(item), item)
                    for item in await self.store.read(lambda tx: self.resources.list(tx, served))
                ]
                kind.loaded = True
            elif kind.dirty:
                found = await self._read(served, kind)
            else:
                return []
            for place, manifest in found:
                kind.listed.pop(place[0], None)
                if manifest is None:
                    kind.objects.pop(place, None)
                else:
                    kind.objects[place] = manifest
            return found

    async def _read(self, served: Served, kind: _Kind) -> list[tuple[Address, Manifest | None]]:
        dirty, kind.dirty = kind.dirty, set()
        try:
            return await self.store.read(
                lambda tx: [(place, self.resources.get(tx, served, *place)) for place in sorted(dirty)]
            )
        except BaseException:
            kind.dirty |= dirty
            raise


def _address(manifest: Manifest) -> Address:
    metadata = manifest["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
