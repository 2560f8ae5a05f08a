"""The in-memory cluster keeps the contract; and the promises are worth something, for broken clusters break them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cluster_suite import PROMISES, Promise

from agent.cluster.base import ApplyConflict, ClusterApi, Event
from agent.cluster.memory import MemoryCluster
from argosy.kinds import gvk_of
from argosy.objects import Manifest


async def _keep(api: ClusterApi, namespace: str, promise: Promise) -> None:
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await promise(api, namespace)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_keeps_the_promise(promise: Promise) -> None:
    cluster = MemoryCluster()
    await _keep(cluster, "suite", promise)
    await cluster.close()


class ShallowMerge(MemoryCluster):
    """Replaces top-level fields as wholes."""

    async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
        merged = await super().apply(manifest, **options)
        return {**merged, **{name: value for name, value in manifest.items() if name != "metadata"}}


class NoConflict(MemoryCluster):
    """Every apply is forced."""

    async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
        return await super().apply(manifest, **{**options, "force": True})


class DeletesAnything(MemoryCluster):
    """Does not look at the UID."""

    async def delete(self, gvk: Any, namespace: str, name: str, *, uid: str, **options: Any) -> bool:
        live = await self.get(gvk, namespace, name)
        return live is not None and await super().delete(
            gvk, namespace, name, uid=live["metadata"]["uid"], **options
        )


class WritingDryRun(MemoryCluster):
    """A dry run is a run."""

    async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
        return await super().apply(manifest, **{**options, "dry_run": False})


class LosingWatch(MemoryCluster):
    """Every seventh event is lost."""

    async def watch(self, gvk: Any, **options: Any) -> AsyncIterator[Event]:
        count = 0
        async for event in super().watch(gvk, **options):
            count += 1
            if count % 7:
                yield event


class DeafWatch(MemoryCluster):
    """Does not know what there was before."""

    async def watch(self, gvk: Any, **options: Any) -> AsyncIterator[Event]:
        async for event in super().watch(gvk, **options):
            if event.type != "ADDED":
                yield event


class AlwaysNew(MemoryCluster):
    """A no-op apply writes all the same."""

    async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
        answer = await super().apply(manifest, **options)
        if not options.get("dry_run"):
            version = int(answer["metadata"]["resourceVersion"]) + 1
            answer["metadata"]["resourceVersion"] = str(version)
        return answer


class NamelessConflict(MemoryCluster):
    """Conflicts do not say who."""

    async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
        try:
            return await super().apply(manifest, **options)
        except ApplyConflict as conflict:
            raise ApplyConflict(conflict.message, []) from None


class BlindToFinalizers(MemoryCluster):
    """Deletes at once what finalizers should hold."""

    async def delete(self, gvk: Any, namespace: str, name: str, *, uid: str, **options: Any) -> bool:
        live = await self.get(gvk, namespace, name)
        if live is not None and live["metadata"].get("finalizers"):
            self.edit(gvk_of(live), namespace, name, {"metadata": {"finalizers": None}})
        return await super().delete(gvk, namespace, name, uid=uid, **options)


BROKEN = [
    ShallowMerge,
    NoConflict,
    DeletesAnything,
    WritingDryRun,
    LosingWatch,
    DeafWatch,
    AlwaysNew,
    NamelessConflict,
    BlindToFinalizers,
]


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
async def test_a_broken_cluster_breaks_promises(
    kind: type[MemoryCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster_suite.SECONDS", 0.3)
    broken = []
    for promise in PROMISES:
        cluster = kind()
        try:
            await _keep(cluster, "suite", promise)
        except (Exception, pytest.fail.Exception):
            broken.append(promise.__name__)
        await cluster.close()
    assert broken
    assert len(broken) < len(PROMISES), "it is not broken but dead"
