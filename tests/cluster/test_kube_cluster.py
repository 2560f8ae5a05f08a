"""A real kube-apiserver behind the contract: the same promises as the in-memory cluster, and what only it can show."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cluster_suite import CONFIG_MAP, PROMISES, Promise, config_map, listening
from testbed import controlplane, credentials

from agent.cluster import kube
from agent.cluster.base import Expired, TryLater
from agent.cluster.kube import KubeCluster
from argosy.errors import Forbidden, Invalid, Unavailable

_numbers = itertools.count()


@pytest.fixture
async def api(control_planes: list[controlplane.ControlPlane]) -> AsyncIterator[KubeCluster]:
    made = await kube.connect(kubeconfig_file=control_planes[0].kubeconfig())
    yield made
    await made.close()


@pytest.fixture
async def namespace(api: KubeCluster) -> str:
    name = f"suite-{next(_numbers)}"
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_keeps_the_promise(api: KubeCluster, namespace: str, promise: Promise) -> None:
    await promise(api, namespace)


async def test_without_streaming_lists_it_lists_in_pages(
    api: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await api.apply(config_map(namespace, f"m{number}", k="1"))
    monkeypatch.setattr(api, "_watchlist", False)
    async with listening(api.watch(CONFIG_MAP, namespace=namespace)) as watch:
        events = await watch.until(lambda events: any(event.listed for event in events))
        await api.apply(config_map(namespace, "late", k="1"))
        await watch.until(
            lambda events: any(event.object.get("metadata", {}).get("name") == "late" for event in events)
        )
    assert [event.type for event in events[:4]] == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]


async def test_rights_that_lack_are_forbidden(control_planes: list[controlplane.ControlPlane]) -> None:
    agent = await kube.connect(kubeconfig_file=control_planes[0].kubeconfig(user=credentials.AGENT))
    with pytest.raises(Forbidden, match="cannot list"):
        await agent.list(CONFIG_MAP, namespace="default")
    await agent.close()


async def test_a_restarted_server_is_the_same_cluster_but_forgets_old_versions(
    testbed_clusters: controlplane.Testbed,
) -> None:
    (plane,) = testbed_clusters.add("going")
    api = await kube.connect(kubeconfig_file=plane.kubeconfig())
    uid = (await api.identity()).uid
    old = await api.apply(config_map("default", k="1"))
    await api.apply(config_map("default", k="2"))
    await asyncio.to_thread(plane.kill)
    with pytest.raises((Unavailable, TryLater)):
        await api.identity()
    await asyncio.to_thread(plane.restart)
    assert (await api.identity()).uid == uid

    async def watch() -> None:
        async for _ in api.watch(CONFIG_MAP, resource_version=old["metadata"]["resourceVersion"]):
            pass

    with pytest.raises(Expired):
        await asyncio.wait_for(watch(), 60)
    await api.close()
    await asyncio.to_thread(plane.stop)


async def test_a_kubeconfig_that_cannot_be_used_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts: []\n")
    with pytest.raises(Invalid, match=r"contexts has no entry named 'here'"):
        await kube.connect(kubeconfig_file=file)
