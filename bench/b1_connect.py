"""B1: what one connected agent costs the hub: memory of the hub's process, and its CPU while nothing happens but beats."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict

from bench import seed
from bench.figures import Figure, Result, Target, figure, orders, ratio
from bench.harness import Bench, Role

ID, NAME = "B1", "connect"
AGENTS = 2000
INSTANCES = 3
IDLE_SECONDS = 8.0
UNITS = {
    "rss_per_agent": "KB",
    "rss": "MB",
    "silent_cpu": "% of a core",
    "idle_cpu": "% of a core",
    "connects": "agents/s",
    "cpu_per_connect": "ms",
}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    count = agents or AGENTS
    original = bench.fresh("seed")
    seed.fill(original, count)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for order in orders(["hub", "bare"], instances):
        for variant in order:
            bench.say(f"{ID}: {count} agents connect to the {variant} server")
            folder = bench.fresh(variant)
            shutil.copytree(original, folder, dirs_exist_ok=True)
            for name, value in _round(bench, variant, str(folder), count).items():
                found[variant][name].append(value)
            shutil.rmtree(folder)
    figures, peer = _figures(found["hub"]), _figures(found["bare"])
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {
            "rss_ratio": ratio(figures, peer, "rss_per_agent"),
            "connect_cpu_ratio": ratio(figures, peer, "cpu_per_connect"),
        },
        [Target("rss_per_agent", 110), Target("rss_ratio", 1.25), Target("idle_cpu", 3)],
        [
            f"{count} agents, each with its own mTLS connection and stream; {instances} fresh processes of each variant",
            "silent_cpu: nobody says anything; idle_cpu: every agent beats each 17.5 s, and the bare server reads and drops it",
            "connects is bound by the client's side on the same cores; cpu_per_connect is the server's",
        ],
    )


def _figures(found: dict[str, list[float]]) -> dict[str, Figure]:
    return {name: figure(found[name], unit) for name, unit in UNITS.items()}


def _round(bench: Bench, variant: str, folder: str, count: int) -> dict[str, float]:
    settings = {"clusters": count} if variant == "hub" else {}
    server = bench.role("linkhub" if variant == "hub" else "bare", folder=folder, **settings)
    fleet = bench.role("fleet", folder=folder)
    time.sleep(1.0)
    before, cpu = server.rss, server.cpu
    opened = fleet.ask("connect", port=server.hello["port"], count=count, within=150)
    connecting = server.cpu - cpu
    if variant == "hub":
        fleet.ask("collect", within=70)
        fleet.ask("settle")
    time.sleep(2.0)
    silent = _share(server, IDLE_SECONDS / 2)
    fleet.ask("beat")
    time.sleep(1.0)
    idle = _share(server, IDLE_SECONDS)
    rss = server.rss
    bench.end(fleet, server)
    return {
        "rss_per_agent": (rss - before) / count,
        "rss": rss / 1024,
        "silent_cpu": silent * 100,
        "idle_cpu": idle * 100,
        "connects": count / opened["seconds"],
        "cpu_per_connect": connecting / count * 1000,
    }


def _share(server: Role, seconds: float) -> float:
    """CPU seconds the server uses in a second."""
    cpu, began = server.cpu, time.monotonic()
    time.sleep(seconds)
    return (server.cpu - cpu) / (time.monotonic() - began)
