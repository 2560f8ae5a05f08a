"""Kubernetes Events: what happened to an object, for `kubectl describe`, each happening once and then counted."""

from __future__ import annotations

import uuid

from argosy.objects import Manifest
from hub.core.served import cells, table
from hub.core.types import NAMESPACE
from hub.store import objects
from hub.store.base import Tx
from hub.store.resources import MANAGER, Resources


def note(
    tx: Tx,
    resources: Resources,
    about: Manifest,
    *,
    kind: str,
    reason: str,
    message: str,
    now: float,
    component: str = MANAGER,
) -> None:
    """Notes that something happened to an object. `kind` is Normal or Warning.

    The same happening again is counted on the event that is there.
    """
    metadata = about["metadata"]
    namespace = metadata.get("namespace") or NAMESPACE
    said = uuid.uuid5(uuid.NAMESPACE_OID, "\n".join((metadata["uid"], component, kind, reason, message))).hex
    time = cells.stamp(now)
    name = objects.event_name(tx, said)
    live = resources.get(tx, table.EVENT, namespace, name) if name else None
    if live is not None:
        changed = {"count": int(live.get("count") or 1) + 1, "lastTimestamp": time}
        resources.patch(tx, table.EVENT, namespace, name, changed, manager=component, now=now)
        return
    # As in Kubernetes, names come in the order of what happened, and so does every list.
    name = f"{metadata['name'][:200]}.{tx.next_rv():016x}"
    objects.name_event(tx, said, name)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
    resources.create(tx, table.EVENT, event, manager=component, now=now)
