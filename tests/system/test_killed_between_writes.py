"""A hub killed (-9) right before and right after commits of a rollout: the same history, nobody twice, nobody left out.

Every commit of a rollout in three stages over sixty clusters in `make soak`, some of them in `make test`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import hubs
import pytest
import rolling
from hubs import Repo, config_map
from obedient import Obedient
from rolling import appset, policy, stage

from hub.core.served import table
from hub.store import desired, history, rollouts, sqlite
from hub.store.base import Tx

SUPPORT = Path(__file__).parents[1] / "support"
STAGES = (
    stage("canary", "canary"),
    stage("early", "early", maxConcurrent="50%"),
    stage("rest", maxConcurrent=20),
)
RINGS = {"canary": 3, "early": 12, "late": 45}


@dataclass(frozen=True)
class Told:
    """What is left of a rollout's history: every member's end, and what each cluster was assigned, how often."""

    members: dict[str, tuple[str, int, str]]
    """name -> (state, stage, bundle)."""
    generations: dict[str, int]
    releases: list[str]


async def prepared(folder: Path, repo: Repo) -> Path:
    """A hub's data, at rest with its first release on sixty clusters, and a second commit that it has not seen."""
    async with hubs.running(folder / "hub") as hub:
        fleet = Obedient(hub)
        for ring, number in RINGS.items():
            for at in range(number):
                await fleet.join(f"{ring}-{at:02}", env="prod", ring=ring)
        fleet.start()
        await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
        await hubs.add(hub, table.APPLICATION_SET, appset(repo))
        await rolling.reaches(hub, "fleet-1", phase="Completed", total=60)
        await fleet.stop()
    repo.commit({"apps/web/web.yaml": config_map("web", "2")})
    return folder


def run(folder: Path, at: int, moment: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{SUPPORT}"}
    command = [sys.executable, str(SUPPORT / "dying_hub.py"), str(folder), "fleet-2", str(at), moment]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)


async def told(folder: Path) -> Told:
    store = sqlite.open_store(folder / "hub" / "hub.db")

    def read(tx: Tx) -> Told:
        row = rollouts.named(tx, "argocd", "fleet-2")
        assert row is not None
        members = rollouts.members(tx, row.rollout.id).values()
        clusters = dict(tx.all("SELECT name, uid FROM objects WHERE resource = 'argosy.dev/clusters'"))
        last = history.newest(tx, row.rollout.owner)
        assert last is not None
        return Told(
            {m.name: (str(m.state), m.stage, m.to.bundle) for m in members},
            {name: desired.head(tx, uid).generation for name, uid in clusters.items()},
            [one.name for one in (*history.older_than(tx, row.rollout.owner, last.number), last)],
        )

    try:
        return await store.read(read)
    finally:
        await store.close()


def order(folder: Path) -> list[tuple[str, str]]:
    """(ring, release) in the order in which agents were given them."""
    lines = (folder / "given").read_text().splitlines()
    return [(line.split()[0].rpartition("-")[0], line.split()[1]) for line in lines]


async def _killed(tmp_path: Path, repo: Repo, points: int | None) -> None:
    base = await prepared(tmp_path / "base", repo)
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    undisturbed = await asyncio.to_thread(run, whole, 0, "after")
    assert undisturbed.returncode == 0, undisturbed.stderr
    commits = int(undisturbed.stdout.split()[-1])
    expected = await told(whole)
    assert Counter(state for state, _, _ in expected.members.values()) == {"Done": 60}
    assert expected.releases == ["fleet-1", "fleet-2"]
    wanted = [(at, moment) for at in range(1, commits + 1) for moment in ("before", "after")]
    if points is not None:
        wanted = sorted(Random(7).sample(wanted, points))
    killed = 0
    for at, moment in wanted:
        folder = tmp_path / "one"
        shutil.copytree(base, folder)
        first = await asyncio.to_thread(run, folder, at, moment)
        # Commits are grouped, so that one run may need a few less than another.
        killed += first.returncode == -signal.SIGKILL
        if first.returncode != 0:
            assert first.returncode == -signal.SIGKILL, first.stderr
            second = await asyncio.to_thread(run, folder, 0, "after")
            assert second.returncode == 0, f"{moment} commit {at}: {second.stderr}"
        assert await told(folder) == expected, f"{moment} commit {at}"
        given = order(folder)
        releases = {release for _, release in given}
        newest = [ring for ring, release in given if release == given[-1][1]]
        assert len(releases) == 2
        assert newest == sorted(newest, key=list(RINGS).index), "no stage begins before the one before"
        assert len(newest) == 60, f"{moment} commit {at}: nobody twice, nobody left out"
        shutil.rmtree(folder)
    print(f"{commits} commits, {killed} of {len(wanted)} runs killed")
    assert killed >= len(wanted) // 2


@pytest.mark.timeout(900)
async def test_killed_at_some_of_the_commits(tmp_path: Path, repo: Repo) -> None:
    await _killed(tmp_path, repo, 4)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_killed_at_every_commit(tmp_path: Path, repo: Repo) -> None:
    await _killed(tmp_path, repo, None)
