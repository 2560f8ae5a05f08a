"""The whole hub in a process of its own, with a fleet and sets made for it: what one change costs is counted here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from argosy import interpreter
from argosy.objects import Manifest
from bench import estate
from bench.roles import talk
from hub import main as program
from hub.assembly import Hub
from hub.config import HubConfig
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import apps
from hub.store.base import Tx

QUIET = 0.25
"""Seconds without a loop at work after which a change counts as done."""
PATIENCE = 300.0


class Estate:
    """The hub, and what the benchmark asks of it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._uids: dict[str, str] = {}

    async def fill(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Registers clusters and sets without waiting for what comes of them."""
        found = [estate.cluster(number) for number in range(asked.get("first", 0), asked["clusters"])]
        await self._create(table.CLUSTER, found)
        sets = [estate.appset(number, asked["sets"], asked["url"]) for number in range(asked["sets"])]
        return await self._timed(lambda: self._create(table.APPLICATION_SET, sets))

    async def lone(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Creates Applications that no set made, spread over the clusters, and waits until all are assigned."""
        found = [
            estate.application(number, asked["clusters"], asked["url"]) for number in range(asked["apps"])
        ]
        return await self._timed(lambda: self._create(table.APPLICATION, found))

    async def label(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Moves one cluster to another set; `durable` is when its new assignment was."""
        return await self._timed(lambda: self._label(asked["cluster"], asked["group"]), asked["cluster"])

    async def join(self, asked: dict[str, Any]) -> dict[str, Any]:
        number = asked["cluster"]
        return await self._timed(lambda: self._create(table.CLUSTER, [estate.cluster(number)]), number)

    async def look(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Has all repositories looked at, as a push does."""
        return await self._timed(self._look)

    async def evaluate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Has every set evaluated though nothing changed."""
        self._hub.expander.again()
        return await self._timed(self._wake)

    async def counts(self, asked: dict[str, Any]) -> dict[str, Any]:
        def job(tx: Tx) -> int:
            return len([state for state in apps.every(tx) if state.rolled])

        return {
            "applications": await self._hub.store.read(job),
            "fetches": self._hub.mirrors.counters.fetches,
            "evaluated": self._hub.expander.evaluated,
            "rendered": self._hub.renderer.rendered,
        }

    async def _create(self, served: Served, found: list[Manifest]) -> None:
        hub = self._hub

        def job(tx: Tx) -> None:
            for manifest in found:
                made = hub.resources.create(tx, served, manifest, manager="bench", now=time.time())
                self._uids[made["metadata"]["name"]] = made["metadata"]["uid"]

        await hub.store.write(job)

    async def _label(self, number: int, group: int) -> None:
        hub = self._hub
        change = {"metadata": {"labels": {"group": f"g{group}"}}}

        def job(tx: Tx) -> None:
            hub.resources.patch(
                tx, table.CLUSTER, "", estate.cluster_name(number), change, manager="bench", now=time.time()
            )

        await hub.store.write(job)

    async def _look(self) -> None:
        self._hub.poller.ask(lambda url: True)

    async def _wake(self) -> None:
        self._hub.wakes.expander.set()

    async def _timed(self, act: Callable[[], Any], cluster: int | None = None) -> dict[str, Any]:
        """CPU and wall seconds from the act until no loop has anything to do."""
        durable = asyncio.get_running_loop().create_future()
        end = self._hub.store.on_touch("desired:", lambda topic: self._told(topic, cluster, durable))
        runs = self._runs()
        cpu, began = time.process_time(), time.monotonic()
        await act()
        await self._quiet(runs)
        spent, ended = self._spent - cpu, self._last
        end()
        first = durable.result() - began if durable.done() else 0.0
        return {"cpu": spent, "seconds": ended - began, "durable": first}

    def _told(self, topic: str, cluster: int | None, durable: asyncio.Future[float]) -> None:
        if durable.done():
            return
        if cluster is None or topic == f"desired:{self._uids.get(estate.cluster_name(cluster))}":
            durable.set_result(time.monotonic())

    def _runs(self) -> list[int]:
        return [loop.record.runs for loop in self._hub.loops]

    async def _quiet(self, before: list[int]) -> None:
        """Notes when a loop was last at work, and the CPU spent until the first look without one: those that follow are
        the benchmark's own.
        """
        deadline, self._last, at_rest = time.monotonic() + PATIENCE, time.monotonic(), False
        while time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            runs, busy = self._runs(), any(loop.record.running for loop in self._hub.loops)
            if busy or runs != before:
                before, self._last, at_rest = runs, time.monotonic(), False
            elif not at_rest:
                self._spent, at_rest = time.process_time(), True
            elif time.monotonic() - self._last > QUIET:
                return
        raise RuntimeError("the hub did not come to rest")


async def main(*, folder: str) -> None:
    settings: Any = {"api": "127.0.0.1:0", "link": "127.0.0.1:0", "poll": 3600.0}
    hub = Hub(HubConfig(data=Path(folder), **settings))
    await hub.start()
    interpreter.settle(program.YOUNG)
    work = Estate(hub)
    try:
        await talk.answer(
            {
                "fill": work.fill,
                "lone": work.lone,
                "label": work.label,
                "join": work.join,
                "look": work.look,
                "evaluate": work.evaluate,
                "counts": work.counts,
            }
        )
    finally:
        await hub.stop()
