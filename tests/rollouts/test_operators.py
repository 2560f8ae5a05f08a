"""What people do to rollouts: over the API, on the command line, at the worst moment."""

from __future__ import annotations

import asyncio
import json
import time

import hubs
import obedient
import rolling
from commands import argosy, said
from hubs import Repo
from obedient import Obedient
from rolling import STAGES, appset, policy, push, reaches, stage

from hub.assembly import Hub
from hub.core.served import table
from hub.store import audit


async def test_approvals_are_counted_by_person_and_role(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    gate = {"name": "release-board", "count": 2, "approval": {"roles": ["board"]}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", counts={"done": 1, "pending": 5})
    board = frozenset({"board"})
    said = await rolling.act(hub, "fleet-1", "approve", "eve")
    assert said == "not counted: gate release-board wants one of board, which eve is not"
    for _ in range(2):
        await rolling.act(hub, "fleet-1", "approve", "ann", roles=board)
    await hubs.settled(hub)
    found = await rolling.status(hub, "fleet-1")
    assert found["counts"] == {"done": 1, "pending": 5}
    (shown,) = found["stages"][0]["gates"]
    assert (shown["good"], shown["needed"], shown["by"]) == (1, 2, ["ann"])
    assert "1 of 2 approvals of board" in found["blockers"][0]["reason"]
    await rolling.act(hub, "fleet-1", "approve", "bob", roles=board)
    await reaches(hub, "fleet-1", phase="Completed")


async def test_an_approval_that_comes_too_early_fails_and_counts_for_nothing(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    stages = (
        stage("canary", "canary", soak="1h", gates={"after": [{"name": "go", "approval": {}}]}),
        stage("rest"),
    )
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", counts={"soaking": 1, "pending": 5})
    early = await argosy(hub, "rollout", "approve", "fleet")
    assert (early.returncode, early.stdout) == (1, "")
    assert "not counted: gate go after stage canary is not waited for yet" in early.stderr
    (shown,) = (await rolling.status(hub, "fleet-1"))["stages"][0]["gates"]
    assert (shown["good"], shown.get("by") or []) == (0, [])


async def test_the_commands_show_and_steer_a_rollout(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    gate = {"name": "go", "approval": {}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", counts={"done": 1, "pending": 5})

    listed = await said(hub, "rollout", "list")
    assert listed.split("\n")[1].split()[:5] == ["fleet-1", "fleet", "Progressing", "canary", "1/6"]
    assert "gate go: 0 of 1 approvals" in listed
    shown = await said(hub, "rollout", "show", "fleet")
    assert "canary   Rolling" in shown
    assert "████████████████████████ 100%" in shown
    as_json = json.loads(await said(hub, "rollout", "show", "fleet-1", "-o", "json"))
    assert as_json["status"]["stages"][0]["gates"][0]["state"] == "Waiting"
    assert await said(hub, "rollout", "list", "-o", "name") == "rollout.argosy.dev/fleet-1\n"

    watching = asyncio.create_task(argosy(hub, "rollout", "show", "fleet-1", "--watch", "--timeout", "120"))
    assert await said(hub, "rollout", "pause", "fleet-1") == "rollout/fleet-1 paused by admin\n"
    assert await said(hub, "rollout", "pause", "fleet-1") == "rollout/fleet-1 nothing had to be done\n"
    await reaches(hub, "fleet-1", phase="Paused")
    await said(hub, "rollout", "resume", "fleet-1")
    began = time.monotonic()
    await said(hub, "rollout", "approve", "fleet-1", "--gate", "go")
    await reaches(hub, "fleet-1", phase="Completed")
    assert time.monotonic() - began < 30, "nobody waited for the look that comes every minute"
    watched = await watching
    assert watched.returncode == 0, watched.stderr
    assert "Paused" in watched.stdout
    assert "Completed" in watched.stdout

    records = await hub.store.read(lambda tx: audit.newest(tx, 50))
    verbs = [one.resource.rpartition("/")[2] for one in records if "rollouts/" in one.resource]
    assert verbs == ["approve", "resume", "pause", "pause"]
    assert {one.username for one in records} == {"admin"}

    lost = await argosy(hub, "rollout", "promote", "nothing")
    assert lost.returncode == 1
    assert "nothing" in lost.stderr
    wrong = await argosy(hub, "rollout", "skip", "fleet-1", "--app", "web-x")
    assert wrong.returncode == 1
    assert "web-x" in wrong.stderr


async def test_a_halted_rollout_says_why_and_goes_on_as_somebody_decides(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("first", "early", deadline="1s"), stage("rest")))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    fleet.behaviour = lambda cluster, given: None if cluster == "e2" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    halted = await reaches(hub, "fleet-2", phase="Halted")
    assert halted["message"] == "stage first: 1 failed, the failure budget is 0"
    assert halted["members"][0]["name"] == "web-e2"
    assert halted["members"][0]["blocker"].startswith("not healthy within 1 s")
    assert halted["counts"] == {"done": 1, "failed": 1, "pending": 4}
    fleet.behaviour = obedient.well
    await said(hub, "rollout", "retry", "fleet-2")
    await reaches(hub, "fleet-2", phase="Completed", counts={"done": 6})


async def test_an_aborted_release_reaches_nobody_else_until_git_moves(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    before = await rolling.bundles(hub, fleet)
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", counts={"moving": 1, "pending": 5})
    await rolling.act(hub, "fleet-2", "abort")
    fleet.behaviour = obedient.well
    fleet.speak()
    options = {"spec": {"template": {"spec": {"syncPolicy": {"automated": {"selfHeal": False}}}}}}
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", options)
    for _ in range(3):
        await hubs.settled(hub)
    now = await rolling.bundles(hub, fleet)
    assert [name for name in now if now[name] != before[name]] == ["c1"]
    await push(hub, repo, "3")
    await reaches(hub, "fleet-3", phase="Completed", total=6)
