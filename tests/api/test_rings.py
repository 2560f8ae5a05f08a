"""Changes of a kind are followed from the first question about the kind on, and no longer than somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from argosy.objects import Manifest
from hub.api import rings, watching
from hub.api.listing import Selection
from hub.api.negotiate import Form
from hub.api.rings import Event, Rings
from hub.api.show import Viewer
from hub.api.watching import Watch
from hub.core.served import table
from hub.store.resources import Resources
from hub.store.sqlite import SqliteStore

NAMESPACE = "argocd"


@pytest.fixture
async def following(store: SqliteStore, written: Resources) -> AsyncIterator[Rings]:
    found = Rings(store, Viewer(written), time.time)
    await found.start()
    yield found
    await found.stop()


def config_map(name: str, **labels: str) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def put(store: SqliteStore, written: Resources, manifest: Manifest) -> int:
    """Writes an object; its resourceVersion."""
    made = await store.write(
        lambda tx: written.apply(tx, table.CONFIG_MAP, manifest, manager="test", now=time.time())
    )
    return int(made["metadata"]["resourceVersion"])


async def settled(following: Rings, rv: int) -> None:
    async with asyncio.timeout(60):
        while following.reached < rv:
            await following.moved(0.05)


async def events(following: Rings, after: int) -> list[Event]:
    async with following.reading(table.CONFIG_MAP) as ring:
        position = ring.position(after)
        assert position is not None
        found = ring.after(position, 100)
        assert found is not None
        return found[0]


async def test_what_nobody_asks_for_costs_nothing(
    following: Rings, store: SqliteStore, written: Resources
) -> None:
    await settled(following, await put(store, written, config_map("one")))
    assert not following._rings
    assert not following._labels


async def test_a_watch_can_go_on_from_whatever_was_read_after_the_question(
    following: Rings, store: SqliteStore, written: Resources
) -> None:
    before = await put(store, written, config_map("one", colour="red"))
    await following.follow(table.CONFIG_MAP)
    after = await put(store, written, config_map("one", colour="blue"))
    newest = await put(store, written, config_map("two"))
    await settled(following, newest)
    found = await events(following, before)
    assert [(one.verb, one.name, one.rv) for one in found] == [
        ("MODIFIED", "one", after),
        ("ADDED", "two", newest),
    ]
    assert found[0].before == {"colour": "red"}


async def test_changes_that_a_ring_begins_after_are_no_events_of_it(
    following: Rings, store: SqliteStore, written: Resources
) -> None:
    async with following._taking:
        # The feed has not come to them when the ring begins.
        written_then = [await put(store, written, config_map(f"early-{number}")) for number in range(3)]
        asking = asyncio.create_task(following.follow(table.CONFIG_MAP))
        await asyncio.sleep(0.05)
    await asking
    newest = await put(store, written, config_map("late"))
    await settled(following, newest)
    assert [one.name for one in await events(following, written_then[-1])] == ["late"]


async def test_a_kind_is_let_go_when_nobody_asks_any_more_but_not_under_a_watch(
    following: Rings, store: SqliteStore, written: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    await following.follow(table.CONFIG_MAP)
    monkeypatch.setattr(rings, "IDLE_SECONDS", -1.0)
    async with following.reading(table.CONFIG_MAP) as ring:
        await settled(following, await put(store, written, config_map("one")))
        assert ring.position(ring.floor) is not None
        assert following._rings[table.CONFIG_MAP.resource] is ring
    await settled(following, await put(store, written, config_map("two")))
    assert not following._rings
    monkeypatch.setattr(rings, "IDLE_SECONDS", 300.0)
    await following.follow(table.CONFIG_MAP)
    newest = await put(store, written, config_map("one", colour="green"))
    await settled(following, newest)
    assert [(one.verb, one.name) for one in await events(following, newest - 1)] == [("MODIFIED", "one")]


async def test_labels_of_sealed_kinds_are_known_too(
    following: Rings, store: SqliteStore, written: Resources
) -> None:
    secret = {**config_map("key", colour="red"), "kind": "Secret"}
    await store.write(lambda tx: written.create(tx, table.SECRET, secret, manager="test", now=time.time()))
    await following.follow(table.SECRET)
    assert {"colour": "red"} in following._labels[table.SECRET.resource].values()


async def test_changes_are_read_when_somebody_watches_and_not_before(
    following: Rings, store: SqliteStore, written: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    await following.follow(table.CONFIG_MAP)
    reads: list[object] = []
    read = store.read
    monkeypatch.setattr(store, "read", lambda job: reads.append(job) or read(job))
    before = following.reached
    turns = [await put(store, written, config_map("one", turn=str(number))) for number in range(3)]
    gone = await put(store, written, config_map("two"))
    await store.write(lambda tx: written.delete(tx, table.CONFIG_MAP, NAMESPACE, "two", now=time.time()))
    await settled(following, gone + 1)
    ring = following._rings[table.CONFIG_MAP.resource]
    assert (len(reads), len(ring._events), len(ring.later)) == (0, 0, 5)
    found = await events(following, before)
    assert [(one.verb, one.name, one.rv, one.labels) for one in found] == [
        ("ADDED", "one", turns[0], {"turn": "0"}),
        ("MODIFIED", "one", turns[1], {"turn": "1"}),
        ("MODIFIED", "one", turns[2], {"turn": "2"}),
        ("ADDED", "two", gone, {}),
        ("DELETED", "two", gone + 1, {}),
    ]
    assert ring.later == []
    async with following.reading(table.CONFIG_MAP) as watched:
        last = await put(store, written, config_map("one", turn="9"))
        await settled(following, last)
        assert watched._events[-1].rv == last


@pytest.mark.parametrize(("bound", "most"), [("MAX_EVENTS", 3), ("MAX_BYTES", 1000)])
async def test_more_changes_than_a_ring_holds_are_not_kept_in_mind(
    following: Rings,
    store: SqliteStore,
    written: Resources,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    most: int,
) -> None:
    monkeypatch.setattr(rings, bound, most)
    await following.follow(table.CONFIG_MAP)
    for number in range(6):
        await settled(following, await put(store, written, config_map(f"cm-{number}")))
    assert not following._rings


async def test_what_is_written_while_a_bookmark_is_sent_is_told_at_once(
    following: Rings, store: SqliteStore, written: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 0.0)
    await following.follow(table.CONFIG_MAP)
    asked = {"allowWatchBookmarks": "true"}
    watch = Watch(following, table.CONFIG_MAP, Selection(NAMESPACE), Form(), asked, time.time)
    async with contextlib.aclosing(watch.run(following.reached, [], 600.0, marked=False)) as lines:
        assert b"BOOKMARK" in await anext(lines)
        monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 600.0)
        await settled(following, await put(store, written, config_map("one")))
        async with asyncio.timeout(60):
            assert b"ADDED" in await anext(lines)
