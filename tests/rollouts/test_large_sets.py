"""One commit is one release, however many applications it changes."""

from __future__ import annotations

import hubs
from hubs import Repo
from obedient import Obedient
from rolling import appset, policy, push, reaches, stage

from hub.assembly import Hub
from hub.core.served import table


async def test_a_commit_that_changes_a_large_set_is_one_release(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    number = 1300
    for at in range(number - 6):
        await hubs.add_cluster(hub, f"many-{at:04}", env="prod")
    await hubs.add(
        hub, table.ROLLOUT_POLICY, policy(stage("canary", "canary"), stage("rest"), offlineAfter="0s")
    )
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", seconds=90, phase="Completed", total=number)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", seconds=90, phase="Completed", total=number)
    assert sorted(await hubs.listed(hub, table.RELEASE)) == ["fleet-1", "fleet-2"]
