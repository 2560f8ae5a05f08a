"""A world for evaluations, made of what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.core.generators.base import ProviderRequest, TreeRequest
from hub.core.tree import Tree
from hub.core.types import Answer, ClusterFacts


class World:
    """A `Sources` made of what a test says; what it does not say has not been fetched yet."""

    def __init__(
        self,
        clusters: Sequence[ClusterFacts] = (),
        trees: Mapping[str, Answer[Tree]] | None = None,
        provided: Answer[Any] | None = None,
        objects: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._clusters, self._trees, self._provided, self._objects = clusters, trees or {}, provided, objects

    def clusters(self) -> Sequence[ClusterFacts]:
        return self._clusters

    def tree(self, request: TreeRequest) -> Answer[Tree] | None:
        return self._trees.get(request.repo_url)

    def provided(self, request: ProviderRequest) -> Answer[Any] | None:
        return self._provided

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Any]:
        return [item for item in self._objects if f"{item['kind'].lower()}s" == resource]
