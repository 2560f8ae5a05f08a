"""A hub process with clusters whose agents are simulated by one role, before anything is deployed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from bench import estate, product, seed
from bench.harness import Bench, Role


@dataclass(frozen=True, slots=True)
class Simulated:
    """`revision` is the first commit of `repo`."""

    repo: product.Repo
    revision: str
    hub: product.Hub
    fleet: Role

    def deploy(self, sets: int) -> None:
        """Creates ApplicationSets that each pick all clusters."""
        for number in range(sets):
            self.hub.client.create(product.SETS, estate.appset(number, 1, self.repo.url))


def start(bench: Bench, stack: contextlib.ExitStack, name: str, clusters: int) -> Simulated:
    """Registers and connects `clusters`; `stack` ends all of it. `name` is the benchmark's, for its progress."""
    repo = product.Repo(bench.fresh("git"))
    stack.callback(repo.close)
    revision = repo.commit(estate.files())
    data = bench.fresh("hub")
    hub = product.Hub(bench, data)
    bench.say(f"{name}: registering {clusters} clusters")
    ids = {}
    for number in range(clusters):
        made = hub.client.create("/apis/argosy.dev/v1alpha1/clusters", estate.cluster(number, 1))
        ids[number] = made["metadata"]["uid"]
    hub.end()
    seed.enrol(data, ids)
    hub = product.Hub(bench, data)
    stack.callback(hub.end)
    fleet = bench.role("appliers", folder=str(data))
    stack.callback(bench.end, fleet)
    fleet.ask("connect", port=hub.link_port, count=clusters, within=120)
    return Simulated(repo, revision, hub, fleet)
