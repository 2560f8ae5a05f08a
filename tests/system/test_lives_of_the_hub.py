"""Another life of the hub: an old backup makes agents hold and deletes nothing; the same data again is the same life."""

from __future__ import annotations

from pathlib import Path

import hubs
import pytest
import spokes
from spokes import System, merged

from hub.core.served import table
from hub.store import agents, backup

NAMES = ("one", "two", "three")
OLD = {"web": {"web-a": "1", "web-b": "1"}}
NEW = {"web": {"web-a": "2", "web-c": "1"}, "late": {"late-a": "1"}}
NEWER = {"web": {"web-a": "3"}, "late": {"late-a": "2"}}


def holding(system: System) -> list[str]:
    """Why each agent holds, "" where it does not."""
    found = []
    for spoke in system.spokes.values():
        assert spoke.program is not None
        assert spoke.program.ledger is not None
        found.append(spoke.program.ledger.held.reason)
    return found


async def _connected(system: System) -> None:
    for spoke in system.spokes.values():
        spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
    await hubs.until(lambda: all(spoke.connected for spoke in system.spokes.values()), "agents are back")


async def test_an_old_backup_deletes_nothing_until_it_is_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, OLD)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in NAMES:
                await system.join(name)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo, removal_cap="100%"))
            await system.settles(dict.fromkeys(NAMES, merged(OLD)))
            old = tmp_path / "old.backup"
            backup.write(system.data, old, list(backup.KEYS))
            spokes.commit(repo, NEW)
            system.pull()
            await system.settles(dict.fromkeys(NAMES, merged(NEW)))
            deleted = {name: list(system.spokes[name].deleted) for name in NAMES}
            assert deleted == {name: ["web-b"] for name in NAMES}

            await system.stop_hub()
            backup.restore(system.data, old)
            await system.start_hub()
            await _connected(system)
            await hubs.until(lambda: holding(system) == ["EpochUnknown"] * 3, "every agent holds")
            # The restored hub reads Git again and would like to remove what left since.
            spokes.commit(repo, NEWER)
            system.pull()
            for spoke in system.spokes.values():
                spoke.drift("web-a")
            for _ in range(3):
                await hubs.settled(system.hub)
            await hubs.until(
                lambda: all(spoke.ours()["web-a"] != "drift" for spoke in system.spokes.values()),
                "agents heal while they hold",
            )
            assert {name: system.spokes[name].deleted for name in NAMES} == deleted, "nothing was deleted"
            for spoke in system.spokes.values():
                assert set(spoke.ours()) == {"web-a", "web-c", "late-a"}, (
                    "nothing of the lost life was taken away"
                )

            await _confirmed(system)
            await hubs.until(lambda: holding(system) == [""] * 3, "no agent holds any more")
            for spoke in system.spokes.values():
                wanted = merged(NEWER)
                await hubs.until(
                    lambda spoke=spoke, wanted=wanted: wanted.items() <= spoke.ours().items(), "what Git says"
                )
                spoke.unharmed()


async def _confirmed(system: System) -> None:
    for spoke in system.spokes.values():
        epoch = system.hub.store.epoch
        await system.hub.store.write(lambda tx, uid=spoke.uid, epoch=epoch: agents.confirm(tx, uid, epoch))  # type: ignore[misc]


@pytest.mark.parametrize("restarts", [3])
async def test_the_same_data_again_is_no_reason_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, OLD)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in NAMES:
                await system.join(name)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles(dict.fromkeys(NAMES, merged(OLD)))
            versions = {name: system.spokes[name].versions() for name in NAMES}
            for _ in range(restarts):
                await system.stop_hub()
                await hubs.until(
                    lambda: not any(spoke.connected for spoke in system.spokes.values()), "the hub is gone"
                )
                await system.start_hub()
                await _connected(system)
                await hubs.settled(system.hub)
                assert holding(system) == [""] * 3
            await system.settles(dict.fromkeys(NAMES, merged(OLD)))
            assert {name: system.spokes[name].versions() for name in NAMES} == versions, (
                "no object was written"
            )
            assert all(spoke.deleted == [] for spoke in system.spokes.values())
