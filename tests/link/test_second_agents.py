"""Two agents for one cluster: one acts, the other only looks on, and both sides say so."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import linkbed
import pytest
from linkbed import Hub, until

from agent.cluster.memory import MemoryCluster
from agent.config import Config
from agent.program import Program
from agent.state.standing import Standing
from argosy.kinds import CONFIG_MAP
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc
from hub.core.clusters import clusters
from hub.link import seating
from hub.link.server import LinkConfig, LinkServer
from hub.store import agents, reports

PATIENCE = 60.0


class Twin(MemoryCluster):
    """A cluster of its own under the uid of another one, so that the writes of two agents can be told apart."""

    def __init__(self, original: MemoryCluster) -> None:
        super().__init__()
        self.identity = original.identity  # type: ignore[method-assign]


class Agent:
    """One agent on a state folder, which can be ended as a process that is killed: without a word."""

    def __init__(self, folder: Path, cluster: MemoryCluster, join: str = "") -> None:
        self.program = Program(Config(folder, join=join), "test", cluster=cluster)
        self.task = asyncio.create_task(self.program.run())

    @property
    def connected(self) -> bool:
        return self.program.link is not None and self.program.link.state.connected

    @property
    def second(self) -> str:
        return self.program.standing.second.value if self.program.standing is not None else ""

    async def end(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.program.close()


@pytest.fixture
async def ended() -> AsyncIterator[list[Agent]]:
    """Agents that are ended with the test."""
    running: list[Agent] = []
    yield running
    for agent in running:
        await agent.end()


async def open_hub(folder: Path, grace: float) -> Hub:
    return await linkbed.open_hub(folder, LinkConfig(beat=1, grace=grace))


async def again(hub: Hub) -> None:
    """Another process of the hub on the same data, at the same addresses."""
    ports = {"link": f"127.0.0.1:{hub.server.link_port}", "enroll": f"127.0.0.1:{hub.server.enroll_port}"}
    await hub.server.stop(0.1)
    hub.server = LinkServer(hub.store, hub.ca, LinkConfig(**ports, beat=1, grace=hub.config.grace))
    await hub.server.start()


async def quarantined(hub: Hub) -> str:
    """What the Cluster's condition says."""
    found = clusters.conditions(await hub.agent_row("id-one"), hub.now())
    return next(
        (c["message"] for c in found if c["type"] == "Quarantined" and c["reason"] == "SecondAgent"), ""
    )


async def content(cluster: MemoryCluster, name: str) -> str | None:
    found = await cluster.get(CONFIG_MAP, "default", name)
    return None if found is None else str(found["data"]["content"])


async def spoil(cluster: MemoryCluster, name: str) -> None:
    """Somebody changes an object by hand."""
    found = await cluster.get(CONFIG_MAP, "default", name)
    assert found is not None
    cluster.put({**found, "data": {"content": "spoilt"}})


async def first(hub: Hub, folder: Path, ended: list[Agent]) -> tuple[Agent, MemoryCluster]:
    """An agent that applied one app."""
    cluster = MemoryCluster()
    one = Agent(folder, cluster, await hub.offer(await hub.cluster("one")))
    ended.append(one)
    await until(lambda: one.connected, "the first is connected", PATIENCE)
    await hub.assign("id-one", "a")

    async def applied() -> bool:
        return await content(cluster, "a") == "1"

    await until(applied, "the first app", PATIENCE)
    return one, cluster


async def test_a_copied_disk_gives_a_second_agent_that_writes_nothing(
    tmp_path: Path, ended: list[Agent]
) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        theirs = Twin(cluster)
        untouched = theirs.objects()
        two = Agent(tmp_path / "two", theirs)
        ended.append(two)
        await until(lambda: bool(two.second), "the second says so", PATIENCE)
        assert "another one acts for it" in two.second
        assert two.program.status()["second"] == two.second
        assert two.program.status()["mode"] == "observe"
        assert not two.connected
        assert "127.0.0.1" in await quarantined(hub)
        assert one.connected
        assert one.second == ""
        applier = two.program.applier
        assert applier is not None
        await until(
            lambda: applier.count.passes > 0 and applier.idle, "the second looks at its app", PATIENCE
        )
        assert await content(theirs, "a") is None
        assert theirs.objects() == untouched
    finally:
        await hub.close()


async def test_the_copy_may_come_first_then_the_original_is_the_second(
    tmp_path: Path, ended: list[Agent]
) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        await one.end()
        ended.clear()
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        two = Agent(tmp_path / "two", cluster)
        ended.append(two)
        await until(lambda: two.connected, "the copy is connected", PATIENCE)
        again = Agent(tmp_path / "one", cluster)
        ended.append(again)
        await until(lambda: bool(again.second), "the original is the second", PATIENCE)
        assert two.connected
        assert await quarantined(hub)
    finally:
        await hub.close()


async def test_a_restart_waits_for_nothing_even_while_a_copy_waits_for_the_seat(
    tmp_path: Path, ended: list[Agent]
) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        two = Agent(tmp_path / "two", cluster)
        ended.append(two)
        await until(lambda: bool(two.second), "the second says so", PATIENCE)
        for _ in range(3):
            await one.end()
            ended.remove(one)
            one = Agent(tmp_path / "one", cluster)
            ended.append(one)
            await until(lambda back=one: back.connected, "it is back", PATIENCE)  # type: ignore[misc]
            assert one.second == ""
        assert two.second
        await two.end()
        ended.remove(two)
        # It knows what it is, also while nobody tells it.
        assert Standing(tmp_path / "two").second.value
    finally:
        await hub.close()


