"""The world of `passes` on a real kube-apiserver, shared by the tests that need one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from passes import AUTO, World

from agent.cluster import kube
from agent.cluster.kube import KubeCluster
from argosy.bundle import Policy
from argosy.errors import Forbidden
from argosy.objects import Manifest

_numbers = itertools.count()


class RealWorld(World):
    """The same world on a real cluster; the assignment's id differs per test, for the cluster is shared."""

    def __init__(self, cluster: KubeCluster) -> None:
        super().__init__()
        self.real = cluster
        self.api.cluster = cluster  # type: ignore[assignment]
        self.namespace = f"sync-{next(_numbers)}"

    def assignment(self, *manifests: Manifest, policy: Policy = AUTO, **changes: Any) -> Any:
        changes = {"id": self.namespace, "destination_namespace": self.namespace, **changes}
        return super().assignment(*manifests, policy=policy, **changes)

    async def quiet(self) -> None:
        await asyncio.sleep(0.1)

    async def eventually(self, ask: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
        """What `ask` answers once rights that were given a moment ago are known to the server."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return await ask()
            except Forbidden:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def real_world(kubeconfig: Path) -> AsyncIterator[RealWorld]:
    """One with a namespace of its own."""
    cluster = await kube.connect(kubeconfig_file=kubeconfig)
    made = RealWorld(cluster)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}}
    await cluster.apply(namespace, manager="test")
    yield made
    await made.syncer.close()
    await cluster.close()


def normalised(namespace: str) -> list[Manifest]:
    """Objects that the server writes otherwise than we do: defaults, quantities, folded and empty fields."""
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 2}},
        "env": [{"name": "A", "value": ""}],
    }

    def item(version: str, kind: str, **parts: Any) -> Manifest:
        name = parts.pop("name", "n")
        return {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **parts,
        }

    return [
        item("v1", "Secret", stringData={"user": "u"}, data={"other": "eA=="}),
        item("v1", "Service", spec={"selector": labels, "ports": [{"port": 80}], "type": "NodePort"}),
        item(
            "apps/v1",
            "Deployment",
            spec={
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "creationTimestamp": None},
                    "spec": {"containers": [container], "volumes": [], "nodeSelector": {}},
                },
                "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            },
        ),
        item(
            "policy/v1",
            "PodDisruptionBudget",
            spec={"minAvailable": "50%", "selector": {"matchLabels": labels}},
        ),
        item(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            spec={
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "n"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 50},
                        },
                    }
                ],
            },
        ),
        item("rbac.authorization.k8s.io/v1", "Role", rules=[]),
        item(
            "networking.k8s.io/v1",
            "Ingress",
            spec={"defaultBackend": {"service": {"name": "n", "port": {"number": 80}}}},
        ),
        item(
            "batch/v1",
            "CronJob",
            spec={
                "schedule": "0 0 * * *",
                "jobTemplate": {
                    "spec": {
                        "template": {
                            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "c"}]}
                        }
                    }
                },
            },
        ),
        item(
            "v1",
            "PersistentVolumeClaim",
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
        ),
        item("v1", "ResourceQuota", spec={"hard": {"pods": 10, "requests.cpu": "10000m"}}),
        item("v1", "ServiceAccount", automountServiceAccountToken=False),
    ]
