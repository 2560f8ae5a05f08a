"""Renders each recipe once: from the store where it is known, else in the kitchen, for all who wait for it."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from argosy.errors import Invalid
from hub.loops.apps import kitchen
from hub.loops.apps.kitchen import Dish, Kitchen, Packed
from hub.store import recipes
from hub.store.base import Store

Cooked: TypeAlias = tuple[str, str, Packed | None]


class Cooking:
    """`limit` bounds how much is rendered at once."""

    def __init__(self, store: Store, kitchen: Kitchen, limit: asyncio.Semaphore) -> None:
        self._store = store
        self._kitchen = kitchen
        self._limit = limit
        self._cooking: dict[str, asyncio.Future[Cooked]] = {}
        self._wanted: dict[str, asyncio.Future[tuple[str, str] | None]] = {}
        """Recipes to be looked for in the store."""
        self._reading: list[asyncio.Task[None]] = []
        self.rendered = 0
        """Renders since the start: the cost of a change is counted here."""

    async def cook(self, dish: Dish) -> Cooked:
        """(bundle digest, problem, the bundle where it is new); waits for a render of the recipe that is under way.

        Raises what the kitchen raises, except `Invalid`, which is the user's mistake and part of the answer.
        """
        recipe = dish.digest
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook
        known = await self._find(recipe)
        if known is not None:
            return known[0], known[1], None
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook
        cook = self._cooking[recipe] = asyncio.get_running_loop().create_future()
        try:
            async with self._limit:
                fresh = await kitchen.pack(await self._kitchen.cook(dish))
            self.rendered += 1
            outcome: Cooked = (fresh.digest, "", fresh)
        except Invalid as error:
            outcome = ("", error.message, None)
        except BaseException as error:
            cook.set_exception(error)
            cook.exception()
            raise
        finally:
            del self._cooking[recipe]
        cook.set_result(outcome)
        return outcome

    async def _find(self, recipe: str) -> tuple[str, str] | None:
        """What is known of a recipe: (bundle, problem). Those that are asked for at one moment are read together."""
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(lambda: self._reading.append(loop.create_task(self._read_wanted())))
        return await self._wanted.setdefault(recipe, loop.create_future())

    async def _read_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        self._reading = [task for task in self._reading if not task.done()]
        try:
            found = await self._store.read(lambda tx: {one: recipes.find(tx, one) for one in wanted})
        except Exception as error:
            for future in wanted.values():
                future.set_exception(error)
            return
        for recipe, future in wanted.items():
            if not future.done():
                future.set_result(found[recipe])
