"""Which cluster an Application goes to: by name or by server, as Argo CD resolves `spec.destination`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from argosy.errors import Invalid
from hub.core.types import LOCAL_CLUSTER, LOCAL_SERVER, ClusterFacts


@dataclass(frozen=True)
class Directory:
    """All clusters, ready to be asked for."""

    clusters: Iterable[ClusterFacts]
    by_name: Mapping[str, ClusterFacts] = field(init=False)
    by_server: Mapping[str, ClusterFacts] = field(init=False)
    ids: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {cluster.name: cluster for cluster in self.clusters})
        object.__setattr__(self, "ids", frozenset(cluster.id for cluster in self.clusters))
        object.__setattr__(self, "by_server", {_server(c.server): c for c in self.clusters})


def places(cluster: ClusterFacts) -> tuple[str, str]:
    """What a destination may call a cluster: its name and its server."""
    return cluster.name, _server(cluster.server)


def aimed_at(destination: Mapping[str, str]) -> frozenset[str]:
    """The `places` that decide which cluster a destination means."""
    name, server = destination.get("name") or "", destination.get("server") or ""
    return frozenset(filter(None, (name, _server(server))))


def resolve(destination: Mapping[str, str], directory: Directory) -> ClusterFacts:
    """The cluster of a `spec.destination`. Raises `Invalid` in Argo CD's words (3.6, `util/argo.GetDestinationCluster`)."""
    name, server = destination.get("name") or "", destination.get("server") or ""
    if name and server:
        found = directory.by_name.get(name)
        if found is not None and _server(found.server) == _server(server):
            return found
        raise Invalid(
            f"application destination can't have both name and server defined: {name} {server} "
            "(they name different clusters here)"
        )
    if name:
        if (found := directory.by_name.get(name)) is None:
            raise Invalid(f"there are no clusters with this name: {name} (spec.destination.name){_own(name)}")
        return found
    if server:
        if (found := directory.by_server.get(_server(server))) is None:
            raise Invalid(f'cluster "{server}" not found (spec.destination.server){_own(_server(server))}')
        return found
    raise Invalid(
        "destination server missing from app spec: set spec.destination.name or spec.destination.server"
    )


def _own(wanted: str) -> str:
    if wanted not in (LOCAL_CLUSTER, LOCAL_SERVER):
        return ""
    return ": `argosy-hub serve --in-cluster` makes the hub's own API this cluster"


def _server(text: str) -> str:
    return text.rstrip("/")
