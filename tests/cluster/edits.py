"""Seeded sequences of edits of one app, played with an agent that dies at a chosen write, and what must be so then.

The same sequence can be played again and again, each time with another death: every write of it gets its turn. The
memory cluster and a real one are played alike.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from passes import Crash, World, annotated, config_map

from agent.core import inventory as inventories
from agent.core import marks
from argosy.bundle import Assignment, Removal
from argosy.kinds import CONFIG_MAP
from argosy.objects import Manifest

NAMES = "abcdef"
BYSTANDER = "bystander"
PASSES = 12


@dataclass(frozen=True)
class Edit:
    """What Git says next (name -> (value, wave)), and who edits objects by hand before the agent sees it."""

    wanted: dict[str, tuple[str, str]]
    drifted: tuple[str, ...]


def sequence(seed: int, length: int = 3) -> list[Edit]:
    roll = random.Random(seed)
    found: list[Edit] = []
    for _ in range(length):
        names = sorted(roll.sample(NAMES, roll.randint(1, len(NAMES))))
        wanted = {name: (str(roll.randint(0, 9)), roll.choice(["-1", "0", "0", "1"])) for name in names}
        drifted = tuple(name for name in (found[-1].wanted if found else ()) if roll.random() < 0.3)
        found.append(Edit(wanted, drifted))
    return found


@dataclass
class Play:
    """One app in one namespace of a world."""

    world: World
    namespace: str
    assignment_id: str

    def assignment(self, edit: Edit) -> Assignment:
        manifests = [
            annotated(config_map(name, self.namespace, k=value), wave=wave)
            for name, (value, wave) in edit.wanted.items()
        ]
        return self.world.assignment(*manifests, id=self.assignment_id, destination_namespace=self.namespace)

    def removals(self, edit: Edit) -> list[Removal]:
        """What a hub would list: all names of the app that its bundle lacks."""
        keys = [f"/ConfigMap/{self.namespace}/{name}" for name in NAMES if name not in edit.wanted]
        return [self.world.removal(key, assignment=self.assignment_id) for key in keys]

    async def drift(self, edit: Edit) -> None:
        for name in edit.drifted:
            if await self.world.api.cluster.get(CONFIG_MAP, self.namespace, name) is not None:
                manifest = config_map(name, self.namespace, k="drift")
                await self.world.api.cluster.apply(manifest, manager="somebody", force=True)

    async def step(self, edit: Edit, dies_at: int = 0, *, after: bool = False) -> bool:
        """One edit, with a death at that write of the agent's; whether it died. Then passes until nothing is left."""
        await self.drift(edit)
        await self.world.quiet()
        api = self.world.api
        api.dies_at_write, api.dies_after = (api.writes + dies_at if dies_at else 0), after
        died = False
        try:
            await self.world.sync(self.assignment(edit), *self.removals(edit))
        except (Crash, BaseExceptionGroup):
            died = True
        api.dies_at_write = 0
        if died:
            await self.world.restart()
        await self.settle(edit)
        return died

    async def settle(self, edit: Edit) -> None:
        """Passes with the time going on, until the app is in sync and has nothing to remove."""
        for _ in range(PASSES):
            self.world.now += 400
            done = await self.world.sync(self.assignment(edit), *self.removals(edit))
            await self.world.quiet()
            if done.status.sync.value == "Synced" and await self.wrong(edit) == "":
                return

    async def wrong(self, edit: Edit) -> str:
        """ "" where live = inventory = desired and nothing foreign was touched, else what is not so."""
        cluster = self.world.api.cluster
        page = await cluster.list(CONFIG_MAP, namespace=self.namespace)
        live: dict[str, Manifest] = {item["metadata"]["name"]: item for item in page.items}
        live.pop("kube-root-ca.crt", None)
        other = live.pop(BYSTANDER, None)
        if other is None or other["data"] != {"k": "theirs"}:
            return f"the bystander is {other}"
        have = {name: item["data"]["k"] for name, item in live.items()}
        want = {name: value for name, (value, _) in edit.wanted.items()}
        if have != want:
            return f"live {have}, wanted {want}"
        parent = await cluster.get(CONFIG_MAP, marks.NAMESPACE, marks.inventory_name(self.assignment_id))
        if parent is None:
            return "there is no inventory"
        entries = inventories.from_manifest(self.assignment_id, parent).entries
        known = {key.name: entry.uid for key, entry in entries.items()}
        uids = {name: item["metadata"]["uid"] for name, item in live.items()}
        return "" if known == uids else f"inventory {known}, live {uids}"
