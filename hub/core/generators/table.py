"""All generators, in the order in which Argo CD evaluates several kinds of one element."""

from __future__ import annotations

from hub.core.generators import clusters, git, matrix, merge
from hub.core.generators import list as list_generator
from hub.core.generators.base import Evaluate

KINDS: dict[str, Evaluate] = {
    "list": list_generator.evaluate,
    "clusters": clusters.evaluate,
    "git": git.evaluate,
    "matrix": matrix.evaluate,
    "merge": merge.evaluate,
    "oci": git.evaluate,
}
