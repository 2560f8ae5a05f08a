"""Passes that keep their hands off: an app is only observed, or adopted, or given back.

What they found is put into the run as a sync would put it there, so that it is reported in the same words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from agent.cluster.base import ClusterApi
from agent.core import drift
from agent.core.adoption import Adoption
from agent.core.inventory import Inventory
from agent.core.marks import Wanted
from agent.core.steps import Verdict, Why
from agent.sync import adopting
from agent.sync import memory as memories
from agent.sync.adopting import Candidate
from agent.sync.applying import SIDE_BY_SIDE, Application
from argosy.objects import ObjectKey

if TYPE_CHECKING:
    from agent.sync.observing import Observer

T = TypeVar("T")

LOOK_AGAIN = 60.0
"""Seconds between two looks: objects that bear no mark of ours are not watched."""


async def observe(run: Application, observer: Observer) -> None:
    """Fills the run's verdicts by reading alone."""
    ignoring = drift.ignoring(run.assignment.policy, run.around.delete)

    async def look(wanted: Wanted) -> None:
        verdict = await observer.look(wanted, ignoring(wanted))
        run.verdicts[wanted.key] = verdict
        if verdict.verified is not None:
            run.memory.verified[wanted.key] = verdict.verified

    await _each(list(run.prepared.wanted.values()), look)


async def adopt(run: Application, own: ClusterApi) -> Inventory:
    """Takes over what is as wanted already; the inventory with what is ours now, which is durable before the first mark
    is put on. `own` is the cluster as the agent itself.
    """
    await run.run()
    run.blocked, run.waiting = "", False  # what a sync would wait for holds no adoption back
    ignoring = drift.ignoring(run.assignment.policy, run.around.delete)
    candidates: list[Candidate] = []

    async def look(wanted: Wanted) -> None:
        run.memory.failures.pop(wanted.key, None)
        found = await adopting.look(run.around.api, wanted, ignoring(wanted))
        if isinstance(found, Candidate):
            candidates.append(found)
        else:
            _take(run, wanted.key, found)

    await _each(
        [run.prepared.wanted[key] for key, verdict in run.verdicts.items() if _free(run, verdict)], look
    )
    if not candidates:
        return run.inventory
    inventory = run.inventory.union(
        [each.wanted for each in candidates], run.assignment.bundle, hooks=frozenset()
    )
    entries = dict(inventory.entries)
    for each in candidates:
        entries[each.wanted.key] = replace(entries[each.wanted.key], uid=each.uid)
    policy = run.assignment.policy
    inventory = replace(
        inventory,
        entries=entries,
        app=f"{run.assignment.namespace}/{run.assignment.app}",
        options=policy.sync_options,
        account=policy.account,
        adoption=Adoption.ADOPT,
    )
    await memories.write(own, run.memory, inventory)

    async def take(candidate: Candidate) -> None:
        verdict = await adopting.adopt(run.around.api, candidate)
        _take(run, candidate.wanted.key, verdict)
        if verdict.live is not None:
            run.around.watcher.keep(verdict.live)

    await _each(candidates, take)
    fine = [run.verdicts[each.wanted.key].live for each in candidates]
    inventory = inventory.learned([live for live in fine if live is not None])
    await memories.write(own, run.memory, inventory)
    return inventory


async def give_back(run: Application, own: ClusterApi) -> Inventory:
    """Takes our marks off all that is ours, and forgets it."""
    entries = run.inventory.entries
    if not entries:
        return run.inventory
    wrong = await adopting.release(run.around.api, entries, run.assignment.id)
    inventory = run.inventory.without(entries.keys() - wrong.keys())
    if inventory.entries:
        await memories.write(own, run.memory, inventory)
    else:
        await memories.erase(own, run.memory)
        run.memory.inventory = inventory = Inventory(run.assignment.id, run.inventory.app)
    return inventory


def _free(run: Application, verdict: Verdict) -> bool:
    """Whether an object may be adopted: it is nobody's of this cluster's apps."""
    live = verdict.live
    return verdict.reason.why is not Why.SHARED and (live is None or live.owner != run.assignment.id)


def _take(run: Application, key: ObjectKey, verdict: Verdict) -> None:
    run.verdicts[key] = verdict
    if verdict.verified is not None:
        run.memory.verified[key] = verdict.verified


async def _each(items: list[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Works on all of them, some side by side."""
    queue = iter(items)

    async def one() -> None:
        for item in queue:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(SIDE_BY_SIDE, len(items))):
            group.create_task(one())
