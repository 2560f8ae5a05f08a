"""Agents that report as fast as the hub makes durable what they said: each sends its next report at the Ack of the last.

The messages are made beforehand, so that this process costs little beside the one under test.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc

from argosy import convert
from argosy.status import AppStatus, Health, ObjectStatus, Sync
from argosy.v1 import link_pb2 as pb
from bench import seed
from bench.figures import percentile
from bench.roles import fleet, talk

VARIETY = 10
"""Different reports of each agent, sent in turn: none repeats what the hub has."""


def status(cluster: int, app: int, version: int) -> AppStatus:
    """An application of three objects, as an agent reports it after a sync."""
    name = f"app-{app}"
    resources = [("", "Service"), ("", "ConfigMap"), ("apps", "Deployment")]
    return AppStatus(
        assignment=seed.app_id(cluster, app),
        release=f"release-{version}",
        bundle=seed.BUNDLE,
        revision="3f2a9c1d4e5b6a7988776655443322110ffeeddc",
        sync=Sync.SYNCED,
        health=Health.HEALTHY,
        phase="Succeeded",
        started=1764000000.0 + version,
        finished=1764000001.5 + version,
        healthy_since=1764000002.5 + version,
        resources=tuple(
            ObjectStatus(group, "v1", kind, "shop", name, Sync.SYNCED, Health.HEALTHY)
            for group, kind in resources
        ),
    )


def messages(cluster: int, apps: int, changed: int) -> list[bytes]:
    """Reports of all apps of a cluster, of which `changed` differ from one report to the next."""
    made = []
    versions = [0] * apps
    for turn in range(VARIETY):
        for place in range(changed):
            versions[(turn * changed + place) % apps] = turn + 1
        states = [convert.state_of(status(cluster, app, versions[app])) for app in range(apps)]
        (report,) = convert.report_to(states, full=False, state_digest="")
        report.number = turn + 1
        made.append(pb.ConnectRequest(report=report).SerializeToString())
    return made


class Reporters(fleet.Fleet):
    def __init__(self, folder: Path, apps: int) -> None:
        super().__init__(folder)
        self.apps = apps
        self.pools: dict[int, list[list[bytes]]] = {}

    async def prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Makes the reports with so many changed apps."""
        count, changed = asked["count"], asked["changed"]
        self.pools[changed] = [messages(number, self.apps, changed) for number in range(count)]
        return {"bytes": len(self.pools[changed][0][0])}

    async def report(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Reports for `seconds` after `warm` seconds. Answers with counts and times of that span alone."""
        pools = self.pools[asked["changed"]]
        began = time.monotonic() + asked["warm"]
        until = began + asked["seconds"]
        took: list[float] = []

        async def one(agent: fleet.Agent) -> None:
            pool, turn = pools[agent.number], 0
            while (sent := time.monotonic()) < until:
                await agent.call.write(pool[turn % VARIETY])
                turn += 1
                while not await self._acked(agent):
                    pass
                now = time.monotonic()
                if began <= now < until:
                    took.append(now - sent)

        await asyncio.gather(*(one(agent) for agent in self.agents))
        span = asked["seconds"]
        return {"reports": len(took) / span, "p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}

    async def _acked(self, agent: fleet.Agent) -> bool:
        raw = await agent.call.read()
        if raw is grpc.aio.EOF:
            raise RuntimeError(f"the stream ended: {await agent.call.details()}")
        return pb.ConnectResponse.FromString(raw).WhichOneof("message") == "ack"

    async def _read(self, agent: fleet.Agent) -> None:
        """Reports read their answers themselves."""


async def main(*, folder: str, apps: int) -> None:
    reporters = Reporters(Path(folder), apps)
    await talk.answer(
        {"connect": reporters.connect, "prepare": reporters.prepare, "report": reporters.report}
    )
