"""Which sets a change may concern, so that all others need not be evaluated again.

Never says no where a full evaluation would give something else; where it cannot tell, it says yes.
"""

from __future__ import annotations

from argosy.errors import Invalid
from hub.core.fleet import Move
from hub.core.generators.base import GeneratorFailed, Inputs, TreeRequest, looks_same
from hub.core.tree import Tree
from hub.core.types import LOCAL_SERVER, ClusterFacts


def concerns(inputs: Inputs, move: Move) -> bool:
    """True where the evaluation that looked at `inputs` may give something else after a cluster moved."""
    if not inputs.clusters:
        return False
    old, new, changed = move.old, move.new, move.relabelled
    if changed is not None and not inputs.all_labels and changed.isdisjoint(inputs.label_keys):
        return False
    if _place(old) != _place(new) and (inputs.every_name or _is_local(old) or _is_local(new)):
        return True
    stays = False
    for selector in inputs.selectors:
        was = old is not None and selector.matches(old.labels)
        now = new is not None and selector.matches(new.labels)
        if was != now:
            return True
        stays = stays or now
    return stays and (changed is None or bool(changed))


def tree_concerns(inputs: Inputs, request: TreeRequest, tree: Tree) -> bool:
    """True where the evaluation may give something else now that `tree` answers one of its requests."""
    looks = [(look, seen) for (asked, look), seen in inputs.looks.items() if asked == request]
    try:
        return not looks or not all(looks_same(look, seen, tree) for look, seen in looks)
    except (GeneratorFailed, Invalid):
        return True


def _place(cluster: ClusterFacts | None) -> tuple[str, ...]:
    return (cluster.name, cluster.server) if cluster is not None else ()


def _is_local(cluster: ClusterFacts | None) -> bool:
    return cluster is not None and cluster.server == LOCAL_SERVER
