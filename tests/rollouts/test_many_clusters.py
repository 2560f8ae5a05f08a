"""A rollout over many simulated clusters, some of which fail and some of which are away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import hubs
import obedient
import pytest
import rolling
from hubs import Repo
from obedient import Obedient
from rolling import appset, policy, push, reaches, stage

from argosy.bundle import Assignment
from argosy.status import AppStatus
from hub.assembly import Hub
from hub.core.served import table


@pytest.fixture
async def bare(hub: Hub) -> AsyncIterator[Obedient]:
    fleet = Obedient(hub)
    yield fleet
    await fleet.stop()


async def _go(hub: Hub, repo: Repo, fleet: Obedient, number: int) -> dict[str, object]:
    roll = Random(number)
    names = [f"c{at:04}" for at in range(number)]
    rings = {
        name: "canary" if at < number // 50 else "early" if at < number // 5 else "late"
        for at, name in enumerate(names)
    }
    for name in names:
        await fleet.join(name, env="prod", ring=rings[name])
    fleet.start()
    stages = (
        stage("canary", "canary", failureBudget="50%", deadline="2s"),
        stage("early", "early", failureBudget="20%", deadline="2s", maxConcurrent="50%"),
        stage("rest", failureBudget="10%", deadline="2s", maxConcurrent="50%"),
    )
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages, offlineAfter="0s"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", seconds=180, phase="Completed", total=number)
    failing = set(roll.sample(names, 3 * number // 100))
    away = set(roll.sample(sorted(set(names) - failing), 5 * number // 100))
    for name in away:
        await fleet.leave(name)
    before = await rolling.bundles(hub, fleet)

    def behave(cluster: str, given: Assignment) -> AppStatus | None:
        sick = cluster in failing and given.bundle != before[cluster]
        return obedient.ill(cluster, given) if sick else obedient.well(cluster, given)

    fleet.behaviour = behave
    began, looks = time.monotonic(), hub.mover.looks
    await push(hub, repo, "2")
    over = await reaches(hub, "fleet-2", seconds=240, phase="Completed")
    print(f"{number} clusters: {time.monotonic() - began:.1f} s, {hub.mover.looks - looks} looks")
    assert over["counts"] == {
        "done": number - len(failing) - len(away),
        "failed": len(failing),
        "deferred": len(away),
    }
    fleet.behaviour = obedient.well
    for name in away:
        await fleet.come_back(name)
    await rolling.act(hub, "fleet-2", "retry")
    await reaches(hub, "fleet-2", seconds=120, counts={"done": number})
    versions = {key: len(given) for key, given in fleet.given.items()}
    assert set(versions.values()) == {2}, "nobody was given a release twice, and nobody was left out"
    return over


async def test_a_hundred_clusters(hub: Hub, repo: Repo, bare: Obedient, tmp_path: Path) -> None:
    await _go(hub, repo, bare, 100)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_thousand_clusters(hub: Hub, repo: Repo, bare: Obedient) -> None:
    await _go(hub, repo, bare, 1000)
