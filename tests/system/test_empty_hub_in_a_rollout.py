"""A hub that starts empty while a rollout was under way: agents hold and say why, nothing is deleted, and the fleet
comes back once an operator has registered and confirmed its clusters.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import hubs
import pytest
import rolling
import spokes
from hubs import Repo
from rolling import policy, reaches, stage
from spokes import Spoke, System, merged

from argosy import token
from argosy.objects import Manifest
from hub.api.show import Viewer
from hub.core.served import table
from hub.store import agents, objects
from hub.store.base import Tx

NAMES = ("one", "two", "three")
OLD = {"web": {"web-a": "1", "web-b": "1"}}
NEW = {"web": {"web-a": "2", "web-c": "1"}}


def held(spoke: Spoke) -> str:
    """Why an agent holds, "" where it does not."""
    program = spoke.program
    return program.ledger.held.reason if program is not None and program.ledger is not None else ""


def error(spoke: Spoke) -> str:
    """Why an agent has no stream."""
    program = spoke.program
    return program.link.state.error if program is not None and program.link is not None else ""


async def rolled_out(system: System, repo: Repo) -> None:
    """The first stage has the new release, the others wait for an approval that nobody has given."""
    for name in NAMES:
        await system.join(name)
    await declare(system, repo)
    await reaches(system.hub, "fleet-1", counts={"done": 1, "pending": 2})
    await rolling.act(system.hub, "fleet-1", "approve")
    await reaches(system.hub, "fleet-1", phase="Completed")
    spokes.commit(repo, NEW)
    system.pull()
    await reaches(system.hub, "fleet-2", counts={"done": 1, "pending": 2})
    await hubs.until(lambda: system.spokes["one"].ours() == merged(NEW), "the canary has it")


async def declare(system: System, repo: Repo) -> None:
    """What users keep in Git of their own: labels, policy and set."""
    canary = {"metadata": {"labels": {"ring": "canary"}}}
    await hubs.patch(system.hub, table.CLUSTER, "one", canary, "")
    gate = {"name": "go", "approval": {}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(system.hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(system.hub, table.APPLICATION_SET, rolling.appset(repo))


async def emptied(system: System, *, new_ca: bool) -> None:
    """Starts a hub that knows nothing in the place of the one there was, with its keys or with others."""
    await system.stop_hub()
    for path in sorted(system.data.iterdir()):
        if new_ca or path.name.startswith("hub.db"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    await system.start_hub()
    for spoke in system.spokes.values():
        spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))


async def registered_again(system: System, spoke: Spoke) -> None:
    """What `argosy join` does, and the agent started with the token."""
    made = await hubs.add_cluster(system.hub, spoke.name, env="prod")
    spoke.uid = made["metadata"]["uid"]
    offered = token.decode(await system.offer(spoke.name))
    await spoke.stop()
    await spoke.start(token.encode(replace(offered, link=spoke.line.address)))


async def condition(system: System, name: str, kind: str) -> dict[str, Any]:
    def read(tx: Tx) -> Manifest:
        row = objects.get(tx, table.CLUSTER.resource, "", name)
        return Viewer(system.hub.resources).one(tx, table.CLUSTER, row, 0.0) if row else {}

    return hubs.condition(await system.hub.store.read(read), kind)


@pytest.mark.parametrize("new_ca", [False, True], ids=["same CA", "new CA"])
async def test_agents_hold_until_they_are_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_ca: bool
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, OLD)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await rolled_out(system, repo)
            every = list(system.spokes.values())
            before = {spoke.name: spoke.versions() for spoke in every}
            deleted = {spoke.name: list(spoke.deleted) for spoke in every}
            await emptied(system, new_ca=new_ca)

            # Nobody is known to the new hub: the agents say so, keep all they have and go on healing it.
            why = "" if new_ca else "unknown here"
            await hubs.until(
                lambda: all(why in (error(s) or "-") and error(s) for s in every), "agents say why"
            )
            for spoke in every:
                spoke.drift("web-a")
            await hubs.until(lambda: all(spoke.ours()["web-a"] != "drift" for spoke in every), "agents heal")

            # Known again they are asked for nothing they have not seen confirmed.
            for spoke in every:
                await registered_again(system, spoke)
            await declare(system, repo)
            await hubs.until(
                lambda: [held(spoke) for spoke in every] == ["EpochUnknown"] * 3, "every agent holds"
            )
            for spoke in every:
                found = await condition_held(system, spoke)
                assert "the hub's database is another one" in found["message"]
            for _ in range(3):
                await hubs.settled(system.hub)
            assert {spoke.name: set(spoke.versions()) for spoke in every} == {
                name: set(found) for name, found in before.items()
            }
            assert {spoke.name: spoke.deleted for spoke in every} == deleted, "nothing was deleted"

            await confirmed(system)
            await hubs.until(lambda: not any(held(spoke) for spoke in every), "no agent holds any more")
            await reaches(system.hub, "fleet-1", counts={"done": 1, "pending": 2})
            await rolling.act(system.hub, "fleet-1", "approve")
            await reaches(system.hub, "fleet-1", phase="Completed")
            for spoke in every:
                wanted = merged(NEW)
                await hubs.until(
                    lambda spoke=spoke, wanted=wanted: wanted.items() <= spoke.ours().items(), "what Git says"
                )
                uids = {name: uid for name, (uid, _) in spoke.versions().items()}
                for name, (uid, _) in before[spoke.name].items():
                    assert uids[name] == uid, f"{name} on {spoke.name} was made anew"
                spoke.unharmed()
            assert {spoke.name: spoke.deleted for spoke in every} == deleted, "nothing was deleted"


async def condition_held(system: System, spoke: Spoke) -> dict[str, Any]:
    async def said() -> dict[str, Any] | None:
        found = await condition(system, spoke.name, "Held")
        return found if found.get("status") == "True" else None

    found: dict[str, Any] = await hubs.until(said, f"the hub says that {spoke.name} holds")
    return found


async def confirmed(system: System) -> None:
    epoch = system.hub.store.epoch
    for spoke in system.spokes.values():
        await system.hub.store.write(lambda tx, uid=spoke.uid: agents.confirm(tx, uid, epoch))  # type: ignore[misc]
