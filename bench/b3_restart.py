"""B3: a hub with 10,000 clusters and a million statuses starts again while 5,000 agents come back."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from pathlib import Path

from argosy import convert
from argosy.errors import ArgosyError
from bench import product, seed
from bench.figures import Result, Target, figure
from bench.harness import Bench
from bench.roles import reporters
from hub.cli.client import Client

ID, NAME = "B3", "hub-restart"
CLUSTERS, STATUSES, AGENTS = 10_000, 100, 5_000
INSTANCES = 1
"""Making the data takes longer than what is measured."""
CLUSTER_LIST = "/apis/argosy.dev/v1alpha1/clusters?limit=1"
UNITS = {
    "first_answer": "s",
    "in_sync": "s",
    "cpu_per_connect": "ms",
    "start_cpu": "s",
    "asked_for_all": "agents",
    "hub_rss": "MB",
}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    joined = AGENTS if agents is None else min(agents, AGENTS)
    clusters = CLUSTERS if agents is None else min(2 * joined, CLUSTERS)
    original = bench.fresh("seed")
    bench.say(f"{ID}: making {clusters} clusters with {STATUSES} statuses each, {joined} of them with agents")
    seed.vast(original, clusters, STATUSES, joined, convert.state_of(reporters.status(0, 0, 0)).detail)
    found: dict[str, list[float]] = defaultdict(list)
    peer: list[float] = []
    for _ in range(instances):
        bench.say(f"{ID}: {joined} agents come back to the hub, then to a bare server")
        folder = bench.fresh("hub")
        shutil.copytree(original, folder, dirs_exist_ok=True)
        for name, value in _hub(bench, folder, joined).items():
            found[name].append(value)
        peer.append(_bare(bench, folder, joined))
        shutil.rmtree(folder)
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    bare = figure(peer, "s")
    return Result(
        ID,
        NAME,
        figures,
        {"in_sync": bare},
        {"in_sync_ratio": figures["in_sync"].median / bare.median},
        [
            Target("first_answer", 3),
            Target("in_sync", 30),
            Target("in_sync_ratio", 2.0),
            Target("asked_for_all", 0),
        ],
        [
            f"{clusters} clusters, {clusters * STATUSES} statuses in the store; there are no Application objects beside them",
            "first_answer: from the start of the process to the answer of a list through the API",
            f"in_sync: until the last of {joined} agents, all connecting at once, was welcomed by a hub that knows what it holds "
            "and what it last reported; the agents' own TLS takes more than half of the CPU of both cores",
            "peer: as many streams opened to a bare grpc.aio server",
        ],
    )


def _hub(bench: Bench, folder: Path, joined: int) -> dict[str, float]:
    # The first start makes certificates and the way in; what is measured is the second.
    product.Hub(bench, folder).end()
    began = time.monotonic()
    hub = product.Hub(bench, folder)
    first = _answered(hub, began)
    started = hub.process.cpu
    fleet = bench.role("fleet", folder=str(folder))
    coming = time.monotonic()
    got = fleet.ask("connect", port=hub.link_port, count=joined, within=170)
    values = {
        "first_answer": first,
        "in_sync": got["ended"] - coming,
        "start_cpu": started,
        "cpu_per_connect": (hub.process.cpu - started) / joined * 1000,
        "asked_for_all": got["asked_for_all"],
        "hub_rss": hub.process.rss / 1024,
    }
    bench.end(fleet)
    hub.end()
    return values


def _answered(hub: product.Hub, began: float) -> float:
    client: Client = hub.client
    while True:
        try:
            client.get(CLUSTER_LIST)
            return time.monotonic() - began
        except ArgosyError:
            time.sleep(0.02)


def _bare(bench: Bench, folder: Path, joined: int) -> float:
    server = bench.role("bare", folder=str(folder))
    fleet = bench.role("fleet", folder=str(folder))
    seconds = fleet.ask("connect", port=server.hello["port"], count=joined, within=170)["seconds"]
    bench.end(fleet, server)
    return float(seconds)
