"""What a hub has from its first start: its namespaces, the default project and, where it serves itself, its own cluster."""

from __future__ import annotations

from hub.core.served import table
from hub.core.types import LOCAL_CLUSTER, LOCAL_SERVER, NAMESPACE
from hub.store.base import Tx
from hub.store.resources import MANAGER, Resources

IDENTITY = "kube-system"


def first_objects(tx: Tx, resources: Resources, now: float) -> None:
    """Makes what exists from the first start: namespaces and the project that permits everything.

    The id of `kube-system` is who this hub is to an agent that serves the hub's own API.
    """
    for name in (NAMESPACE, "default", IDENTITY):
        if resources.get(tx, table.NAMESPACE, "", name) is None:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            resources.create(tx, table.NAMESPACE, namespace, manager=MANAGER, now=now)
    if resources.get(tx, table.APP_PROJECT, NAMESPACE, "default") is None:
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        }
        resources.create(tx, table.APP_PROJECT, project, manager=MANAGER, now=now)


def own_cluster(tx: Tx, resources: Resources, now: float) -> str:
    """The id of the cluster that is this hub's own API; makes it where there is none yet."""
    known = resources.list(tx, table.CLUSTER)
    found = next((one for one in known if one["spec"].get("server") == LOCAL_SERVER), None)
    found = found or resources.get(tx, table.CLUSTER, "", LOCAL_CLUSTER)
    if found is None:
        manifest = {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": LOCAL_CLUSTER},
            "spec": {"server": LOCAL_SERVER},
        }
        found = resources.create(tx, table.CLUSTER, manifest, manager=MANAGER, now=now)
    return str(found["metadata"]["uid"])
