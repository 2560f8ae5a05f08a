"""Light agents that do the whole of an agent's part on the link: take a set, fetch its bundles, hold it, report.

Applying is instant here: what is measured is the way there and back.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import grpc

from argosy import bundle, convert
from argosy.bundle import Assignment
from argosy.status import AppStatus, Health, ObjectStatus, Sync
from argosy.v1 import link_pb2 as pb
from bench.roles import fleet, talk
from bench.roles.fleet import Agent


class Appliers(fleet.Fleet):
    """`acked` is, by revision, when the report of each application at it was durable at the hub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.acked: dict[str, list[float]] = defaultdict(list)
        self.news = asyncio.Event()

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
            states = [convert.state_of(_status(item)) for item in items]
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
    await talk.answer({"connect": appliers.connect, "beat": appliers.beat, "applied": appliers.applied})
