"""B6: 10,000 Applications of one ConfigMap each on 500 simulated clusters, from none until all are reported synced."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict

from bench import simulated
from bench.figures import Result, Target, figure, percentile
from bench.harness import Bench

ID, NAME = "B6", "full-sync-10k"
CLUSTERS = 500
SETS = 20
INSTANCES = 1
"""A run takes a minute; several would leave the others no time."""
PATIENCE = 160.0
UNITS = {"first": "s", "half": "s", "synced": "s", "hub_cpu": "s", "hub_cpu_per_app": "ms", "hub_peak": "MB"}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    clusters = CLUSTERS if agents is None else min(agents, CLUSTERS)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(instances):
        for name, value in _instance(bench, clusters).items():
            found[name].append(value)
    return Result(
        ID,
        NAME,
        {name: figure(found[name], unit) for name, unit in UNITS.items()},
        targets=[Target("synced", 60), Target("hub_peak", 700)],
        notes=[
            f"{SETS} sets that pick all of {clusters} clusters, created one after the other: {clusters * SETS} Applications, "
            "each with a bundle of its own",
            "counted from the first set's creation until the report's Ack: it is on disk then; half: until half of them are",
            "agents are simulated in one process: each fetches its bundles and reports; applying takes no time",
            "published elsewhere: Argo CD, the same shape, 11 minutes on 8 virtual CPUs",
        ],
    )


def _instance(bench: Bench, clusters: int) -> dict[str, float]:
    with contextlib.ExitStack() as stack:
        made = simulated.start(bench, stack, ID, clusters)
        hub = made.hub
        bench.say(f"{ID}: {clusters * SETS} applications")
        began, cpu, wanted = time.monotonic(), hub.process.cpu, clusters * SETS
        made.deploy(SETS)
        got = made.fleet.ask(
            "applied", revision=made.revision, count=wanted, patience=PATIENCE, within=PATIENCE + 10
        )
        late = [when - began for when in got["at"]]
        spent = hub.process.cpu - cpu
        return {
            "first": min(late),
            "half": percentile(late, 0.5),
            "synced": max(late),
            "hub_cpu": spent,
            "hub_cpu_per_app": spent / wanted * 1000,
            "hub_peak": hub.process.peak / 1024,
        }
