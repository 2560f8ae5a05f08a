"""Applies the stages of one app in their order: objects side by side, stages one after the other, hooks between.

One bad object never stops the others of its stage; later stages wait for it. Whatever the hands are told comes from
`agent.core`. Stopped at any await, the next pass goes on from what the cluster says.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby

from agent.core import drift, marks, operations, plan, prepare, removals
from agent.core import options as sync_options
from agent.core.adoption import Adoption
from agent.core.inventory import Entry, Inventory, Operation
from agent.core.marks import Seen, Wanted
from agent.core.plan import Situation
from agent.core.prepare import Prepared
from agent.core.steps import Applied, Checked, Failed, Outcome, Reason, Recreate, Step, Verdict, Why
from agent.sync import execute
from agent.sync.hooking import Hooks
from agent.sync.memory import Memory
from agent.sync.surroundings import Surroundings
from argosy.bundle import STAGE_TIMEOUT, Assignment
from argosy.errors import ArgosyError
from argosy.health import table, waiting
from argosy.health.base import Found
from argosy.kinds import CRD, gvk_of, served
from argosy.objects import ObjectKey
from argosy.stages import Task
from argosy.status import Health, Sync

ESTABLISH_SECONDS = 5.0
"""How long one pass waits for a CRD; measured: 0.04 s until Established, 0.06 s until discovery knows."""
SIDE_BY_SIDE = 16
"""Objects of one app worked on at once; more only makes the API server queue."""
_ROUNDS = 6


@dataclass
class Application:
    """One run over an app's stages, and what it found out. `blocked` says why later stages were not run."""

    around: Surroundings
    assignment: Assignment
    prepared: Prepared
    memory: Memory
    inventory: Inventory
    due: operations.Due
    verdicts: dict[ObjectKey, Verdict] = field(default_factory=dict)
    blocked: str = ""
    waiting: bool = False
    """True where `blocked` is only a matter of time."""
    failing: bool = False
    """True while hooks of phase SyncFail run: the sync has failed, and ends with them."""
    patience: float = 0.0
    """Seconds that are left of the time a stage may take, 0 where there is no such limit."""
    _namespace: asyncio.Task[str] | None = None

    def __post_init__(self) -> None:
        around = self.around
        self._writing = asyncio.Lock()
        self.hooks = Hooks(around.api, around.watcher, self._made, self._carry_out, self.due.operation)

    def _made(self, task: Task, operation: Operation) -> Wanted:
        mark, started = operations.hook_mark(operation), operation.started
        return self.memory.opener(prepare.hook(task, self.assignment, mark, started))

    @property
    def operation(self) -> Operation:
        """The operation as far as it has come."""
        return self.hooks.operation

    async def run(self) -> None:
        """All stages, as far as they may go now."""
        self._ignoring = drift.ignoring(self.assignment.policy, self.around.delete)
        self._respect = drift.respects(self.assignment.policy)
        self._fails_on_shared = "FailOnSharedResource=true" in self.assignment.policy.sync_options
        self.blocked = await self._give_namespace()
        last = self._last_stage()
        for number, stage in enumerate(self.prepared.stages):
            if self.blocked:
                await self._skip(stage)
                continue
            await self._stage(stage, last=number >= last)
        if self.blocked and not self.waiting and self.due.runs_hooks:
            self.failing = None in [await self.hooks.run(task) for task in self.prepared.after_failure]

    def _last_stage(self) -> int:
        """The number of the last stage that the sync is about."""
        concerns = self.due.request.concerns
        about = [
            number
            for number, stage in enumerate(self.prepared.stages)
            if any(concerns(task.key) for task in stage)
        ]
        return about[-1] if about else 0

    async def _give_namespace(self) -> str:
        """`managedNamespaceMetadata`: before anything else, and again when it changes; what went wrong, or ""."""
        prepared, wanted = (
            self.prepared,
            (self.assignment.destination_namespace, self.prepared.namespace_metadata),
        )
        if not (prepared.creates_namespace and prepared.namespace_metadata and self.due.may_write):
            return ""
        if self.memory.namespace == wanted:
            return ""
        problem = await execute.namespace(self.around.api, *wanted)
        if problem:
            return f"namespace {wanted[0]}: {problem}"
        self.memory.namespace = wanted
        return ""

    async def _stage(self, stage: tuple[Task, ...], *, last: bool) -> None:
        plain = [task for task in stage if not task.hook]
        hooks = [task for task in stage if task.hook] if self.due.runs_hooks else []
        for kind, group in groupby(plain, key=lambda task: (task.key.group, task.key.kind)):
            tasks = list(group)
            await self._group(tasks)
            if kind == (CRD.group, CRD.kind):
                await self._establish(tasks)
        plain = [task for task in plain if self.due.request.concerns(task.key)]
        bad = [task for task in plain if self._bad(self.verdicts[task.key])]
        outcomes = [await self.hooks.run(task) for task in hooks]
        place = f"{stage[0].phase.word} wave {stage[0].wave}"
        if bad:
            named = ", ".join(f"{task.key}" for task in bad[:3])
            self.blocked = f"{place}: {len(bad)} of {len(plain)} objects failed: {named}"
        elif False in outcomes:
            failed = [str(task.key) for task, good in zip(hooks, outcomes, strict=True) if good is False]
            self.blocked = f"{place}: hook failed: {', '.join(failed)}"
        elif self.due.pending and not self.due.request.dry_run and (hooks or not last):
            self._wait(
                place, plain, [task for task, good in zip(hooks, outcomes, strict=True) if good is None]
            )

    def _bad(self, verdict: Verdict) -> bool:
        """Whether the sync fails by it. What another app has is only said, unless the app's options ask for more."""
        return verdict.failed or (verdict.reason.why is Why.SHARED and self._fails_on_shared)

    def _wait(self, place: str, plain: Iterable[Task], running: list[Task]) -> None:
        """Holds later stages back until this one is healthy; a Degraded object fails the sync, as in Argo CD."""
        self._wait_for(place, plain, running)
        limit = float(sync_options.value(self.assignment.policy.sync_options, STAGE_TIMEOUT) or 0)
        if self.waiting and limit:
            self._bound(place, limit)

    def _bound(self, place: str, limit: float) -> None:
        """Ends the wait for a stage that takes longer than it may."""
        name, now = f"{operations.hook_mark(self.operation)}/{place}", self.around.clock()
        if self.memory.stage[0] != name:
            self.memory.stage = (name, now)
        left = self.memory.stage[1] + limit - now
        if left > 0:
            self.patience = left
            return
        self.waiting = False
        self.blocked = f"{self.blocked}, for longer than the {limit:g} s that a stage may take"

    def _wait_for(self, place: str, plain: Iterable[Task], running: list[Task]) -> None:
        found, patient = self._not_yet(plain)
        if found:
            self.blocked, self.waiting = f"{place}: waiting for {found}", patient
        elif running:
            self.blocked, self.waiting = f"{place}: waiting for hook {running[0].key}", True

    def unwell(self) -> str:
        """Which of the objects that the sync is about is not healthy as it is now, and why; "" for none."""
        tasks = (task for stage in self.prepared.stages for task in stage if not task.hook)
        return self._not_yet(task for task in tasks if self.due.request.concerns(task.key))[0]

    def _not_yet(self, plain: Iterable[Task]) -> tuple[str, bool]:
        """(The object that is not healthy and its state, whether that is only a matter of time), ("", True) for none. A
        good health of what an object was before its last change does not count.
        """
        lagging = ""
        for task in plain:
            verdict = self.verdicts.get(task.key)
            live = (verdict.live if verdict is not None else None) or self.around.watcher.get(task.key)
            if live is None:
                return f"{task.key}: {Health.MISSING}", True
            found = table.assess(live.body, self.around.watcher.checks)
            if found.status not in (None, Health.HEALTHY):
                return f"{task.key}: {found.status}", found.status is not Health.DEGRADED
            if not lagging and (old := self._lags(task.key, live, found)):
                lagging = f"{task.key}: {old}"
        return lagging, True

    def _lags(self, key: ObjectKey, live: Seen, found: Found) -> str:
        """Why an object's health does not speak of its last change, "" where it does."""
        old = waiting.stale(live.body)
        if not old and self.memory.fresh(key, self.around.clock()) and waiting.lags(live.body, found):
            old = "it was changed just now"
        return old

    async def _skip(self, stage: Iterable[Task]) -> None:
        """Objects of a later stage: in sync only where exactly this content and this live state are known to be."""
        for task in stage:
            if not task.hook:
                now = await self._situation(task)
                found = plan.known(now)
                sync = found.sync if found is not None else Sync.OUT_OF_SYNC
                self.verdicts[task.key] = Verdict(Reason(Why.WAITS, self.blocked), sync, now.seen, found)

    async def _group(self, tasks: Iterable[Task]) -> None:
        """Objects of one kind, side by side; those that need nothing cost no more than the look."""
        todo = []
        for task in tasks:
            now = await self._situation(task)
            first = plan.first(now, self.around.clock())
            if isinstance(first, Verdict):
                self._remember(task.key, now, first)
            else:
                todo.append((task.key, now, first))
        queue = iter(todo)

        async def work() -> None:
            for key, now, step in queue:
                await self._settle(key, now, step)

        # A task per object would cost more memory than all that is remembered of it.
        async with asyncio.TaskGroup() as group:
            for _ in range(min(SIDE_BY_SIDE, len(todo))):
                group.create_task(work())

    async def _settle(self, key: ObjectKey, now: Situation, first: Step) -> None:
        """Takes one object from its first step to a verdict."""
        todo: Step | Verdict = first
        async with self.around.slots:
            for _ in range(_ROUNDS):
                assert not isinstance(todo, Verdict)
                outcome = await self._carry_out(todo)
                if isinstance(outcome, Applied):
                    self.around.watcher.keep(outcome.live)
                    await self._note_anew(outcome.live)
                todo = plan.then(now, todo, outcome, self.around.clock())
                if isinstance(todo, Verdict):
                    break
            else:
                todo = Verdict(Reason(Why.FAILED, "other managers keep taking its fields"), Sync.OUT_OF_SYNC)
        self._remember(key, now, todo)

    async def _situation(self, task: Task) -> Situation:
        memory, key = self.memory, task.key
        wanted = self.prepared.wanted[key]
        seen = self.around.watcher.get(key)
        entry = self.inventory.entries.get(key)
        verified = memory.verified.get(key)
        other = seen.owner if seen is not None and seen.owner not in ("", self.assignment.id) else ""
        if verified is not None and verified.digest != wanted.digest:
            # New content is a new beginning: what was contested is tried again.
            memory.corrections.pop(key, None)
        if memory.corrected.get(key, wanted.digest) != wanted.digest:
            memory.corrections.pop(key, None)
            memory.corrected.pop(key, None)
        return Situation(
            assignment=self.assignment.id,
            wanted=wanted,
            seen=seen,
            entry=entry,
            verified=verified,
            failure=memory.failures.get(key),
            corrections=memory.corrections.get(key, {}),
            may_write=self.due.may_write_to(key),
            before=self.around.before(self.assignment.id, self.inventory, key),
            ignored=self._ignoring(wanted),
            respect_ignored=self._respect,
            dry_run=self.due.pending and self.due.request.dry_run,
            takes=self.assignment.policy.mode == Adoption.MANAGE,
            holder=other if other and await self.around.holder(other, key) else "",
            protected=self._protected(entry, seen) if wanted.how.recreate and seen is not None else "",
        )

    def _protected(self, entry: Entry | None, live: Seen) -> str:
        """Why an object may not be deleted, though it is only to be made anew; "" where it may."""
        known = entry or Entry(live.key, live.gvk.version, live.uid)
        options = self.assignment.policy.sync_options
        reason = removals.judge(known, live, self.assignment.id, "Delete", options)
        return reason.detail if reason is not None else ""

    async def _carry_out(self, todo: Step) -> Outcome:
        """One step; where its namespace or its kind lacks and is on its way, that is brought about first."""
        if isinstance(todo, Recreate):
            try:
                await self._open_uid(todo.wanted.key)
            except ArgosyError as error:
                return execute.failure(error)
        outcome = await execute.step(self.around.api, todo)
        if not isinstance(outcome, Failed) or not outcome.missing:
            return outcome
        if not self.due.may_write:
            return Checked(None) if self._brings(todo.wanted.key, outcome.missing) else outcome
        key = todo.wanted.key
        if outcome.missing == "namespace":
            if not self.prepared.creates_namespace or key.namespace != self.assignment.destination_namespace:
                return outcome
            if self._namespace is None:
                self._namespace = asyncio.create_task(
                    execute.namespace(self.around.api, key.namespace, self.prepared.namespace_metadata)
                )
            problem = await asyncio.shield(self._namespace)
            return await execute.step(self.around.api, todo) if not problem else Failed(problem)
        if (key.group, key.kind) not in self.prepared.defines:
            return outcome
        results = [outcome]

        async def served_now() -> bool:
            try:
                await self.around.api.kinds(refresh=True)
            except ArgosyError:
                return False
            result = await execute.step(self.around.api, todo)
            results.append(result)  # type: ignore[arg-type]
            return not (isinstance(result, Failed) and result.missing)

        await execute.patiently(served_now, self.around.sleep, seconds=ESTABLISH_SECONDS)
        return results[-1]

    async def _note_anew(self, live: Seen) -> None:
        """Makes durable at once that an object is another than was known: somebody deleted it after the pass began, and after
        a crash it would be nobody's. Where that fails the end of the pass tries again."""
        entry = self.inventory.entries.get(live.key)
        if entry is None or entry.uid in ("", live.uid):
            return
        async with self._writing:
            self.inventory = self.inventory.learned([live])
            with contextlib.suppress(ArgosyError):
                await self.around.write(self.memory, self.inventory)

    async def _open_uid(self, key: ObjectKey) -> None:
        """Makes durable that an object is about to be made anew, before its old one goes."""
        async with self._writing:
            if key in self.inventory.entries:
                self.inventory = self.inventory.unsure([key])
                await self.around.write(self.memory, self.inventory)

    def _brings(self, key: ObjectKey, missing: str) -> bool:
        """Whether a sync would bring about the namespace or the kind that a dry run misses."""
        if missing == "kind":
            return (key.group, key.kind) in self.prepared.defines
        made = ObjectKey("", "Namespace", "", key.namespace) in self.prepared.wanted
        own = self.prepared.creates_namespace and key.namespace == self.assignment.destination_namespace
        return made or own

    def _remember(self, key: ObjectKey, now: Situation, verdict: Verdict) -> None:
        memory = self.memory
        if verdict.live is None:
            verdict = replace(verdict, live=now.seen)
        live = verdict.live
        if (
            live is not None
            and not live.slim
            and not table.needs_content(live.gvk, self.around.watcher.checks)
        ):
            verdict = replace(verdict, live=marks.slimmed(live))
        self.verdicts[key] = verdict
        if verdict.verified is not None:
            memory.verified[key] = verdict.verified
        if verdict.failure is not None:
            memory.failures[key] = verdict.failure
        elif not verdict.failed:
            memory.failures.pop(key, None)
        if verdict.corrections:
            memory.corrections[key] = verdict.corrections
        if verdict.reason.why is Why.APPLIED:
            memory.changed[key] = self.around.clock()

    async def _establish(self, tasks: Iterable[Task]) -> None:
        """Waits until CRDs are established, so that their kinds can be used in the same pass."""
        fresh = [task for task in tasks if self.verdicts[task.key].reason.why is Why.APPLIED]
        for task in fresh:
            gvk = gvk_of(task.manifest)

            async def established(key: ObjectKey = task.key) -> bool:
                try:
                    live = await execute.observe(self.around.api, CRD, key)
                except ArgosyError:
                    return False
                if live is None:
                    return False
                self.around.watcher.keep(live)
                self.verdicts[key] = replace(self.verdicts[key], live=live)
                return table.assess(live.body).status is Health.HEALTHY

            if gvk == CRD:
                await execute.patiently(established, self.around.sleep, seconds=ESTABLISH_SECONDS)
        if fresh:
            kinds = await self.around.api.kinds(refresh=True)
            used = (served(kinds, gvk) for gvk in self.prepared.gvks)
            await self.around.watcher.ensure(kind for kind in used if kind is not None)
