"""B5: from a commit until the clusters it concerns have reported it as applied: 100 of 1,000, picked by a label."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from argosy.objects import Manifest
from bench import product, seed
from bench.figures import Result, Target, figure, percentile
from bench.harness import Bench

ID, NAME = "B5", "commit-to-applied"
AGENTS = 1000
EVERY = 10
"""One cluster in so many is picked."""
INSTANCES = 3
COMMITS = 5
UNITS = {"p50": "s", "p90": "s", "last": "s", "hub_cpu": "s", "hub_rss": "MB"}
PEER = {"fetch": "s", "write": "s", "commit": "s"}


def run(
    bench: Bench, agents: int | None = None, instances: int = INSTANCES, commits: int = COMMITS
) -> Result:
    count = agents or AGENTS
    picked = (count + EVERY - 1) // EVERY
    original = _fleet(bench, count)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(instances):
        bench.say(f"{ID}: {commits} commits reach {picked} of {count} clusters ({number + 1} of {instances})")
        for name, values in _instance(bench, original, count, picked, commits).items():
            found[name] += values
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    peer = {name: figure(found[name], unit) for name, unit in PEER.items()}
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {"p90_over_bare_parts": figures["p90"].median / sum(part.median for part in peer.values())},
        [Target("p90", 2.0)],
        [
            f"{instances} fresh hubs, {commits} commits each; an ApplicationSet picks {picked} of {count} clusters by label; "
            "3 objects, one changes",
            "counted from the commit in a bare repository (webhook included) until the report's Ack: it is on disk then",
            "agents are simulated in one process: each fetches the bundle and reports; applying takes no time",
            "bare parts: git fetch of the commit, a grpc.aio write to as many streams, executemany of as many rows",
        ],
    )


def _fleet(bench: Bench, count: int) -> Path:
    """A hub's data with registered clusters, each with an identity."""
    bench.say(f"{ID}: registering {count} clusters")
    data = bench.fresh("fleet")
    hub = product.Hub(bench, data)
    ids = {}
    for number in range(count):
        labels = {"tier": "gold" if number % EVERY == 0 else "silver"}
        body: Manifest = {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": f"cluster-{number}", "labels": labels},
            "spec": {},
        }
        ids[number] = hub.client.create("/apis/argosy.dev/v1alpha1/clusters", body)["metadata"]["uid"]
    hub.end()
    seed.enrol(data, ids)
    return data


def _instance(bench: Bench, original: Path, count: int, picked: int, commits: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        repo = product.Repo(bench.fresh("git"))
        stack.callback(repo.close)
        revision = repo.commit(_files("0"))
        mirror = bench.fresh("mirror")
        subprocess.run(["git", "clone", "--quiet", "--mirror", repo.url, str(mirror)], check=True)
        data = bench.fresh("hub")
        shutil.copytree(original, data, dirs_exist_ok=True)
        hub = product.Hub(bench, data)
        stack.callback(hub.end)
        fleet = bench.role("appliers", folder=str(data))
        stack.callback(bench.end, fleet)
        fleet.ask("connect", port=hub.link_port, count=count, within=120)
        fleet.ask("beat")
        hub.client.create(product.SETS, _appset(repo.url))
        fleet.ask("applied", revision=revision, count=picked, patience=60, within=70)
        for turn in range(1, commits + 1):
            time.sleep(0.5)
            revision = repo.commit({"shop/settings-0.yaml": product.config_map("settings-0", str(turn))})
            began, cpu = time.monotonic(), hub.process.cpu
            hub.notify(repo, revision)
            at = fleet.ask("applied", revision=revision, count=picked, patience=60, within=70)["at"]
            late = [when - began for when in at]
            found["p50"].append(percentile(late, 0.5))
            found["p90"].append(percentile(late, 0.9))
            found["last"].append(max(late))
            found["hub_cpu"].append(hub.process.cpu - cpu)
            found["fetch"].append(_fetch(mirror))
        found["hub_rss"].append(hub.process.rss / 1024)
    found["write"], found["commit"] = _bare(bench, picked)
    return found


def _fetch(mirror: Path) -> float:
    began = time.monotonic()
    subprocess.run(["git", "--git-dir", str(mirror), "fetch", "--quiet", "origin"], check=True)
    return time.monotonic() - began


def _bare(bench: Bench, streams: int) -> tuple[list[float], list[float]]:
    folder = bench.fresh("bare")
    seed.fill(folder, streams)
    server = bench.role("bare", folder=str(folder))
    fleet = bench.role("fleet", folder=str(folder))
    rows = bench.role("rows", folder=str(folder), clusters=streams, apps=1)
    fleet.ask("connect", port=server.hello["port"], count=streams)
    writes, commits = [], []
    for _ in range(5):
        fleet.ask("expect")
        decided = server.ask("change")["decided"]
        writes.append(max(fleet.ask("collect")["arrived"]) - decided)
        commits.append(rows.ask("once")["seconds"])
    bench.end(rows, fleet, server)
    return writes, commits


def _files(value: str) -> dict[str, str]:
    return {f"shop/settings-{n}.yaml": product.config_map(f"settings-{n}", value) for n in range(3)}


def _appset(url: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "shop", "namespace": product.NAMESPACE},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"clusters": {"selector": {"matchLabels": {"tier": "gold"}}}}],
            "template": {
                "metadata": {"name": "shop-{{.name}}"},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": url, "targetRevision": "main", "path": "shop"},
                    "destination": {"server": "{{.server}}", "namespace": "shop"},
                    "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
                },
            },
        },
    }
