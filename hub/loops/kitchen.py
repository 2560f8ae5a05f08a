"""From an Application and the trees of its sources to its recipe, and from the recipe to finished objects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import finish, recipe, sources
from hub.core.finish import Target
from hub.core.sources import Source
from hub.core.tree import Tree
from hub.render.rendering import Prepared, Rendering

SHOWN = 5


@dataclass(frozen=True)
class Dish:
    """What is needed to render an Application; `digest` names everything that its objects depend on."""

    digest: str
    prepared: tuple[Prepared, ...]
    target: Target


class Kitchen:
    """Renders through the hub's renderers and finishes as Argo CD does."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    async def prepare(self, app: Manifest, parts: Sequence[tuple[Source, Tree]]) -> Dish:
        """Raises `Invalid` for a user's mistake, `Unavailable` where a tree or a tool cannot be had."""
        prepared = tuple(
            [await self._rendering.prepare(app, source, tree) for source, tree in parts if source.renders]
        )
        namespace = (app["spec"].get("destination") or {}).get("namespace") or ""
        metadata = app["metadata"]
        name = sources.instance_name(metadata["name"], metadata.get("namespace") or "")
        target = Target(namespace=namespace, app=name)
        return Dish(recipe.recipe([one.ingredient for one in prepared], target).digest, prepared, target)

    async def cook(self, dish: Dish) -> list[Manifest]:
        """The finished objects. Raises as `prepare` does; any wrong object is the whole Application's problem."""
        rendered = [item for one in dish.prepared for item in await self._rendering.objects(one)]
        done = await asyncio.to_thread(finish.finish, rendered, dish.target)
        if done.problems:
            shown = [str(problem) for problem in done.problems[:SHOWN]]
            more = len(done.problems) - len(shown)
            raise Invalid("; ".join([*shown, f"and {more} more"] if more else shown))
        return done.objects
