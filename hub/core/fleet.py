"""The clusters of one moment, with what makes asking about them cheap.

For every label there is one big integer whose bits are the clusters that carry it, so that a selector costs a
few integer operations however many clusters there are. Built on first use and kept as long as the clusters
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from hub.core.labels import Selector
from hub.core.params import Params, StringMap
from hub.core.template import names
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
) | {"kubectl.kubernetes.io/last-applied-configuration"}
"""Annotations of cluster Secrets that are no parameters (Argo CD 3.6)."""


class Fleet(tuple[ClusterFacts, ...]):
    """Clusters in the order in which they were listed. Hand over the same `Fleet` until a cluster changes."""

    @cached_property
    def by_name(self) -> list[ClusterFacts]:
        """In name order. Of several with one name the last one listed counts (Argo CD)."""
        named = {cluster.name: cluster for cluster in self}
        return [named[name] for name in sorted(named)]

    @cached_property
    def has_local(self) -> bool:
        """True where some cluster stands for the local one, which then needs no help to exist."""
        return any(cluster.server == LOCAL_SERVER for cluster in self)

    @cached_property
    def servers(self) -> dict[str, str]:
        """Name -> server without a trailing slash of every cluster, the local one included."""
        found = {cluster.name: cluster.server.rstrip("/") for cluster in self}
        return found if self.has_local else {**found, LOCAL_CLUSTER: LOCAL_SERVER}

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
        return [self.by_name[position] for position in _positions(bits)]

    @cached_property
    def _everything(self) -> int:
        return (1 << len(self.by_name)) - 1

    @cached_property
    def _index(self) -> dict[str, dict[str, int]]:
        """Label key -> value -> bits of the clusters that carry it."""
        carriers: dict[str, dict[str, list[int]]] = {}
        for position, cluster in enumerate(self.by_name):
            for key, value in cluster.labels.items():
                carriers.setdefault(key, {}).setdefault(value, []).append(position)
        size = len(self.by_name) // 8 + 1
        return {
            key: {value: _bits(positions, size) for value, positions in values.items()}
            for key, values in carriers.items()
        }

    @cached_property
    def _params(self) -> dict[tuple[str, bool], Params]:
        return {}

    def params(self, cluster: ClusterFacts, go: bool) -> Params:
        """The parameters that the clusters generator makes of a cluster: a dictionary of the caller's own,
        whose nested maps are shared and not to be changed.
        """
        known = self._params.get((cluster.name, go))
        if known is None:
            known = self._params[cluster.name, go] = _params_of(cluster, go)
        return dict(known)


def of(clusters: Sequence[ClusterFacts]) -> Fleet:
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


def _positions(bits: int) -> Iterator[int]:
    digits = bin(bits)[:1:-1]
    position = digits.find("1")
    while position >= 0:
        yield position
        position = digits.find("1", position + 1)
