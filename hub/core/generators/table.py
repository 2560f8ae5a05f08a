"""All generators, in the order in which Argo CD evaluates several kinds of one element."""

from __future__ import annotations

import importlib
from typing import Any

from hub.core.generators import cluster_decision, clusters, git, matrix, merge
from hub.core.generators import list as list_generator
from hub.core.generators.base import Context, Evaluate
from hub.core.template.params import Params


def _later(name: str) -> Evaluate:
    """A generator whose module is imported when a set names it: few do, and a start must be quick."""

    def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
        module = importlib.import_module(f"hub.core.generators.{name}")
        found: list[Params] = module.evaluate(spec, context)
        return found

    return evaluate


KINDS: dict[str, Evaluate] = {
    "list": list_generator.evaluate,
    "clusters": clusters.evaluate,
    "git": git.evaluate,
    "scmProvider": _later("scm_provider"),
    "clusterDecisionResource": cluster_decision.evaluate,
    "pullRequest": _later("pull_request"),
    "matrix": matrix.evaluate,
    "merge": merge.evaluate,
    "plugin": _later("plugin"),
    "oci": git.evaluate,
}
