"""`argosy app order`: in which order a sync applies, runs and prunes objects, without a cluster."""

from __future__ import annotations

import json

from argosy import stages
from hub.cli import manifests

DONE = 0


def order(file: str, *, live: str = "", namespace: str = "default", prune_last: bool = False) -> int:
    """Prints the tasks of a sync of `file`'s objects, with `live` those that the application has in the cluster.

    Raises `Invalid` for files that cannot be read.
    """
    found = stages.order(
        manifests.read(file), manifests.read(live) if live else [], namespace, prune_last=prune_last
    )
    tasks = [
        {
            "phase": task.phase.word,
            "wave": task.wave,
            "group": task.key.group,
            "kind": task.key.kind,
            "namespace": task.namespace,
            "name": task.key.name,
        }
        for task in found
    ]
    print(json.dumps(tasks, indent=2, ensure_ascii=False))
    return DONE
