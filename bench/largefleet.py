"""A fleet of 50,000 assignments as rows of the store: a third waits for its newest bundle, every 20th cluster is away."""

from __future__ import annotations

import orjson

from hub.store.base import Tx

CLUSTERS, APPS = 1000, 50
REPO, COMMITS = "https://git/fleet", ("c1", "c2")


def fill(tx: Tx, *, clusters: int = CLUSTERS, repo: str = REPO, commits: tuple[str, str] = COMMITS) -> None:
    """`commits` are what runs and what is wanted, of `repo`."""
    before, wanted = commits
    tx.many(
        "INSERT INTO objects (resource, namespace, name, uid, rv, body) VALUES ('argosy.dev/clusters', '', ?, ?, ?, ?)",
        ((f"c{at:05}", f"uid-{at}", at, _cluster(at)) for at in range(clusters)),
    )
    tx.many(
        "INSERT INTO agents (cluster, key, connected, since) VALUES (?, 'k', ?, 1)",
        ((f"uid-{at}", int(at % 20 != 0)) for at in range(clusters)),
    )
    rows = [
        (f"uid-{c}", f"app-{c}-{a}", at)
        for at, (c, a) in enumerate((c, a) for c in range(clusters) for a in range(APPS))
    ]
    columns = (
        "app, name, namespace, project, owner, cluster, destination_namespace, repo, target, revision, recipe, bundle, "
        "policy, problem, deleting, rolled"
    )
    tx.many(
        f"INSERT INTO app_states ({columns}) VALUES (?, ?, 'argocd', 'default', 'set', ?, '', ?, 'main', ?, "
        "'r', 'new', '{}', '', '', 1)",
        ((app, app, cluster, repo, wanted) for cluster, app, _ in rows),
    )
    resources = [{"kind": "ConfigMap", "name": f"n{at}", "sync": "Synced"} for at in range(20)]

    def has(at: int) -> bool:
        return at % 3 != 0

    bodies = {
        new: orjson.dumps(
            {"revision": wanted if new else before, "release": "r", "policy": {"automated": True}}
        )
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


def _cluster(at: int) -> bytes:
    name = f"c{at:05}"
    metadata = {
        "name": name,
        "uid": f"uid-{at}",
        "resourceVersion": str(at),
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    cluster = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": metadata}
    return orjson.dumps({**cluster, "spec": {"server": f"https://{name}"}})
