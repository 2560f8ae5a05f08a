"""One look at one Application: from what its object says and its sources hold to what shall be of it.

Renders where the recipe differs, and writes nothing; what comes of it is an `Outcome`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable

import structlog

from argosy.errors import ArgosyError, Invalid, Unavailable
from argosy.objects import Manifest
from hub.core.apps import destinations, operations, policy
from hub.core.apps.destinations import Directory
from hub.core.projects import orphans, outside
from hub.core.releases import releases
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed
from hub.loops.apps import detours, entries, reads
from hub.loops.apps.bounds import Bounds
from hub.loops.apps.cooking import Cooking
from hub.loops.apps.entries import Entry, Outcome
from hub.loops.apps.kitchen import Kitchen
from hub.loops.apps.kubes import Kubes
from hub.loops.apps.reads import SourceKey
from hub.loops.repos.integrity import Integrity
from hub.loops.repos.trees import Trees
from hub.store.apps import AppState
from hub.store.base import Store

AT_ONCE = 8
"""Renders at one time."""

log = structlog.get_logger("renderer")


class Looking:
    """Looks at Applications in batches: however many of one use a source, its tree is asked for once."""

    def __init__(
        self, store: Store, trees: Trees, kitchen: Kitchen, bounds: Bounds, integrity: Integrity, kubes: Kubes
    ) -> None:
        self._trees = trees
        self._kitchen = kitchen
        self._bounds = bounds
        self._integrity = integrity
        self._kubes = kubes
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._cooking = Cooking(store, kitchen, self._limit)
        self._found: dict[SourceKey, asyncio.Task[Answer[Tree]]] = {}

    @property
    def rendered(self) -> int:
        """Renders since the start: the cost of a change is counted here."""
        return self._cooking.rendered

    async def batch(self, batch: Iterable[Entry], directory: Directory) -> list[Outcome]:
        """What one look at each of these gives."""
        self._found = {}
        return await asyncio.gather(*(self._guarded(entry, directory) for entry in batch))

    def commits(self) -> Iterable[tuple[SourceKey, str, bool]]:
        """The sources that the last batch found: (source, commit, whether its repository answers)."""
        for key, task in self._found.items():
            if not task.cancelled() and task.exception() is None:
                answer = task.result()
                if not isinstance(answer, Failed):
                    yield key, answer.value.commit, isinstance(answer, Complete)

    async def _guarded(self, entry: Entry, directory: Directory) -> Outcome:
        """One Application's trouble, whatever it is, stays its own: it keeps its last good render and shows why."""
        try:
            outcome = await self._one(entry, directory)
        except Exception as error:
            log.exception("application not rendered", app=entry.manifest["metadata"]["name"])
            problem = f"UnknownError: {type(error).__name__}: {error}"
            outcome = Outcome(entry, entries.described(entry)._replace(problem=problem))
        if (other := detours.wanted(entry.manifest, outcome.state)) is not None:
            await self._detour(outcome, other, directory)
        entries.take_up(outcome)
        return outcome

    async def _detour(self, outcome: Outcome, other: Manifest, directory: Directory) -> None:
        """Renders what a sync asks for beside what is followed, or says why it is not to be had."""
        outcome.refused = operations.barred(outcome.entry.manifest, other)
        if outcome.refused:
            return
        entry = entries.of(entries.anew(other), outcome.entry.state)
        try:
            found = await self._one(entry, directory)
        except Exception as error:
            log.exception("asked revision not rendered", app=entry.manifest["metadata"]["name"])
            outcome.refused = f"{type(error).__name__}: {error}"
            return
        outcome.refused = found.state.problem
        outcome.detour = found

    async def _one(self, entry: Entry, directory: Directory) -> Outcome:
        manifest, state = entry.manifest, entries.described(entry)
        if state.deleting:
            return Outcome(entry, state)
        try:
            cluster = destinations.resolve(manifest["spec"].get("destination") or {}, directory)
        except Invalid as error:
            # Where it was stays its cluster, while there is such a cluster.
            there = state.cluster if state.cluster in directory.ids else ""
            return Outcome(entry, state._replace(cluster=there, problem=f"InvalidSpecError: {error.message}"))
        if refused := await self._bounds.of_app(manifest, entry.sources, cluster):
            return entries.kept(entry, f"InvalidSpecError: {refused}")
        account, wrong = await self._bounds.account(manifest, cluster, self._kitchen.settings.impersonation)
        if wrong := wrong or policy.mode_problem(manifest["metadata"].get("annotations") or {}):
            return entries.kept(entry, f"InvalidSpecError: {wrong}")
        told = releases.with_account(state.policy, account)
        if not entry.wrong:
            project = await self._bounds.project(manifest)
            told = outside.told(orphans.told(told, project), project)
            told = self._kitchen.settings.comparing.told(told, (cluster.server, cluster.name))
        state = state._replace(cluster=cluster.id, policy=told)
        outcome = await self._sourced(entry, state)
        # The last good release, too, goes to another cluster or project only where it is permitted there.
        refused = await self._bounds.of_objects(manifest, cluster, outcome.state.bundle, outcome.fresh)
        if refused:
            return entries.kept(
                entry, outcome.state.problem or f"ComparisonError: {refused}", again=outcome.again
            )
        return outcome

    async def _sourced(self, entry: Entry, state: AppState) -> Outcome:
        manifest = entry.manifest
        if entry.wrong:
            return Outcome(entry, state._replace(problem=f"InvalidSpecError: {entry.wrong}"))
        keys = dict.fromkeys(entry.keys)
        if entries.refreshes(manifest):
            await asyncio.gather(*(self._trees.look(url) for url in {url for url, _ in keys}))
        trees: dict[SourceKey, Tree] = {}
        for key in keys:
            answer = await self._tree(key, anew=entries.refreshes(manifest))
            if isinstance(answer, Failed):
                problem = f"ComparisonError: {answer.reason}"
                return Outcome(entry, state._replace(problem=problem))
            trees[key] = answer.value
        project = await self._bounds.project(manifest)
        if project is not None and self._integrity.asks(project):
            try:
                wrong = await self._integrity.of(project, entry.sources, trees)
            except Unavailable as error:
                return entries.kept(entry, f"ComparisonError: {error.message}", again=True)
            if wrong:
                return entries.kept(entry, f"ComparisonError: {wrong}")
        return await self._render(entry, state, trees)

    async def _tree(self, key: SourceKey, *, anew: bool) -> Answer[Tree]:
        if anew or key not in self._found:
            self._found[key] = asyncio.create_task(self._trees.tree(*key))
        return await self._found[key]

    async def _render(self, entry: Entry, state: AppState, trees: dict[SourceKey, Tree]) -> Outcome:
        state = state._replace(problem="")
        commit = trees[entry.keys[0]].commit
        try:
            async with self._limit:
                parts = [(source, trees[key]) for source, key in zip(entry.sources, entry.keys, strict=True)]
                kube = functools.partial(self._kubes.ask, state.app, state.cluster)
                dish = await self._kitchen.prepare(entry.manifest, parts, kube)
            recipe = dish.digest
            origin = entries.origin(entry, [one.ingredient.tool for one in dish.prepared])
            entry.reads = reads.of(dish, entry.manifest, entry.keys, trees)
            if recipe == state.recipe and state.bundle:
                return Outcome(entry, state._replace(origin=origin))
            digest, problem, fresh = await self._cooking.cook(dish)
        except ArgosyError as error:
            problem = f"ComparisonError: {error.message}"
            # What was not to be had is asked for again in the next run; what is wrong stays so until it is changed.
            return Outcome(entry, state._replace(problem=problem), again=isinstance(error, Unavailable))
        if problem:
            state = state._replace(problem=f"ComparisonError: {problem}")
            return Outcome(entry, state, recipe)
        several = entries.commits(entry.sources, trees)
        state = state._replace(recipe=recipe, bundle=digest, revision=commit, sources=several, origin=origin)
        authors = {tree.commit: tree.author for tree in trees.values() if tree.author}
        return Outcome(entry, state, recipe, fresh, authors)
