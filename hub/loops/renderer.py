"""Applications x trees -> bundles (hop 3 of a change).

Works on what changed only: an Application that was written, a revision that moved, a destination that resolves to
another cluster. Of those, only an Application whose recipe differs is rendered, and equal recipes are rendered once.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from argosy.errors import ArgosyError, Invalid, Unavailable
from argosy.objects import Manifest
from hub.core import (
    destinations,
    operations,
    orphans,
    policy,
    releases,
)
from hub.core.destinations import Directory
from hub.core.served import table
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed
from hub.loops import detours, entries, reads
from hub.loops.bounds import Bounds, project_of
from hub.loops.claims import Claims, Wanted
from hub.loops.cooking import Cooking
from hub.loops.entries import Entry, Outcome, SourceKey
from hub.loops.integrity import Integrity
from hub.loops.kitchen import Kitchen
from hub.loops.kubes import Kubes
from hub.loops.outcomes import Writing
from hub.loops.trees import Trees
from hub.loops.world import World
from hub.store import apps, reports
from hub.store.apps import AppState
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources

FAIL_ON_SHARED = "FailOnSharedResource=true"
AT_ONCE = 8
ROUNDS = 3
"""Looks in one run at sources that move while it works; the next run goes on from there."""
TOGETHER = 1000
"""Applications whose renders become visible in one transaction, so that what moves between them is handed over."""

log = structlog.get_logger("renderer")


class Renderer:
    """`changed` is called after a run that changed what any cluster should have."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        world: World,
        trees: Trees,
        kitchen: Kitchen,
        changed: Callable[[], None],
        now: Callable[[], float] = time.time,
        integrity: Integrity | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._world = world
        self._trees = trees
        self._kitchen = kitchen
        self._changed = changed
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._members: dict[SourceKey, set[str]] = {}
        self._aimed: dict[str, set[str]] = {}
        """The Applications whose destinations name a cluster, or its server, so."""
        self._aims: dict[str, frozenset[str]] = {}
        self._seen: dict[SourceKey, tuple[str, bool]] = {}
        self._touched: dict[str, None] = {}
        self._confirmed: dict[SourceKey, str] = {}
        self._places = -1
        self._loaded = False
        self._found: dict[SourceKey, asyncio.Task[Answer[Tree]]] = {}
        """The trees of the batch under way: however many Applications use one, it is asked for once."""
        self._claims = Claims(store)
        self._bounds = Bounds(store, world)
        self._integrity = integrity or Integrity(trees.refs)
        self.kubes = Kubes(store)
        self._concerned: dict[str, None] = {}
        """Applications that others share objects with since their conditions were written."""
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._cooking = Cooking(store, kitchen, self._limit)
        self._writing = Writing(resources, kitchen, self._claims)

    @property
    def rendered(self) -> int:
        """Renders since the start: the cost of a change is counted here."""
        return self._cooking.rendered

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes of objects themselves; True where an Application itself or a project was written."""
        found = [
            change.uid
            for change in changes
            if change.resource == table.APPLICATION.resource and change.rv not in self._writing.versions
        ]
        self._writing.versions.difference_update(change.rv for change in changes)
        if moved := self._bounds.moved(changes):
            found += [uid for uid, entry in self._entries.items() if project_of(entry.manifest) in moved]
        self._touched.update(dict.fromkeys(found))
        return bool(found)

    def told(self, topic: str) -> None:
        """The agent of a cluster told something new of it: renders that asked for that are due."""
        self._touched.update(dict.fromkeys(self.kubes.asking(topic.partition(":")[2])))

    def again(self) -> None:
        """Looks at every Application again: what all renders depend on has changed."""
        self._touched.update(dict.fromkeys(self._entries))

    def using(self, concerns: Callable[[SourceKey], bool]) -> dict[str, Entry]:
        """By uid: the Applications of which a source is one that it `concerns`."""
        keys = [key for key in self._members if concerns(key)]
        return {uid: self._entries[uid] for key in keys for uid in self._members[key]}

    def governed_by(self, projects: Collection[str] | None) -> dict[str, Entry]:
        """By uid: the Applications of these projects; None: all."""
        return {
            uid: entry
            for uid, entry in self._entries.items()
            if projects is None or project_of(entry.manifest) in projects
        }

    def going_to(self, ids: Collection[str], places: Collection[str]) -> dict[str, Entry]:
        """By uid: the Applications on one of these clusters, or whose destination says one of `places` (name or server)."""

        def goes(entry: Entry) -> bool:
            destination = entry.manifest["spec"].get("destination") or {}
            there = entry.state is not None and entry.state.cluster in ids
            return there or destination.get("name") in places or destination.get("server") in places

        return {uid: entry for uid, entry in self._entries.items() if goes(entry)}

    def entry(self, uid: str) -> Entry | None:
        """An Application as the last run left it."""
        return self._entries.get(uid)

    async def run(self) -> None:
        if not self._loaded:
            await self._load()
        for _ in range(ROUNDS):
            due, self._touched = self._touched, {}
            try:
                await self._look(due)
            except BaseException:
                # A store that fails costs time and nothing else: what was due stays due until it is written.
                self._touched = {**due, **self._touched}
                self._writing.versions.clear()
                raise
            if not self._behind():
                return

    def _behind(self) -> bool:
        """Whether a source moved while the run was at work."""
        return any(self._seen.get(key) not in (None, self._trees.state(*key)) for key in self._members)

    async def _look(self, due: dict[str, None]) -> None:
        """Works on what is `due`, and first adds to it what has become so by itself."""
        directory = await self._world.directory()
        await self._reread(due)
        due.update(self._moved_destinations(directory))
        moved = [uid for uid in self._moved_sources() if uid not in due]
        due.update(dict.fromkeys(moved))
        same = await self._untouched(moved) if moved else set()
        for uid in same:
            del due[uid]
        known = [uid for uid in due if uid in self._entries]
        if known:
            await self._work(known, directory)
        if concerned := [uid for uid in self._concerned if uid in self._entries]:
            self._concerned.clear()
            await self._work(concerned, directory)
        if known or same:
            await self._confirm({key for uid in (*known, *same) for key in self._keys_of(uid)})

    # --- what is due ----------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        found, states = await self._store.read(
            lambda tx: (
                self._resources.list(tx, table.APPLICATION),
                {state.app: state for state in apps.every(tx)},
            )
        )
        for manifest in found:
            uid = manifest["metadata"]["uid"]
            self._enter(manifest, states.get(uid))
            self._touched[uid] = None
        await self._note_endings(self._touched)
        self._loaded = True

    async def _reread(self, touched: Iterable[str]) -> None:
        wanted = tuple(touched)

        found = await self._store.read(lambda tx: self._resources.by_uids(tx, wanted)) if wanted else {}
        for uid in wanted:
            manifest = found.get(uid)
            if manifest is None:
                self._leave(uid)
                self._concerned.update(dict.fromkeys(self._claims.leave(uid)))
            else:
                old = self._entries.get(uid)
                self._enter(manifest, old.state if old else None)
        await self._note_endings(wanted)

    async def _note_endings(self, looked_at: Iterable[str]) -> None:
        """Which syncs are to be ended: those that run now, of Applications that say so."""
        ending = [
            uid for uid in looked_at if uid in self._entries and entries.ends(self._entries[uid].manifest)
        ]
        if ending:
            tokens = await self._store.read(lambda tx: reports.tokens(tx, ending))
            for uid, token in tokens.items():
                self._entries[uid].ending = token

    def _enter(self, manifest: Manifest, state: AppState | None) -> None:
        uid = manifest["metadata"]["uid"]
        self._leave(uid)
        entry = self._entries[uid] = entries.of(manifest, state)
        for key in entry.keys:
            self._members.setdefault(key, set()).add(uid)
        self._aims[uid] = destinations.aimed_at(manifest["spec"].get("destination") or {})
        for place in self._aims[uid]:
            self._aimed.setdefault(place, set()).add(uid)

    def _leave(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is None:
            return
        self.kubes.leave(uid)
        for place in self._aims.pop(uid):
            self._aimed[place].discard(uid)
            if not self._aimed[place]:
                del self._aimed[place]
        for key in dict.fromkeys(entry.keys):
            members = self._members[key]
            members.discard(uid)
            if not members:
                del self._members[key]
                self._seen.pop(key, None)

    def _moved_destinations(self, directory: Directory) -> dict[str, None]:
        if self._world.places == self._places:
            return {}
        places, self._places = self._world.moved_places(max(self._places, 0)), self._world.places
        moved: dict[str, None] = {}
        for uid in sorted(set().union(*(self._aimed.get(place, ()) for place in places))):
            entry = self._entries[uid]
            try:
                cluster = destinations.resolve(entry.manifest["spec"].get("destination") or {}, directory).id
            except Invalid:
                cluster = ""
            if entry.state is None or entry.state.cluster != cluster:
                moved[uid] = None
        return moved

    def _keys_of(self, uid: str) -> list[SourceKey]:
        entry = self._entries.get(uid)
        return entry.keys if entry else []

    def _moved_sources(self) -> list[str]:
        due: list[str] = []
        for key, members in self._members.items():
            state = self._trees.state(*key)
            if key in self._seen and self._seen[key] != state:
                due += sorted(members)
            self._seen[key] = state
        return due

    # --- the work -------------------------------------------------------------------------------------------------

    async def _work(self, due: Sequence[str], directory: Directory) -> None:
        for start in range(0, len(due), TOGETHER):
            part = [self._entries[uid] for uid in due[start : start + TOGETHER] if uid in self._entries]
            self._found = {}
            outcomes = await asyncio.gather(*(self._guarded(entry, directory) for entry in part))
            await self._claim(outcomes)
            write = functools.partial(self._writing.write, outcomes=outcomes, now=self._now())
            wrote = await self._store.write(write)
            for outcome in outcomes:
                outcome.entry.state = outcome.state
                outcome.entry.manifest = outcome.live or outcome.entry.manifest
                if outcome.again:
                    self._touched[outcome.state.app] = None
            self._note_commits()
            if wrote:
                self._changed()

    def _note_commits(self) -> None:
        """Notes the commits of sources that were looked at for the first time. The others keep what the run began with:
        where they moved meanwhile, not everybody has seen it.
        """
        for key, task in self._found.items():
            if task.cancelled() or task.exception() is not None or self._seen.get(key, ("", True))[0]:
                continue
            answer = task.result()
            if not isinstance(answer, Failed):
                self._seen[key] = (answer.value.commit, isinstance(answer, Complete))

    async def _claim(self, outcomes: Sequence[Outcome]) -> None:
        """Compares what the Applications want with what others want; those who learn of something new are due."""
        claims = (
            Wanted(
                outcome.state.app,
                "" if outcome.state.deleting else outcome.state.cluster,
                outcome.state.bundle,
                outcome.fresh.keys if outcome.fresh else None,
                outcome.fresh.endings if outcome.fresh else frozenset(),
            )
            for outcome in outcomes
        )
        self._concerned.update(dict.fromkeys(await self._claims.take(claims)))
        for outcome in outcomes:
            self._concerned.pop(outcome.state.app, None)
            outcome.shared = self._claims.message(outcome.state.app, self._named)
            if outcome.shared and FAIL_ON_SHARED in releases.policy(outcome.state.policy).sync_options:
                outcome.refuse(f"ComparisonError: {FAIL_ON_SHARED}: {outcome.shared}")

    def _named(self, uid: str) -> str:
        metadata = self._entries[uid].manifest["metadata"] if uid in self._entries else {}
        return f"{metadata.get('namespace', '')}/{metadata.get('name', uid)}"

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
            told = orphans.told(told, await self._bounds.project(manifest))
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

    async def _untouched(self, moved: Iterable[str]) -> set[str]:
        """Of Applications whose sources moved, those that read nothing of what the new commits changed."""
        projects = await self._bounds.projects()
        signed = {name for name, project in projects.items() if self._integrity.asks(project)}
        known = {
            uid: entry
            for uid in moved
            if (entry := self._entries.get(uid)) is not None
            and entry.reads is not None
            and entry.sound
            and project_of(entry.manifest) not in signed
        }
        keys = {key for entry in known.values() for key in entry.keys}
        answers = dict(
            zip(keys, await asyncio.gather(*(self._trees.tree(*key) for key in keys)), strict=True)
        )
        trees = {key: answer.value for key, answer in answers.items() if not isinstance(answer, Failed)}

        def look() -> set[str]:
            ids: dict[tuple[SourceKey, str], str | None] = {}
            return {uid for uid, entry in known.items() if entry.reads and entry.reads.same(trees, ids)}

        return await asyncio.to_thread(look)

    async def _render(self, entry: Entry, state: AppState, trees: dict[SourceKey, Tree]) -> Outcome:
        state = state._replace(problem="")
        commit = trees[entry.keys[0]].commit
        try:
            async with self._limit:
                parts = [(source, trees[key]) for source, key in zip(entry.sources, entry.keys, strict=True)]
                kube = functools.partial(self.kubes.ask, state.app, state.cluster)
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

    async def _confirm(self, looked_at: Iterable[SourceKey]) -> None:
        """Notes which commits the renders are right for: one row for each moved source, however many apps share it."""
        moved = []
        for key in looked_at:
            commit = self._seen.get(key, ("", True))[0]
            if commit and self._confirmed.get(key) != commit:
                moved.append((key, commit))
        if not moved:
            return

        def write(tx: Tx) -> None:
            for (repo, target), commit in moved:
                if apps.confirm(tx, repo, target, commit):
                    for uid in sorted(self._members.get((repo, target), ())):
                        self._tell(tx, uid)

        await self._store.write(write)
        self._confirmed.update(moved)

    def _tell(self, tx: Tx, uid: str) -> None:
        metadata = self._entries[uid].manifest["metadata"]
        where = (table.APPLICATION.resource, metadata["namespace"], metadata["name"], uid)
        tx.emit(Change(tx.next_rv(), "MODIFIED", *where, composed=True))
