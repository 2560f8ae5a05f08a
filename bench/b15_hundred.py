"""B15: 100 applications of 10 objects on three real API servers; one commit changes one object in each of them.

The peer is Argo CD 3.6.1 measured on a machine like this one; it is not run here.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import planes, product
from bench.figures import Result, Target, figure, percentile
from bench.harness import Bench, Process, until

if TYPE_CHECKING:
    from testbed.controlplane import ControlPlane

ID, NAME = "B15", "hundred-apps"
CLUSTERS = ("red", "green", "blue")
APPS = 100
OBJECTS = 10
GROWN = (10, 100, 1000)
"""Applications of each size at which the same ten change."""
TOUCHED = 10
ROUNDS = 4
PATIENCE = 120.0
UNITS = {
    "live_p50": "s",
    "live_p90": "s",
    "reported_p90": "s",
    "own_cpu": "ms",
    "hub_cpu": "ms",
    "agents_cpu": "ms",
    "members_cpu": "ms",
    "noop_refresh": "s",
    "noop_hub": "s",
}


@dataclass(frozen=True, slots=True)
class Estate:
    """A hub, an agent on each cluster, and `apps` applications spread over them."""

    repo: product.Repo
    hub: product.Hub
    agents: Sequence[Process]
    members: Sequence[ControlPlane]
    seen: queue.Queue[planes.Seen]
    apps: int

    def spent(self) -> tuple[float, float, float]:
        """CPU seconds of the hub, of the agents, of the clusters' API servers."""
        return self.hub.process.cpu, sum(agent.cpu for agent in self.agents), planes.cpu(self.members)

    def rest(self) -> None:
        """Waits until hub and agents spend next to nothing."""
        last = [float("-inf")]

        def quiet() -> bool:
            now = sum(self.spent()[:2])
            before, last[0] = last[0], now
            return now - before <= 0.01

        until(quiet, "hub and agents are at rest", 60, pause=0.5)


def run(
    bench: Bench,
    agents: int | None = None,
    rounds: int = ROUNDS,
    sizes: Sequence[int] = GROWN,
    apps: int = APPS,
) -> Result:
    with planes.running(*CLUSTERS) as members:
        return measured(bench, members, rounds, sizes, apps)


def measured(
    bench: Bench, members: Sequence[ControlPlane], rounds: int, sizes: Sequence[int], apps: int
) -> Result:
    """On clusters that are there; `apps`, one of `sizes`, is that of which each application changes."""
    found: dict[str, list[float]] = defaultdict(list)
    for size in sizes:
        bench.say(f"{ID}: {size} applications of {OBJECTS} objects on {len(members)} clusters")
        with contextlib.ExitStack() as stack:
            estate = _estate(bench, stack, members, size)
            for turn in range(1, rounds + 1):
                values = _change(estate, min(TOUCHED, size), f"few-{turn}")
                found[f"own_cpu_{size * OBJECTS}"].append(values["own_cpu"])
            if size == apps:
                for turn in range(1, rounds + 1):
                    values = _change(estate, apps, f"all-{turn}") | _refresh(estate)
                    for name, value in values.items():
                        found[name].append(value)
    grown = [f"own_cpu_{size * OBJECTS}" for size in sizes]
    units = UNITS | dict.fromkeys(grown, "ms")
    figures = {name: figure(found[name], unit) for name, unit in units.items()}
    growth = figures[grown[-1]].median / figures[grown[0]].median
    return Result(
        ID,
        NAME,
        figures,
        ratios={"growth": growth},
        targets=[
            Target("own_cpu", 20.0),
            Target("members_cpu", 53.0),
            Target("live_p90", 5.0),
            Target("reported_p90", 5.0),
            Target("noop_refresh", 0.1),
            Target("growth", 1.3),
        ],
        notes=[
            f"{rounds} commits; {apps} applications of {OBJECTS} objects (8 ConfigMaps, 2 Deployments), one ConfigMap of each "
            "changes; CPU is for each changed application, until all is at rest",
            "own: the hub and all agents; members: the clusters' API servers, less what they spend at rest",
            "live: from the webhook until a watch shows the object; reported: until its state is in the hub's store",
            "noop_refresh: CPU seconds of hub and agents for the refresh annotation on each application, nothing changed",
            f"own_cpu_N: for each of {TOUCHED} applications that change among N objects; growth: the greatest N over the least",
            "published elsewhere: Argo CD 3.6.1, tuned: 180 ms of its own and 53 ms of its clusters' API servers for each "
            "application, p90 35 s; a refresh without change 6.6 - 9.7 CPU seconds",
        ],
    )


