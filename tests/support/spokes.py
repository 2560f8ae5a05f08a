"""The whole product in one process: a hub, agents on clusters in memory, real mTLS between them, and faults on demand.

A spoke's agent can be killed (nothing it would still do has any effect), told to die at the n-th step of its work, or
given a disk that is full (`dying_agent`). `System.whole` compares Git, live objects, inventories and reports
by counting, against what the test knows and not against what the hub believes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import hubs
import orjson
import pytest
import verdicts
from dying_agent import Died, Disks, Life, Mortal
from hubs import Repo
from proxy import Proxy

from agent.cluster.memory import MemoryCluster
from agent.config import Config
from agent.core import inventory as inventories
from agent.core import marks
from agent.link.link import Link
from agent.program import Program
from argosy import token
from argosy.kinds import CONFIG_MAP
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.store import desired, reports, sqlite
from hub.store.base import Tx

T = TypeVar("T")

BEATS = {"beat": 1, "grace": 1.0}
"""Settings with which a hub under test notices quickly who is there."""


@dataclass
class Spoke:
    """One cluster with its agent. `cluster` outlives the agent, as clusters do."""

    system: System
    name: str
    line: Proxy
    uid: str = ""
    clock: Callable[[], float] = time.time
    make_link: Callable[..., Link] = Link
    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    life: Life = field(default_factory=Life)
    program: Program | None = None
    task: asyncio.Task[None] | None = None
    deaths: Counter[str] = field(default_factory=Counter)
    drifts: int = 0
    policy: Path | None = None
    keys: Path | None = None
    foreign: dict[Any, Manifest] = field(default_factory=dict)
    """What was in the cluster before the agent came, and may never change."""

    @property
    def folder(self) -> Path:
        return self.system.folder / f"agent-{self.name}"

    @property
    def connected(self) -> bool:
        return (
            self.program is not None and self.program.link is not None and self.program.link.state.connected
        )

    def bystander(self, name: str, namespace: str = "default") -> None:
        """An object of somebody else."""
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {"value": "foreign"},
        }
        self.cluster.put(manifest)

    async def start(
        self, join: str = "", *, dies_at: int = 0, dies_after: bool = False, dies_of: str = ""
    ) -> None:
        if not self.foreign:
            self.foreign = self.cluster.objects()
        self.life = Life(dies_at, dies_after, dies_of, deleted=self.life.deleted)
        self.system.disks.lives[self.folder] = self.life
        api: Any = Mortal(self.cluster, self.life)
        settings = Config(state=self.folder, join=join, memory=True, policy=self.policy, keys=self.keys)
        self.program = Program(settings, "test", cluster=api, clock=self.clock, make_link=self._link)
        self.task = asyncio.create_task(self._live(self.program), name=f"agent {self.name}")

    def _link(self, *args: Any, **options: Any) -> Link:
        return self.make_link(*args, **{"base": 0.05, "cap": 0.3, **options})

    async def _live(self, program: Program) -> None:
        try:
            await program.run()
        except BaseException:
            # A dead program's tasks may be strewn over exception groups; only a living one's end is worth a word.
            if not self.life.dead:
                raise

    async def died(self, seconds: float = 60.0) -> bool:
        """Waits for the death that `start` announced; False where the agent lives on after `seconds`."""
        assert self.task is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.life.death.wait()
        if not self.life.dead:
            return False
        self.deaths[self.life.at] += 1
        await self._bury()
        return True

    async def kill(self) -> None:
        """Ends the agent as kill -9 does: no Goodbye, no last write."""
        self.life.end("killed")
        self.deaths["killed"] += 1
        await self._bury()

    async def _bury(self) -> None:
        self.line.refuse = True
        self.line.cut()
        await self.stop()
        self.line.refuse = False

    async def stop(self) -> None:
        """Ends the agent in order."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None
        if self.program is not None:
            with contextlib.suppress(Died):
                await self.program.close()
            self.program = None

    # --- what is in the cluster

    def ours(self) -> dict[str, str]:
        """name -> data.value of the ConfigMaps in `default` that were not there before."""
        known = set(self.foreign)
        return {
            item["metadata"]["name"]: item["data"]["value"]
            for key, item in self.cluster.objects().items()
            if key not in known and item["kind"] == "ConfigMap" and item["metadata"]["namespace"] == "default"
        }

    def versions(self) -> dict[str, tuple[str, str]]:
        """name -> (uid, resourceVersion) of the same objects."""
        known = set(self.foreign)
        return {
            item["metadata"]["name"]: (item["metadata"]["uid"], item["metadata"]["resourceVersion"])
            for key, item in self.cluster.objects().items()
            if key not in known and item["kind"] == "ConfigMap" and item["metadata"]["namespace"] == "default"
        }

    @property
    def deleted(self) -> list[str]:
        return self.life.deleted

    def inventory(self) -> list[str]:
        """The names in all inventories of this cluster, an object of two apps twice."""
        found: list[str] = []
        for item in self.cluster.objects().values():
            name = item["metadata"]["name"]
            if item["metadata"].get("namespace") != marks.NAMESPACE or not name.startswith(
                "argosy-inventory-"
            ):
                continue
            entries = inventories.from_manifest(name.removeprefix("argosy-inventory-"), item).entries
            found += [key.name for key in entries]
        return sorted(found)

    def drift(self, name: str) -> None:
        """Somebody edits an object of ours by hand: every time somebody else, for a field that one manager wants again
        and again is contested and left to him.
        """
        self.drifts += 1
        change = {"data": {"value": "drift"}}
        self.cluster.edit(CONFIG_MAP, "default", name, change, manager=f"hand-{self.drifts}")

    def verdict(self, wanted: Mapping[str, str]) -> str:
        """What the agent makes of the objects that are not as `wanted`."""
        live = self.ours()
        wrong = [name for name in live if live[name] != wanted.get(name)]
        now = self.cluster.objects()
        return verdicts.of_objects(self.program, [now["", "ConfigMap", "default", name] for name in wrong])

    def unharmed(self) -> None:
        """Fails where an object of somebody else was touched."""
        now = self.cluster.objects()
        touched = [key for key, before in self.foreign.items() if now.get(key) != before]
        assert not touched, f"{self.name}: foreign objects were touched: {touched}"