async def test_a_hub_that_starts_again_still_knows_which_is_which(tmp_path: Path, ended: list[Agent]) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        two = Agent(tmp_path / "two", cluster)
        ended.append(two)
        await until(lambda: bool(two.second), "the second says so", PATIENCE)
        for _ in range(2):
            await again(hub)
            await until(
                lambda: one.connected and hub.server.connected("id-one"), "the first is back", PATIENCE
            )
            assert two.second
            assert await quarantined(hub)
        await one.end()
        ended.remove(one)
        await again(hub)
        one = Agent(tmp_path / "one", cluster)
        ended.append(one)
        await until(lambda: one.connected, "the first was started again meanwhile", PATIENCE)
        assert two.second
    finally:
        await hub.close()


async def test_the_second_takes_over_once_the_first_has_been_gone_for_a_while(
    tmp_path: Path, ended: list[Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seating, "QUIET_SECONDS", 0.5)
    hub = await open_hub(tmp_path / "hub", grace=2.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        two = Agent(tmp_path / "two", cluster)
        ended.append(two)
        await until(lambda: bool(two.second), "the second says so", PATIENCE)
        await one.end()
        ended.remove(one)
        await spoil(cluster, "a")
        await until(lambda: two.connected and not two.second, "the second is the one now", PATIENCE)

        async def healed() -> bool:
            row = await hub.store.read(lambda tx: reports.get(tx, "id-one", "a"))
            return await content(cluster, "a") == "1" and row is not None and row.health == "Healthy"

        await until(healed, "it acts", PATIENCE)

        async def told() -> bool:
            return not await quarantined(hub)

        await until(told, "the condition goes", PATIENCE)
    finally:
        await hub.close()


async def test_a_holder_whose_line_died_unnoticed_does_not_keep_its_successor_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seating, "NUDGE_SECONDS", 0.5)
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(beat=30, grace=600.0))
    try:
        async with linkbed.joined(hub, tmp_path) as spoke, spoke.raw() as channel:
            await spoke.stop()
            before = spoke.run
            # Its stream goes on and nobody is at the other end.
            silent = rpc.LinkServiceStub(channel).Connect()
            numbers = {"protocol_min": 1, "protocol_max": 1}
            await silent.write(
                pb.ConnectRequest(hello=pb.Hello(cluster_uid=spoke.uid, instance=before, **numbers))
            )
            await until(lambda: hub.server.connected("id-one"), "the silent stream", PATIENCE)
            await spoke.start()
            await until(lambda: spoke.connected, "its successor", PATIENCE)
            assert spoke.link is not None
            assert spoke.link.standing.second.value == ""
            assert (await hub.agent_row("id-one")).holder == spoke.run != before
    finally:
        await hub.close()


async def test_an_agent_whose_identity_was_joined_anew_writes_nothing_any_more(
    tmp_path: Path, ended: list[Agent]
) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, cluster = await first(hub, tmp_path / "one", ended)
        new = Agent(tmp_path / "new", cluster, await hub.offer("id-one"))
        ended.append(new)
        await until(lambda: new.connected and bool(one.second), "the new one took over", PATIENCE)
        assert "has joined as this cluster since" in one.second
        assert new.second == ""
    finally:
        await hub.close()


async def test_a_state_of_another_cluster_writes_nothing_from_the_start(
    tmp_path: Path, ended: list[Agent]
) -> None:
    hub = await open_hub(tmp_path / "hub", grace=600.0)
    try:
        one, _ = await first(hub, tmp_path / "one", ended)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        elsewhere = MemoryCluster()
        untouched, uid = elsewhere.objects(), (await elsewhere.identity()).uid
        two = Agent(tmp_path / "two", elsewhere)
        ended.append(two)

        async def told() -> bool:
            return uid in (await hub.agent_row("id-one")).quarantine

        await until(told, "the hub says so", PATIENCE)
        assert "was the state copied" in two.second
        assert elsewhere.objects() == untouched
        assert one.connected
    finally:
        await hub.close()


def test_the_last_runs_of_a_state_are_kept_and_a_damaged_record_is_none(tmp_path: Path) -> None:
    runs = [Standing(tmp_path).run for _ in range(40)]
    last = Standing(tmp_path)
    assert last.before == tuple(runs[-16:])
    (tmp_path / "runs.json").write_bytes(b"{")
    assert Standing(tmp_path).before == ()


async def test_a_second_agent_is_told_again_only_where_that_changes(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        before = agents.seat(await hub.agent_row("id-one"))
        shutil.copytree(spoke.folder, tmp_path / "copy")
        twin = linkbed.Spoke(tmp_path / "copy", spoke.uid)
        await twin.start()
        try:
            await until(
                lambda: twin.link is not None and bool(twin.link.standing.second.value), "refused", PATIENCE
            )
            after = agents.seat(await hub.agent_row("id-one"))
            assert (after.holder, after.refused) == (before.holder, (twin.run,))
        finally:
            await twin.stop()
