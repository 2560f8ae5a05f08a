"""B8: one label changes, one cluster joins, one set changes: what is evaluated, and what the whole hub spends on it."""

from __future__ import annotations

from collections import defaultdict

from bench import estate, product
from bench.figures import Result, Target, figure, percentile
from bench.harness import Bench

ID, NAME = "B8", "generator-incremental"
CLUSTERS, SETS = 10_000, 100
HUB_SETS = 20
SMALL, LARGE = 1_000, 5_000
CHANGES = 20
HUB_CHANGES = 12
INSTANCES = 3


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    clusters = CLUSTERS if agents is None else min(agents, CLUSTERS)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(instances):
        bench.say(f"{ID}: evaluation alone, {clusters} clusters x {SETS} sets")
        for name, values in _alone(bench, clusters).items():
            found[name] += values
    small, large = (size if agents is None else min(size, agents) for size in (SMALL, LARGE))
    for size, name in ((small, "small"), (large, "large")):
        bench.say(f"{ID}: the whole hub, {size} clusters x {HUB_SETS} sets")
        for key, values in _hub(bench, size).items():
            found[f"{key}_{name}"] += values
    units = dict.fromkeys(found, "ms")
    figures = {name: figure(found[name], unit) for name, unit in units.items()}
    return Result(
        ID,
        NAME,
        figures,
        {},
        {
            "label_p99": percentile(found["label"], 0.99),
            "join_p99": percentile(found["join"], 0.99),
            "set_p99": percentile(found["set"], 0.99),
            "full_per_label": figures["full"].median / figures["label"].median,
            "hub_growth": figures["label_cpu_large"].median / figures["label_cpu_small"].median,
        },
        [
            Target("label_p99", 2.0),
            Target("join_p99", 2.0),
            Target("set_p99", 20.0),
            Target("full_per_label", 100, at_least=True),
            Target("label_cpu_small", 5.0),
            Target("label_durable_small", 50.0),
            Target("hub_growth", 1.3),
        ],
        [
            "label, join, set (1,000 applications): from the changed facts to the new applications, CPU of one process",
            f"_small, _large: a hub with {small} and {large} clusters, {HUB_SETS} sets of 5 % each; one label moves a cluster "
            "to another set. cpu: of the whole hub process until it is at rest, without the confirmed removal a second later; "
            "durable: from the write until the cluster's new set is on disk",
            "published elsewhere: Argo CD 3.6.1 on two such cores, 3.1 - 4.9 CPU seconds at 1,000 clusters, 17 - 22 at 5,000",
        ],
    )


def _alone(bench: Bench, clusters: int) -> dict[str, list[float]]:
    role = bench.role("generators", clusters=clusters, sets=SETS)
    full = role.ask("full", within=120)["cpu"] * 1000
    role.ask("again", within=120)
    found: dict[str, list[float]] = {"full": [full], "label": [], "join": [], "set": []}
    for number in range(CHANGES):
        found["label"].append(role.ask("label", cluster=number * 37 % clusters)["cpu"] * 1000)
        found["join"].append(role.ask("join")["cpu"] * 1000)
        found["set"].append(role.ask("reset", apps=1000, turn=number)["cpu"] * 1000)
    bench.end(role)
    return found


def _hub(bench: Bench, clusters: int) -> dict[str, list[float]]:
    repo = product.Repo(bench.fresh("git"))
    repo.commit(estate.files())
    role = bench.role("fleethub", folder=str(bench.fresh("hub")))
    try:
        role.ask("fill", within=300, clusters=clusters, sets=HUB_SETS, url=repo.url)
        found: dict[str, list[float]] = {"label_cpu": [], "label_durable": [], "join_cpu": []}
        for number in range(HUB_CHANGES):
            got = role.ask("label", cluster=number * estate.GROUPS + 3, group=7)
            joined = role.ask("join", cluster=clusters + number)
            if number:
                # The first one finds caches cold.
                found["label_cpu"].append(got["cpu"] * 1000)
                found["label_durable"].append(got["durable"] * 1000)
                found["join_cpu"].append(joined["cpu"] * 1000)
        found["unchanged_per_app"] = []
        for _ in range(3):
            got = role.ask("evaluate", within=120)
            applications = role.ask("counts")["applications"]
            found["unchanged_per_app"].append(got["cpu"] * 1000 / applications)
        return found
    finally:
        bench.end(role)
        repo.close()
