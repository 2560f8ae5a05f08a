"""The agent program against a real link: from an assignment to a live object and back as a report."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import linkbed
import pytest
from linkbed import Hub, until

from agent import config
from agent.cluster.memory import MemoryCluster
from agent.config import Config
from agent.program import Program
from argosy.bundle import Removal
from argosy.errors import Conflict, Forbidden, Invalid
from argosy.kinds import CONFIG_MAP
from hub.store import desired, reports


@contextlib.asynccontextmanager
async def running(settings: Config, cluster: MemoryCluster) -> AsyncIterator[Program]:
    program = Program(settings, "test", cluster=cluster)
    task = asyncio.create_task(program.run())
    try:
        yield program
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await program.close()


async def content(cluster: MemoryCluster, name: str) -> str | None:
    found = await cluster.get(CONFIG_MAP, "default", name)
    return None if found is None else str(found["data"]["content"])


async def healthy(hub: Hub, app: str) -> bool:
    row = await hub.store.read(lambda tx: reports.get(tx, "id-one", app))
    return row is not None and (row.sync, row.health) == ("Synced", "Healthy")


def removal(app: str, key: str = "") -> Removal:
    now = time.time()
    return Removal(f"rm-{app}-{key}", app, key, True, "no longer wanted", "test", now, now + 3600)


async def test_an_assignment_becomes_live_changes_and_goes_only_by_a_removal(
    hub: Hub, tmp_path: Path
) -> None:
    cluster = MemoryCluster()
    text = await hub.offer(await hub.cluster("one"))
    async with running(Config(tmp_path / "state", join=text), cluster):
        await hub.assign("id-one", "a", "b")
        await until(lambda: healthy(hub, "a"), "a is Healthy")
        await until(lambda: healthy(hub, "b"), "b is Healthy")
        assert await content(cluster, "a") == "1"
        await hub.assign("id-one", "a", content="2")

        async def second() -> bool:
            return await content(cluster, "a") == "2"

        await until(second, "a's second content")
        # Absence is not a command.
        await hub.assign("id-one", drop=("b",))
        await hub.assign("id-one", "c")
        await until(lambda: healthy(hub, "c"), "c is Healthy")
        assert await content(cluster, "b") == "1"
        # A written removal is.
        gone = removal("c")
        await hub.store.write(lambda tx: desired.change(tx, "id-one", drop=["c"], remove=[gone]))

        async def done() -> bool:
            row = await hub.store.read(lambda tx: reports.get(tx, "id-one", "c"))
            return row is not None and row.gone == 1 and gone.id in row.removed

        await until(done, "c is reported gone")
        assert await content(cluster, "c") is None
        await hub.store.write(lambda tx: desired.change(tx, "id-one", close=[gone.id]))
        assert await content(cluster, "a") == "2"


async def test_a_restarted_agent_heals_without_its_hub(hub: Hub, tmp_path: Path) -> None:
    cluster = MemoryCluster()
    settings = Config(tmp_path / "state", join=await hub.offer(await hub.cluster("one")))
    async with running(settings, cluster):
        await hub.assign("id-one", "a")
        await until(lambda: healthy(hub, "a"), "a is Healthy")
    await hub.server.stop(0.1)
    live = await cluster.get(CONFIG_MAP, "default", "a")
    assert live is not None
    await cluster.delete(CONFIG_MAP, "default", "a", uid=live["metadata"]["uid"])
    # The token is used up and not looked at again.
    async with running(Config(tmp_path / "state", join="nonsense"), cluster):

        async def healed() -> bool:
            return await content(cluster, "a") == "1"

        await until(healed, "a is back")


async def test_two_agents_do_not_share_a_state_folder(hub: Hub, tmp_path: Path) -> None:
    settings = Config(tmp_path / "state", join=await hub.offer(await hub.cluster("one")))
    async with running(settings, MemoryCluster()):
        await until(lambda: hub.server.connected("id-one"), "connected")
        second = Program(settings, "test", cluster=MemoryCluster())
        with pytest.raises(Conflict, match="in use"):
            await second.run()
        await second.close()


async def test_what_cannot_work_ends_with_the_reason(hub: Hub, tmp_path: Path) -> None:
    used = await hub.offer(await hub.cluster("one"))
    await linkbed.Spoke(tmp_path / "first", "uid-one").join(used)
    for text, error, reason in (
        ("", Invalid, "no join token"),
        ("argosy-join-nonsense", Invalid, "damaged"),
        (used, Forbidden, "used already"),
    ):
        program = Program(Config(tmp_path / "second", join=text), "test", cluster=MemoryCluster())
        with pytest.raises(error, match=reason):
            await program.run()
        await program.close()


async def test_the_process_ends_with_0_on_sigterm_and_says_why_it_cannot_start(
    hub: Hub, tmp_path: Path
) -> None:
    text = await hub.offer(await hub.cluster("one"))
    command = [sys.executable, "-m", "agent.main", "run", "--memory", "--state", str(tmp_path / "state")]
    process = await asyncio.create_subprocess_exec(*command, "--join", text, stderr=asyncio.subprocess.PIPE)
    await until(lambda: hub.server.connected("id-one"), "connected")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    other = [*command[:-1], str(tmp_path / "other"), "--join", text]
    process = await asyncio.create_subprocess_exec(*other, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert "argosy-agent: the join token was used already" in errors.decode()


def test_the_command_line_and_its_environment(tmp_path: Path) -> None:
    found = config.parse(["run", "--memory", "--state", str(tmp_path)], {"ARGOSY_JOIN": "t"})
    assert (found.join, found.memory, found.state) == ("t", True, tmp_path)
    with pytest.raises(SystemExit) as ended:
        config.parse(["run", "--memory", "--kubeconfig", "f"], {})
    assert ended.value.code == 2