def _estate(bench: Bench, stack: contextlib.ExitStack, members: Sequence[ControlPlane], apps: int) -> Estate:
    repo = product.Repo(bench.fresh("git"))
    stack.callback(repo.close)
    files = {f"{_app(number)}/{name}": text for number in range(apps) for name, text in _folder().items()}
    revision = repo.commit(files)
    hub = product.Hub(bench, bench.fresh("hub"))
    stack.callback(hub.end)
    seen: queue.Queue[planes.Seen] = queue.Queue()
    running = []
    for member in members:
        name = f"{member.name}-{apps}"
        agent = product.agent(bench, bench.fresh(name), hub.join(name), member.kubeconfig())
        stack.callback(bench.end, agent)
        running.append(agent)
        stack.enter_context(planes.watched(member, "/api/v1/configmaps", seen))
    for number in range(apps):
        cluster = f"{members[number % len(members)].name}-{apps}"
        body = product.application(_app(number), repo.url, _app(number), cluster, f"{_app(number)}-{apps}")
        hub.client.create(product.APPS, body)
    estate = Estate(repo, hub, running, members, seen, apps)
    _synced(estate, revision, 10 * PATIENCE)
    estate.rest()
    return estate


def _app(number: int) -> str:
    return f"app-{number:04d}"


def _folder() -> dict[str, str]:
    files = {f"settings-{n}.yaml": product.config_map(f"settings-{n}", "0") for n in range(OBJECTS - 2)}
    return files | {f"worker-{n}.yaml": product.deployment(f"worker-{n}") for n in range(2)}


def _change(estate: Estate, touched: int, value: str) -> dict[str, float]:
    """One commit that changes one object in each of `touched` applications; CPU in ms for each of them."""
    idle = _idle(estate)
    before, since = estate.spent(), time.monotonic()
    text = product.config_map("settings-0", value)
    revision = estate.repo.commit({f"{_app(number)}/settings-0.yaml": text for number in range(touched)})
    began, at = time.monotonic(), time.time()
    estate.hub.notify(estate.repo, revision)
    late = [when - began for when in planes.arrivals(estate.seen, value, touched, PATIENCE)]
    estate.rest()
    hub, agents, members = (b - a for a, b in zip(before, estate.spent(), strict=True))
    members -= idle * (time.monotonic() - since)
    _synced(estate, revision, PATIENCE)
    each = 1000 / touched
    return {
        "live_p50": percentile(late, 0.5),
        "live_p90": percentile(late, 0.9),
        "reported_p90": percentile(_reported(estate, at), 0.9),
        "own_cpu": (hub + agents) * each,
        "hub_cpu": hub * each,
        "agents_cpu": agents * each,
        "members_cpu": members * each,
    }


def _reported(estate: Estate, since: float) -> list[float]:
    """After how many seconds the last reports since then came, as the hub's store has it: asking its API costs CPU."""
    with contextlib.closing(sqlite3.connect(f"file:{estate.hub.data / 'hub.db'}?mode=ro", uri=True)) as db:
        return [when - since for (when,) in db.execute("SELECT time FROM reports WHERE time > ?", (since,))]


def _idle(estate: Estate, seconds: float = 3.0) -> float:
    """CPU that the clusters' API servers take in a second with nothing to do."""
    before = planes.cpu(estate.members)
    time.sleep(seconds)
    return (planes.cpu(estate.members) - before) / seconds


def _refresh(estate: Estate) -> dict[str, float]:
    """CPU seconds for asking each application to look again: of hub and agents, and of the hub alone."""
    before = estate.spent()
    body = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    for number in range(estate.apps):
        estate.hub.client.merge(f"{product.APPS}/{_app(number)}", body)
    estate.rest()
    hub, agents, _ = (b - a for a, b in zip(before, estate.spent(), strict=True))
    return {"noop_refresh": hub + agents, "noop_hub": hub}


def _synced(estate: Estate, revision: str, seconds: float) -> None:
    """Until every Application is Synced at the commit."""

    def all_synced() -> bool:
        found = [app.get("status", {}).get("sync", {}) for app in estate.hub.client.items(product.APPS)]
        return len(found) == estate.apps and all(
            sync.get("status") == "Synced" and sync.get("revision") == revision for sync in found
        )

    until(all_synced, f"{estate.apps} applications are Synced at {revision}", seconds, pause=0.25)
