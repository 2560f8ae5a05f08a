"""One pass over one app: the inventory first, then the stages, then the written removals, then the report.

A pass may be started at any time and stopped at any await; the next one goes on from what the cluster, the
inventory and the objects' own marks say. A pass that finds nothing changed asks the cluster nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from agent.cluster.base import ClusterApi
from agent.cluster.guarded import GuardedCluster
from agent.cluster.reflector import Watcher
from agent.core import adoption, drift, localpolicy, operations, options, orphans, removals, restraint
from agent.core.adoption import Adoption
from agent.core.inventory import Inventory, Operation
from agent.core.localpolicy import LocalPolicy
from agent.core.marks import Wanted
from agent.core.prepare import Prepared
from agent.core.requests import AUTOMATIC
from agent.core.restraint import Left
from agent.sandbox.jq import Jq
from agent.sandbox.scripts import Scripts
from agent.sops.keys import KeyRing
from agent.state.notes import Notes
from agent.sync import handsoff, recording, removing, telling
from agent.sync import memory as memories
from agent.sync.applying import Application
from agent.sync.ending import Ending
from agent.sync.memory import Memory, closed
from agent.sync.neighbours import Neighbours
from agent.sync.orphaning import Orphans
from agent.sync.preparing import Bundles, Preparing
from agent.sync.removing import Removed
from agent.sync.surroundings import Surroundings
from argosy import sealed
from argosy.bundle import Assignment, Removal, Restraint
from argosy.errors import ArgosyError
from argosy.health import table
from argosy.kinds import CONFIG_MAP, Gvk, Kinds, served
from argosy.objects import Manifest, ObjectKey
from argosy.status import AppStatus, Sync

log = structlog.get_logger("sync")

if TYPE_CHECKING:
    from agent.sync.observing import Observer

IN_FLIGHT = 16
"""Objects of all apps worked on at once; more only makes the API server queue."""
WAITING_AGAIN = 10.0
"""Seconds after which a pass that waits looks again, should the watch not tell before."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass found. `again`: seconds until the next one even if nothing changes; None: the usual period."""

    status: AppStatus
    again: float | None = None