class System:
    """A hub in `folder` and the spokes that joined it. The hub keeps its addresses across restarts."""

    def __init__(self, folder: Path, disks: Disks, clock: Callable[[], float], **settings: Any) -> None:
        self.folder = folder
        self.disks = disks
        self.settings = {**BEATS, **settings}
        self.spokes: dict[str, Spoke] = {}
        self.clock = clock
        self._hub: Hub | None = None
        self._hub_open = contextlib.AsyncExitStack()
        self._open = contextlib.AsyncExitStack()

    @property
    def hub(self) -> Hub:
        assert self._hub is not None
        return self._hub

    @property
    def data(self) -> Path:
        return self.folder / "hub"

    async def start_hub(self) -> Hub:
        running = hubs.running(self.data, clock=self.clock, **self.settings)
        self._hub = await self._hub_open.enter_async_context(running)
        self.settings["link"] = f"127.0.0.1:{self._hub.link.link_port}"
        self.settings["enroll"] = f"127.0.0.1:{self._hub.link.enroll_port}"
        return self._hub

    async def stop_hub(self) -> None:
        await self._hub_open.aclose()
        self._hub = None

    async def close(self) -> None:
        for spoke in self.spokes.values():
            await spoke.stop()
        await self.stop_hub()
        await self._open.aclose()

    async def offer(self, name: str, *, seconds: int = 600) -> str:
        """A join token for a cluster."""
        spec = {"cluster": name, "ttlSeconds": seconds}
        metadata = {"generateName": f"{name}-"}
        manifest = {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "JoinToken",
            "metadata": metadata,
            "spec": spec,
        }
        made = await hubs.add(self.hub, table.JOIN_TOKEN, manifest)
        return str(made["status"]["token"])

    async def register(self, name: str, **labels: str) -> Spoke:
        """A cluster with its own line to the hub, not joined yet."""
        cluster = await hubs.add_cluster(self.hub, name, **labels)
        line = await self._open.enter_async_context(Proxy(("127.0.0.1", self.hub.link.link_port)))
        uid = cluster["metadata"]["uid"]
        self.spokes[name] = Spoke(self, name, line, uid)
        return self.spokes[name]

    async def join(self, name: str, *, env: str = "prod", **options: Any) -> Spoke:
        """A registered cluster whose agent has joined over its own line and is connected."""
        spoke = await self.register(name, env=env)
        for key, value in options.items():
            setattr(spoke, key, value)
        spoke.bystander(f"bystander-{name}")
        text = token.decode(await self.offer(name))
        await spoke.start(token.encode(replace(text, link=spoke.line.address)))
        await hubs.until(lambda: spoke.connected, f"{name} connected")
        return spoke

    async def deploys(
        self, apps: Mapping[str, Mapping[str, str]], names: Sequence[str], *sets: Manifest
    ) -> None:
        """Clusters that join, and sets of which each brings these apps to all of them; until that is so and the hub rests."""
        for name in names:
            await self.join(name)
        for manifest in sets:
            await hubs.add(self.hub, table.APPLICATION_SET, manifest)
        await self.settles(dict.fromkeys(names, merged(apps)))
        await hubs.settled(self.hub)

    def pull(self) -> None:
        """Tells the hub to look at its repositories."""
        self.hub.poller.ask(lambda url: True)

    # --- what must be

    async def read(self, job: Callable[[Tx], T]) -> T:
        """Asks the hub's store, past the faults that may be in it."""
        connection = sqlite.connect(self.data / "hub.db", readonly=True)
        try:
            return job(sqlite.SqliteTx(connection))
        finally:
            connection.close()

    async def removals(self) -> int:
        """How many written removals are open in the whole fleet."""
        return sum(
            [
                len(await self.read(lambda tx, uid=s.uid: desired.removals(tx, uid)))
                for s in self.spokes.values()
            ]
        )  # type: ignore[misc]

    async def reported(self, spoke: Spoke) -> dict[str, dict[str, Any]]:
        """app's name -> the newest state an agent told, as JSON, of what its cluster is assigned."""
        rows, wanted = await self.read(
            lambda tx: (reports.of_cluster(tx, spoke.uid), desired.assignments(tx, spoke.uid))
        )
        told = {row.app: orjson.loads(row.detail) for row in rows}
        return {
            item.app: told[item.id] if told.get(item.id, {}).get("bundle") == item.bundle else {}
            for item in wanted
        }

    async def whole(self, spoke: Spoke, wanted: Mapping[str, str]) -> str:
        """ "" where live objects, inventories and the hub's knowledge are exactly `wanted`, else what differs."""
        live = spoke.ours()
        if live != dict(wanted):
            return f"{spoke.name}: live {live}, wanted {dict(wanted)}"
        if spoke.inventory() != sorted(wanted):
            return f"{spoke.name}: inventory {spoke.inventory()}, wanted {sorted(wanted)}"
        for app, state in (await self.reported(spoke)).items():
            if (state.get("sync"), state.get("health")) != ("Synced", "Healthy"):
                return f"{spoke.name}: {app} is {state.get('sync')}, {state.get('health')}: {state.get('message')}"
        return ""

    async def settles(self, wanted: Mapping[str, Mapping[str, str]], seconds: float = 60.0) -> None:
        """Waits until every named spoke has exactly its objects, and checks that nothing foreign was touched."""
        deadline = time.monotonic() + seconds
        while True:
            wrong = [
                text for name, each in wanted.items() if (text := await self.whole(self.spokes[name], each))
            ]
            if not wrong:
                break
            if time.monotonic() > deadline:
                why = [f"{name}'s agent:\n{self.spokes[name].verdict(each)}" for name, each in wanted.items()]
                raise AssertionError(f"not within {seconds:g} s: " + "\n".join([*wrong, *why]))
            await asyncio.sleep(0.02)
        for name in wanted:
            self.spokes[name].unharmed()


