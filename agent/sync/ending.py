"""Removes a whole app: its PreDelete hooks, its objects, its PostDelete hooks, then what remembers it (Argo CD 3.6).

Nothing goes before the hooks ahead of it have succeeded; a failed one is made anew later, for as long as the removal
asks for it. Where it is interrupted, the next pass goes on from what the inventory and the hooks' own marks say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from agent.core import operations, prepare, retry
from agent.core.inventory import Operation
from agent.core.marks import Wanted
from agent.core.steps import Reason, Why
from agent.sync import execute, removing
from agent.sync import memory as memories
from agent.sync.hooking import Hooks
from agent.sync.removing import Removed, Site
from argosy.bundle import Assignment, Removal
from argosy.objects import Manifest, ObjectKey
from argosy.stages import ENDINGS, Phase, Task

Stages = tuple[tuple[Task, ...], ...]


@dataclass
class Ending:
    """One pass over a removal that is not refused. `manifests` are those of the bundle with the hooks."""

    site: Site
    removal: Removal
    manifests: Sequence[Manifest]
    opener: Callable[[Wanted], Wanted]
    now: float

    async def run(self) -> Removed:
        """As far as it may go now."""
        inventory = await memories.read(self.site.own, self.site.memory, self.site.watcher)
        last = inventory.operation
        name = f"delete {self.removal.id}"
        operation = last if last.id == name else Operation(name, "Running", started=self.now)
        step = partial(execute.step, self.site.api)
        self.hooks = Hooks(self.site.api, self.site.watcher, self._made, step, operation)
        phases = await self._phases(inventory.options)
        kept = await self._remember(phases)
        blocked = await self._phase(phases[Phase.PRE_DELETE])
        if blocked is not None:
            return await self._waits(*blocked)
        out = await removing.objects(self.site, self.removal, kept)
        if out.waiting:
            return out
        blocked = await self._phase(phases[Phase.POST_DELETE])
        if blocked is not None:
            return await self._waits(*blocked)
        await self.hooks.clear(succeeded=True)
        await removing.erase(self.site, self.removal, out)
        return out

    async def _phases(self, options: tuple[str, ...]) -> dict[Phase, Stages]:
        kinds = await self.site.own.kinds()
        wanted = self.removal.hooks.split(",")
        return {
            phase: prepare.endings(self.manifests, self.removal.namespace, kinds, phase, options)
            if phase.word in wanted
            else ()
            for phase in ENDINGS
        }

    def _made(self, task: Task, operation: Operation) -> Wanted:
        name = self.removal.assignment
        stand_in = Assignment(name, "", "", "", self.removal.namespace, "", "", self.removal.id)
        return self.opener(prepare.hook(task, stand_in, operations.hook_mark(operation), operation.started))

    async def _remember(self, phases: dict[Phase, Stages]) -> frozenset[ObjectKey]:
        """Makes durable which hooks are made, before the first of them is. They stay when the app's objects go."""
        tasks = [task for stages in phases.values() for stage in stages for task in stage]
        if not tasks:
            return frozenset()
        made = [self._made(task, self.hooks.operation) for task in tasks]
        keys = frozenset(item.key for item in made)
        inventory = await memories.read(self.site.own, self.site.memory, self.site.watcher)
        digest = inventory.bundles[0] if inventory.bundles else self.removal.bundle
        union = replace(inventory.union(made, digest, hooks=keys), operation=self.hooks.operation)
        await memories.write(self.site.own, self.site.memory, union)
        return keys

    async def _phase(self, stages: Stages) -> tuple[ObjectKey, Reason] | None:
        """Runs one phase's hooks, wave after wave; which one holds it up, None where all have succeeded."""
        for stage in stages:
            outcomes = [(task, await self.hooks.run(task)) for task in stage]
            for task, good in outcomes:
                if good:
                    continue
                key = self._made(task, self.hooks.operation).key
                said = self.hooks.live.get(key, (None, ""))[1]
                word = "running" if good is None else "failed, and is made anew later"
                why = Why.WAITS if good is None else Why.FAILED
                return key, Reason(why, f"{task.phase.word} hook: {word}{f': {said}' if said else ''}")
        return None

    async def _waits(self, key: ObjectKey, reason: Reason) -> Removed:
        operation = self.hooks.operation
        failed = [name for name, good in operation.hooks.items() if not good]
        if failed and operation.phase != "Failed":
            await self.hooks.clear(succeeded=False)
            operation = replace(operation, phase="Failed", finished=self.now)
        elif failed and self.now >= operation.finished + retry.delay(operation.attempt):
            good = {name: True for name, ended in operation.hooks.items() if ended}
            operation = replace(
                operation, phase="Running", hooks=good, attempt=operation.attempt + 1, finished=0.0
            )
        memory = self.site.memory
        inventory = await memories.read(self.site.own, memory, self.site.watcher)
        await memories.write(self.site.own, memory, replace(inventory, operation=operation))
        out = Removed(replace(inventory, operation=operation), waiting=True)
        out.reasons[key] = reason
        return out
