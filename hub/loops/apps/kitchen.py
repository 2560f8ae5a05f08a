"""From an Application and the trees of its sources to its recipe, and from the recipe to finished objects."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

from argosy import bundle
from argosy.errors import Invalid, Problem, Unavailable
from argosy.objects import Manifest, ObjectKey, key_of
from hub.core.apps import finish, hooks, recipe, sources
from hub.core.apps.finish import Finished, Target
from hub.core.apps.sources import Source
from hub.core.releases import images
from hub.core.settings import Settings
from hub.core.tree import Tree
from hub.core.types import Answer, Failed
from hub.core.views import summary
from hub.render.base import Kube
from hub.render.rendering import Prepared, Rendering, Setting
from hub.render.supplies import Supplies

SHOWN = 5
FEW = 20
"""Objects up to which finishing and packing are done before a thread would begin."""
WARNED = 20_000


async def _unknown() -> Kube:
    return Kube()


@dataclass(frozen=True)
class Dish:
    """What is needed to render an Application; `digest` names everything that its objects depend on."""

    digest: str
    prepared: tuple[Prepared, ...]
    target: Target


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle that was made just now, with the keys of its objects and the phases of a removal that it has hooks for:
    it need not be opened to know them."""

    digest: str
    blob: bytes
    keys: tuple[ObjectKey, ...]
    endings: frozenset[str] = frozenset()
    summary: str = ""
    """What is told of it (`hub.core.views.summary`), as JSON; "" where there is nothing to tell."""
    shape: str = ""
    """`hub.core.releases.images.shape` of it."""


async def pack(found: list[Manifest]) -> Packed:
    """In a thread where there are many objects."""
    return _packed(found) if len(found) <= FEW else await asyncio.to_thread(_packed, found)


def _packed(found: list[Manifest]) -> Packed:
    digest, blob = bundle.pack(found)
    told = summary.of(found)
    return Packed(
        digest,
        blob,
        tuple(key_of(one) for one in found),
        hooks.endings(found),
        orjson.dumps(told).decode() if told else "",
        images.shape(found),
    )


class Kitchen:
    """Renders through the hub's renderers and finishes as Argo CD does.

    `fetch` answers for the charts that a chart depends on; `settings` may be replaced at any time, and what was
    prepared before keeps the old ones.
    """

    def __init__(
        self,
        rendering: Rendering,
        fetch: Callable[[str, str], Awaitable[Answer[Tree]]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._rendering = rendering
        self._fetch = fetch
        self._supplies = Supplies(self._fetched)
        self._warned: OrderedDict[str, str] = OrderedDict()
        self.settings = settings or Settings()

    def under(self, settings: Settings | None) -> Kitchen:
        """As it would be with these settings; itself where they stay."""
        return Kitchen(self._rendering, self._fetch, settings) if settings is not None else self

    async def prepare(
        self,
        app: Manifest,
        parts: Sequence[tuple[Source, Tree]],
        kube: Callable[[], Awaitable[Kube]] = _unknown,
    ) -> Dish:
        """`kube` is asked where a chart wants to know its cluster.

        Raises `Invalid` for a user's mistake, `Unavailable` where a tree or a tool cannot be had.
        """
        settings = self.settings
        setting = Setting(settings.build_options, kube)
        refs = {source.ref: tree for source, tree in parts if source.ref}
        prepared = []
        for source, tree in parts:
            if source.renders:
                whole = await self._supplies.whole(source, tree, refs)
                prepared.append(await self._rendering.prepare(app, source, whole, setting))
        namespace = (app["spec"].get("destination") or {}).get("namespace") or ""
        metadata = app["metadata"]
        target = settings.target(
            namespace, sources.instance_name(metadata["name"], metadata.get("namespace") or "")
        )
        digest = recipe.recipe([one.ingredient for one in prepared], target).digest
        return Dish(digest, tuple(prepared), target)

    async def cook(self, dish: Dish) -> list[Manifest]:
        """The finished objects. Raises as `prepare` does; any wrong object is the whole Application's problem."""
        done = await self.finished(dish)
        if done.problems:
            shown = [str(problem) for problem in done.problems[:SHOWN]]
            more = len(done.problems) - len(shown)
            raise Invalid("; ".join([*shown, f"and {more} more"] if more else shown))
        self._warned[dish.digest] = _warning(done.warnings)
        while len(self._warned) > WARNED:
            self._warned.popitem(last=False)
        return done.objects

    def warning(self, recipe: str) -> str | None:
        """What was odd about the objects of a recipe, "" for nothing; None where it was not cooked here lately."""
        return self._warned.get(recipe)

    async def finished(self, dish: Dish) -> Finished:
        """The objects with all problems and warnings. Raises as `prepare` does."""
        rendered = [item for one in dish.prepared for item in await self._rendering.objects(one)]
        if len(rendered) <= FEW:
            return finish.finish(rendered, dish.target)
        return await asyncio.to_thread(finish.finish, rendered, dish.target)

    async def _fetched(self, address: str, revision: str) -> Tree:
        if self._fetch is None:
            raise Unavailable(f"{address}: charts cannot be fetched here")
        answer = await self._fetch(address, revision)
        if isinstance(answer, Failed):
            raise Unavailable(answer.reason)
        return answer.value


def _warning(found: Sequence[Problem]) -> str:
    shown = [str(problem) for problem in found[:SHOWN]]
    more = [f"and {len(found) - len(shown)} more"] if len(found) > len(shown) else []
    return "; ".join(shown + more)
