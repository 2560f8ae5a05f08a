"""Renders what a plan needs and says what differs from what the clusters are assigned."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy import bundle, differences
from argosy.differences import ObjectChange
from argosy.errors import ArgosyError, Invalid, Unavailable
from argosy.objects import Manifest
from hub.core import repos
from hub.core.apps import destinations, hooks, sources
from hub.core.apps.destinations import Directory
from hub.core.apps.sources import Source
from hub.core.fleet import Fleet
from hub.core.plans import compare
from hub.core.plans.compare import Pair
from hub.core.plans.model import AppPlan, Hold
from hub.core.tree import Tree
from hub.core.types import ClusterFacts, Failed
from hub.loops.apps import kitchen
from hub.loops.apps.bounds import Bounds, project_of
from hub.loops.apps.entries import Entry
from hub.loops.apps.kitchen import Dish, Kitchen
from hub.loops.apps.reads import SourceKey
from hub.loops.renderer import Renderer
from hub.loops.repos.integrity import Integrity
from hub.planning.governing import NOTHING, Governed
from hub.planning.heirs import Had, Heirs, Made
from hub.planning.trees import PlannedTrees
from hub.store import bundles, recipes
from hub.store.apps import AppState
from hub.store.base import Store, Tx

AT_ONCE = 4
"""Applications prepared or rendered at one time for one plan."""


@dataclass(frozen=True)
class _Rendered:
    """What an application would be: its recipe, the commit, its objects (None: not looked at), or what is wrong."""

    recipe: str = ""
    revision: str = ""
    objects: Sequence[Manifest] | None = None
    problem: str = ""
    account: str = ""
    holds: tuple[Hold, ...] = ()
    """What it would wait for that its sources alone tell."""


@dataclass(frozen=True)
class _Scene:
    """What all applications of one plan are looked at with."""

    directory: Directory
    ends: float
    leaving: Mapping[str, str] = field(default_factory=dict)
    """Clusters that leave: id -> name."""


class Dishes:
    """For one plan. `trees` answers for its repositories as they would be, `governed` says which projects and settings would
    be others; `rendered` counts renders.
    """

    def __init__(
        self,
        store: Store,
        kitchen: Kitchen,
        renderer: Renderer,
        bounds: Bounds,
        integrity: Integrity,
        trees: PlannedTrees,
        governed: Governed = NOTHING,
    ) -> None:
        self._store = store
        self._kitchen = kitchen.under(governed.settings)
        self._renderer = renderer
        self._bounds = bounds.under(governed.projects)
        self._integrity = integrity
        self._governed = governed.anything
        self._trees = trees
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._left = 0
        self.rendered = 0
        self.made: dict[tuple[str, str], Made] = {}
        """What was rendered or found of applications that change, by namespace and name."""
        self._had: dict[tuple[str, str], Had] = {}

    async def compared(
        self,
        pairs: Iterable[Pair],
        moved: Sequence[Pair],
        displaced: Sequence[Pair],
        fleet: Fleet,
        *,
        leaving: Mapping[str, str],
        renders: int,
        ends: float,
    ) -> list[AppPlan]:
        """What becomes of the applications; those that stay as they are in every way are left out.

        `moved` have sources that moved, `displaced` name a cluster that comes or goes, or are governed otherwise.
        `leaving` are the clusters that leave, id -> name. `renders` bounds the renders, `ends` (monotonic seconds) their time.
        """
        self._left = renders
        scene = _Scene(Directory(fleet), ends, leaving)
        due = [*(pair for pair in pairs if pair.changed), *displaced, *await self._touched(moved)]
        found = await asyncio.gather(*(self._guarded(pair, scene) for pair in due))
        plans = [app for app in found if app is not None]
        return await Heirs(plans, self._had, self.made, self._renderer.holders, self._bundle).marked()

    async def _touched(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Without those that read nothing of what moved, and whose project does not ask who made it."""
        entries = [(pair, self._entry(pair)) for pair in pairs]
        keys = {key for _, entry in entries if entry for key in _keys(entry.sources)}
        answers = {key: await self._trees.tree(*key) for key in keys}
        trees = {key: answer.value for key, answer in answers.items() if not isinstance(answer, Failed)}
        of_project = {project_of(pair.manifest): pair.manifest for pair in pairs}
        signed = {
            name for name, app in of_project.items() if self._integrity.asks(await self._bounds.project(app))
        }
        ids: dict[tuple[SourceKey, str], str | None] = {}

        def same(pair: Pair, entry: Entry) -> bool:
            read = entry.sound and entry.reads is not None and project_of(pair.manifest) not in signed
            return read and entry.reads is not None and entry.reads.same(trees, ids)

        return await asyncio.to_thread(
            lambda: [pair for pair, entry in entries if entry is None or not same(pair, entry)]
        )

    def _entry(self, pair: Pair) -> Entry | None:
        return self._renderer.known.get(pair.live["metadata"]["uid"]) if pair.live is not None else None

    async def _guarded(self, pair: Pair, scene: _Scene) -> AppPlan | None:
        async with self._limit:
            return await (self._leaving(pair, scene) if pair.wanted is None else self._one(pair, scene))

    async def _leaving(self, pair: Pair, scene: _Scene) -> AppPlan:
        assert pair.live is not None
        entry = self._entry(pair)
        state = entry.state if entry else None
        self._note(pair, state)
        cascade = hooks.CASCADE in (pair.live["metadata"].get("finalizers") or ())
        kept = "" if cascade else "the Application has no resources-finalizer: its objects stay"
        left = scene.leaving.get(state.cluster) if state else None
        if left is not None:
            kept = "its cluster leaves: the agent lets go of it, it stays"
        old = await self._bundle(state.bundle if state else "")
        return AppPlan(
            pair.namespace,
            pair.name,
            pair.appset,
            left or _cluster_name(pair.live, scene.directory),
            differences.REMOVED,
            objects=await _compared(old, (), kept),
            before=state.recipe if state else "",
        )

    async def _one(self, pair: Pair, scene: _Scene) -> AppPlan | None:
        assert pair.wanted is not None
        app, entry = pair.wanted, self._entry(pair)
        state = entry.state if entry else None
        self._note(pair, state)
        plan = AppPlan(
            pair.namespace,
            pair.name,
            pair.appset,
            _cluster_name(app, scene.directory),
            differences.ADDED if pair.live is None else differences.CHANGED,
            fields=compare.described(pair),
            before=state.recipe if state else "",
            taken_from=pair.giver,
        )
        try:
            cluster = destinations.resolve(app["spec"].get("destination") or {}, scene.directory)
            rendered = await self._render(app, cluster, entry, scene)
        except ArgosyError as error:
            rendered = _Rendered(problem=error.message)
        if rendered.problem:
            stood = bool(state and state.problem.endswith(rendered.problem))
            return None if stood and not pair.changed else replace(plan, problem=rendered.problem)
        moved = pair.live is not None and state is not None and state.cluster not in ("", cluster.id)
        same = state is not None and rendered.recipe == state.recipe and not moved
        if self._governed and state is not None and state.problem:
            plan = replace(plan, mended=state.problem)
        if same and not plan.fields.fields and not plan.mended:
            if not pair.giver:
                return None
            plan = replace(plan, change=differences.HANDED_OVER)
        plan = replace(plan, after=rendered.recipe, revision=rendered.revision, holds=rendered.holds)
        if moved and pair.live is not None:
            plan = replace(plan, moved_from=_cluster_name(pair.live, scene.directory))
        if same:
            return plan
        if rendered.objects is None:
            return replace(plan, shown=False)
        uid = (
            pair.live["metadata"]["uid"] if pair.live is not None else f"planned:{pair.namespace}/{pair.name}"
        )
        made = Made(uid, cluster.id, rendered.account, app, rendered.objects)
        return await self._with_objects(
            plan, pair, made, "" if moved or state is None else state.bundle, moved=moved
        )

    async def _with_objects(
        self, plan: AppPlan, pair: Pair, made: Made, before: str, *, moved: bool
    ) -> AppPlan | None:
        """The plan with what would change of the objects, of which the cluster has the bundle `before`. None where nothing
        changes at all.
        """
        old = await self._bundle(before)
        objects = await _compared(old, made.objects, _kept(made.manifest))
        told = bool(plan.fields.fields or plan.mended or plan.taken_from)
        if not objects and not told and not moved and pair.live is not None:
            # Another recipe for the same objects changes nothing.
            return None
        self.made[pair.namespace, pair.name] = made
        return replace(plan, objects=objects, had=len(old))

    async def _render(
        self, app: Manifest, cluster: ClusterFacts, entry: Entry | None, scene: _Scene
    ) -> _Rendered:
        """Raises our errors."""
        found = sources.of(app)
        if refused := await self._bounds.of_app(app, found, cluster):
            return _Rendered(problem=refused)
        account, wrong = await self._bounds.account(app, cluster, self._kitchen.settings.impersonation)
        if wrong:
            return _Rendered(problem=wrong)
        trees: dict[SourceKey, Tree] = {}
        for key in dict.fromkeys(_keys(found)):
            answer = await self._trees.tree(*key)
            if isinstance(answer, Failed):
                raise Unavailable(answer.reason)
            trees[key] = answer.value
        refused, holds = await self._signed(app, found, trees)
        if refused:
            return _Rendered(problem=refused)
        parts = [(source, trees[key]) for source, key in zip(found, _keys(found), strict=True)]
        dish = await self._kitchen.prepare(app, parts, functools.partial(self._renderer.kubes.of, cluster.id))
        revision = trees[_keys(found)[0]].commit
        state = entry.state if entry else None
        if state is not None and state.recipe == dish.digest and state.bundle:
            if self._governed and (
                refused := await self._bounds.of_objects(app, cluster, state.bundle, None)
            ):
                return _Rendered(problem=refused)
            old = await self._bundle(state.bundle) if state.cluster != cluster.id else ()
            return _Rendered(dish.digest, revision, old, account=account, holds=holds)
        objects = await self._cooked(dish, scene)
        if objects is not None:
            fresh = await kitchen.pack(list(objects))
            refused = await self._bounds.of_objects(app, cluster, fresh.digest, fresh)
            if refused:
                return _Rendered(problem=refused)
        return _Rendered(dish.digest, revision, objects, account=account, holds=holds)

    async def _signed(
        self, app: Manifest, found: Sequence[Source], trees: dict[SourceKey, Tree]
    ) -> tuple[str, tuple[Hold, ...]]:
        """(why the project does not take the sources as they would be, what would have to be signed yet)."""
        project = await self._bounds.project(app)
        if project is None or not self._integrity.asks(project):
            return "", ()
        unmade = self._trees.unmade
        refused = await self._integrity.of(project, found, trees, unmade)
        awaited = dict.fromkeys(self._integrity.awaited(project, found, unmade))
        return refused, tuple(
            Hold(
                "Signature",
                f"{repos.redacted(repo)}: project {project_of(app)} wants it signed, and this is no commit yet: the one "
                "that brings it has to be",
            )
            for repo in awaited
        )

    async def _cooked(self, dish: Dish, scene: _Scene) -> Sequence[Manifest] | None:
        """The objects of a recipe; None where there are too many renders already. Raises `Invalid`, `Unavailable`."""
        known = await self._store.read(lambda tx: _known(tx, dish.digest))
        if known is not None:
            digest, blob, problem = known
            if problem:
                raise Invalid(problem)
            return await asyncio.to_thread(bundle.unpack, blob, digest)
        if self._left <= 0 or time.monotonic() > scene.ends:
            return None
        self._left -= 1
        self.rendered += 1
        return await self._kitchen.cook(dish)

    def _note(self, pair: Pair, state: AppState | None) -> None:
        if pair.live is not None and state is not None:
            self._had[pair.key] = Had(pair.live["metadata"]["uid"], state.cluster, state.bundle)

    async def _bundle(self, digest: str) -> Sequence[Manifest]:
        """What a bundle holds; nothing where it is not there any more."""
        blob = await self._store.read(lambda tx: bundles.get(tx, digest)) if digest else None
        return await asyncio.to_thread(bundle.unpack, blob, digest) if blob is not None else ()