@contextlib.asynccontextmanager
async def system(
    folder: Path, monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float] = time.time, **settings: Any
) -> AsyncIterator[System]:
    """A system whose hub runs; agents' disks are `disks`."""
    disks = Disks()
    monkeypatch.setattr("agent.state.cache.os", disks)
    made = System(folder, disks, clock, **settings)
    try:
        await made.start_hub()
        yield made
    finally:
        await made.close()


def readdressed(text: str, like: str) -> str:
    """A join token that leads to the hub of another one, with the fingerprint and secret it had."""
    other = token.decode(like)
    return token.encode(replace(token.decode(text), enroll=other.enroll, link=other.link))


def tree(apps: Mapping[str, Mapping[str, str]]) -> dict[str, str | bytes | None]:
    """app -> {ConfigMap's name: value} as the files of a repository."""
    return {
        f"apps/{app}/{name}.yaml": hubs.config_map(name, value)
        for app, maps in apps.items()
        for name, value in maps.items()
    }


@contextlib.contextmanager
def repository(folder: Path, apps: Mapping[str, Mapping[str, str]]) -> Iterator[Repo]:
    """One with these apps."""
    with hubs.repository(folder) as repo:
        commit(repo, apps)
        yield repo


def commit(repo: Repo, apps: Mapping[str, Mapping[str, str]]) -> str:
    """Makes the repository hold exactly these apps."""
    files = tree(apps)
    for path in repo.work.glob("apps/*/*.yaml"):
        files.setdefault(str(path.relative_to(repo.work)), None)
    return repo.commit(files)


def merged(apps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What one cluster with all of these apps must hold."""
    return {name: value for maps in apps.values() for name, value in maps.items()}


def problems(manifest: Manifest) -> str:
    """All messages of an object's conditions in one text."""
    found = (manifest.get("status") or {}).get("conditions") or []
    return " | ".join(re.sub(r"\s+", " ", str(item.get("message", ""))) for item in found)
