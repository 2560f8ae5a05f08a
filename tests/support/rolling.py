"""A hub whose fleet is made of obedient agents, and what tests of rollouts say about it."""

from __future__ import annotations

from typing import Any

import hubs
from hubs import Repo, config_map
from obedient import Obedient

from argosy.objects import Manifest
from hub.api.show import Viewer
from hub.assembly import Hub
from hub.core.rollout.acting import Act
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import desired, objects
from hub.store.base import Tx

RINGS = {"c1": "canary", "e1": "early", "e2": "early", "z1": "late", "z2": "late", "z3": "late"}
"""Six clusters: one canary, two early, three late."""


def policy(*stages: dict[str, Any], name: str = "careful", **spec: Any) -> Manifest:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"stages": list(stages), **spec},
    }


def stage(name: str, ring: str = "", **more: Any) -> dict[str, Any]:
    chosen = {"selector": {"matchLabels": {"ring": ring}}} if ring else {}
    return {"name": name, **chosen, **more}


STAGES = (stage("canary", "canary"), stage("early", "early"), stage("rest", maxConcurrent=1))


def appset(repo: Repo, **strategy: Any) -> Manifest:
    """The set `fleet` of one application `web-<cluster>` on each cluster, by the policy `careful`."""
    made = hubs.appset(repo)
    made["spec"]["strategy"] = strategy or {"type": "Rollout", "rollout": {"policy": "careful"}}
    return made


async def push(hub: Hub, repo: Repo, value: str) -> str:
    """Changes what every cluster runs; returns the commit."""
    commit = repo.commit({"apps/web/web.yaml": config_map("web", value)})
    hub.poller.ask(lambda url: True)
    return commit


async def shown(hub: Hub, served: Served, name: str) -> Manifest:
    """An object as clients see it; empty where there is none."""

    def read(tx: Tx) -> Manifest:
        row = objects.get(tx, served.resource, "argocd", name)
        return Viewer(hub.resources).one(tx, served, row, 0.0) if row else {}

    return await hub.store.read(read)


async def status(hub: Hub, name: str) -> dict[str, Any]:
    """A Rollout's status."""
    found: dict[str, Any] = (await shown(hub, table.ROLLOUT, name)).get("status") or {}
    return found


async def reaches(hub: Hub, name: str, seconds: float = 60.0, **fields: Any) -> dict[str, Any]:
    """Waits until fields of a Rollout's status have these values; returns the status."""

    async def reached() -> bool:
        found = await status(hub, name)
        return all(found.get(key) == value for key, value in fields.items())

    try:
        await hubs.until(reached, f"{name} has {fields}", seconds=seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {await status(hub, name)}") from None
    return await status(hub, name)


async def act(hub: Hub, name: str, verb: str, by: str = "ann", **more: Any) -> str | None:
    """An operator's verb."""
    asked = Act(verb, by, hub._clock(), **more)
    return await hub.store.write(lambda tx: hub.mover.act(tx, "argocd", name, asked))


async def bundles(hub: Hub, fleet: Obedient) -> dict[str, str]:
    """cluster -> the bundle that its one application is assigned."""

    def read(tx: Tx) -> dict[str, str]:
        found = {name: desired.assignments(tx, uid) for name, uid in fleet.clusters.items()}
        return {name: given[0].bundle for name, given in found.items() if given}

    return await hub.store.read(read)


async def stories(hub: Hub, name: str) -> list[tuple[str, str]]:
    """(reason, message) of an object's Events, oldest first."""
    events = (await hubs.listed(hub, table.EVENT)).values()
    about = [one for one in events if one["involvedObject"]["name"] == name]
    about.sort(key=lambda one: (one["firstTimestamp"], int(one["metadata"]["resourceVersion"])))
    return [(one["reason"], one["message"]) for one in about]
