"""Answers what a change would do: evaluates, renders and compares as the loops do, and writes nothing.

The cost follows the change: only sets that it may concern are evaluated, only applications whose recipe differs are
rendered, and of those no more than the question allows.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import differences
from argosy.errors import Forbidden, NotFound
from argosy.objects import Manifest
from hub.core.appsets import generated, increment
from hub.core.appsets.expand import Evaluation
from hub.core.fleet import Fleet, Move
from hub.core.plans import change as changes
from hub.core.plans import compare, model
from hub.core.plans.change import Change
from hub.core.plans.compare import Pair, SetOutcome
from hub.core.plans.model import AppPlan, Plan, Written
from hub.core.removals import handover
from hub.core.served import table
from hub.core.settings import Settings
from hub.core.types import NAMESPACE, ClusterFacts
from hub.loops.appsets.asking import Fetcher, Provide, as_asked
from hub.loops.appsets.evaluating import evaluator_of, project_of
from hub.loops.appsets.world import World
from hub.loops.expander import Expander
from hub.loops.renderer import Renderer
from hub.loops.repos.integrity import ALL_MADE, Integrity
from hub.loops.repos.trees import TreeOf, Trees
from hub.planning import governing, impact, scenes, waits, writing
from hub.planning.concerned import Concerned, uids
from hub.planning.dishes import Dishes
from hub.planning.governing import Governed
from hub.planning.impact import Ask
from hub.planning.scenes import Asked, Scene
from hub.planning.trees import Merger, PlannedTrees, placed
from hub.store.base import Store, Tx
from hub.store.resources import Resources

AT_ONCE = 4
"""Sets evaluated at one time for one plan."""
SECONDS = 45.0
"""After which nothing more is rendered: what is left is counted, not shown."""
KEPT = 64
"""Questions that can still be executed by their plan's digest alone."""


@dataclass(frozen=True)
class Parts:
    """What a planner shares with the loops."""

    store: Store
    resources: Resources
    world: World
    trees: Trees
    merger: Merger
    provide: Provide
    expander: Expander
    renderer: Renderer
    integrity: Integrity
    dishes: Callable[[PlannedTrees, Governed], Dishes]
    """Makes what renders with the trees of one plan, under what would govern it."""
    settings: Callable[[], Settings]
    """Those of `argocd-cm` as they are."""
    ask: Ask
    now: Callable[[], float]


