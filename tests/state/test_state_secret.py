"""The agent's identity and small state outlive its pod in a Secret, and nothing else has to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import linkbed
import pytest
from linkbed import Hub, until

from agent import config
from agent.cluster import base
from agent.cluster.memory import MemoryCluster
from agent.config import Config
from agent.core.epoch import Held
from agent.program import Program
from agent.state import identity, standing
from agent.state import secret as secrets
from agent.state.cache import Cache, State
from agent.state.notes import Notes
from agent.state.secret import SECRET, StateSecret
from argosy.bundle import Desired
from argosy.errors import Invalid
from argosy.kinds import CONFIG_MAP
from argosy.objects import Manifest

PATIENCE = 60.0
NAME = "argosy/argosy-agent-state"


def cluster_with_namespace() -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argosy"}})
    return cluster


async def kept(cluster: MemoryCluster) -> dict[str, bytes]:
    live = await cluster.get(SECRET, "argosy", "argosy-agent-state")
    return {name: base64.b64decode(text) for name, text in ((live or {}).get("data") or {}).items()}


def of(cluster: MemoryCluster, folder: Path) -> StateSecret:
    return StateSecret(cluster, folder, *secrets.parse(NAME))


@dataclass
class Pods:
    """The pods of one Deployment, each with an empty folder, one after the other."""

    folder: Path
    cluster: MemoryCluster = field(default_factory=cluster_with_namespace)
    count: int = 0

    @contextlib.asynccontextmanager
    async def next(self, join: str = "") -> AsyncIterator[Program]:
        self.count += 1
        folder = self.folder / f"pod-{self.count}"
        program = Program(Config(folder, join=join, state_secret=NAME), "test", cluster=self.cluster)
        task = asyncio.create_task(program.run())
        try:
            yield program
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await program.close()
            shutil.rmtree(folder)


def connected(program: Program) -> bool:
    return program.link is not None and program.link.state.connected


async def content(cluster: MemoryCluster, name: str) -> str | None:
    found = await cluster.get(CONFIG_MAP, "default", name)
    return None if found is None else str(found["data"]["content"])


async def applied(pods: Pods, name: str, value: str) -> None:
    async def there() -> bool:
        return await content(pods.cluster, name) == value

    await until(there, f"{name} is {value}", PATIENCE)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    found = await linkbed.open_hub(tmp_path / "hub")
    yield found
    await found.close()


async def test_a_new_pod_is_the_same_agent_and_needs_no_token(hub: Hub, tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    async with pods.next(await hub.offer(await hub.cluster("one"))) as first:
        await hub.assign("id-one", "a")
        await applied(pods, "a", "1")
        key = identity.key_in(tmp_path / "pod-1")
        assert first.standing is not None
    for number in range(2):
        async with pods.next() as program:
            await until(lambda now=program: connected(now), "connected", PATIENCE)  # type: ignore[misc]
            assert program.standing is not None
            assert program.standing.second.value == ""
            assert first.standing.run in program.standing.before
            assert identity.key_in(tmp_path / f"pod-{pods.count}") == key
            await hub.assign("id-one", "a", content=f"again {number}")
            await applied(pods, "a", f"again {number}")
            assert (await kept(pods.cluster))[identity.KEY] == key


async def test_a_new_pod_knows_another_life_of_its_hub(hub: Hub, tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    async with pods.next(await hub.offer(await hub.cluster("one"))) as program:
        await hub.assign("id-one", "a")
        await applied(pods, "a", "1")
        assert program.ledger is not None
        epoch = program.ledger.held.epoch
    await hub.server.stop(0.1)
    async with pods.next() as program:
        await until(lambda: program.ledger is not None, "started without a hub", PATIENCE)
        assert program.ledger is not None
        assert program.ledger.held.epoch == epoch
        assert await program.ledger.meet("another life", 1, "")
        assert program.ledger.held.reason == "EpochUnknown"
    async with pods.next() as program:
        await until(lambda: program.ledger is not None, "started again", PATIENCE)
        assert program.ledger is not None
        assert program.ledger.held.reason == "EpochUnknown"
    assert await content(pods.cluster, "a") == "1"


async def test_only_what_changed_is_written_and_what_others_wrote_stays(tmp_path: Path) -> None:
    cluster = cluster_with_namespace()
    one, two = tmp_path / "one", tmp_path / "two"
    first = of(cluster, one)
    await first.restore()
    key = identity.key_in(one)
    assert await first.save()
    assert not await first.save()
    # Another pod at the same time: what each of them writes is its own.
    second = of(cluster, two)
    await second.restore()
    Notes(two).delete((5.0,))
    assert await second.save()
    Cache(one).write(State(Desired("e", 3, ()), Held("e", 3)))
    assert await first.save()
    found = await kept(cluster)
    assert found[identity.KEY] == key
    assert b"5.0" in found["notes.json"]
    third = tmp_path / "three"
    await of(cluster, third).restore()
    assert Cache(third).read() == State(Desired("e", 3, ()), Held("e", 3))
    assert Notes(third).deletions == (5.0,)


async def test_what_is_in_the_folder_is_newer(tmp_path: Path) -> None:
    cluster = cluster_with_namespace()
    folder = tmp_path / "one"
    secret = of(cluster, folder)
    await secret.restore()
    Cache(folder).write(State(held=Held("e", 1)))
    await secret.save()
    Cache(folder).write(State(held=Held("e", 2)))
    again = of(cluster, folder)
    await again.restore()
    assert Cache(folder).read().held == Held("e", 2)
    await again.save()
    assert zlib.decompress((await kept(cluster))["state.json"]) == (folder / "state.json").read_bytes()


async def test_a_set_too_large_for_a_secret_comes_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "MOST", 4096)
    cluster = cluster_with_namespace()
    folder = tmp_path / "one"
    secret = of(cluster, folder)
    await secret.restore()
    many = tuple(linkbed.assignment(f"{n:x}", f"sha256:{hash(str(n)):x}") for n in range(500))
    Cache(folder).write(State(Desired("e", 7, many), Held("e", 7)))
    await secret.save()
    other = tmp_path / "two"
    await of(cluster, other).restore()
    assert Cache(other).read() == State(Desired("", 0, ()), Held("e", 7))


async def test_damage_counts_as_nothing_kept(tmp_path: Path) -> None:
    cluster = cluster_with_namespace()
    data = {"key.pem": "a2V5", "state.json": base64.b64encode(b"no zlib").decode(), "notes.json": "e30="}
    metadata = {"name": "argosy-agent-state", "namespace": "argosy"}
    cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    folder = tmp_path / "one"
    await of(cluster, folder).restore()
    assert Cache(folder).read() == State()
    assert Notes(folder).deletions == ()
    assert not (folder / "key.pem").exists(), "a key without its certificate is none"


class Changing(MemoryCluster):
    """A cluster in which somebody else changes the Secret before each of the first updates."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def update(self, manifest: Manifest, **more: object) -> Manifest:
        if self.times:
            self.times -= 1
            raise base.Changed("the object has been modified")
        return await super().update(manifest, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [1, secrets.TRIES - 1])
async def test_a_secret_that_others_change_meanwhile_is_read_again(tmp_path: Path, times: int) -> None:
    cluster = Changing(times)
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argosy"}})
    secret = of(cluster, tmp_path)
    await secret.restore()
    run = standing.Standing(tmp_path).run
    assert await secret.save()
    assert run.encode() in (await kept(cluster))["runs.json"]


async def test_without_its_namespace_the_agent_says_what_lacks(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="Secret argosy/argosy-agent-state, where the agent's state"):
        await of(MemoryCluster(), tmp_path).restore()


@pytest.mark.parametrize("text", ["argosy", "/x", "x/", "a/b/c"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="NAMESPACE/NAME"):
        secrets.parse(text)


def test_the_command_line_and_its_environment() -> None:
    assert config.parse(["run", "--state-secret", NAME], {}).state_secret == NAME
    assert config.parse(["run"], {"ARGOSY_STATE_SECRET": NAME}).state_secret == NAME
    with pytest.raises(SystemExit):
        config.parse(["run", "--memory", "--state-secret", NAME], {})
