"""Generator `clusters`: one parameter set for each cluster that a label selector picks."""

from __future__ import annotations

from typing import Any

from argosy.errors import Invalid
from hub.core import fleet, labels
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.params import Params
from hub.core.template import render


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """Clusters in name order; the local cluster comes last, and only without a selector and a Secret of its
    own.
    """
    try:
        selector = labels.compile_selector(spec.get("selector"), any_value=False)
    except Invalid as error:
        raise GeneratorFailed(error.message, "selector") from None
    context.inputs.clusters = True
    context.inputs.all_labels = True
    context.inputs.label_keys |= selector.keys
    clusters = fleet.of(context.sources.clusters())
    found = [clusters.params(cluster, context.go) for cluster in clusters.select(selector)]
    if not selector.requirements and not clusters.has_local:
        found.append(fleet.local_params())
    for one in found:
        render.append_values(spec.get("values") or {}, one, context.engine, "values")
    if spec.get("flatList"):
        return [{"clusters": found or None}]
    return found