class Planner:
    """One for a hub. Questions are independent of each other; at most two are worked on at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Semaphore(2)
        self._known: OrderedDict[str, Any] = OrderedDict()

    async def plan(self, spec: Any, *, only: str = "", writer: bool = True) -> Plan:
        """The answer to a question (`hub.core.plans.change`). `only` is the set that is asked about, "" for all. Who may not
        write what he asks about (`writer`) has no hosting service or plugin asked what no set asks it: it would be shown
        Secrets, wherever it is; nor are clusters shown what he made up.

        Raises `Invalid` for a question that makes no sense, and our other errors.
        """
        change = await placed(self._parts.trees, await asyncio.to_thread(changes.parse, spec))
        if change.patience and not writer:
            raise Forbidden("spec.dryRun: clusters are asked for those who may write what they ask about")
        async with self._turn:
            plan = await _Work(self._parts, change, only, writer=writer).plan()
        if not change.folders:
            # Folders are large, and what is not in Git is not executed.
            self._known[await asyncio.to_thread(lambda: plan.digest)] = spec
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return plan

    def asked(self, digest: str) -> Any:
        """The question whose answer had that digest lately, None where it is not known any more."""
        return self._known.get(digest)


class _Work:
    """One plan in the making."""

    def __init__(self, parts: Parts, change: Change, only: str, *, writer: bool) -> None:
        self._parts = parts
        self._change = change
        self._only = only
        self._provide = parts.provide if writer else as_asked(parts.provide, parts.expander.asked)
        self._trees = PlannedTrees(parts.trees, parts.merger, change)
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._fleet = Fleet()
        self._moves: list[Move] = []
        self._governed = governing.NOTHING
        self._ends = time.monotonic() + SECONDS

    async def plan(self) -> Plan:
        parts, change = self._parts, self._change
        before = await parts.world.clusters()
        self._moves = changes.moves(change, {cluster.name: cluster for cluster in before})
        # A fleet of its own, since the memory of parameters is shared between a fleet and those made of it.
        self._fleet = Fleet(_after(before, self._moves)) if self._moves else before
        asked, lone, written = await self._asked()
        governed = self._governed
        asked, outcomes, scene = await self._outcomes(asked)
        pairs = [*lone, *(pair for outcome, _ in outcomes for pair in outcome.pairs)]
        dishes = parts.dishes(self._trees, governed)
        concerned = Concerned(parts.renderer.known, self._trees, self._moves, governed, self._only)
        displaced = concerned.displaced(pairs)
        subjects = concerned.subjects(uids(pair for pair in (*pairs, *displaced) if pair.changed))
        displaced = [
            *displaced,
            *(pair for pair in subjects if pair.key not in {one.key for one in displaced}),
        ]
        changing = uids(pair for pair in pairs if pair.changed) | uids(displaced)
        moved = concerned.moved(changing) if change.repositories else []
        leaving = {
            move.old.id: move.old.name for move in self._moves if move.old is not None and move.new is None
        }
        apps = await dishes.compared(
            pairs,
            moved,
            displaced,
            self._fleet,
            leaving=leaving,
            renders=change.renders,
            ends=self._ends,
        )
        rules = await parts.store.read(
            lambda tx: waits.rules(
                tx, parts.resources, self._sets(tx, asked, apps), governed.projects, parts.now()
            )
        )
        clusters = {cluster.name: cluster for cluster in (*before, *self._fleet)}
        apps = waits.held(apps, [*pairs, *moved, *displaced], clusters, rules)
        if change.patience:
            apps = await impact.measured(
                apps, dishes.made, parts.ask, parts.store, seconds=change.patience, now=parts.now()
            )
        fresh, standing = _problems(outcomes)
        return Plan(
            asked=change.digest,
            written=(*written, *_clusters(self._moves)),
            apps=model.in_order(apps),
            removals=scene.going(outcome for outcome, _ in outcomes),
            problems=(*_owned(lone), *governed.problems, *fresh),
            standing=tuple(standing),
            remarks=governing.told(governed, len(subjects), len(_touched(subjects, apps))),
            commits=tuple(sorted((*key, commit) for key, commit in self._trees.commits.items())),
            sets=len(asked),
            renders=dishes.rendered,
        )

    # --- what is concerned ----------------------------------------------------------------------------------------

    async def _asked(self) -> tuple[list[Asked], list[Pair], list[Written]]:
        """(the sets to be evaluated, lone applications that change, what would be written itself)."""
        parts = self._parts
        imagined = await parts.store.read(
            lambda tx: writing.objects(tx, parts.resources, self._change, parts.now(), dry_run=True)
        )
        sets: dict[tuple[str, str], Asked] = {}
        lone: list[Pair] = []
        rules: list[tuple[Manifest | None, Manifest | None]] = []
        written: list[Written] = []
        for live, wanted in imagined:
            found = wanted or live
            assert found is not None
            if said := _written(live, wanted):
                written.append(said)
            if found["kind"] == "ApplicationSet":
                sets[_place(found)] = Asked(live, wanted)
            elif found["kind"] in model.GOVERNING:
                rules.append((live, wanted))
            else:
                lone.append(Pair("", live, wanted))
        if rules:
            projects = await parts.world.listed(table.APP_PROJECT, NAMESPACE)
            self._governed = governing.of(rules, parts.settings(), projects)
        for appset in await self._parts.world.listed(table.APPLICATION_SET, NAMESPACE):
            name = appset["metadata"]["name"]
            if _place(appset) not in sets and (name == self._only if self._only else self._concerned(appset)):
                sets[_place(appset)] = Asked(appset, appset)
        if self._only and not any(name == self._only for _, name in sets):
            raise NotFound(f'applicationsets.argoproj.io "{self._only}" not found')
        return [sets[place] for place in sorted(sets)], lone, written

    def _concerned(self, appset: Manifest) -> bool:
        if appset["metadata"].get("deletionTimestamp"):
            return False
        if project_of(appset) in self._governed.projects:
            # Its generators may have to read signed repositories alone, or need not any more.
            return True
        if not self._moves and not self._change.repositories:
            return False
        inputs = self._parts.expander.looked_at(appset["metadata"]["uid"])
        if inputs is None or any(increment.concerns(inputs, move) for move in self._moves):
            return True
        return any(self._trees.concerns(request.repo_url) for request in inputs.trees)

    def _sets(self, tx: Tx, asked: Iterable[Asked], apps: Iterable[AppPlan]) -> list[Manifest]:
        """The sets of the applications that change, as they would be."""
        found = {one.manifest["metadata"]["name"]: one.manifest for one in asked}
        for name in {app.appset for app in apps if app.appset} - found.keys():
            if (appset := self._parts.resources.get(tx, table.APPLICATION_SET, NAMESPACE, name)) is not None:
                found[name] = appset
        return list(found.values())

    # --- sets -----------------------------------------------------------------------------------------------------

    async def _outcomes(
        self, asked: Sequence[Asked]
    ) -> tuple[list[Asked], list[tuple[SetOutcome, frozenset[str]]], Scene]:
        """(the sets that matter, of each what it would do and the problems that it has already, what they have). Sets
        matter, too, that have what others would want: they may let it go."""
        due, found = list(asked), list[Evaluation]()
        while True:
            found += await asyncio.gather(*(self._as_planned(one) for one in due[len(found) :]))
            evaluations = list(zip(due, found, strict=True))
            ask = functools.partial(
                scenes.of,
                resources=self._parts.resources,
                evaluations=evaluations,
                now=self._parts.now(),
            )
            scene = await self._parts.store.read(ask)
            known = {one.uid for one in due}
            holders = {uid for names in scene.hands.foreign.values() for uid in names.values()} - known
            listed = await self._parts.world.listed(table.APPLICATION_SET, NAMESPACE)
            more = [one for one in listed if one["metadata"]["uid"] in holders and not handover.free(one)]
            if not more:
                break
            due += [Asked(appset, appset) for appset in more]
        outcomes = await asyncio.gather(*(self._outcome(one, made, scene) for one, made in evaluations))
        return due, list(outcomes), scene

    async def _as_planned(self, one: Asked) -> Evaluation:
        if one.wanted is None:
            return Evaluation()
        async with self._limit:
            return await self._evaluate(one.manifest, self._fleet, planned=True)

    async def _outcome(
        self, one: Asked, evaluation: Evaluation, scene: Scene
    ) -> tuple[SetOutcome, frozenset[str]]:
        """(what the set would do, the problems that it has already)."""
        name = one.manifest["metadata"]["name"]
        hands, owned = scene.hands, scene.owned[name]
        givers, foreign = hands.taken.get(name, {}), hands.foreign.get(name, {})
        given = hands.given.get(name, ())
        existing = {app: live for app, live in owned.items() if app not in given}
        existing |= {app: scene.lives[app] for app in givers}
        outcome = compare.of_set(
            one.manifest,
            evaluation,
            existing,
            foreign,
            givers=givers,
            deleting=one.wanted is None,
            limits=scene.limits,
            absent=scene.lost(name).absent,
            lately=scene.before(name).own,
        )
        standing: frozenset[str] = frozenset()
        if outcome.problems and one.live is not None:
            async with self._limit:
                before = await self._evaluate(one.live, await self._parts.world.clusters(), planned=False)
            standing = frozenset(compare.of_set(one.live, before, owned, foreign).problems)
        return outcome, standing

    async def _evaluate(self, appset: Manifest, fleet: Fleet, *, planned: bool) -> Evaluation:
        """`planned`: with repositories and projects as they would be."""
        parts, name = self._parts, project_of(appset)
        projects = {
            item["metadata"]["name"]: item for item in await parts.world.listed(table.APP_PROJECT, NAMESPACE)
        }
        tree: TreeOf = self._trees.tree if planned else parts.trees.tree
        project = self._governed.projects.get(name, projects.get(name)) if planned else projects.get(name)
        unmade = self._trees.unmade if planned else ALL_MADE
        fetcher = Fetcher(parts.world, parts.integrity.guarded(project, tree, unmade), self._provide)
        return await fetcher.evaluated(evaluator_of(appset), fleet)


def _touched(subjects: Iterable[Pair], apps: Iterable[AppPlan]) -> set[tuple[str, str]]:
    return {pair.key for pair in subjects} & {(app.namespace, app.name) for app in apps}


def _problems(outcomes: Iterable[tuple[SetOutcome, frozenset[str]]]) -> tuple[list[str], list[str]]:
    """(what the change brings, what its sets complain of without it)."""
    found = [(text, text in before) for outcome, before in outcomes for text in outcome.problems]
    return [text for text, stood in found if not stood], [text for text, stood in found if stood]


def _owned(lone: Iterable[Pair]) -> list[str]:
    """Edits of applications that would not last, since a set writes them."""
    return [
        f"application {pair.name}: ApplicationSet {owner} writes it and would set it right: edit the set"
        for pair in lone
        if pair.live is not None and pair.changed and (owner := generated.set_of(pair.live))
    ]


def _after(before: Fleet, moves: Iterable[Move]) -> list[ClusterFacts]:
    found = {cluster.name: cluster for cluster in before}
    for move in moves:
        if move.new is not None:
            found[move.new.name] = move.new
        elif move.old is not None:
            found.pop(move.old.name, None)
    return list(found.values())


def _place(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace") or NAMESPACE, metadata["name"]


def _written(live: Manifest | None, wanted: Manifest | None) -> Written | None:
    found = wanted or live
    assert found is not None
    kind, name = found["kind"], found["metadata"]["name"]
    if live is None or wanted is None:
        return Written(kind, name, differences.ADDED if live is None else differences.REMOVED)
    difference = differences.between(compare.content(live), compare.content(wanted))
    return Written(kind, name, differences.CHANGED, difference) if difference.fields else None


def _clusters(moves: Iterable[Move]) -> list[Written]:
    found = []
    for move in moves:
        place = move.new or move.old
        assert place is not None
        if move.old is None or move.new is None:
            found.append(
                Written("Cluster", place.name, differences.ADDED if move.old is None else differences.REMOVED)
            )
            continue
        difference = differences.between({"labels": dict(move.old.labels)}, {"labels": dict(move.new.labels)})
        if difference.fields:
            found.append(Written("Cluster", place.name, differences.CHANGED, difference))
    return found
