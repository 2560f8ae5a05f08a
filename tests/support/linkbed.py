"""A hub's link over a real store and real loopback mTLS, and agents' ends of it, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from agent.core.epoch import Held
from agent.core.facts import Facts
from agent.link import channels, join
from agent.link.join import Self
from agent.link.ledger import Ledger
from agent.link.link import Link
from agent.link.outbox import Outbox
from agent.state import identity
from argosy import bundle, tls, token
from argosy.bundle import Assignment, Desired, Policy
from argosy.status import AppStatus, Health, Sync
from argosy.token import JoinToken
from hub.ca.authority import Authority, open_authority
from hub.core.clusters.clusters import Agent
from hub.link.server import LinkConfig, LinkServer
from hub.store import agents, bundles, desired, grants, objects
from hub.store.objects import Row
from hub.store.sqlite import SqliteStore, open_store


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 60.0) -> None:
    """Waits for a condition; fails the test when it does not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if not isinstance(value, bool):
            value = await value
        if value:
            return
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


@dataclass
class MemoryKeeper:
    """A place that keeps the ledger across restarts of an agent, and counts."""

    held: Held = field(default_factory=Held)
    desired: Desired | None = None
    saves: int = 0

    def load(self) -> tuple[Held, Desired | None]:
        return self.held, self.desired

    def save(self, held: Held, desired: Desired | None) -> None:
        self.held, self.desired = held, desired
        self.saves += 1


@dataclass
class Hub:
    """One life of a hub on a data folder."""

    folder: Path
    config: LinkConfig
    store: SqliteStore
    ca: Authority
    server: LinkServer
    shift: float = 0.0
    """Seconds by which the hub's clock is off."""

    def now(self) -> float:
        return time.time() + self.shift

    async def cluster(self, name: str) -> str:
        """Registers a Cluster object; returns its id."""
        row = Row("argosy.dev/clusters", "", name, f"id-{name}", b"{}")
        await self.store.write(lambda tx: objects.put(tx, row, expected_rv=None, stamp=lambda body, rv: body))
        return row.uid

    async def application(self, uid: str) -> str:
        row = Row("argoproj.io/applications", "argocd", f"app-{uid}", uid, b"{}")
        await self.store.write(lambda tx: objects.put(tx, row, expected_rv=None, stamp=lambda body, rv: body))
        return uid

    async def offer(self, cluster: str, *, lifetime: float = 600.0, link: str = "") -> str:
        """A join token's text."""
        secret = token.new_secret()
        await self.store.write(lambda tx: grants.offer(tx, secret, cluster, self.now(), lifetime=lifetime))
        address = f"127.0.0.1:{self.server.enroll_port}"
        link = link or f"127.0.0.1:{self.server.link_port}"
        return token.encode(JoinToken(address, link, self.ca.fingerprint, secret))

    async def assign(self, cluster: str, *names: str, content: str = "1", drop: tuple[str, ...] = ()) -> int:
        """Assigns apps, each with a bundle of one ConfigMap; returns the generation."""
        put = []
        for name in names:
            digest, blob = bundle.pack([config_map(name, content)])
            await self.store.write(functools.partial(bundles.put, digest=digest, blob=blob, now=self.now()))
            put.append(assignment(name, digest, policy=Policy(self_heal=True)))
        return await self.store.write(lambda tx: desired.change(tx, cluster, put=put, drop=drop))

    async def agent_row(self, cluster: str) -> Agent:
        found = await self.store.read(lambda tx: agents.get(tx, cluster))
        assert found is not None
        return found

    async def close(self) -> None:
        await self.server.stop(0.2)
        await self.store.close()


async def open_hub(folder: Path, config: LinkConfig | None = None, *, shift: float = 0.0) -> Hub:
    config = config or LinkConfig(beat=5, grace=0.5)
    store = open_store(folder / "hub.db")
    ca = open_authority(folder / "ca", time.time())
    hub = Hub(
        folder, config, store, ca, LinkServer(store, ca, config, clock=lambda: time.time() + shift), shift
    )
    await hub.server.start()
    return hub


def config_map(name: str, content: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"content": content},
    }


def assignment(name: str, digest: str, **more: object) -> Assignment:
    return Assignment(name, f"app-{name}", "argocd", "default", "default", digest, "r1", "c0ffee", **more)  # type: ignore[arg-type]


def status(name: str, *, message: str = "", health: Health = Health.HEALTHY, **more: object) -> AppStatus:
    return AppStatus(name, "r1", "sha256:b", "c0ffee", Sync.SYNCED, health, message, **more)  # type: ignore[arg-type]


@dataclass
class Spoke:
    """One agent's end of the link, in this process."""

    folder: Path
    uid: str
    keeper: MemoryKeeper = field(default_factory=MemoryKeeper)
    link: Link | None = None
    task: asyncio.Task[None] | None = None

    @property
    def who(self) -> Self:
        return Self(self.uid, "test")

    @property
    def outbox(self) -> Outbox:
        assert self.link is not None
        return self.link.outbox

    @property
    def generation(self) -> int:
        return self.keeper.held.generation

    @property
    def connected(self) -> bool:
        return self.link is not None and self.link.state.connected

    @property
    def run(self) -> str:
        """The id of the run that was started last."""
        assert self.link is not None
        return self.link.standing.run

    async def join(self, text: str) -> None:
        await join.join(self.folder, text, self.who, clock=time.time)

    async def start(self, **more: Any) -> Link:
        held, wanted = self.keeper.load()
        self.link = Link(
            self.folder,
            self.who,
            Ledger(self.keeper, held, wanted),
            Outbox(),
            **{"base": 0.05, "cap": 0.3, "facts": Facts("v1.37.2"), **more},
        )
        self.task = asyncio.create_task(self.link.run())
        return self.link

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
            self.task = None

    def raw(self) -> grpc.aio.Channel:
        """A bare channel with this agent's certificate."""
        own = identity.load(self.folder)
        assert own is not None
        return channels.mutual(own, identity.key_in(self.folder))


@contextlib.asynccontextmanager
async def joined(hub: Hub, folder: Path, name: str = "one") -> AsyncIterator[Spoke]:
    """A spoke that has joined as a new cluster and is connected."""
    cluster = await hub.cluster(name)
    spoke = Spoke(folder / name, f"uid-{name}")
    await spoke.join(await hub.offer(cluster))
    await spoke.start()
    try:
        await until(lambda: spoke.connected, f"{name} connected")
        yield spoke
    finally:
        await spoke.stop()


def fingerprint_of(folder: Path) -> str:
    own = identity.load(folder)
    assert own is not None
    return tls.read(own.certificate.encode()).fingerprint
