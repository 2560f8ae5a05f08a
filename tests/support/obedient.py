"""Agents without clusters or a link: what a hub in the test's own process assigns is reported back as the test wants it.

For fleets of thousands. A report takes the way into the store that the link's takes.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import hubs

from argosy import objects
from argosy.bundle import Assignment, Removal
from argosy.convert import State
from argosy.objects import Manifest
from argosy.status import AppStatus, Health, Sync
from hub.assembly import Hub
from hub.store import agents, desired, reports
from hub.store.base import Tx

Behaviour = Callable[[str, Assignment], AppStatus | None]
"""(cluster's name, what it is assigned) -> what its agent says; None for nothing."""


def well(cluster: str, given: Assignment) -> AppStatus:
    """Applied and healthy."""
    return AppStatus(
        assignment=given.id,
        release=given.release,
        bundle=given.bundle,
        revision=given.revision,
        sync=Sync.SYNCED,
        health=Health.HEALTHY,
        phase="Succeeded",
        settled=True,
        healthy_since=1.0,
    )


def ill(cluster: str, given: Assignment) -> AppStatus:
    """Applied, and Degraded."""
    return replace(well(cluster, given), health=Health.DEGRADED, message="it crashes", healthy_since=0.0)


@dataclass
class Obedient:
    """The agents of `clusters` (name -> id). `given` has, for each cluster and app, every release it was assigned."""

    hub: Hub
    behaviour: Behaviour = well
    clusters: dict[str, str] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    given: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    reports: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._names: dict[str, str] = {}
        self._told: set[str] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._end: Callable[[], None] = lambda: None

    async def join(self, name: str, **labels: str) -> Manifest:
        """Registers a cluster with an agent that is there."""
        made = await hubs.add_cluster(self.hub, name, **labels)
        self.adopt(name, made["metadata"]["uid"])
        await self.hub.store.write(lambda tx: self._appear(tx, name))
        return made

    def adopt(self, name: str, uid: str) -> None:
        """Takes over a cluster that the hub knows."""
        self.clusters[name] = uid
        self._names[uid] = name

    def _appear(self, tx: Tx, name: str) -> None:
        uid = self.clusters[name]
        agents.bind(tx, uid, f"uid-{name}", f"key-{name}", "test", 4e9)
        agents.connected(tx, uid, "test", "{}", self.hub._clock())

    async def leave(self, name: str) -> None:
        """Its link goes down."""
        self.away.add(name)
        uid, now = self.clusters[name], self.hub._clock()
        await self.hub.store.write(lambda tx: agents.lost(tx, [(uid, now)], now))

    async def come_back(self, name: str) -> None:
        self.away.discard(name)
        uid, now = self.clusters[name], self.hub._clock()
        await self.hub.store.write(lambda tx: agents.connected(tx, uid, "test", "{}", now))
        self._told.add(uid)
        self._wake.set()

    def start(self) -> None:
        self._end = self.hub.store.on_touch("desired:", self._hear)
        self._told.update(self.clusters.values())
        self._task = asyncio.create_task(self._work())
        self._wake.set()

    async def stop(self) -> None:
        self._end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def speak(self) -> None:
        """Lets everybody say again how it is, for example because the behaviour is another one."""
        self._told.update(self.clusters.values())
        self._wake.set()

    def _hear(self, topic: str) -> None:
        self._told.add(topic.partition(":")[2])
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            told, self._told = self._told, set()
            here = [uid for uid in told if (name := self._names.get(uid)) and name not in self.away]
            if here:
                await self.hub.store.write(lambda tx, here=here: self._report(tx, here))  # type: ignore[misc]

    def _report(self, tx: Tx, clusters: list[str]) -> None:
        for uid in clusters:
            name = self._names[uid]
            said = []
            for given in desired.assignments(tx, uid):
                seen = self.given[name, given.app]
                if not seen or seen[-1] != given.release:
                    seen.append(given.release)
                status = self.behaviour(name, given)
                if status is not None:
                    said.append(reports.hashed(_state(status)))
            said += [reports.hashed(_state(_gone(one))) for one in desired.removals(tx, uid)]
            self.reports[name] += reports.put(tx, uid, said, self.hub._clock())


def _gone(removal: Removal) -> AppStatus:
    """A removal is carried out at once."""
    whole = not removal.key
    return AppStatus(
        removal.assignment, "", "", "", Sync.SYNCED, Health.HEALTHY, removed=(removal.id,), gone=whole
    )


def _state(status: AppStatus) -> State:
    detail = objects.canonical(asdict(status))
    return State(
        status.assignment, status.release, status.bundle, str(status.sync), str(status.health), detail
    )
