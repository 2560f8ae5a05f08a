"""What hub and agent agree on over one stream: sets, reports, and what a reconnect costs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import linkbed
import pytest
from linkbed import Hub, Spoke, until

from agent.link import fetch
from agent.link.stream import Stream
from argosy import bundle
from argosy.status import Health
from hub.core.clusters import clusters
from hub.store import agents, desired, reports
from hub.store.base import Change


async def test_a_change_arrives_is_durable_and_is_known_to_the_hub_as_held(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a", "b")
        await hub.assign("id-one", "c", drop=("a",))
        await until(lambda: spoke.generation == 2, "second generation")
        assert spoke.keeper.desired is not None
        assert [item.id for item in spoke.keeper.desired.assignments] == ["b", "c"]

        async def known() -> bool:
            row = await hub.agent_row("id-one")
            head = await hub.store.read(lambda tx: desired.head(tx, "id-one"))
            return (row.epoch, row.generation, row.set_digest) == (hub.store.epoch, 2, head.set_digest)

        await until(known, "the hub knows what is held")


@pytest.mark.parametrize("again", [False, True])
async def test_a_set_that_is_written_during_a_greeting_comes_after_it_and_makes_the_hub_no_older_one(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    board, note, take = hub.server._board, hub.server._board._note, Stream._take
    came: list[str] = []
    reasons: set[str] = set()
    streams: list[Stream] = []

    async def noting(*args: Any) -> None:
        generation = await hub.assign("id-one", "a")
        await until(lambda: board.sessions["id-one"].offered == generation, "the set is offered")
        # Whatever goes out now is on its way before the greeting is.
        for _ in range(50):
            await asyncio.sleep(0)
        await note(*args)

    async def taking(stream: Stream, message: Any) -> float | None:
        streams.append(stream)
        waits = await take(stream, message)
        came.append(message.WhichOneof("message"))
        reasons.add(stream._desk.ledger.held.reason)
        return waits

    monkeypatch.setattr(Stream, "_take", taking)
    spoke = Spoke(tmp_path / "one", "uid-one")
    await spoke.join(await hub.offer(await hub.cluster("one")))
    if not again:
        monkeypatch.setattr(board, "_note", noting)
    await spoke.start()
    try:
        await until(lambda: spoke.connected, "connected")
        if again:
            monkeypatch.setattr(board, "_note", noting)
            streams[0]._say(streams[0]._desk.hello(whole=True))
        await until(lambda: spoke.generation == 1, "the set")
        await until(lambda: came.count("welcome") == 1 + again, "the greeting")
        assert came[0] == "welcome"
        assert reasons == {""}
    finally:
        await spoke.stop()


async def test_a_change_without_difference_makes_no_generation(hub: Hub, tmp_path: Path) -> None:
    cluster = await hub.cluster("one")
    first = await hub.assign(cluster, "a")
    assert await hub.assign(cluster, "a") == first
    assert await hub.assign(cluster, "a", content="2") == first + 1


async def test_a_bundle_comes_whole_and_only_to_whom_it_is_assigned(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a")
        await until(lambda: spoke.generation == 1, "generation")
        assert spoke.keeper.desired is not None
        digest = spoke.keeper.desired.assignments[0].bundle
        assert spoke.link is not None
        blob = await fetch.fetch(spoke.link, digest)
        assert bundle.unpack(blob, digest) == [linkbed.config_map("a", "1")]


async def test_a_report_is_acknowledged_when_it_is_durable_and_equal_ones_are_not_written(
    hub: Hub, tmp_path: Path
) -> None:
    changes: list[Change] = []
    hub.store.listen(changes.extend)
    await hub.application("a")
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a")
        await until(lambda: spoke.generation == 1, "generation")
        spoke.outbox.put(linkbed.status("a", health=Health.PROGRESSING))
        spoke.outbox.put(linkbed.status("a"))

        async def written() -> bool:
            row = await hub.store.read(lambda tx: reports.get(tx, "id-one", "a"))
            return row is not None and row.health == "Healthy"

        await until(written, "the report")
        told = [c for c in changes if c.uid == "a" and c.composed]
        assert told
        assert {(c.namespace, c.name) for c in told} == {("argocd", "app-a")}
        before = len(changes)
        spoke.outbox.put(linkbed.status("a"))
        spoke.outbox.put(linkbed.status("stranger"))
        await hub.assign("id-one", "b")
        await until(lambda: spoke.generation == 2, "generation")
        assert [c for c in changes[before:] if c.composed and c.uid in ("a", "stranger")] == []
        assert await hub.store.read(lambda tx: reports.get(tx, "id-one", "stranger")) is None


async def test_ready_follows_the_stream(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path):
        row = await hub.agent_row("id-one")
        ready = next(c for c in clusters.conditions(row, hub.now()) if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("True", "Connected")

    async def not_ready() -> bool:
        row = await hub.store.read(lambda tx: agents.get(tx, "id-one"))
        ready = next(c for c in clusters.conditions(row, hub.now()) if c["type"] == "Ready")
        return (ready["status"], ready["reason"]) == ("False", "Disconnected")

    # At once where the end is heard, at the latest after three beats of silence.
    await until(not_ready, "Ready becomes False")