class Syncer:
    """All apps of one cluster. Passes over different apps may run at once; one app is never in two at a time.

    `changed(assignment)` is called when the watch saw something of that app change.
    """

    def __init__(
        self,
        api: ClusterApi,
        bundles: Bundles,
        *,
        changed: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        policy: Callable[[], LocalPolicy] = lambda: localpolicy.OPEN,
        notes: Notes | None = None,
        keys: KeyRing | None = None,
    ) -> None:
        self._api = api
        self._bundles = bundles
        self._clock = clock
        self._policy = policy
        self._notes = notes or Notes()
        self._keys = keys or KeyRing(None)
        self._preparing = Preparing(api, bundles, self._keys)
        self._jq = Jq()
        self._observer: Observer | None = None
        self._scripts = Scripts(clock)
        self.checks = ""
        """Digest of the users' own health checks in use."""
        self.watcher = Watcher(api, changed)
        self._orphans = Orphans(api, changed, clock)
        self._memories: dict[str, Memory] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._neighbours = Neighbours(api, bundles, self._memories, changed)
        self._restraints: tuple[Restraint, ...] = ()
        self._around = Surroundings(
            api,
            self.watcher,
            asyncio.Semaphore(IN_FLIGHT),
            clock,
            sleep,
            self._neighbours.holds,
            self._before,
            self._jq.without,
            partial(memories.write, api),
        )

    def know(self, assignments: Sequence[Assignment], restraints: Sequence[Restraint] = ()) -> None:
        """Says which assignments the cluster has now, which decides who keeps an object that two want, and what
        restrains changes in it."""
        self._neighbours.know(assignments)
        self._restraints = tuple(restraints)

    async def use(self, digest: str) -> None:
        """Takes up the users' own health checks, whose bundle is here; "" for none."""
        manifests = await asyncio.to_thread(self._bundles.load, digest) if digest else []
        if manifests is None:
            return
        found = self._scripts.read(manifests[0].get("data") or {}) if manifests else table.NO_USER_CHECKS
        for problem in found.problems:
            log.warning("health check not understood", problem=problem)
        await self.watcher.use(found)
        self.checks, self._around.unchecked = digest, ""

    def lack(self, reason: str) -> None:
        """Says that the users' own health checks are not here, and why: nothing is settled without them."""
        self._around.unchecked = reason

    # --- for answers to questions -----------------------------------------------------------------------------------

    def assigned(self, assignment: str) -> Assignment | None:
        """What the cluster has now of that id."""
        return self._neighbours.get(assignment)

    def opened(self, prepared: Prepared, manifests: list[Manifest]) -> Prepared:
        """With what is encrypted in clear. Raises as the opener does."""
        return (
            self._preparing.opened(prepared, manifests)[0]
            if any(map(sealed.needs_opening, manifests))
            else prepared
        )

    def door(self, account: str) -> GuardedCluster:
        """The cluster as an app's objects are written to it, in the name of an account."""
        return self._door(account)

    def ignoring(self, assignment: Assignment) -> Callable[[Wanted], drift.Ignored]:
        """Gives what of each object of the app is no drift."""
        return drift.ignoring(assignment.policy, self._jq.without)

    def orphaned(self, assignment: Assignment) -> list[ObjectKey]:
        """The objects of the app's namespace that nobody brought, as last listed, where its project asks for them."""
        asked, place = orphans.rules(assignment.policy.sync_options), assignment.destination_namespace
        if asked is None or not place:
            return []
        found = self._orphans.loose(place, assignment.id)
        return orphans.orphans(found, asked, self._neighbours.all, self._neighbours.want)

    # --- passes -----------------------------------------------------------------------------------------------------

    async def sync(
        self, assignment: Assignment, listed: Sequence[Removal] = (), *, holding: str = ""
    ) -> Pass:
        """One pass. `listed` are those of this assignment; `holding` is why removals are refused, "" if not."""
        memory = self._memory(assignment.id)
        async with self._locks[assignment.id]:
            try:
                done = await self._sync(assignment, memory, listed, holding)
            except ArgosyError as error:
                done = Pass(telling.unknown(assignment, memory, error.message), WAITING_AGAIN)
            memory.status = done.status
            return done

    async def remove(self, removal: Removal, *, holding: str = "") -> Pass:
        """One pass of a whole-app removal (`key` ""). Done once the answer's status is `gone`."""
        memory = self._memory(removal.assignment)
        assignment = self._neighbours.get(removal.assignment)
        shown = assignment or Assignment(removal.assignment, "", "", "", "", "", "", "")
        async with self._locks[removal.assignment]:
            now = self._clock()
            frozen = restraint.frozen(restraint.concerning(self._restraints, removal.assignment, now))
            refused = removals.refused(removal, holding=holding or frozen, now=now)
            if assignment is not None:
                return Pass(
                    telling.unknown(shown, memory, f"removal {removal.id} is refused: it is still assigned")
                )
            if refused is not None:
                status = telling.unknown(shown, memory, f"{refused.why}: {refused.detail}")
                return Pass(status, WAITING_AGAIN if frozen else None)
            try:
                removed = await self._remove(memory, removal)
            except ArgosyError as error:
                return Pass(telling.unknown(shown, memory, error.message), WAITING_AGAIN)
            if removed.done:
                self._memories.pop(removal.assignment, None)
                await asyncio.to_thread(self._notes.forget, removal.assignment)
            status = telling.of_removal(removal.assignment, removal, removed)
            return Pass(status, None if removed.done else WAITING_AGAIN)

    async def earlier(self, assignment: Assignment) -> Assignment | None:
        """The app as it was last applied here, see `Preparing.earlier`."""
        return await self._preparing.earlier(assignment)

    async def close(self) -> None:
        """Ends all watching. The cluster itself stays open: it belongs to the caller."""
        self._jq.close()
        self._scripts.close()
        await self._orphans.close()
        await self.watcher.close()

    def _before(
        self, assignment: str, inventory: Inventory, key: ObjectKey
    ) -> Callable[[str], Manifest | None]:
        return self._preparing.before(self._memories[assignment], inventory, key)

    def _memory(self, assignment: str) -> Memory:
        self._locks.setdefault(assignment, asyncio.Lock())
        if assignment not in self._memories:
            memory = self._memories[assignment] = Memory(assignment)
            for key, (digest, found) in self._notes.corrections(assignment).items():
                memory.corrections[key], memory.corrected[key] = found, digest
        return self._memories[assignment]

    def _door(self, account: str) -> GuardedCluster:
        """The cluster as an app's objects are written: in the project's name, within this cluster's own policy."""
        return GuardedCluster(self._api, self._policy, self._notes, self._clock, account)

    def _site(self, memory: Memory, account: str) -> removing.Site:
        heirs = partial(self._neighbours.heirs, memory.assignment)
        return removing.Site(self._api, self._door(account), self.watcher, memory, heirs)

    async def _remove(self, memory: Memory, removal: Removal) -> Removed:
        if memory.inventory is None:
            inventory = await memories.read(self._api, memory, self.watcher)
            if memory.written is None:
                inventory = await memories.search(self._api, memory)
            await self._watch({entry.gvk for entry in inventory.entries.values()}, await self._api.kinds())
        inventory = await memories.read(self._api, memory, self.watcher)
        if adoption.of(inventory.adoption) is not Adoption.MANAGE:
            removal = replace(removal, cascade=False, hooks="")
        manifests: Sequence[Manifest] = ()
        opener = closed
        if removal.hooks and removal.bundle:
            manifests = self._preparing.loaded(removal.bundle)
            if any(map(sealed.needs_opening, manifests)):
                from agent.sops.opening import Opener

                opener = Opener(self._keys, manifests).opened
        site = self._site(memory, inventory.account)
        return await Ending(site, removal, manifests, opener, self._clock()).run()

    async def _sync(
        self, assignment: Assignment, memory: Memory, listed: Sequence[Removal], holding: str
    ) -> Pass:
        prepared, kinds = await self._preparing.prepared(assignment, memory)
        first = memory.inventory is None
        if first:
            # A lost inventory is recovered from the watch, which therefore must be complete before.
            await self._watch(set(prepared.gvks) | {CONFIG_MAP}, kinds)
        inventory = await memories.read(self._api, memory, self.watcher)
        await self._watch(set(prepared.gvks) | {entry.gvk for entry in inventory.entries.values()}, kinds)
        mode = self._mode(assignment)
        if mode is not Adoption.MANAGE:
            return await self._hands_off(mode, assignment, memory, prepared, inventory)
        before = inventory.operation
        left = self._left(assignment, before)
        due = left.due
        if due.pending:
            assignment = options.in_force(assignment, due.request)
            prepared, kinds = await self._preparing.prepared(assignment, memory)
            memory.anew(due.operation, before)
        if due.may_write:
            inventory = await recording.begin(
                self._api, self.watcher, assignment, memory, prepared, inventory, due
            )
        account = assignment.policy.account
        around = replace(self._around, api=self._door(account))
        run = Application(around, assignment, prepared, memory, inventory, due)
        await run.run()
        operation = recording.operation_of(run)
        await self._end_hooks(run, operation)
        inventory = recording.learned(run, operation)
        if due.may_write or operation != before:
            await memories.write(self._api, memory, inventory)
        else:
            memory.inventory = inventory
        await self._note(memory)
        if left.frozen:
            holding = holding or left.reason
        removed = await self._prune(run, operation, [item for item in listed if item.key], holding, left)
        return self._pass(run, operation, removed, left)

    def _left(self, assignment: Assignment, before: Operation) -> Left:
        """What is due and not restrained."""
        now = self._clock()
        return restraint.limit(
            self._restraints, assignment, operations.due(assignment, before, now), before, now
        )

    def _mode(self, assignment: Assignment) -> Adoption:
        return adoption.careful([self._policy().mode, adoption.of(assignment.policy.mode)])

    async def _hands_off(
        self,
        mode: Adoption,
        assignment: Assignment,
        memory: Memory,
        prepared: Prepared,
        inventory: Inventory,
    ) -> Pass:
        """A pass that changes no object; `agent.sync.handsoff` says what it does instead. What is held back is observed."""
        due = operations.Due(inventory.operation, pending=False, heal=False)
        left = replace(self._left(assignment, inventory.operation), due=due)
        around = replace(self._around, api=self._door(assignment.policy.account))
        run = Application(around, assignment, prepared, memory, inventory, due)
        if mode is Adoption.ADOPT and not left.reason:
            inventory = await handsoff.adopt(run, self._api)
        else:
            if mode is Adoption.RELEASE and not left.reason:
                inventory = await handsoff.give_back(run, self._api)
            if self._observer is None:
                # Late: only an agent that observes pays for knowing what a server would do.
                from agent.sync.observing import Observer

                self._observer = Observer(self._api)
            await handsoff.observe(run, self._observer)
        done = self._pass(run, due.operation, Removed(inventory), left)
        return replace(done, again=handsoff.LOOK_AGAIN)

    async def _prune(
        self, run: Application, operation: Operation, listed: Sequence[Removal], holding: str, left: Left
    ) -> Removed:
        verdicts, concerns = run.verdicts, run.due.request.concerns
        complete = all(verdicts[key].sync is Sync.SYNCED for key in verdicts if concerns(key))
        ready = complete and not run.blocked and not (operation.id and not operation.succeeded)
        leave = removals.Leave(run.assignment.policy, operations.asked(operation), empty=not verdicts)
        if operation.content != operations.content(run.assignment):
            leave = replace(leave, request=AUTOMATIC)
        assert run.memory.inventory is not None
        entries = run.memory.inventory.entries
        removed = await removing.prune(
            self._site(run.memory, run.assignment.policy.account),
            run.assignment,
            listed,
            frozenset(run.prepared.wanted) | frozenset(run.hooks.created),
            leave,
            ready=ready and (left.frozen or not left.reason),
            unwell=run.unwell,
            holding=holding,
            now=self._clock(),
        )
        gone = entries.keys() - removed.inventory.entries.keys() - removed.reasons.keys()
        run.memory.forgets(operation.token, (entries[key] for key in sorted(gone)))
        return removed

    @staticmethod
    async def _end_hooks(run: Application, operation: Operation) -> None:
        """Clears what hooks leave behind, at the end of their operation."""
        if run.due.terminated:
            await run.hooks.stop(run.inventory.entries.values())
        elif operation.finished and not run.due.operation.finished:
            tasks = (task for stage in (*run.prepared.stages, run.prepared.after_failure) for task in stage)
            others = (task for task in tasks if task.hook and run.due.runs_hooks)
            await run.hooks.clear(others, succeeded=operation.succeeded)

    async def _note(self, memory: Memory) -> None:
        """Keeps what was corrected, so that a field stays contested when the agent starts again."""
        if not memory.corrections and not self._notes.corrections(memory.assignment):
            return
        for key, found in memory.corrections.items():
            verified = memory.verified.get(key)
            if found and verified is not None:
                memory.corrected[key] = verified.digest
        known = {key: (memory.corrected.get(key, ""), found) for key, found in memory.corrections.items()}
        await asyncio.to_thread(self._notes.correct, memory.assignment, known)

    async def _watch(self, gvks: set[Gvk], kinds: Kinds) -> None:
        found = (served(kinds, gvk) for gvk in gvks)
        await self.watcher.ensure(kind for kind in found if kind is not None)

    def _pass(self, run: Application, operation: Operation, removed: Removed, left: Left) -> Pass:
        unread = telling.unread(run.assignment, self._jq.problems)
        status = telling.of_pass(run, operation, removed, self._clock(), unread)
        waits = [failure.not_before - self._clock() for failure in run.memory.failures.values()]
        if left.reason:
            status = telling.held_back(status, left)
        if orphans.warns(run.assignment.policy.sync_options) and (loose := self.orphaned(run.assignment)):
            status = telling.warned(status, orphans.WARNING, orphans.message(len(loose)))
        if left.wake:
            waits.append(left.wake)
        due = self._left(run.assignment, operation).due
        if due.wait:
            waits.append(due.wait)
        if due.pending and due.operation.token != operation.token:
            waits.append(0.0)
        if run.patience:
            waits.append(run.patience)
        lag = run.memory.lag(self._clock())
        if lag and not status.settled:
            waits.append(lag)
        if run.waiting or run.failing or removed.waiting:
            waits.append(WAITING_AGAIN)
        return Pass(status, max(0.05, min(waits)) if waits else None)
