"""Generator `clusters`: one parameter set for each cluster that a label selector picks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argosy.errors import Invalid
from hub.core import labels
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.params import Params, StringMap
from hub.core.template import names, render
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


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """Clusters in name order; the local cluster comes last, and only without a selector and a Secret of its
    own.
    """
    wanted = spec.get("selector") or {}
    try:
        selector = labels.compile_selector(wanted, any_value=False)
    except Invalid as error:
        raise GeneratorFailed(error.message, "selector") from None
    context.inputs.clusters = True
    context.inputs.all_labels = True
    context.inputs.label_keys |= selector.keys
    registered = {cluster.name: cluster for cluster in context.sources.clusters()}
    chosen = [registered[name] for name in sorted(registered) if selector.matches(registered[name].labels)]
    found = [_of_cluster(cluster, context.go) for cluster in chosen]
    if not selector.requirements and all(cluster.server != LOCAL_SERVER for cluster in registered.values()):
        found.append(_basic(LOCAL_CLUSTER, LOCAL_SERVER, ""))
    for one in found:
        render.append_values(spec.get("values") or {}, one, context.engine, "values")
    if spec.get("flatList"):
        return [{"clusters": found or None}]
    return found


def _basic(name: str, server: str, project: str) -> Params:
    return {"name": name, "nameNormalized": names.normalize(name), "server": server, "project": project}


def _of_cluster(cluster: ClusterFacts, go: bool) -> Params:
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


def all_clusters(clusters: Sequence[ClusterFacts]) -> list[ClusterFacts]:
    """The registered ones and, where no Secret stands for it, the local one."""
    if any(cluster.server == LOCAL_SERVER for cluster in clusters):
        return list(clusters)
    return [*clusters, ClusterFacts(LOCAL_CLUSTER, LOCAL_SERVER)]
