"""Runs the hooks of one operation: each once per try, watched to its end by its health, cleared as its policy says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from agent.cluster.base import ClusterApi, Refused
from agent.cluster.reflector import Watcher
from agent.core import differences, marks, operations, steps
from agent.core.inventory import Entry, Operation
from agent.core.marks import Seen, Wanted
from agent.core.steps import Applied, Failed, Outcome, Step
from agent.sync import execute
from argosy import stages
from argosy.errors import ArgosyError, Unavailable
from argosy.health import table, waiting
from argosy.objects import ObjectKey
from argosy.stages import Task

Make = Callable[[Task, Operation], Wanted]
"""A hook as it is created in an operation: named, marked, decrypted."""
CarryOut = Callable[[Step], Awaitable[Outcome]]


@dataclass
class Hooks:
    """The hooks of `operation`, which is put forward as they come to their ends."""

    api: ClusterApi
    watcher: Watcher
    make: Make
    carry_out: CarryOut
    operation: Operation
    created: dict[ObjectKey, Wanted] = field(default_factory=dict)
    """Under their final keys."""
    live: dict[ObjectKey, tuple[Seen | None, str]] = field(default_factory=dict)
    phases: dict[ObjectKey, str] = field(default_factory=dict)
    """The phase each ran in last."""

    async def run(self, task: Task) -> bool | None:
        """Runs a hook once per operation and try. True succeeded, False failed, None still running."""
        wanted = self.make(task, self.operation)
        name = f"{task.phase.word}/{wanted.key}"
        self.created[wanted.key] = wanted
        self.phases[wanted.key] = task.phase.word
        if name in self.operation.hooks:
            return self.operation.hooks[name]
        try:
            live = await self._live(task, wanted)
        except ArgosyError as error:
            self.live[wanted.key] = (None, differences.hushed(wanted, error.message))
            failed = execute.failure(error)
            return self._ended(name, False) if failed.permanent else None
        if live is None:
            self.live[wanted.key] = (None, "waiting for the end of its previous run")
            return None
        found = table.assess(live.body, self.watcher.checks)
        self.live[wanted.key] = (live, found.message)
        good = operations.hook_outcome(found.status)
        if good is None or (good and waiting.stale(live.body)):
            return None
        return self._ended(name, good)

    def _ended(self, name: str, good: bool) -> bool:
        self.operation = replace(self.operation, hooks={**self.operation.hooks, name: good})
        return good

    async def _live(self, task: Task, wanted: Wanted) -> Seen | None:
        """The hook's object of this phase, created where there is none; None while an older one goes away."""
        live, ours = await execute.observe(self.api, wanted.gvk, wanted.key), marks.seen(wanted.manifest)
        if live is not None and live.operation == ours.operation:
            return live
        if live is not None and "BeforeHookCreation" in stages.delete_policies(task.manifest):
            if live.owner != ours.owner and not stages.role(live.body).hook:
                # One that Argo CD left says of itself that it is a hook; anything else is somebody's.
                raise Refused("an object of that name is there which is no hook: it is not deleted")
            gone, problem = await execute.delete(self.api, live)
            if problem or not gone:
                return None
            self.watcher.forget(wanted.key)
        created = await self.carry_out(steps.Apply(wanted, wanted.manifest))
        if isinstance(created, Applied):
            self.watcher.keep(created.live)
            return created.live
        message = getattr(created, "message", "the hook was not created")
        if isinstance(created, Failed) and not created.permanent:
            raise Unavailable(message)
        raise Refused(message)

    async def stop(self, entries: Iterable[Entry]) -> None:
        """Deletes those among these objects that are hooks of this operation and have not come to their end."""
        for entry in entries:
            if not entry.hook:
                continue
            live = await execute.observe(self.api, entry.gvk, entry.key)
            if live is None or not operations.made_hook(self.operation, live.operation):
                continue
            if not operations.hook_outcome(table.assess(live.body, self.watcher.checks).status):
                await self._delete(live)

    async def clear(self, others: Iterable[Task] = (), *, succeeded: bool) -> None:
        """Deletes the hooks whose policy says so after the whole operation's outcome: those that it ran, and what `others`,
        which had nothing to do in it, left in an earlier one (Argo CD 3.6).
        """
        policy = "HookSucceeded" if succeeded else "HookFailed"
        made = [self.make(task, self.operation) for task in others]
        for key, wanted in {**{item.key: item for item in made}, **self.created}.items():
            if policy not in stages.delete_policies(wanted.manifest):
                continue
            live = await execute.observe(self.api, wanted.gvk, key)
            if live is not None and live.owner == marks.seen(wanted.manifest).owner:
                await self._delete(live)

    async def _delete(self, live: Seen) -> None:
        gone, _ = await execute.delete(self.api, live)
        if gone:
            self.watcher.forget(live.key)
