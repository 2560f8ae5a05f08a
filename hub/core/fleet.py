"""The clusters of one moment, with what makes asking about them cheap.

For every label there is one big integer whose bits are the clusters that carry it, so that a selector costs a
few integer operations however many clusters there are. A change of a few clusters gives a new fleet that shares
everything else with the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from argosy.annotations import LAST_APPLIED
from hub.core.matching.labels import Selector
from hub.core.template import names
from hub.core.template.params import Params, StringMap
from hub.core.types import LOCAL_CLUSTER, LOCAL_SERVER, ClusterFacts

_PRIVATE = frozenset(
    f"argocd.argoproj.io/{name}"
    for name in (
        "refresh",
        "refresh-timestamp",
        "hydrate",
        "hydrate-timestamp",
        "tracking-id",
        "installation-id",
    )
) | {LAST_APPLIED}
"""Annotations of cluster Secrets that are no parameters (Argo CD 3.6)."""

_NAME = attrgetter("name")
_Index = dict[str, dict[str, int]]
"""Label key -> value -> bits of the clusters that carry it."""


@dataclass(frozen=True)
class Move:
    """One cluster before and after: None where there was, or is, none."""

    old: ClusterFacts | None
    new: ClusterFacts | None

    @cached_property
    def relabelled(self) -> frozenset[str] | None:
        """Labels and annotations whose value is not what it was, where nothing else changed; None where more did."""
        old, new = self.old, self.new
        if old is None or new is None:
            return None
        if (old.name, old.server, old.project) != (new.name, new.server, new.project):
            return None
        changed: set[str] = set()
        for before, after in ((old.labels, new.labels), (old.annotations, new.annotations)):
            if before is not after:
                changed.update(key for key, _ in before.items() ^ after.items())
        return frozenset(changed)


class Fleet:
    """Clusters by name; of several with one name the last one listed counts (Argo CD)."""

    def __init__(self, clusters: Iterable[ClusterFacts] = ()) -> None:
        listed = tuple(clusters)
        named = {cluster.name: cluster for cluster in listed}
        self._slots: list[ClusterFacts | None] = [named[name] for name in sorted(named)]
        self._slot_of = {name: slot for slot, name in enumerate(sorted(named))}
        self._locals = sum(cluster.server == LOCAL_SERVER for cluster in listed)
        self._everything = (1 << len(self._slots)) - 1
        self._in_order = True
        self._params: dict[bool, dict[str, tuple[ClusterFacts, Params]]] = {True: {}, False: {}}
        self._lazy_index: _Index | None = None

    def __iter__(self) -> Iterator[ClusterFacts]:
        """In the order in which they joined, at first in name order."""
        return (cluster for cluster in self._slots if cluster is not None)

    def __len__(self) -> int:
        return len(self._slot_of)

    @property
    def has_local(self) -> bool:
        """True where some cluster stands for the local one, which then needs no help to exist."""
        return self._locals > 0

    @cached_property
    def servers(self) -> dict[str, str]:
        """Name -> server without a trailing slash of every cluster, the local one included."""
        found = {cluster.name: cluster.server.rstrip("/") for cluster in self}
        return found if self.has_local else {**found, LOCAL_CLUSTER: LOCAL_SERVER}

    def moved(self, moves: Iterable[Move]) -> Fleet:
        """The fleet after some clusters joined, changed or left."""
        after = Fleet()
        after._slots, after._slot_of = list(self._slots), dict(self._slot_of)
        after._locals, after._everything, after._in_order = self._locals, self._everything, self._in_order
        after._params = self._params
        after._lazy_index = None if self._lazy_index is None else dict(self._lazy_index)
        written: set[str] = set()
        for move in moves:
            after._move(move, written)
        return after

    def _move(self, move: Move, written: set[str]) -> None:
        """`written` are the label keys whose values belong to this fleet alone."""
        named = move.old or move.new
        if named is None:
            return
        slot = self._slot_of.get(named.name)
        if slot is None:
            slot = self._slot_of[named.name] = len(self._slots)
            self._slots.append(None)
            self._in_order = False
        self._slots[slot] = move.new
        self._locals += _is_local(move.new) - _is_local(move.old)
        bit = 1 << slot
        if move.new is None:
            del self._slot_of[named.name]
            self._everything &= ~bit
            for known in self._params.values():
                known.pop(named.name, None)
        else:
            self._everything |= bit
        if self._lazy_index is not None:
            _reindex(self._lazy_index, move, bit, written)

    def select(self, selector: Selector) -> list[ClusterFacts]:
        """The clusters that a selector picks, in name order."""
        bits = self._everything
        for requirement in selector.requirements:
            values = self._index.get(requirement.key, {})
            if requirement.operator in ("In", "NotIn"):
                found = _union(values[value] for value in requirement.values if value in values)
            else:
                found = _union(values.values())
            bits &= found if requirement.operator in ("In", "Exists") else ~found
            if not bits:
                return []
        chosen = self._at(bits)
        if not self._in_order:
            chosen.sort(key=_NAME)
        return chosen

    def _at(self, bits: int) -> list[ClusterFacts]:
        """The clusters of the bits that are set, by slot."""
        slots, chosen = self._slots, []
        digits = bin(bits)[:1:-1]
        find = digits.find
        at = find("1")
        while at >= 0:
            cluster = slots[at]
            if cluster is not None:
                chosen.append(cluster)
            at = find("1", at + 1)
        return chosen

    @property
    def _index(self) -> _Index:
        if self._lazy_index is None:
            self._lazy_index = _indexed(self._slots)
        return self._lazy_index

    def params(self, clusters: Iterable[ClusterFacts], go: bool) -> list[Params]:
        """The parameters that the clusters generator makes of each cluster: shared, and not to be changed."""
        kept, found = self._params[go], []
        for cluster in clusters:
            known = kept.get(cluster.name)
            if known is None or known[0] is not cluster:
                known = kept[cluster.name] = (cluster, _params_of(cluster, go))
            found.append(known[1])
        return found


def of(clusters: Iterable[ClusterFacts]) -> Fleet:
    """The clusters as a `Fleet`; one that is a `Fleet` already keeps what it has built."""
    return clusters if isinstance(clusters, Fleet) else Fleet(clusters)


def local_params() -> Params:
    """The parameters of the local cluster where no Secret stands for it: it has no metadata at all."""
    return _basic(LOCAL_CLUSTER, LOCAL_SERVER, "")


def _basic(name: str, server: str, project: str) -> Params:
    return {"name": name, "nameNormalized": names.normalize(name), "server": server, "project": project}


def _params_of(cluster: ClusterFacts, go: bool) -> Params:
    found = _basic(cluster.name, cluster.server, cluster.project)
    annotations = {key: text for key, text in cluster.annotations.items() if key not in _PRIVATE}
    if not go:
        found.update({f"metadata.annotations.{key}": text for key, text in annotations.items()})
        found.update({f"metadata.labels.{key}": text for key, text in cluster.labels.items()})
        return found
    metadata: Params = {}
    if cluster.annotations:
        metadata["annotations"] = StringMap(annotations)
    if cluster.labels:
        metadata["labels"] = StringMap(cluster.labels)
    found["metadata"] = metadata
    return found


def _is_local(cluster: ClusterFacts | None) -> int:
    return int(cluster is not None and cluster.server == LOCAL_SERVER)


def _indexed(slots: list[ClusterFacts | None]) -> _Index:
    carriers: dict[str, dict[str, list[int]]] = {}
    for position, cluster in enumerate(slots):
        for key, value in cluster.labels.items() if cluster is not None else ():
            carriers.setdefault(key, {}).setdefault(value, []).append(position)
    size = len(slots) // 8 + 1
    return {
        key: {value: _bits(positions, size) for value, positions in values.items()}
        for key, values in carriers.items()
    }


def _reindex(index: _Index, move: Move, bit: int, written: set[str]) -> None:
    """Moves one cluster's bit; values that nobody carries any more are dropped."""
    old = move.old.labels if move.old is not None else {}
    new = move.new.labels if move.new is not None else {}
    for key in {*old, *new}:
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if key not in written:
            written.add(key)
            index[key] = dict(index.get(key, {}))
        values = index[key]
        if before is not None:
            values[before] = values.get(before, 0) & ~bit
            if not values[before]:
                del values[before]
        if after is not None:
            values[after] = values.get(after, 0) | bit


def _union(sets: Iterable[int]) -> int:
    bits = 0
    for one in sets:
        bits |= one
    return bits


def _bits(positions: list[int], size: int) -> int:
    array = bytearray(size)
    for position in positions:
        array[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(array, "little")
