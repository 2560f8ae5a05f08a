"""B13: one application, one commit: from the webhook until the object is changed on a real API server.

The peer is Argo CD 3.6.1 measured on a machine like this one (its best setting 0.53 to 0.63 s); it is not run here.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from bench import harness, planes, product
from bench.figures import Result, Target, figure
from bench.harness import Bench

if TYPE_CHECKING:
    from testbed.controlplane import ControlPlane

ID, NAME = "B13", "webhook-to-live"
INSTANCES = 3
COMMITS = 8
NAMESPACE = "shop"
UNITS = {
    "live": "s",
    "reported": "s",
    "hub_cpu": "ms",
    "agent_cpu": "ms",
    "apiserver_cpu": "ms",
    "hub_rss": "MB",
    "agent_rss": "MB",
}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    found: dict[str, list[float]] = defaultdict(list)
    bench.say(f"{ID}: starting a kube-apiserver")
    with planes.running("live") as (plane,):
        for number in range(instances):
            bench.say(f"{ID}: {COMMITS} commits through a fresh hub and agent ({number + 1} of {instances})")
            for name, values in _instance(bench, plane, number).items():
                found[name] += values
    return Result(
        ID,
        NAME,
        {name: figure(found[name], unit) for name, unit in UNITS.items()},
        targets=[Target("live", 0.3)],
        notes=[
            f"{instances} fresh hubs and agents, {COMMITS} commits each; 10 objects in the folder, one changes",
            "live: webhook sent until a watch on the API server shows the object; reported: until the hub's Application "
            "is Synced at the commit",
            "published elsewhere: Argo CD 3.6.1 on two such cores 0.53 - 0.63 s tuned, 0.68 - 2.2 s by default",
        ],
    )


def _instance(bench: Bench, plane: ControlPlane, number: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    namespace = f"{NAMESPACE}-{number}"
    with contextlib.ExitStack() as stack:
        repo = product.Repo(bench.fresh("git"))
        stack.callback(repo.close)
        first = repo.commit(_files("0"))
        hub = product.Hub(bench, bench.fresh("hub"))
        stack.callback(hub.end)
        agent = product.agent(bench, bench.fresh("agent"), hub.join("live"), plane.kubeconfig())
        stack.callback(bench.end, agent)
        hub.client.create(product.APPS, product.application("shop", repo.url, "shop", "live", namespace))
        hub.wait_for("shop", first, 90)
        seen: queue.Queue[planes.Seen] = queue.Queue()
        watched = f"/api/v1/namespaces/{namespace}/configmaps?fieldSelector=metadata.name%3Dsettings-0"
        stack.enter_context(planes.watched(plane, watched, seen))
        for turn in range(1, COMMITS + 1):
            value = f"{number}-{turn}"
            commit = repo.commit({"shop/settings-0.yaml": product.config_map("settings-0", value)})
            before = [hub.process.cpu, agent.cpu, harness.cpu_of(plane.pid)]
            began = time.monotonic()
            hub.notify(repo, commit)
            (live,) = planes.arrivals(seen, value, 1, 30)
            hub.wait_for("shop", commit)
            found["reported"].append(time.monotonic() - began)
            found["live"].append(live - began)
            time.sleep(0.3)
            after = [hub.process.cpu, agent.cpu, harness.cpu_of(plane.pid)]
            spent = [(b - a) * 1000 for a, b in zip(before, after, strict=True)]
            for name, cpu in zip(("hub_cpu", "agent_cpu", "apiserver_cpu"), spent, strict=True):
                found[name].append(cpu)
        found["hub_rss"].append(hub.process.rss / 1024)
        found["agent_rss"].append(agent.rss / 1024)
    return found


def _files(value: str) -> dict[str, str]:
    files = {f"shop/settings-{n}.yaml": product.config_map(f"settings-{n}", value) for n in range(8)}
    return files | {f"shop/worker-{n}.yaml": product.deployment(f"worker-{n}") for n in range(2)}
