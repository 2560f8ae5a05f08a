"""B11: what one real agent costs its cluster: memory, start, applies, a pass with nothing to do, idle time.

The agent is `argosy-agent` as shipped, between a real link server and a stub of an API server.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from pathlib import Path

import orjson

from argosy.objects import Manifest
from bench import product, seed
from bench.figures import Result, Target, figure, orders
from bench.harness import Bench, Broken, Process, Role, until

ID, NAME = "B11", "agent-weight"
INSTANCES = 3
OBJECTS = 1000
IDLE_SECONDS = 15.0
UNITS = {
    "start": "s",
    "rss_connected": "MB",
    "rss": "MB",
    "peak_rss": "MB",
    "applies": "applies/s",
    "cpu_per_apply": "us",
    "requests_per_object": "requests",
    "noop": "ms",
    "noop_requests": "requests",
    "idle_cpu": "millicores",
}


def manifests(count: int, value: str, namespace: str) -> list[Manifest]:
    """ConfigMaps of 1.2 KB."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"settings-{number}", "namespace": namespace, "labels": {"app": "shop"}},
            "data": {"value": value} | {f"key-{place}": "x" * 90 for place in range(10)},
        }
        for number in range(count)
    ]


def run(
    bench: Bench,
    agents: int | None = None,
    instances: int = INSTANCES,
    objects: int = OBJECTS,
    idle: float = IDLE_SECONDS,
) -> Result:
    original = bench.fresh("seed")
    seed.fill(original, 1, 0)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for order in orders(["agent", "dynamic", "bare"], instances):
        for variant in order:
            bench.say(f"{ID}: {variant}")
            folder = bench.fresh(variant)
            shutil.copytree(original, folder, dirs_exist_ok=True)
            if variant == "agent":
                values = _agent(bench, folder, objects, idle)
            elif variant == "dynamic":
                values = _dynamic(bench, min(objects, 500))
            else:
                values = _bare(bench, folder)
            for name, value in values.items():
                found[variant][name].append(value)
    figures = {name: figure(found["agent"][name], unit) for name, unit in UNITS.items()}
    peer = {
        "applies": figure(found["dynamic"]["applies"], "applies/s"),
        "rss_connected": figure(found["bare"]["rss"], "MB"),
    }
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {
            "applies_ratio": figures["applies"].median / peer["applies"].median,
            "rss_ratio": figures["rss_connected"].median / peer["rss_connected"].median,
        },
        [
            Target("rss", 60),
            Target("start", 1.0),
            Target("applies", 1500, at_least=True),
            Target("noop", 100),
            Target("idle_cpu", 5),
            Target("applies_ratio", 1.5, at_least=True),
            Target("rss_ratio", 1.5),
        ],
        [
            f"{instances} fresh agents; one application of {objects} ConfigMaps of 1.2 KB",
            "start: process started until its stream is open, with an identity; rss: after the applies, idle",
            "applies: writes between the first and the last at the stub; requests_per_object counts dry runs too",
            "noop: a new release of the same bundle, from its decision until its report is durable at the hub",
            "peers: the official dynamic client in one thread (applies), a bare grpc.aio client with one stream (rss)",
        ],
    )


def _agent(bench: Bench, folder: Path, objects: int, idle: float) -> dict[str, float]:
    stub = bench.role("stubapi", uid=seed.cluster_uid(0))
    hub = bench.role("linkhub", folder=str(folder), clusters=1)
    state, access = bench.fresh("state"), folder / "kubeconfig"
    access.write_bytes(kubeconfig(stub.hello["port"]))
    joining = product.agent(bench, state, hub.ask("offer")["token"], access)
    _connected(hub, joining, 1)
    bench.end(joining)
    _connected(hub, joining, 0)
    began = time.monotonic()
    agent = product.agent(bench, state, "", access)
    _connected(hub, agent, 1)
    values = {"start": time.monotonic() - began}
    time.sleep(2.0)
    values["rss_connected"] = agent.rss / 1024
    values |= _applies(stub, hub, agent, objects)
    values |= _noop(stub, hub, objects)
    time.sleep(2.0)
    cpu, since = agent.cpu, time.monotonic()
    time.sleep(idle)
    values["idle_cpu"] = (agent.cpu - cpu) / (time.monotonic() - since) * 1000
    values["rss"], values["peak_rss"] = agent.rss / 1024, agent.peak / 1024
    bench.end(agent, hub, stub)
    return values


def _applies(stub: Role, hub: Role, agent: Process, objects: int) -> dict[str, float]:
    stub.ask("reset")
    cpu = agent.cpu
    hub.ask("assign", objects=manifests(objects, "1", "shop"), release="one")
    hub.ask("reported", release="one", patience=20, within=30)
    stats = stub.ask("stats")
    counts = stats["counts"]
    return {
        "applies": counts["apply"] / stats["seconds"],
        "cpu_per_apply": (agent.cpu - cpu) / objects * 1e6,
        "requests_per_object": sum(counts.values()) / objects,
    }


def _noop(stub: Role, hub: Role, objects: int) -> dict[str, float]:
    stub.ask("reset")
    decided = hub.ask("assign", objects=manifests(objects, "1", "shop"), release="two")["decided"]
    at = hub.ask("reported", release="two", patience=20, within=30)["at"]
    return {"noop": (at - decided) * 1000, "noop_requests": sum(stub.ask("stats")["counts"].values())}


def _dynamic(bench: Bench, objects: int) -> dict[str, float]:
    stub = bench.role("stubapi")
    client = bench.role("dynamic", port=stub.hello["port"], objects=objects)
    rate = client.ask("apply")["rate"]
    bench.end(client, stub)
    return {"applies": rate}


def _bare(bench: Bench, folder: Path) -> dict[str, float]:
    identities = bench.fresh("bare")
    seed.fill(identities, 1, 0)
    server = bench.role("bare", folder=str(identities))
    client = bench.role("bareagent", folder=str(identities), port=server.hello["port"])
    time.sleep(1.0)
    rss = client.rss / 1024
    bench.end(client, server)
    return {"rss": rss}


def _connected(hub: Role, agent: Process, streams: int) -> None:
    try:
        until(lambda: hub.ask("cpu")["streams"] == streams, f"{streams} streams", 20, pause=0.01)
    except Broken as error:
        raise agent.broken(str(error)) from None


def kubeconfig(port: int) -> bytes:
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stub",
            "clusters": [{"name": "stub", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "stub", "user": {"token": "none"}}],
            "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}],
        }
    )
