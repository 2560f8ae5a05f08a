"""B7: a full evaluation of 10,000 clusters and 100 sets: match, render, hash; beside a naive match loop alone."""

from __future__ import annotations

from collections import defaultdict

from bench.figures import Result, Target, figure, orders
from bench.harness import Bench

ID, NAME = "B7", "generator-full"
CLUSTERS, SETS = 10_000, 100
INSTANCES, ROUNDS = 3, 2


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    clusters = CLUSTERS if agents is None else min(agents, CLUSTERS)
    found: dict[str, list[float]] = defaultdict(list)
    peer: list[float] = []
    for order in orders(["full", "naive"], instances):
        bench.say(f"{ID}: {clusters} clusters x {SETS} sets, in a fresh process")
        role = bench.role("generators", clusters=clusters, sets=SETS)
        for _ in range(ROUNDS):
            for variant in order:
                got = role.ask(variant, within=120)
                if variant == "naive":
                    peer.append(got["cpu"])
                    continue
                found["full"].append(got["cpu"])
                found["match"].append(got["match"])
                found["per_app"].append(got["cpu"] / got["applications"] * 1e6)
                found["applications"].append(got["applications"] / got["cpu"])
        again = role.ask("again", within=120)
        found["unchanged_per_app"].append(again["cpu"] / again["applications"] * 1e6)
        bench.end(role)
    units = {"full": "s", "match": "s", "per_app": "us", "unchanged_per_app": "us", "applications": "apps/s"}
    figures = {name: figure(found[name], unit) for name, unit in units.items()}
    naive = figure(peer, "s")
    return Result(
        ID,
        NAME,
        figures,
        {"naive": naive},
        {
            "naive_ratio": figures["full"].median / naive.median,
            "match_speedup": naive.median / figures["match"].median,
        },
        [
            Target("full", 0.6),
            Target("naive_ratio", 1.5),
            Target("match_speedup", 100, at_least=True),
            Target("unchanged_per_app", 35),
        ],
        [
            f"{clusters} clusters, {SETS} sets: cluster (80), matrix (10) and merge (10) generators; CPU seconds of one process",
            "full: nothing kept from before but what the fleet knows of itself; each application is hashed in its canonical form",
            "naive: every selector against every cluster's labels, one after the other, and nothing else",
            "unchanged_per_app: the same evaluation again, by the sets that the hub keeps",
        ],
    )
