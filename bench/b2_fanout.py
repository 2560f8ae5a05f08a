"""B2: a decision for every cluster, and how long until each open stream has brought it to its agent."""

from __future__ import annotations

import shutil
from collections import defaultdict

from bench import seed
from bench.figures import Figure, Result, Target, figure, orders, percentile, ratio
from bench.harness import Bench

ID, NAME = "B2", "fan-out"
STREAMS = 2000
INSTANCES = 5
ROUNDS = 3
UNITS = {"p50": "ms", "p99": "ms", "last": "ms", "cpu_per_stream": "ms", "deciding_cpu": "ms"}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    count = agents or STREAMS
    original = bench.fresh("seed")
    seed.fill(original, count)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for order in orders(["hub", "bare"], instances):
        for variant in order:
            bench.say(f"{ID}: notices of the {variant} server to {count} streams")
            folder = bench.fresh(variant)
            shutil.copytree(original, folder, dirs_exist_ok=True)
            for values in _rounds(bench, variant, str(folder), count):
                for name, value in values.items():
                    found[variant][name].append(value)
            shutil.rmtree(folder)
    figures, peer = _figures(found["hub"]), _figures(found["bare"])
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {
            "last_ratio": ratio(figures, peer, "last"),
            "p99_ratio": ratio(figures, peer, "p99"),
            "cpu_ratio": ratio(figures, peer, "cpu_per_stream"),
        },
        [Target("p99", 1600), Target("cpu_per_stream", 0.22), Target("p99_ratio", 1.3)],
        [
            f"{count} streams; {instances} fresh processes of each variant, {ROUNDS} rounds in each",
            "counted from the decision, just before its commit; deciding_cpu is what writing all sets cost before that",
            "cpu_per_stream is the server's from the decision to the last arrival",
        ],
    )


def _figures(found: dict[str, list[float]]) -> dict[str, Figure]:
    return {name: figure(found[name], unit) for name, unit in UNITS.items()}


def _rounds(bench: Bench, variant: str, folder: str, count: int) -> list[dict[str, float]]:
    settings = {"clusters": count} if variant == "hub" else {}
    server = bench.role("linkhub" if variant == "hub" else "bare", folder=folder, **settings)
    fleet = bench.role("fleet", folder=folder)
    fleet.ask("connect", port=server.hello["port"], count=count, within=150)
    if variant == "hub":
        fleet.ask("collect", within=70)
    results = []
    for _ in range(ROUNDS):
        fleet.ask("settle")
        server.ask("cpu")
        fleet.ask("expect")
        decided = server.ask("change")
        arrived = fleet.ask("collect", within=70)["arrived"]
        spent = server.ask("cpu")["cpu"] - decided["cpu"]
        late = [(at - decided["decided"]) * 1000 for at in arrived]
        results.append(
            {
                "p50": percentile(late, 0.5),
                "p99": percentile(late, 0.99),
                "last": max(late),
                "cpu_per_stream": spent * 1000 / count,
                "deciding_cpu": decided["deciding"] * 1000,
            }
        )
    bench.end(fleet, server)
    return results
