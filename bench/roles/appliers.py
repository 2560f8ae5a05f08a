"""Light agents that do the whole of an agent's part on the link: take a set, fetch its bundles, hold it, report.

Applying is instant here: what is measured is the way there and back.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from argosy import bundle, convert
from argosy.bundle import Assignment
from argosy.status import AppStatus, Health, ObjectStatus, Sync
from argosy.v1 import link_pb2 as pb
from bench.figures import percentile
from bench.roles import fleet, talk
from bench.roles.fleet import Agent

CHATTER = 1_000_000
"""Numbers of reports that nobody waits for begin here."""


class Appliers(fleet.Fleet):
    """`acked` is, by revision, when the report of each application at it was durable at the hub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.acked: dict[str, list[float]] = defaultdict(list)
        self.news = asyncio.Event()
        self.statuses: dict[int, list[AppStatus]] = defaultdict(list)
        self._talking: asyncio.Task[None] | None = None
        self._sent: dict[tuple[int, int], float] = {}
        self._took: list[float] = []

    async def chatter(self, asked: dict[str, Any]) -> dict[str, Any]:
        """From now on agents report in turn, `rate` reports a second in all, each with news of all applications."""
        self._took.clear()
        self._talking = asyncio.create_task(self._chatter(asked["rate"]))
        return {}

    async def wait(self, asked: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(asked["seconds"])
        return {}

    async def hush(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Ends the chatter; how long the Acks took."""
        assert self._talking is not None
        self._talking.cancel()
        await asyncio.gather(self._talking, return_exceptions=True)
        self._sent.clear()
        return {"reports": len(self._took), "p99": percentile(self._took, 0.99)}

    async def _chatter(self, rate: float) -> None:
        began = time.monotonic()
        for turn in itertools.count():
            if (early := began + turn / rate - time.monotonic()) > 0:
                await asyncio.sleep(early)
            agent = self.agents[turn % len(self.agents)]
            states = [
                convert.state_of(replace(one, finished=time.time())) for one in self.statuses[agent.number]
            ]
            (report,) = convert.report_to(states, full=False, state_digest="")
            report.number = CHATTER + turn
            self._sent[agent.number, report.number] = time.monotonic()
            await agent.call.write(pb.ConnectRequest(report=report).SerializeToString())

    async def applied(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Waits until `count` applications are reported at a revision."""
        revision, count = asked["revision"], asked["count"]
        try:
            async with asyncio.timeout(asked["patience"]):
                while len(self.acked[revision]) < count:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(self.acked[revision])} of {count} applications at {revision}") from None
        return {"at": self.acked.pop(revision)}

    async def _read(self, agent: Agent) -> None:
        have: set[str] = set()
        awaited: dict[int, list[str]] = {}
        number = 0
        while (raw := await agent.call.read()) is not grpc.aio.EOF:
            message = pb.ConnectResponse.FromString(raw)
            kind = message.WhichOneof("message")
            if kind == "desired":
                number += 1
                awaited[number] = [item.revision for item in message.desired.assignments]
                await self._take(agent, message.desired, have, number)
            elif kind == "ack":
                now = time.monotonic()
                if (sent := self._sent.pop((agent.number, message.ack.number), None)) is not None:
                    self._took.append(now - sent)
                for revision in awaited.pop(message.ack.number, ()):
                    self.acked[revision].append(now)
                self.news.set()

    async def _take(self, agent: Agent, desired: pb.Desired, have: set[str], number: int) -> None:
        items = [convert.assignment_from(item) for item in desired.assignments]
        for digest in {item.bundle for item in items} - have:
            await self._fetch(agent, digest)
            have.add(digest)
        held = pb.Held(epoch=desired.epoch, generation=desired.generation, set_digest=desired.set_digest)
        await agent.call.write(pb.ConnectRequest(held=held).SerializeToString())
        if items:
            found = [_status(item) for item in items]
            self.statuses[agent.number] += found
            states = [convert.state_of(one) for one in found]
            (report,) = convert.report_to(states, full=False, state_digest="")
            report.number = number
            await agent.call.write(pb.ConnectRequest(report=report).SerializeToString())

    async def _fetch(self, agent: Agent, digest: str) -> None:
        assert agent.channel is not None
        call: Any = agent.channel.unary_stream("/argosy.v1.LinkService/Fetch")
        request = pb.FetchRequest(digest=digest).SerializeToString()
        blob = b"".join([pb.FetchResponse.FromString(piece).data async for piece in call(request)])
        bundle.unpack(blob, digest)


def _status(item: Assignment) -> AppStatus:
    now = time.time()
    return AppStatus(
        assignment=item.id,
        release=item.release,
        bundle=item.bundle,
        revision=item.revision,
        sync=Sync.SYNCED,
        health=Health.HEALTHY,
        phase="Succeeded",
        started=now,
        finished=now,
        healthy_since=now,
        resources=tuple(
            ObjectStatus("", "v1", "ConfigMap", "shop", f"settings-{number}", Sync.SYNCED)
            for number in range(3)
        ),
    )


async def main(*, folder: str) -> None:
    appliers = Appliers(Path(folder))
    await talk.answer(
        {
            "connect": appliers.connect,
            "beat": appliers.beat,
            "applied": appliers.applied,
            "chatter": appliers.chatter,
            "wait": appliers.wait,
            "hush": appliers.hush,
        }
    )
