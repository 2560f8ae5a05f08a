"""Many light agents in one process: each its own certificate, connection and stream, none a cluster behind it.

They say what an agent says on the link and answer what an agent answers, at the least cost to the machine that the
server under test shares with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import orjson

from argosy import convert
from argosy.v1 import link_pb2 as pb
from bench import seed
from bench.roles import talk

CONNECTING = 48
"""Handshakes under way at once."""
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
BEAT = 17.5
"""Seconds between two beats: the middle of what an agent makes of the 20 that the hub asks for."""


class Agent:
    """One agent's end of its stream. `held` is the newest set that came."""

    __slots__ = ("call", "channel", "held", "number", "port", "task")

    def __init__(self, number: int) -> None:
        self.number = number
        self.held: pb.Desired | None = None
        self.channel: grpc.aio.Channel | None = None
        self.call: Any = None
        self.task: asyncio.Task[None] | None = None

    def hello(self, held: Mapping[str, Any]) -> bytes:
        """`held` is what the agents hold from before, where they do: a generation of the hub's, and its digest."""
        hello = pb.Hello(
            protocol_min=convert.OLDEST_PROTOCOL,
            protocol_max=convert.PROTOCOL,
            version="bench",
            cluster_uid=seed.cluster_uid(self.number),
            facts={"kubernetes.version": "v1.37.2"},
            state_digest=convert.state_digest([]),
        )
        if held:
            hello.epoch, hello.generation = held["epoch"], 1
            hello.set_digest = held["sets"][self.number]
            hello.state_digest = held["states"][self.number]
        return pb.ConnectRequest(hello=hello).SerializeToString()


class Fleet:
    """All agents of this process, and the times at which a notice reached each."""

    def __init__(self, folder: Path) -> None:
        self.identities = seed.read(folder)
        self.agents: list[Agent] = []
        kept = folder / seed.HELD
        self.held: dict[str, Any] = orjson.loads(kept.read_bytes()) if kept.exists() else {}
        self.asked_for_all = 0
        """Agents that were asked for all they have to report."""
        self.arrived: list[float] = []
        self.all_arrived = asyncio.Event()
        self._beats: asyncio.Task[None] | None = None

    async def connect(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Opens the streams of `count` agents to `port`; each is open when its first answer came."""
        began, cpu = time.monotonic(), time.process_time()
        slots = asyncio.Semaphore(CONNECTING)
        ca = self.identities.ca

        async def one(agent: Agent) -> None:
            async with slots:
                key, certificate = self.identities.pair(agent.number)
                credentials = grpc.ssl_channel_credentials(ca, key, certificate)
                channel = grpc.aio.secure_channel(f"127.0.0.1:{asked['port']}", credentials, options=OPTIONS)
                agent.channel = channel
                agent.call = channel.stream_stream("/argosy.v1.LinkService/Connect")()
                await agent.call.write(agent.hello(self.held))
                first = await agent.call.read()
                if first is grpc.aio.EOF:
                    raise RuntimeError(f"refused: {await agent.call.details()}")
                answer = pb.ConnectResponse.FromString(first)
                self.asked_for_all += answer.WhichOneof("message") == "welcome" and answer.welcome.report_all
                agent.task = asyncio.create_task(self._read(agent))

        self.agents = [Agent(number) for number in range(asked["count"])]
        self.arrived, self.all_arrived = [], asyncio.Event()
        await asyncio.gather(*(one(agent) for agent in self.agents))
        return {
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "ended": time.monotonic(),
            "asked_for_all": self.asked_for_all,
            "sets": len(self.arrived),
        }

    async def beat(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Lets every agent beat from now on, spread evenly."""
        self._beats = asyncio.create_task(self._beat())
        return {}

    async def settle(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Says of every set that came that it is held now."""
        for agent in self.agents:
            if (desired := agent.held) is not None:
                held = pb.Held(
                    epoch=desired.epoch, generation=desired.generation, set_digest=desired.set_digest
                )
                await agent.call.write(pb.ConnectRequest(held=held).SerializeToString())
        return {}

    async def expect(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Forgets arrivals; the next `collect` waits for one on each stream."""
        self.arrived.clear()
        self.all_arrived.clear()
        return {}

    async def collect(self, asked: dict[str, Any]) -> dict[str, Any]:
        """When the notice reached each stream (monotonic seconds, which all processes share)."""
        async with asyncio.timeout(asked.get("patience", 60)):
            await self.all_arrived.wait()
        return {"arrived": self.arrived}

    async def _read(self, agent: Agent) -> None:
        while (raw := await agent.call.read()) is not grpc.aio.EOF:
            now = time.monotonic()
            message = pb.ConnectResponse.FromString(raw)
            if message.WhichOneof("message") == "desired":
                agent.held = message.desired
                self.arrived.append(now)
                if len(self.arrived) == len(self.agents):
                    self.all_arrived.set()

    async def _beat(self) -> None:
        message = pb.ConnectRequest(beat=pb.Beat(time=time.time())).SerializeToString()
        began, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * len(self.agents) / BEAT)
            for number in range(sent, due):
                await self.agents[number % len(self.agents)].call.write(message)
            sent = due
            await asyncio.sleep(0.1)


async def main(*, folder: str) -> None:
    fleet = Fleet(Path(folder))
    await talk.answer(
        {
            "connect": fleet.connect,
            "beat": fleet.beat,
            "settle": fleet.settle,
            "expect": fleet.expect,
            "collect": fleet.collect,
        }
    )
