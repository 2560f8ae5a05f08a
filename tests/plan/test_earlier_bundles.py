"""An agent that starts without its hub and without its newest bundle looks after the last one it has."""

from __future__ import annotations

import pytest
from passes import CONFIG_MAP, NoKeeper, World, config_map

from agent.core.epoch import Held
from agent.link.ledger import Ledger
from agent.link.outbox import Outbox
from agent.loops.applier import Applier
from agent.state.cache import Cache
from argosy.bundle import Assignment, Desired
from argosy.errors import Unavailable


async def unreachable(digest: str, before: object) -> bytes:
    raise Unavailable("the hub is away")


async def test_the_last_applied_bundle_is_healed_until_the_new_one_comes(world: World) -> None:
    old = world.assignment(config_map("a"), config_map("b"))
    await world.sync(old)
    newer = world.assignment(config_map("a", k="2"), release="r2")
    blob = world.bundles.pop(newer.bundle)
    await world.restart()
    world.cluster.remove(CONFIG_MAP, "default", "b")
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})

    earlier = await world.syncer.earlier(newer)
    assert earlier is not None
    assert (earlier.bundle, earlier.release, earlier.id) == (old.bundle, "", newer.id)
    world.syncer.know([newer])
    done = await world.syncer.sync(earlier)

    assert {name: item["data"] for name, item in world.live().items()} == {"a": {"k": "1"}, "b": {"k": "1"}}
    assert (done.status.bundle, done.status.release) == (old.bundle, "")
    world.bundles[newer.bundle] = blob
    assert (await world.sync(newer)).status.release == "r2"
    assert world.live()["a"]["data"] == {"k": "2"}


async def test_without_any_bundle_nothing_is_done(world: World) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.bundles.clear()
    await world.restart()

    assert await world.syncer.earlier(wanted) is None


async def test_the_loop_falls_back_by_itself_and_removes_nothing(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = world.assignment(config_map("a"), config_map("b"))
    await world.sync(old)
    newer: Assignment = world.assignment(config_map("a", k="2"))
    del world.bundles[newer.bundle]
    await world.restart()
    world.cluster.remove(CONFIG_MAP, "default", "a")
    desired = Desired("epoch", 2, (newer,), (world.removal("/ConfigMap/default/b"),))
    cache = Cache(tmp_path_factory.mktemp("cache"))
    outbox = Outbox()
    applier = Applier(world.syncer, cache, Ledger(NoKeeper(), Held(), desired), outbox, unreachable)
    applier.adopt(desired)

    await applier._pass(newer.id, applier._apps[newer.id])

    assert {name: item["data"] for name, item in world.live().items()} == {"a": {"k": "1"}, "b": {"k": "1"}}