async def _compared(old: Sequence[Manifest], new: Sequence[Manifest], kept: str) -> tuple[ObjectChange, ...]:
    """In a thread where there are many objects."""
    if len(old) + len(new) <= kitchen.FEW:
        return differences.of_bundles(old, new, kept=kept)
    return await asyncio.to_thread(functools.partial(differences.of_bundles, old, new, kept=kept))


def _known(tx: Tx, recipe: str) -> tuple[str, bytes, str] | None:
    """(digest, bundle, problem) of a recipe that was rendered before."""
    found = recipes.find(tx, recipe)
    if found is None:
        return None
    digest, problem = found
    blob = bundles.get(tx, digest) if digest else b""
    return (digest, blob, problem) if blob is not None else None


def _keys(found: Sequence[Source]) -> list[SourceKey]:
    return [(source.address, source.target) for source in found]


def _kept(app: Manifest) -> str:
    """Why an object that leaves the source stays in the cluster, "" where it is deleted."""
    automated = (app["spec"].get("syncPolicy") or {}).get("automated") or {}
    return "" if automated.get("prune") else "prune is off: it stays until somebody syncs with prune"


def _cluster_name(app: Manifest, directory: Directory) -> str:
    destination = app["spec"].get("destination") or {}
    try:
        return destinations.resolve(destination, directory).name
    except Invalid:
        return str(destination.get("name") or destination.get("server") or "")
