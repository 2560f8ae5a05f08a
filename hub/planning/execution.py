"""Does exactly what a plan showed, or refuses because the world moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from argosy.errors import Conflict, Invalid, NotFound
from hub.core.plans import change as changes
from hub.core.plans.change import Change
from hub.core.plans.model import Plan
from hub.core.served import table
from hub.core.types import Failed
from hub.planning import writing
from hub.planning.planner import Parts, Planner
from hub.planning.trees import PlannedTrees, placed
from hub.planning.writing import Note
from hub.store import objects
from hub.store.base import Tx

ATTEMPTS = 3
"""Times that a plan is made again since something was written while it was made."""
_LOOKED_AT = tuple(
    served.resource
    for served in (
        table.APPLICATION_SET,
        table.APPLICATION,
        table.APP_PROJECT,
        table.CLUSTER,
        table.SECRET,
        table.CONFIG_MAP,
    )
)


class Executor:
    """`moved` wakes the loops that follow Git."""

    def __init__(self, parts: Parts, planner: Planner, moved: Callable[[], None]) -> None:
        self._parts = parts
        self._planner = planner
        self._moved = moved

    async def execute(self, digest: str, spec: Any, note: Note) -> Plan:
        """Executes the plan of that digest; `spec` is its question, None for one that was answered lately.

        Raises `NotFound` where the question is not known any more, `Conflict` where its answer is another by now,
        `Invalid` for a plan that cannot be executed.
        """
        if spec is None:
            spec = self._planner.asked(digest)
        if spec is None:
            raise NotFound(f"plan {digest} is not known any more: plan again, with the same options")
        change = await placed(self._parts.trees, await asyncio.to_thread(changes.parse, spec))
        if change.folders:
            raise Invalid(
                "a folder is not in Git, and what is not there is not deployed: push it, then plan its commit"
            )
        for one in change.revisions:
            await self._parts.trees.look(one.repo)
        for _ in range(ATTEMPTS):
            stamp = await self._parts.store.read(_stamp)
            plan = await self._planner.plan(spec)
            _check(plan, digest)
            await self._check_git(change, plan)
            if await self._parts.store.write(lambda tx, stamp=stamp: self._write(tx, change, stamp, note)):  # type: ignore[misc]
                self._moved()
                return plan
        raise Conflict("other changes come faster than this one can be checked: try again")

    def _write(self, tx: Tx, change: Change, stamp: object, note: Note) -> bool:
        if _stamp(tx) != stamp:
            return False
        writing.everything(tx, self._parts.resources, change, self._parts.now(), note)
        return True

    async def _check_git(self, change: Change, plan: Plan) -> None:
        """That the branches hold what the plan is of."""
        planned = PlannedTrees(self._parts.trees, self._parts.merger, change)
        for repo, revision, _ in plan.commits:
            wanted, there = await planned.tree(repo, revision), await self._parts.trees.tree(repo, revision)
            for answer in (wanted, there):
                if isinstance(answer, Failed):
                    raise Invalid(answer.reason)
            assert not isinstance(wanted, Failed)
            assert not isinstance(there, Failed)
            if wanted.value.tree_id("") != there.value.tree_id(""):
                raise Conflict(
                    f"{repo}: {revision} is at {there.value.commit[:12]}, the plan is of {wanted.value.commit[:12]}: "
                    "merge it and it is rolled out; Argosy never writes to Git"
                )


def _stamp(tx: Tx) -> object:
    return objects.stamp(tx, _LOOKED_AT)


def _check(plan: Plan, digest: str) -> None:
    if plan.digest != digest:
        counts = plan.summary()["applications"]
        words = ", ".join(f"{number} {word}" for word, number in counts.items())
        raise Conflict(
            f"the world moved: this change would now do something else than {digest} (applications: {words}; its digest "
            f"is {plan.digest}): look at it again"
        )
    if plan.unshown:
        raise Invalid(f"{plan.unshown} applications of the plan were not shown: plan with more renders")
    if plan.failed:
        raise Invalid("the plan has problems, see there")
