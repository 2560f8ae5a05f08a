"""What `kubectl get -w` and `kubectl get events` show of a rollout: every state, as it comes, and the story in order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import hubs
import rolling
import users
from hubs import Repo
from obedient import Obedient
from rolling import policy, reaches, stage

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli.resources import APPS, ROLLOUTS
from hub.core.served import table


class Seen:
    """What a watch told: (name, what of it) without repetition of what was told last of that name."""

    def __init__(self) -> None:
        self.told: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def take(self, manifest: Manifest, what: Any) -> None:
        with self._lock:
            told = self.told.setdefault(manifest["metadata"]["name"], [])
            if not told or told[-1] != what:
                told.append(what)

    def of(self, name: str) -> list[Any]:
        with self._lock:
            return list(self.told.get(name, ()))


@contextlib.asynccontextmanager
async def watched(hub: Hub, path: str, read: Any) -> AsyncIterator[Seen]:
    """A watch of a user, from what is there on; it ends when the hub is told to end or the test is over."""
    seen, over, began = Seen(), threading.Event(), threading.Event()

    def watch(client: Any) -> None:
        # What is there comes once; after that only what the hub says of itself that it changed.
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        while not over.is_set():
            asked = {**query, "timeoutSeconds": "2", "allowWatchBookmarks": "true"}
            for kind, manifest in client.watch(path, asked):
                query = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
                if kind == "BOOKMARK":
                    began.set()
                else:
                    seen.take(manifest, read(manifest))

    task = asyncio.create_task(users.asks(hub, watch))
    try:
        await hubs.until(began.is_set, "the watch began")
        yield seen
    finally:
        over.set()
        await task


def of_app(manifest: Manifest) -> tuple[str, str]:
    found = (manifest.get("status") or {}).get("rollout") or {}
    return found.get("state", ""), found.get("message", "")


async def test_applications_and_rollouts_tell_every_state_to_who_watches(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    gate = {"name": "go", "approval": {}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, rolling.appset(repo))
    await reaches(hub, "fleet-1", counts={"done": 1, "pending": 5})
    await rolling.act(hub, "fleet-1", "approve")
    await reaches(hub, "fleet-1", phase="Completed")

    async with (
        watched(hub, APPS.path("argocd"), of_app) as apps,
        watched(hub, ROLLOUTS.path("argocd"), lambda one: one["status"]["phase"]) as rollouts,
    ):
        await rolling.push(hub, repo, "2")
        await reaches(hub, "fleet-2", counts={"done": 1, "pending": 5})
        waiting = (await rolling.shown(hub, table.APPLICATION, "web-z1"))["status"]["rollout"]["message"]
        await hubs.until(lambda: ("Pending", waiting) in apps.of("web-z1"), "who waits says for what")
        await rolling.act(hub, "fleet-2", "pause")
        paused = (await rolling.shown(hub, table.APPLICATION, "web-z1"))["status"]["rollout"]["message"]
        assert paused != waiting
        await hubs.until(lambda: ("Pending", paused) in apps.of("web-z1"), "and that it is paused")
        await rolling.act(hub, "fleet-2", "resume")
        await rolling.act(hub, "fleet-2", "approve")
        await reaches(hub, "fleet-2", phase="Completed")
        await hubs.until(
            lambda: [one for one, _ in apps.of("web-z1")][-1:] == [""], "it is over for who waited"
        )
        await hubs.until(lambda: rollouts.of("fleet-2")[-1:] == ["Completed"], "the rollout is over")
        assert "Moving" in [state for state, _ in apps.of("web-c1")]
        assert [one for one in rollouts.of("fleet-2") if one == "Paused"] == ["Paused"]


async def test_events_tell_the_story_in_the_order_of_the_list(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("canary", "canary"), stage("rest")))
    await hubs.add(hub, table.APPLICATION_SET, rolling.appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    events = await users.asks(hub, lambda client: client.items("/api/v1/namespaces/argocd/events"))

    def story(name: str) -> list[str]:
        return [one["reason"] for one in events if one["involvedObject"]["name"] == name]

    told = story("fleet-1")
    assert told[0] == "RolloutStarted"
    assert told[-1] == "Completed"
    app = story("web-z1")
    assert app.index("RolloutAssigned") < app.index("RolloutDone")
