"""A hub restored from a backup that was taken in the middle of a rollout: nothing is deleted, and it goes on from there."""

from __future__ import annotations

from pathlib import Path

import hubs
import pytest
import rolling
import spokes
from rolling import policy, reaches, stage
from spokes import System, merged

from hub.core.served import table
from hub.store import agents, backup

NAMES = ("one", "two", "three")
OLD = {"web": {"web-a": "1", "web-b": "1"}}
NEW = {"web": {"web-a": "2", "web-c": "1"}}


async def _confirmed(system: System) -> None:
    epoch = system.hub.store.epoch
    for spoke in system.spokes.values():
        await system.hub.store.write(lambda tx, uid=spoke.uid: agents.confirm(tx, uid, epoch))  # type: ignore[misc]


def reasons(system: System) -> list[str]:
    """Why each agent holds, "" where it does not."""
    programs = [spoke.program for spoke in system.spokes.values()]
    return [one.ledger.held.reason for one in programs if one is not None and one.ledger is not None]


async def test_it_goes_on_where_the_backup_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, OLD)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in NAMES:
                await system.join(name)
            await hubs.patch(
                system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"ring": "canary"}}}, ""
            )
            gate = {"name": "go", "approval": {}}
            stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
            await hubs.add(system.hub, table.ROLLOUT_POLICY, policy(*stages))
            await hubs.add(system.hub, table.APPLICATION_SET, rolling.appset(repo))
            await reaches(system.hub, "fleet-1", counts={"done": 1, "pending": 2})
            await rolling.act(system.hub, "fleet-1", "approve")
            await reaches(system.hub, "fleet-1", phase="Completed")
            spokes.commit(repo, NEW)
            system.pull()
            await reaches(system.hub, "fleet-2", counts={"done": 1, "pending": 2})
            middle = tmp_path / "middle.backup"
            backup.write(system.data, middle, list(backup.KEYS))
            await rolling.act(system.hub, "fleet-2", "approve")
            await reaches(system.hub, "fleet-2", phase="Completed")
            await system.settles(dict.fromkeys(NAMES, merged(NEW)))
            deleted = {name: list(system.spokes[name].deleted) for name in NAMES}

            await system.stop_hub()
            backup.restore(system.data, middle)
            await system.start_hub()
            for spoke in system.spokes.values():
                spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
            await hubs.until(lambda: reasons(system) == ["EpochUnknown"] * 3, "every agent holds")
            for _ in range(3):
                await hubs.settled(system.hub)
            status = await rolling.status(system.hub, "fleet-2")
            assert (status["phase"], status["stage"]) == ("Progressing", "canary")
            assert {name: system.spokes[name].deleted for name in NAMES} == deleted, "nothing was deleted"
            for spoke in system.spokes.values():
                assert spoke.ours()["web-c"] == "1", "nothing of the lost life was taken away"

            await _confirmed(system)
            await hubs.until(lambda: reasons(system) == [""] * 3, "no agent holds any more")
            await rolling.act(system.hub, "fleet-2", "approve")
            await reaches(system.hub, "fleet-2", phase="Completed")
            for spoke in system.spokes.values():
                wanted = merged(NEW)
                await hubs.until(
                    lambda spoke=spoke, wanted=wanted: wanted.items() <= spoke.ours().items(), "what Git says"
                )
                spoke.unharmed()
