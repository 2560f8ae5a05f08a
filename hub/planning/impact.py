"""Asks clusters for dry runs of what a plan would give them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from argosy.errors import ArgosyError, Unavailable
from argosy.questions import Kind, Question
from hub.core.apps import policy
from hub.core.apps.policy import Asked
from hub.core.clusters import answers
from hub.core.plans.model import AppPlan, Impact
from hub.loops.apps import kitchen
from hub.planning.heirs import Made
from hub.store import bundles
from hub.store.base import Store

Ask = Callable[[str, Question, float], Awaitable[dict[str, Any]]]
"""(cluster id, question, seconds) -> answer. Raises `Unavailable` where none comes, `Invalid` in the agent's words."""

AT_ONCE = 64
"""Questions on their way at one time."""


async def measured(
    plans: Sequence[AppPlan],
    made: Mapping[tuple[str, str], Made],
    ask: Ask,
    store: Store,
    *,
    seconds: float,
    now: float,
) -> list[AppPlan]:
    """The plans with what each cluster says; all together take no longer than `seconds`."""
    limit = asyncio.Semaphore(AT_ONCE)
    ends = asyncio.get_running_loop().time() + seconds

    async def one(plan: AppPlan) -> AppPlan:
        found = made.get((plan.namespace, plan.name))
        if found is None or plan.problem:
            return plan
        async with limit:
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return replace(
                    plan, impact=Impact(error="the time was over before it was asked", answered=False)
                )
            return replace(plan, impact=await _asked(found, ask, store, left, now))

    return list(await asyncio.gather(*(one(plan) for plan in plans)))


async def _asked(made: Made, ask: Ask, store: Store, seconds: float, now: float) -> Impact:
    spec = made.manifest["spec"]
    packed = await kitchen.pack(list(made.objects))
    # A bundle that nothing refers to goes within a day; the cluster fetches it like any other.
    await store.write(lambda tx: bundles.put(tx, packed.digest, packed.blob, now))
    question = Question(
        Kind.DRY_RUN,
        made.app,
        packed.digest,
        (spec.get("destination") or {}).get("namespace") or "",
        policy.of(spec, Asked(), made.manifest["metadata"].get("annotations") or {}).sync_options,
        made.account,
    )
    try:
        answer = await ask(made.cluster, question, seconds)
    except Unavailable as error:
        return Impact(error=error.message, answered=False)
    except ArgosyError as error:
        return Impact(error=f"its agent says: {error.message}", answered=False)
    return Impact(tuple(answers.read(Kind.DRY_RUN, answer)["objects"]))
