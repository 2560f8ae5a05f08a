"""Runs a pass over each app when its assignment, its objects or the time says so: bounded, and never twice
at once.

A wake says "look again" and nothing more. Bundles that are missing are fetched before the pass; one app
that cannot get its bundle or is slow delays no other beyond the bound.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from agent.link.fetch import Base
from agent.link.ledger import Ledger
from agent.link.outbox import Outbox
from agent.state.cache import Cache
from agent.sync.sync import Pass, Syncer
from argosy import backoff
from argosy.bundle import Assignment, Desired, Removal, Restraint
from argosy.errors import ArgosyError

log = structlog.get_logger("applier")

PERIOD = 180.0
"""Seconds after which an app is looked at again though nothing called for it (Argo CD:
`timeout.reconciliation`).
"""
PASSES = 8
FETCH_CAP = 60.0
FETCH_PATIENCE = 2.0
"""Seconds for which a pass waits for its bundle; a hub that is away for longer must not keep others from their turn.
"""

Fetch = Callable[[str, Base | None], Awaitable[bytes]]


@dataclass
class App:
    """What is known of one app's turn. `timer` wakes it; `failures` counts bundles that could not be
    fetched; `given` is the last assignment whose bundle was here; `over` is the removal of the whole app that came to
    its end: until the hub takes it back it is not run again, for its hooks would be, too.
    """

    running: bool = False
    again: bool = False
    timer: asyncio.TimerHandle | None = None
    failures: int = 0
    given: Assignment | None = None
    over: str = ""


@dataclass
class Count:
    """For the health page."""

    passes: int = 0
    fetched: int = 0
    failed: int = 0


@dataclass
class _Wants:
    """The present set by assignment. `removals` has those of single objects and of whole apps."""

    assignments: dict[str, Assignment] = field(default_factory=dict)
    removals: dict[str, tuple[Removal, ...]] = field(default_factory=dict)
    holding: str = ""
    restraints: tuple[Restraint, ...] = ()
    checks: str = ""


class Applier:
    """`fetch` brings a bundle's blob; `passes` bounds how many apps are worked on at once."""

    def __init__(
        self,
        syncer: Syncer,
        cache: Cache,
        ledger: Ledger,
        outbox: Outbox,
        fetch: Fetch,
        *,
        passes: int = PASSES,
        period: float = PERIOD,
    ) -> None:
        self._syncer = syncer
        self._cache = cache
        self._ledger = ledger
        self._outbox = outbox
        self._fetch = fetch
        self._passes = passes
        self._period = period
        self._wants = _Wants()
        self._apps: dict[str, App] = {}
        self._ready: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self.count = Count()

    def adopt(self, desired: Desired) -> None:
        """Takes over a set: wakes what differs, and lets go of what is no longer in it."""
        before, self._wants = self._wants, _wants(desired, self._ledger.held.reason)
        now = self._wants
        self._syncer.know(desired.assignments, desired.restraints)
        self._outbox.expect(now.assignments.keys())
        known = now.assignments.keys() | now.removals.keys()
        for name in self._apps.keys() - known:
            self._let_go(name)
        for name in sorted(known):
            same = (
                name in self._apps
                and before.assignments.get(name) == now.assignments.get(name)
                and before.removals.get(name) == now.removals.get(name)
                and before.holding == now.holding
                and before.restraints == now.restraints
                and before.checks == now.checks
            )
            if not same:
                self.wake(name)

    def wake(self, name: str) -> None:
        """Look at this app again. Unknown ones are passed over."""
        if name not in self._wants.assignments and name not in self._wants.removals:
            return
        app = self._apps.setdefault(name, App())
        if app.timer is not None:
            app.timer.cancel()
            app.timer = None
        if app.running:
            app.again = True
        else:
            self._ready[name] = None
            self._changed.set()

    def wake_all(self) -> None:
        """Look at every app again."""
        for name in sorted(self._wants.assignments.keys() | self._wants.removals.keys()):
            self.wake(name)

    async def run(self) -> None:
        """Works until cancelled.

        A pass under way is given up at its next await; the next start goes on from there.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._passes):
                    group.create_task(self._work())
        finally:
            for app in self._apps.values():
                if app.timer is not None:
                    app.timer.cancel()
            for task in tuple(self._fetching.values()):
                task.cancel()

    @property
    def idle(self) -> bool:
        """True while no app waits or is worked on."""
        return not self._ready and not any(app.running for app in self._apps.values())

    def _let_go(self, name: str) -> None:
        app = self._apps.pop(name)
        if app.timer is not None:
            app.timer.cancel()
        self._ready.pop(name, None)
        self._outbox.drop([name])

    async def _work(self) -> None:
        while True:
            while not self._ready:
                self._changed.clear()
                await self._changed.wait()
            name = next(iter(self._ready))
            del self._ready[name]
            app = self._apps.get(name)
            if app is None:
                continue
            app.running = True
            try:
                again = await self._pass(name, app)
            except Exception:
                # A fault of ours in one app must not stop the others; the next look is the retry.
                log.exception("pass broke", assignment=name)
                self.count.failed += 1
                again = backoff.full_jitter(6, 0.5 + random.random() / 2, base=1.0)
            finally:
                app.running = False
            self._next(name, app, again)

    def _next(self, name: str, app: App, again: float | None) -> None:
        if self._apps.get(name) is not app:
            return
        if app.again:
            app.again = False
            self.wake(name)
            return
        pause = self._period * (1.0 - 0.1 * random.random()) if again is None else again
        app.timer = asyncio.get_running_loop().call_later(pause, self.wake, name)

    async def _pass(self, name: str, app: App) -> float | None:
        """One pass; returns the seconds until the next one, None for the usual period."""
        wants = self._wants
        assignment, removals = wants.assignments.get(name), wants.removals.get(name, ())
        self.count.passes += 1
        unchecked = await self._use_checks(name, app, wants.checks)
        if assignment is not None:
            wait = await self._provide(name, assignment.bundle, app)
            if wait is None:
                app.given = assignment
            elif app.given is not None:
                # What is on its way is not here: what was here is looked after meanwhile, and nothing is removed.
                assignment, removals = replace(app.given, policy=assignment.policy), ()
            elif (earlier := await self._syncer.earlier(assignment)) is not None:
                assignment, removals = earlier, ()
            done = await self._syncer.sync(assignment, removals, holding=wants.holding)
            self._tell(name, done)
            waits = [each for each in (unchecked, done.again if wait is None else wait) if each is not None]
            return min(waits, default=None)
        again: float | None = None
        for removal in removals:
            if not removal.key and removal.id != app.over:
                if removal.hooks and removal.bundle:
                    wait = await self._provide(name, removal.bundle, app)
                    if wait is not None:
                        return wait
                done = await self._syncer.remove(removal, holding=wants.holding)
                self._tell(name, done)
                again = done.again
                app.over = removal.id if done.status.gone else ""
        return again

    async def _use_checks(self, name: str, app: App, digest: str) -> float | None:
        """Takes up the users' own health checks. Returns None, or the seconds after which to try again: until then apps
        are looked after with those in use, and none is settled."""
        if digest == self._syncer.checks:
            return None
        wait = await self._provide(name, digest, app) if digest else None
        if wait is None:
            await self._syncer.use(digest)
        if digest == self._syncer.checks:
            return None
        self._syncer.lack("the users' own health checks have not arrived yet")
        return FETCH_CAP if wait is None else wait

    def _tell(self, name: str, done: Pass) -> None:
        if name in self._apps:
            self._outbox.put(done.status)

    async def _provide(self, name: str, digest: str, app: App) -> float | None:
        """Fetches a bundle that lacks. Returns None, or the seconds after which to try again.

        A fetch that takes long goes on by itself and wakes the app at its end.
        """
        if not await asyncio.to_thread(self._cache.missing, [digest]):
            app.failures = 0
            return None
        task = self._fetching.get(digest)
        if task is None:
            before = app.given.bundle if app.given is not None else ""
            task = asyncio.get_running_loop().create_task(self._bring(digest, before))
            self._fetching[digest] = task
            task.add_done_callback(lambda _: self._fetching.pop(digest, None))
        try:
            async with asyncio.timeout(FETCH_PATIENCE):
                await asyncio.shield(task)
        except TimeoutError:
            task.add_done_callback(functools.partial(self._arrived, name))
            return FETCH_CAP
        except ArgosyError as error:
            app.failures += 1
            log.warning("bundle not fetched", digest=digest, error=error.message)
            return 1.0 + backoff.full_jitter(app.failures, random.random(), base=1.0, cap=FETCH_CAP)
        app.failures = 0
        return None

    def _arrived(self, name: str, task: asyncio.Task[None]) -> None:
        """The end of a fetch that nobody waited for. One that failed is tried again by the pass that this wakes."""
        if not task.cancelled():
            task.exception()
            self.wake(name)

    async def _bring(self, digest: str, before: str) -> None:
        """`before` is the bundle that the app had, "" for none: most of the new one is in it."""
        began = time.monotonic()
        raw = await asyncio.to_thread(self._cache.raw, before) if before else None
        blob = await self._fetch(digest, Base(before, raw) if raw is not None else None)
        await asyncio.to_thread(self._cache.put, digest, blob)
        self.count.fetched += 1
        log.debug(
            "bundle fetched", digest=digest, bytes=len(blob), seconds=round(time.monotonic() - began, 3)
        )


def _wants(desired: Desired, holding: str) -> _Wants:
    removals: dict[str, tuple[Removal, ...]] = {}
    for item in desired.removals:
        removals[item.assignment] = (*removals.get(item.assignment, ()), item)
    assignments = {item.id: item for item in desired.assignments}
    return _Wants(assignments, removals, holding, desired.restraints, desired.checks)
