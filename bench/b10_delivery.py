"""B10: a bundle of 1 MiB reaches many agents at once; then a revision of it in which one object changed."""

from __future__ import annotations

import shutil
from collections import defaultdict

from bench import seed
from bench.figures import Result, Target, figure, orders
from bench.harness import Bench

ID, NAME = "B10", "bundle-delivery"
AGENTS = 200
OBJECTS = 700
INSTANCES, ROUNDS = 3, 2
MIB = 1024 * 1024
UNITS = {
    "delivered": "MB/s",
    "wire_share": "of raw",
    "cpu_per_agent": "ms",
    "raw": "KB",
    "difference": "bytes",
    "difference_seconds": "s",
    "difference_cpu_per_agent": "ms",
}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    count = min(agents or AGENTS, AGENTS)
    original = bench.fresh("seed")
    seed.fill(original, count)
    found: dict[str, list[float]] = defaultdict(list)
    peer: dict[str, list[float]] = defaultdict(list)
    size = 0
    for order in orders(["hub", "bare"], instances):
        for variant in sorted(order, key=lambda name: name != "hub") if not size else order:
            bench.say(f"{ID}: {count} agents fetch from the {variant} server")
            folder = bench.fresh(variant)
            shutil.copytree(original, folder, dirs_exist_ok=True)
            if variant == "hub":
                size = _hub(bench, str(folder), count, found)
            else:
                _bare(bench, str(folder), count, size, peer)
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    beside = {"delivered": figure(peer["delivered"], "MB/s"), "cpu_per_agent": figure(peer["cpu"], "ms")}
    return Result(
        ID,
        NAME,
        figures,
        beside,
        {"delivered_ratio": figures["delivered"].median / beside["delivered"].median},
        [
            Target("delivered_ratio", 0.6, at_least=True),
            Target("wire_share", 1 / 8),
            Target("difference", 10_000),
        ],
        [
            f"{count} agents, each on its own connection, fetch at the same moment; {OBJECTS} Deployments of 1.5 KB",
            "delivered counts bytes as they are sent (zstd); peer: a bare grpc.aio server that streams as many bytes",
            "difference: bytes of all messages to one agent for a revision with one changed object; made once for all",
        ],
    )


def _hub(bench: Bench, folder: str, count: int, found: dict[str, list[float]]) -> int:
    server = bench.role("linkhub", folder=folder, clusters=count)
    fleet = bench.role("fetchers", folder=folder)
    fleet.ask("connect", port=server.hello["port"], count=count, within=100)
    first = server.ask("stock", objects=OBJECTS, changed=-1)
    for turn in range(ROUNDS):
        cpu = server.cpu
        got = fleet.ask("fetch", digest=first["digest"], within=100)
        found["cpu_per_agent"].append((server.cpu - cpu) / count * 1000)
        found["delivered"].append(first["size"] * count / MIB / got["seconds"])
        found["wire_share"].append(got["wire"] / first["raw"])
        found["raw"].append(first["raw"] / 1024)
        after = server.ask("stock", objects=OBJECTS, changed=turn * 97 + 11)
        cpu = server.cpu
        got = fleet.ask("fetch", digest=after["digest"], base=first["digest"], within=100)
        found["difference_cpu_per_agent"].append((server.cpu - cpu) / count * 1000)
        found["difference"].append(got["wire"])
        found["difference_seconds"].append(got["seconds"])
        first = server.ask("stock", objects=OBJECTS, changed=-1)
    bench.end(fleet, server)
    return int(first["size"])


def _bare(bench: Bench, folder: str, count: int, size: int, peer: dict[str, list[float]]) -> None:
    server = bench.role("bare", folder=folder)
    fleet = bench.role("fetchers", folder=folder)
    fleet.ask("connect", port=server.hello["port"], count=count, within=100)
    server.ask("stock", size=size)
    for _ in range(ROUNDS):
        cpu = server.cpu
        got = fleet.ask("fetch", digest="any", check=False, within=100)
        peer["cpu"].append((server.cpu - cpu) / count * 1000)
        peer["delivered"].append(size * count / MIB / got["seconds"])
    bench.end(fleet, server)
