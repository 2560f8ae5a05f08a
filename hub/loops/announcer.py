"""Shows releases in the API: one `Release` object each, of a size that does not grow with the set."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.errors import Internal
from hub.core.served import table
from hub.store import history
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.history import Release
from hub.store.resources import Resources

MANAGER = "argosy-roller"
KEPT = 10
"""Releases of one owner that stay, as Argo CD's `revisionHistoryLimit`."""
SHOWN = 200
"""Applications listed in one object; the rest are in the store."""


def announce(
    tx: Tx,
    resources: Resources,
    release: str,
    changed: Sequence[AppState],
    commits: Sequence[dict[str, str]],
    now: float,
) -> None:
    """Records a release of applications that have one owner, and lets the oldest go."""
    first = changed[0]
    owner = first.owner or first.app
    found = resources.by_uid(tx, owner)
    if found is None:
        raise Internal(f"release {release}: its owner {owner} is not there")
    last = history.newest(tx, owner)
    number = last.number + 1 if last else 1
    name = f"{found['metadata']['name']}-{number}"
    history.add(tx, Release(release, owner, number, first.namespace, name, now), changed)
    spec = {
        "owner": {"kind": found["kind"], "name": found["metadata"]["name"], "uid": owner},
        "number": number,
        "commits": [dict(commit) for commit in commits],
        "applications": [
            {"name": s.name, "uid": s.app, "cluster": s.cluster, "bundle": s.bundle, "revision": s.revision}
            for s in changed[:SHOWN]
        ],
        "changed": len(changed),
        "truncated": len(changed) > SHOWN,
        "previous": last.name if last else "",
    }
    manifest = {
        "apiVersion": table.RELEASE.kind.api_version,
        "kind": table.RELEASE.kind.kind,
        "metadata": {"name": name, "namespace": first.namespace, "uid": release},
        "spec": spec,
    }
    resources.create(tx, table.RELEASE, manifest, manager=MANAGER, now=now)
    for old in history.older_than(tx, owner, number - KEPT + 1):
        resources.delete(tx, table.RELEASE, old.namespace, old.name, now=now)
        history.forget(tx, old.id)
