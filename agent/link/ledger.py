"""What the hub wants of this cluster, as far as it was believed, and what is durable of it.

The decision whether a set is believed is `agent.core.epoch`'s; here a difference becomes a whole set, is
checked against its digest, and is on disk before anything acts on it.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol

import structlog

from agent.core import epoch
from agent.core.epoch import Held
from argosy import bundle
from argosy.bundle import Desired
from argosy.convert import Delta
from argosy.latest import Latest

log = structlog.get_logger("link")


class Keeper(Protocol):
    """Where the ledger is durable. Both calls block; both raise `Unavailable` where the place is not
    usable.
    """

    def load(self) -> tuple[Held, Desired | None]: ...

    def save(self, held: Held, desired: Desired | None) -> None: ...


class Taken(Enum):
    """What came of a set that was offered."""

    KEPT = "kept"
    KNOWN = "known"
    HELD = "held"
    """Not believed: the agent goes on with what it has."""
    WHOLE_NEEDED = "whole needed"
    """The difference does not fit what is held; the whole set is to be asked for."""


class Ledger:
    """`desired` is what may be acted on, None before the first set. Make it with `open_ledger`."""

    def __init__(self, keeper: Keeper, held: Held, desired: Desired | None) -> None:
        self._keeper = keeper
        self._held = held
        self.desired: Latest[Desired | None] = Latest(desired)
        self._bodies = bundle.Bodies()
        self._set_digest = self._digest_of(desired)
        self._lock = asyncio.Lock()

    @property
    def held(self) -> Held:
        return self._held

    @property
    def set_digest(self) -> str:
        """Of what is held; "" where nothing is."""
        return self._set_digest

    async def meet(self, life: str, generation: int, confirmed: str) -> bool:
        """Judges the hub's Welcome. True where what is to be said of this agent's holding changed."""
        async with self._lock:
            held = epoch.confirm(self._held, confirmed) if confirmed else self._held
            verdict = epoch.judge(held, life, generation)
            # Only the reason is taken over: epoch and generation are those of a set that was really kept.
            now = Held(held.epoch, held.generation, held.confirmed, verdict.reason)
            return await self._hold(now)

    async def take(self, delta: Delta) -> Taken:
        """Judges, completes, checks and keeps a set. Raises `Unavailable` where it cannot be made durable."""
        async with self._lock:
            held = self._held
            older = delta.epoch == held.epoch and delta.generation < held.generation
            if older and not held.holding and held.confirmed != delta.epoch:
                # The same hub has said more since: overtaken on its way.
                return Taken.KNOWN
            verdict = epoch.judge(held, delta.epoch, delta.generation)
            if verdict.holding:
                await self._hold(verdict)
                return Taken.HELD
            if (delta.epoch, delta.generation, delta.set_digest) == (
                held.epoch,
                held.generation,
                self._set_digest,
            ):
                await self._hold(verdict)
                return Taken.KNOWN
            whole = merge(self.desired.value, delta)
            if whole is None or self._digest_of(whole) != delta.set_digest:
                return Taken.WHOLE_NEEDED
            await asyncio.to_thread(self._keeper.save, verdict, whole)
            self._held, self._set_digest = verdict, delta.set_digest
            self.desired.set(whole)
            return Taken.KEPT

    async def _hold(self, now: Held) -> bool:
        before, self._held = self._held, now
        if before == now:
            return False
        if now.holding and not before.holding:
            log.warning("holding: nothing is removed until the hub is confirmed", reason=now.reason)
        await asyncio.to_thread(self._keeper.save, now, self.desired.value)
        if before.reason != now.reason:
            # Wakes who acts on the set: whether removals may be done has changed.
            self.desired.set(self.desired.value)
        return before.reason != now.reason

    def _digest_of(self, desired: Desired | None) -> str:
        if desired is None:
            return ""
        return bundle.digest_of_bodies(
            self._bodies.of(desired.assignments),
            map(bundle.body_of, desired.removals),
            map(bundle.body_of, desired.restraints),
            desired.checks,
        )


def merge(base: Desired | None, delta: Delta) -> Desired | None:
    """The whole set after a difference, None where the difference is not against this base."""
    if delta.base == 0:
        kept = {}
    elif base is None or base.epoch != delta.epoch or base.generation < delta.base:
        return None
    else:
        kept = {item.id: item for item in base.assignments}
    for gone in delta.dropped:
        kept.pop(gone, None)
    kept.update((item.id, item) for item in delta.assignments)
    assignments = tuple(kept[name] for name in sorted(kept))
    return Desired(delta.epoch, delta.generation, assignments, delta.removals, delta.restraints, delta.checks)


async def open_ledger(keeper: Keeper) -> Ledger:
    """Reads what was kept. Raises `Unavailable`."""
    held, desired = await asyncio.to_thread(keeper.load)
    return Ledger(keeper, held, desired)
