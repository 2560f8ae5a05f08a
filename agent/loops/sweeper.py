"""Drops bundles that nothing refers to any more."""

from __future__ import annotations

import asyncio

from agent.link.ledger import Ledger
from agent.state.cache import Cache
from argosy.loop import Loop

EVERY = 600.0


def sweeper(cache: Cache, ledger: Ledger) -> Loop:
    async def sweep() -> None:
        desired = ledger.desired.value
        if desired is not None:
            assigned = [item.bundle for item in desired.assignments]
            assigned += [item.bundle for item in desired.removals if item.bundle]
            assigned += [desired.checks] if desired.checks else []
            await asyncio.to_thread(cache.sweep, assigned)

    return Loop("sweeper", sweep, EVERY)
