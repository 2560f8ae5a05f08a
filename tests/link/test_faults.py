"""A bad line, a bad peer, another life of the hub: nothing is lost, nothing wrongly done, nobody else harmed.

Every test that injects faults counts them and fails below its minimum.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import linkbed
import pytest
from linkbed import Hub, Spoke, until
from proxy import Proxy, Shuffler

from agent.core.epoch import OLDER, UNKNOWN
from agent.link import channels, fetch
from agent.state import identity
from argosy import bundle, token
from argosy.errors import Unavailable
from argosy.v1 import link_pb2 as pb
from hub.core.clusters import clusters
from hub.link.limits import Quota
from hub.link.server import LinkConfig
from hub.store import agents, bundles, desired, reports
from hub.store.backup import restore
from hub.store.backup import write as backup


@pytest.fixture
async def line(hub: Hub) -> AsyncIterator[Proxy]:
    async with Proxy(("127.0.0.1", hub.server.link_port)) as proxy:
        yield proxy


async def behind(hub: Hub, line: Proxy, folder: Path, name: str = "one") -> Spoke:
    """A spoke whose link goes over the bad line."""
    spoke = Spoke(folder / name, f"uid-{name}")
    await spoke.join(await hub.offer(await hub.cluster(name), link=line.address))
    return spoke


async def reported(hub: Hub, cluster: str = "id-one") -> dict[str, str]:
    return {
        row.app: row.detail.decode()
        for row in await hub.store.read(lambda tx: reports.of_cluster(tx, cluster))
    }


async def same_set(hub: Hub, spoke: Spoke, cluster: str = "id-one") -> bool:
    head = await hub.store.read(lambda tx: desired.head(tx, cluster))
    return spoke.link is not None and (spoke.generation, spoke.link.ledger.set_digest) == (
        head.generation,
        head.set_digest,
    )


async def test_cut_lines_lose_neither_sets_nor_reports(hub: Hub, line: Proxy, tmp_path: Path) -> None:
    spoke = await behind(hub, line, tmp_path)
    await spoke.start()
    try:
        for turn in range(12):
            await until(lambda: spoke.connected, "connected")
            await hub.assign("id-one", "a", f"app-{turn % 4}", content=str(turn))
            spoke.outbox.put(linkbed.status("a", message=f"turn {turn}"))
            await until(lambda: line.cut() > 0, "a line to cut")
        await until(lambda: same_set(hub, spoke), "the newest set")

        async def told() -> bool:
            return "turn 11" in (await reported(hub)).get("a", "")

        await until(told, "the newest report")
        assert line.faults["cut"] >= 12
    finally:
        await spoke.stop()


async def test_a_black_hole_is_noticed_and_left(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(beat=1, grace=0.2))
    try:
        async with Proxy(("127.0.0.1", hub.server.link_port)) as line:
            spoke = await behind(hub, line, tmp_path)
            await spoke.start()
            await until(lambda: spoke.connected, "connected")
            line.blackhole = True

            async def noticed() -> bool:
                return not (await hub.agent_row("id-one")).connected

            await until(noticed, "the hub notices silence")
            assert line.faults["blackhole"] >= 1
            line.blackhole = False
            line.cut()
            await until(lambda: hub.server.connected("id-one"), "it is back")
            await spoke.stop()
    finally:
        await hub.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_lost_doubled_and_swapped_messages_are_harmless(tmp_path: Path, seed: int) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(beat=1, grace=5))
    shuffler = Shuffler(seed, drop=0.2, double=0.2, swap=0.2)
    spoke = Spoke(tmp_path / "one", "uid-one")
    try:
        await spoke.join(await hub.offer(await hub.cluster("one")))
        await hub.assign("id-one", *(f"app-{n}" for n in range(5)))
        await spoke.start(dial=lambda own, key: shuffler.channel(channels.mutual(own, key)), patience=0.5)
        await until(lambda: spoke.connected, "connected")
        for turn in range(30):
            name = f"app-{turn % 7}"
            if turn % 5 == 4:
                await hub.assign("id-one", drop=(name,))
            else:
                await hub.assign("id-one", name, content=str(turn))
            spoke.outbox.put(linkbed.status(f"app-{turn % 5}", message=f"turn {turn}"))
            await asyncio.sleep(0.03)
        shuffler.quiet = True
        await until(lambda: same_set(hub, spoke), "the newest set")

        async def told() -> bool:
            states = await reported(hub)
            return all(f"turn {25 + n}" in states.get(f"app-{n}", "") for n in range(5))

        await until(told, "the newest reports")
        assert sum(shuffler.faults.values()) >= 10
        assert min(shuffler.faults[kind] for kind in ("drop", "double", "swap")) >= 1
        assert not spoke.keeper.held.holding
    finally:
        await spoke.stop()
        await hub.close()


async def test_a_broken_transfer_goes_on_where_it_broke(hub: Hub, line: Proxy, tmp_path: Path) -> None:
    spoke = await behind(hub, line, tmp_path)
    big = linkbed.config_map("big", os.urandom(3_000_000).hex())
    digest, blob = bundle.pack([big])
    assert len(blob) > 2_500_000
    await hub.store.write(lambda tx: bundles.put(tx, digest, blob, hub.now()))
    await hub.store.write(lambda tx: desired.change(tx, "id-one", put=[linkbed.assignment("big", digest)]))
    await spoke.start()
    try:
        await until(lambda: spoke.generation == 1, "the set")
        assert spoke.link is not None
        line.cut_after = 1_300_000
        line.cut()
        got = await fetch.fetch(spoke.link, digest)
        assert got == blob
        assert line.faults["cut"] >= 3
        # Each break cost at most the piece it was in, not what had come before.
        assert line.bytes_down < 2.2 * len(blob)
    finally:
        line.cut_after = 0
        await spoke.stop()


async def drain(call: Any, *writes: bytes) -> None:
    """Writes and reads until the hub ends the call; raises with the status it gave."""
    for raw in writes:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(raw)
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize(
    "raw", [b"\xff" * 40, b"", b"\x0a\x05\x08", os.urandom(500)], ids=["ff", "empty", "short", "random"]
)
async def test_malformed_messages_end_their_own_stream_only(hub: Hub, tmp_path: Path, raw: bytes) -> None:
    async with linkbed.joined(hub, tmp_path, "one") as one, linkbed.joined(hub, tmp_path, "two") as two:
        async with one.raw() as channel:
            call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
            await call.write(raw)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await drain(call)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            for method in ("Renew", "Fetch"):
                unary: Any = channel.unary_unary(f"/argosy.v1.LinkService/{method}")
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await unary(b"\xff\xff\xff")
                assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        await hub.assign("id-two", "a")
        await until(lambda: two.generation == 1, "the neighbour goes on")


async def test_a_message_above_the_bound_ends_its_stream_only(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path, "one") as one, linkbed.joined(hub, tmp_path, "two") as two:
        async with one.raw() as channel:
            call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await drain(call, bytes(2 * 1024 * 1024))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await hub.assign("id-two", "a")
        await until(lambda: two.generation == 1, "the neighbour goes on")


async def test_an_agent_that_sends_too_much_is_sent_away(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(quota=Quota(messages=0.001, messages_burst=20)))
    try:
        async with linkbed.joined(hub, tmp_path, "one") as one, linkbed.joined(hub, tmp_path, "two") as two:
            await one.stop()
            async with one.raw() as channel:
                call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
                greeting = pb.Hello(protocol_min=1, protocol_max=1, cluster_uid="uid-one", instance=one.run)
                await call.write(pb.ConnectRequest(hello=greeting).SerializeToString())
                beat = pb.ConnectRequest(beat=pb.Beat(time=1.0)).SerializeToString()
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    # Exactly one too many: what is written after the end would hide the hub's reason.
                    await drain(call, *[beat] * 20)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert caught.value.details() == "too many messages"
            assert two.connected
    finally:
        await hub.close()


async def test_a_slow_reader_skips_generations(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await spoke.stop()
        async with spoke.raw() as channel:
            call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
            greeting = pb.Hello(protocol_min=1, protocol_max=1, cluster_uid="uid-one", instance=spoke.run)
            await call.write(pb.ConnectRequest(hello=greeting).SerializeToString())
            await until(lambda: hub.server.connected("id-one"), "connected")
            last = 0
            for turn in range(80):
                big = [
                    replace(linkbed.assignment(f"a{n}", "sha256:0"), revision=f"{turn}" * 20_000)
                    for n in range(8)
                ]
                last = await hub.store.write(lambda tx, put=big: desired.change(tx, "id-one", put=put))  # type: ignore[misc]
            seen: list[int] = []
            while not seen or seen[-1] < last:
                async with asyncio.timeout(60):
                    answer = pb.ConnectResponse.FromString(await call.read())
                if answer.HasField("desired") and not answer.desired.more:
                    seen.append(answer.desired.generation)
            assert seen[-1] == last == 80
            assert len(seen) < 60


async def test_garbage_at_both_doors_harms_nobody(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        for port in (hub.server.link_port, hub.server.enroll_port):
            for noise in (
                b"GET / HTTP/1.1\r\n\r\n",
                os.urandom(4096),
                b"\x16\x03\x01\xff\xff" + os.urandom(100),
                b"",
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(noise)
                if noise:
                    with contextlib.suppress(OSError):
                        writer.write_eof()
                        await asyncio.wait_for(reader.read(), 60)
                writer.close()
        await hub.assign("id-one", "a")
        await until(lambda: spoke.generation == 1, "the stream goes on")


async def test_while_the_store_fails_nothing_is_acknowledged_and_afterwards_all_is_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a")
        await until(lambda: spoke.generation == 1, "the set")
        failures = 0
        write = hub.store.write

        async def failing(job: Any) -> Any:
            nonlocal failures
            failures += 1
            raise Unavailable("store: database or disk is full")

        monkeypatch.setattr(hub.store, "write", failing)
        spoke.outbox.put(linkbed.status("a", message="said while the disk was full"))
        await until(lambda: failures >= 3, "writes failed")
        monkeypatch.setattr(hub.store, "write", write)

        async def told() -> bool:
            return "disk was full" in (await reported(hub)).get("a", "")

        await until(told, "the report")


@pytest.mark.parametrize("shift", [3600.0, -3600.0])
async def test_clocks_an_hour_apart_are_no_trouble(tmp_path: Path, shift: float) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", shift=shift)
    try:
        async with linkbed.joined(hub, tmp_path) as spoke:
            assert spoke.link is not None
            own = spoke.link.identity
            assert own.lifetime == pytest.approx(86400, abs=2)
            assert abs(own.renewal(0.0) - time.time() - 57600) < 5
            await spoke.link.renew()
            await hub.assign("id-one", "a")
            await until(lambda: spoke.generation == 1, "the set")
    finally:
        await hub.close()


async def test_a_newer_stream_takes_the_place_of_the_older(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke, spoke.raw() as channel:
        call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
        greeting = pb.Hello(protocol_min=1, protocol_max=1, cluster_uid="uid-one", instance=spoke.run)
        await call.write(pb.ConnectRequest(hello=greeting).SerializeToString())
        assert pb.ConnectResponse.FromString(await call.read()).HasField("welcome")
        await until(lambda: not spoke.connected, "the older one went")
        assert hub.server.count == 1


async def test_an_idle_stream_costs_less_than_a_megabyte_a_day(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(beat=1))
    try:
        async with Proxy(("127.0.0.1", hub.server.link_port)) as line:
            spoke = await behind(hub, line, tmp_path)
            await spoke.start()
            await until(lambda: spoke.connected, "connected")
            await asyncio.sleep(0.3)
            line.bytes_up = line.bytes_down = 0
            began = time.monotonic()
            await asyncio.sleep(3.0)
            # Beats come after three quarters of their time at the earliest.
            beats = 1 + (time.monotonic() - began) / 0.75
            beats_a_day = 86400 / (20 * 0.875)
            assert 0 < (line.bytes_up + line.bytes_down) / beats * beats_a_day < 1_000_000
            await spoke.stop()
    finally:
        await hub.close()


async def test_a_reconnect_without_changes_sends_no_report_and_writes_nothing(
    hub: Hub, line: Proxy, tmp_path: Path
) -> None:
    spoke = await behind(hub, line, tmp_path)
    await hub.assign("id-one", "a")
    await spoke.start()
    try:
        await until(lambda: spoke.generation == 1, "the set")
        spoke.outbox.put(linkbed.status("a", message="x" * 5000))
        await until(lambda: _has(hub, "a"), "the report")
        assert spoke.link is not None
        before = (spoke.keeper.saves, spoke.link.state.streams)
        changes: list[object] = []
        hub.store.listen(changes.extend)
        line.bytes_up = 0
        line.cut()
        await until(lambda: spoke.link is not None and spoke.link.state.streams > before[1], "reconnected")
        await asyncio.sleep(0.2)
        assert spoke.keeper.saves == before[0]
        assert changes == []
        assert line.bytes_up < 4500
    finally:
        await spoke.stop()


async def _has(hub: Hub, app: str) -> bool:
    return app in await reported(hub)


async def test_states_that_the_agent_no_longer_has_are_forgotten_only_by_a_whole_report(
    hub: Hub, line: Proxy, tmp_path: Path
) -> None:
    spoke = await behind(hub, line, tmp_path)
    await hub.assign("id-one", "a", "b", "c")
    await spoke.start()
    try:
        await until(lambda: spoke.generation == 1, "the set")
        for name in ("a", "b", "c"):
            spoke.outbox.put(linkbed.status(name))
        await until(lambda: _has(hub, "c"), "the reports")
        # A restarted agent knows nothing yet: what it says first must not be taken for all there is.
        await spoke.stop()
        await spoke.start()
        spoke.outbox.expect({"a", "b"})
        spoke.outbox.put(linkbed.status("a", message="again"))

        async def again() -> bool:
            return "again" in (await reported(hub))["a"]

        await until(again, "the first state")
        assert set(await reported(hub)) == {"a", "b", "c"}
        spoke.outbox.put(linkbed.status("b"))

        async def without_c() -> bool:
            return set(await reported(hub)) == {"a", "b"}

        await until(without_c, "the whole report")
    finally:
        await spoke.stop()


def condition(row: clusters.Agent, kind: str) -> dict[str, str]:
    return next(c for c in clusters.conditions(row, time.time()) if c["type"] == kind)


async def test_another_life_of_the_hub_is_held_off_until_it_is_confirmed(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub")
    spoke = Spoke(tmp_path / "one", "uid-one")
    async with Proxy(("127.0.0.1", hub.server.link_port)) as line:
        await spoke.join(await hub.offer(await hub.cluster("one"), link=line.address))
        await hub.assign("id-one", "a", "b")
        await spoke.start()
        await until(lambda: spoke.generation == 1, "the set")
        backup(tmp_path / "hub", tmp_path / "backup.tar", [])
        await hub.assign("id-one", "c", drop=("a",))
        await until(lambda: spoke.generation == 2, "the second set")
        kept = spoke.keeper.desired
        await hub.close()

        restore(tmp_path / "hub", tmp_path / "backup.tar")
        hub = await linkbed.open_hub(tmp_path / "hub")
        line.retarget(("127.0.0.1", hub.server.link_port))
        line.cut()

        async def held() -> bool:
            return condition(await hub.agent_row("id-one"), "Held")["status"] == "True"

        try:
            await until(held, "Held")
            assert condition(await hub.agent_row("id-one"), "Held")["reason"] == UNKNOWN
            await hub.assign("id-one", "d")
            await asyncio.sleep(0.2)
            assert spoke.keeper.desired == kept
            assert spoke.keeper.held.holding
            await hub.store.write(lambda tx: agents.confirm(tx, "id-one", hub.store.epoch))
            await until(lambda: same_set(hub, spoke), "the new life's set")

            async def in_step() -> bool:
                row = await hub.agent_row("id-one")
                return condition(row, "Held")["status"] == "False" and row.confirmed_epoch == ""

            await until(in_step, "Held is over and the confirmation is used up")
            assert not spoke.keeper.held.holding
        finally:
            await spoke.stop()
            await hub.close()


async def test_an_older_state_of_the_same_life_is_held_off(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub")
    spoke = Spoke(tmp_path / "one", "uid-one")
    async with Proxy(("127.0.0.1", hub.server.link_port)) as line:
        await spoke.join(await hub.offer(await hub.cluster("one"), link=line.address))
        await hub.assign("id-one", "a")
        await spoke.start()
        await until(lambda: spoke.generation == 1, "the set")
        await hub.close()
        shutil.copytree(tmp_path / "hub", tmp_path / "disk")
        hub = await linkbed.open_hub(tmp_path / "hub")
        line.retarget(("127.0.0.1", hub.server.link_port))
        await hub.assign("id-one", "b")
        await until(lambda: spoke.generation == 2, "the second set")
        await hub.close()
        # The disk of yesterday, without `argosy-hub restore`: the epoch is the same, the generations are not.
        hub = await linkbed.open_hub(tmp_path / "disk")
        line.retarget(("127.0.0.1", hub.server.link_port))

        async def held() -> bool:
            return condition(await hub.agent_row("id-one"), "Held")["reason"] == OLDER

        try:
            await until(held, "Held")
            assert spoke.generation == 2
            await hub.store.write(lambda tx: agents.confirm(tx, "id-one", hub.store.epoch))
            await until(lambda: same_set(hub, spoke), "yesterday's set")
            assert spoke.generation == 1
            assert not spoke.keeper.held.holding
        finally:
            await spoke.stop()
            await hub.close()


async def test_a_set_that_is_not_what_its_digest_says_is_asked_for_anew(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a", "b")
        await until(lambda: spoke.generation == 1, "the set")
        assert spoke.link is not None
        ledger = spoke.link.ledger
        assert ledger.desired.value is not None
        # As if an older build had kept half of it.
        ledger.desired.set(replace(ledger.desired.value, assignments=ledger.desired.value.assignments[:1]))
        await hub.assign("id-one", "c")
        await until(lambda: same_set(hub, spoke), "the whole set")
        assert spoke.keeper.desired is not None
        assert [a.id for a in spoke.keeper.desired.assignments] == ["a", "b", "c"]


async def test_a_large_set_comes_in_parts_and_is_kept_as_one(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        many = [
            replace(linkbed.assignment(f"app-{n:05}", "sha256:" + "0" * 64), revision="r" * 300)
            for n in range(9000)
        ]
        await hub.store.write(lambda tx: desired.change(tx, "id-one", put=many))
        await until(lambda: same_set(hub, spoke), "the set")
        assert spoke.keeper.desired is not None
        assert len(spoke.keeper.desired.assignments) == 9000
        saves = spoke.keeper.saves
        assert saves <= 2
        for item in many[:3000]:
            spoke.outbox.put(linkbed.status(item.id, message="m" * 400))

        async def told() -> bool:
            return len(await reported(hub)) == 3000

        await until(told, "reports in parts")


async def test_a_proxys_error_page_changes_nothing(hub: Hub, tmp_path: Path) -> None:
    page = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nnot here\n"
    served = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        writer.write(page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "a")
        await until(lambda: spoke.generation == 1, "the set")
        await spoke.stop()
        own = identity.load(spoke.folder)
        assert own is not None
        port = server.sockets[0].getsockname()[1]
        identity.save(spoke.folder, replace(own, link=f"127.0.0.1:{port}", enroll=f"127.0.0.1:{port}"))
        before = (spoke.keeper.held, spoke.keeper.desired, spoke.keeper.saves)
        await spoke.start()
        await until(lambda: served >= 3, "the page was served")
        assert (spoke.keeper.held, spoke.keeper.desired, spoke.keeper.saves) == before
    server.close()


async def test_the_token_text_says_where_the_hub_is(hub: Hub) -> None:
    parsed = token.decode(await hub.offer(await hub.cluster("a")))
    assert parsed.link.endswith(str(hub.server.link_port))
    assert parsed.ca == hub.ca.fingerprint
