"""What the agent holds of a cluster is what the cluster has, whatever happens to the watches."""

from __future__ import annotations

import asyncio
import random

from passes import CONFIG_MAP, config_map

from agent.cluster.memory import MemoryCluster
from agent.cluster.reflector import Watcher
from agent.core import marks
from agent.core.marks import Wanted
from argosy import objects
from argosy.objects import ObjectKey


def ours(name: str, value: str, assignment: str = "id-1") -> Wanted:
    manifest = config_map(name, k=value)
    return marks.marked(manifest, objects.key_of(manifest), assignment)


async def held(watcher: Watcher, cluster: MemoryCluster) -> bool:
    """Waits until watcher and cluster agree."""
    for _ in range(6000):
        there = {
            name: item["metadata"]["resourceVersion"]
            for (_, _, name), item in (
                ((key.group, key.kind, key.name), value)
                for value in cluster.objects().values()
                for key in (objects.key_of(value),)
                if marks.PART_OF in (value["metadata"].get("labels") or {})
            )
        }
        known = {item.key.name: item.resource_version for item in watcher.owned("id-1")}
        if there == known:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_it_holds_only_ours_and_says_whose_changed() -> None:
    cluster, changed = MemoryCluster(), list[str]()
    watcher = Watcher(cluster, changed.append)
    cluster.put(config_map("stranger"))
    await cluster.apply(ours("a", "1").manifest)
    await watcher.ensure([(await cluster.kinds())[CONFIG_MAP]])

    assert watcher.listed("", "ConfigMap")
    assert watcher.get(ObjectKey("", "ConfigMap", "default", "stranger")) is None
    assert [item.key.name for item in watcher.owned("id-1")] == ["a"]
    changed.clear()
    cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "2"}})
    assert await held(watcher, cluster)
    assert changed == ["id-1"]
    await watcher.close()


async def test_a_copied_mark_does_not_make_an_object_ours() -> None:
    cluster = MemoryCluster()
    watcher = Watcher(cluster, lambda _: None)
    original = ours("a", "1").manifest
    await cluster.apply({**original, "metadata": {**original["metadata"], "name": "copy"}})
    await watcher.ensure([(await cluster.kinds())[CONFIG_MAP]])

    copy = watcher.get(ObjectKey("", "ConfigMap", "default", "copy"))

    assert copy is not None
    assert copy.owner == ""
    await watcher.close()


async def test_it_agrees_with_the_cluster_after_broken_and_expired_watches() -> None:
    roll, cluster = random.Random(7), MemoryCluster()
    watcher = Watcher(cluster, lambda _: None)
    await watcher.ensure([(await cluster.kinds())[CONFIG_MAP]])
    broken = 0
    for _ in range(150):
        name = roll.choice("abcdef")
        if roll.random() < 0.3:
            cluster.remove(CONFIG_MAP, "default", name)
        else:
            await cluster.apply(ours(name, str(roll.random())).manifest)
        if roll.random() < 0.2:
            broken += 1
            roll.choice((cluster.drop_watches, cluster.expire_watches))()
        if roll.random() < 0.3:
            await asyncio.sleep(0)

    assert broken >= 10
    assert await held(watcher, cluster)
    await watcher.close()


async def test_its_own_write_is_not_news() -> None:
    cluster, changed = MemoryCluster(), list[str]()
    watcher = Watcher(cluster, changed.append)
    await watcher.ensure([(await cluster.kinds())[CONFIG_MAP]])
    watcher.keep(marks.seen(await cluster.apply(ours("a", "1").manifest)))

    assert await held(watcher, cluster)
    await asyncio.sleep(0.02)

    assert changed == []
    await watcher.close()
