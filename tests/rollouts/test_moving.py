"""Rollouts in a hub: stage by stage, what holds them up, and what is not moved at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import obedient
import pytest
from hubs import Repo, config_map
from obedient import Obedient

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.store import desired


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/web.yaml": config_map("web")})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
async def fleet(hub: Hub) -> AsyncIterator[Obedient]:
    """Six clusters: one canary, two early, three late."""
    fleet = Obedient(hub)
    for name, ring in (
        *(("c1", "canary"), ("e1", "early"), ("e2", "early")),
        *((f"z{n}", "late") for n in (1, 2, 3)),
    ):
        await fleet.join(name, env="prod", ring=ring)
    fleet.start()
    yield fleet
    await fleet.stop()


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
    made = hubs.appset(repo)
    made["spec"]["strategy"] = strategy or {"type": "Rollout", "rollout": {"policy": "careful"}}
    return made


async def push(hub: Hub, repo: Repo, value: str) -> str:
    commit = repo.commit({"apps/web/web.yaml": config_map("web", value)})
    hub.poller.ask(lambda url: True)
    return commit


async def rollout(hub: Hub, name: str) -> Manifest:
    """A Rollout as clients see it."""
    from hub.api.show import Viewer
    from hub.store import objects

    def read(tx: Any) -> Manifest:
        row = objects.get(tx, table.ROLLOUT.resource, "argocd", name)
        return Viewer(hub.resources).one(tx, table.ROLLOUT, row, 0.0) if row else {}

    return await hub.store.read(read)


async def is_phase(hub: Hub, name: str, phase: str, seconds: float = 20.0) -> Manifest:
    async def reached() -> bool:
        return ((await rollout(hub, name)).get("status") or {}).get("phase") == phase

    try:
        await hubs.until(reached, f"{name} is {phase}", seconds=seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {(await rollout(hub, name)).get('status')}") from None
    return await rollout(hub, name)


async def running(hub: Hub, fleet: Obedient) -> dict[str, str]:
    """cluster -> the bundle of its one application, by the order in which bundles appeared."""

    def read(tx: Any) -> dict[str, str]:
        return {
            name: given[0].bundle
            for name, uid in fleet.clusters.items()
            if (given := desired.assignments(tx, uid))
        }

    return await hub.store.read(read)


async def test_a_release_goes_from_stage_to_stage_and_no_stage_begins_before_the_one_before_is_well(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    first = await is_phase(hub, "fleet-1", "Completed")
    assert first["status"]["done"] == first["status"]["total"] == 6
    assert [one["name"] for one in first["status"]["stages"]] == ["canary", "early", "rest"]
    before = await running(hub, fleet)

    slow = {"c1"}
    fleet.behaviour = lambda cluster, given: None if cluster in slow else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await is_phase(hub, "fleet-2", "Progressing")
    await hubs.until(lambda: len(fleet.given["c1", "web-c1"]) == 2, "the canary is assigned")
    await hubs.settled(hub)
    now = await running(hub, fleet)
    assert [name for name in now if now[name] != before[name]] == ["c1"]
    status = (await rollout(hub, "fleet-2"))["status"]
    assert status["stage"] == "canary"
    assert status["blockers"][0]["reason"] == "not applied and healthy yet"

    slow.clear()
    fleet.speak()
    await is_phase(hub, "fleet-2", "Completed")
    after = await running(hub, fleet)
    assert not set(after.values()) & set(before.values())
    assert all(len(given) == 2 for given in fleet.given.values()), "each is assigned each release once"


async def test_a_set_without_strategy_and_a_lone_application_have_no_rollout(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    made = hubs.appset(repo)
    await hubs.add(hub, table.APPLICATION_SET, made)

    async def everybody() -> bool:
        return len(await running(hub, fleet)) == 6

    await hubs.until(everybody, "everybody has it")
    assert await hubs.listed(hub, table.ROLLOUT) == {}
    assert await hub.store.read(lambda tx: tx.one("SELECT count(*) FROM rollouts")) == (0,)


async def test_a_failing_canary_rolls_back_by_itself_and_nobody_else_ever_sees_the_release(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(
        hub,
        table.ROLLOUT_POLICY,
        policy(stage("canary", "canary", deadline="1s"), stage("rest"), onFailure="rollback"),
    )
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await is_phase(hub, "fleet-1", "Completed")
    before = await running(hub, fleet)
    good = before["c1"]
    fleet.behaviour = lambda cluster, given: (
        obedient.well(cluster, given) if given.bundle == good else obedient.ill(cluster, given)
    )
    await push(hub, repo, "bad")
    over = await is_phase(hub, "fleet-2", "RolledBack")
    assert over["status"]["bad"]
    assert await running(hub, fleet) == before
    assert {name: len(given) for (name, _), given in fleet.given.items() if len(given) > 1} == {"c1": 3}
    # What was rolled back is not chosen again, whatever is looked at.
    await hubs.patch(
        hub,
        table.APPLICATION_SET,
        "fleet",
        {"spec": {"template": {"spec": {"syncPolicy": {"automated": {"prune": False}}}}}},
    )
    await hubs.settled(hub)
    await hubs.settled(hub)
    assert await running(hub, fleet) == before
    given = await hub.store.read(lambda tx: desired.assignments(tx, fleet.clusters["c1"]))
    assert not given[0].policy.prune, "what the policy says goes at once"
    # Git moves past it.
    fleet.behaviour = obedient.well
    await push(hub, repo, "better")
    await is_phase(hub, "fleet-3", "Completed")
    assert not set((await running(hub, fleet)).values()) & {good}


async def test_an_offline_cluster_delays_nobody_and_catches_up_alone(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES, offlineAfter="0s"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await is_phase(hub, "fleet-1", "Completed")
    await fleet.leave("e1")
    await push(hub, repo, "2")
    done = await is_phase(hub, "fleet-2", "Completed")
    assert done["status"]["counts"] == {"done": 5, "deferred": 1}
    await fleet.come_back("e1")

    async def caught_up() -> bool:
        return (await rollout(hub, "fleet-2"))["status"]["counts"] == {"done": 6}

    await hubs.until(caught_up, "e1 caught up")
