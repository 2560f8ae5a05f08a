"""Generator `clusters`: one parameter set for each cluster that a label selector picks."""

from __future__ import annotations

from typing import Any

from argosy.errors import Invalid
from argosy.objects import canonical
from hub.core import fleet
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.matching import labels
from hub.core.secret import SECRET_TYPE
from hub.core.template import render
from hub.core.template.params import Params
from hub.core.types import ClusterFacts


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """Clusters in name order; the local cluster comes last, and only without a selector and a Secret of its
    own.
    """
    try:
        selector = labels.compile_selector(_wanted(spec.get("selector") or {}), any_value=False)
    except Invalid as error:
        raise GeneratorFailed(error.message, "selector") from None
    context.inputs.clusters = True
    context.inputs.selectors.add(selector)
    context.inputs.label_keys |= selector.keys
    clusters = fleet.of(context.sources.clusters())
    values = spec.get("values") or {}
    chosen = clusters.select(selector)
    found = clusters.params(chosen, context.go)
    if values:
        found = _with_values(chosen, found, values, context)
    if not any((spec.get("selector") or {}).values()) and not clusters.has_local:
        local = fleet.local_params()
        render.append_values(values, local, context.engine, "values")
        found.append(local)
    if spec.get("flatList"):
        return [{"clusters": found or None}]
    return found


def _wanted(selector: dict[str, Any]) -> dict[str, Any]:
    """The selector without a value for the label that makes a Secret a cluster: Argo CD puts its own there."""
    named = {key: text for key, text in (selector.get("matchLabels") or {}).items() if key != SECRET_TYPE}
    return {**selector, "matchLabels": named}


def _with_values(
    chosen: list[ClusterFacts], plain: list[Params], values: dict[str, str], context: Context
) -> list[Params]:
    """`values` may be templates over a cluster's own parameters; they are rendered once for each state of a cluster."""
    table = context.memo.table(("clusters", canonical(values)))
    found: list[Params] = []
    for cluster, params in zip(chosen, plain, strict=True):
        known: Any = table.new.get(cluster.name) or table.old.get(cluster.name)
        if known is None or known[0] is not cluster:
            one = dict(params)
            render.append_values(values, one, context.engine, "values")
            known = (cluster, one)
        table.new[cluster.name] = known
        found.append(known[1])
    return found
