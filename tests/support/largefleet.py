"""A fleet of 50,000 assignments as rows of the store: a third waits for its newest bundle, every 20th cluster is away."""

from __future__ import annotations

import orjson

from hub.store.base import Tx

CLUSTERS, APPS = 1000, 50


def fill(tx: Tx) -> None:
    tx.many(
        "INSERT INTO objects (resource, namespace, name, uid, rv, body) VALUES ('argosy.dev/clusters', '', ?, ?, ?, '{}')",
        ((f"c{at:05}", f"uid-{at}", at) for at in range(CLUSTERS)),
    )
    tx.many(
        "INSERT INTO agents (cluster, key, connected, since) VALUES (?, 'k', ?, 1)",
        ((f"uid-{at}", int(at % 20 != 0)) for at in range(CLUSTERS)),
    )
    rows = [
        (f"uid-{c}", f"app-{c}-{a}", at)
        for at, (c, a) in enumerate((c, a) for c in range(CLUSTERS) for a in range(APPS))
    ]
    columns = (
        "app, name, namespace, project, owner, cluster, destination_namespace, repo, target, revision, recipe, bundle, "
        "policy, problem, deleting, rolled"
    )
    tx.many(
        f"INSERT INTO app_states ({columns}) VALUES (?, ?, 'argocd', 'default', 'set', ?, '', 'https://git/fleet', 'main', "
        "'c2', 'r', 'new', '{}', '', '', 1)",
        ((app, app, cluster) for cluster, app, _ in rows),
    )
    resources = [{"kind": "ConfigMap", "name": f"n{at}", "sync": "Synced"} for at in range(20)]

    def has(at: int) -> bool:
        return at % 3 != 0

    bodies = {
        new: orjson.dumps({"revision": "c2" if new else "c1", "release": "r", "policy": {"automated": True}})
        for new in (True, False)
    }
    tx.many(
        "INSERT INTO assignments (cluster, id, generation, bundle, body) VALUES (?, ?, 1, ?, ?)",
        ((cluster, app, "new" if has(at) else "old", bodies[has(at)]) for cluster, app, at in rows),
    )
    detail = orjson.dumps({"phase": "Succeeded", "message": "", "resources": resources})
    tx.many(
        "INSERT INTO reports (cluster, app, release, bundle, sync, health, removed, gone, digest, detail, rv, time) "
        "VALUES (?, ?, 'r', ?, ?, 'Healthy', '[]', 0, '', ?, 1, 1)",
        (
            (cluster, app, "new" if has(at) else "old", "Synced" if at % 7 else "OutOfSync", detail)
            for cluster, app, at in rows
        ),
    )
