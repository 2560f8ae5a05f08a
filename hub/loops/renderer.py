"""Applications x trees -> bundles (hop 3 of a change).

Works on what changed only: an Application that was written, a revision that moved, a destination that resolves to
another cluster. Of those, only an Application whose recipe differs is rendered, and equal recipes are rendered once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from argosy import bundle as bundle_format
from argosy import objects as manifests
from argosy.errors import ArgosyError, Invalid, Unavailable
from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest
from hub.core import (
    conditions,
    destinations,
    generated,
    hooks,
    operations,
    owners,
    policy,
    releases,
    sources,
)
from hub.core.destinations import Directory
from hub.core.served import table
from hub.core.sources import Source
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed
from hub.loops import kitchen, reads
from hub.loops.bounds import Bounds, project_of
from hub.loops.claims import Claims, Wanted
from hub.loops.kitchen import Dish, Kitchen, Packed
from hub.loops.reads import Reads
from hub.loops.trees import Trees
from hub.loops.world import World
from hub.render.base import Kube
from hub.store import agents, apps, bundles, objects, recipes, reports
from hub.store.apps import AppState
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources

MANAGER = "argosy-renderer"
FAIL_ON_SHARED = "FailOnSharedResource=true"
REFRESH = "argocd.argoproj.io/refresh"
AT_ONCE = 8
ROUNDS = 3
"""Looks in one run at sources that move while it works; the next run goes on from there."""
TOGETHER = 1000
"""Applications whose renders become visible in one transaction, so that what moves between them is handed over."""

log = structlog.get_logger("renderer")

SourceKey = tuple[str, str]
"""(repository address, target revision)."""


@dataclass
class Entry:
    """One Application as this loop knows it. `wrong` says why its sources cannot be used, "" where they can."""

    manifest: Manifest
    sources: tuple[Source, ...]
    wrong: str
    state: AppState | None
    reads: Reads | None = None
    """What its last render read, where that can be told from its sources' trees alone."""
    ending: str = ""
    """The running sync that a user wants ended, "" where there is none."""

    @property
    def sound(self) -> bool:
        """True where what was rendered last is what is wanted, with nothing to complain of."""
        state = self.state
        return (
            state is not None and bool(state.bundle) and not state.problem and state.recipe == self.rendered
        )

    @property
    def rendered(self) -> str:
        return self.reads.recipe if self.reads else ""


@dataclass
class _Outcome:
    """What one look at an Application gave: its new state, and a bundle that was not there before."""

    entry: Entry
    state: AppState
    recipe: str = ""
    fresh: Packed | None = None
    live: Manifest | None = None
    """The Application as this run wrote it."""
    shared: str = ""
    """Which of its objects other Applications want too, in words."""
    again: bool = False
    """True where something could not be had that may be there in the next run."""
    refused: str = ""
    """Why the sync that was asked for is not begun."""

    def refuse(self, problem: str) -> None:
        """Keeps what was there before, whatever was rendered now."""
        old = self.entry.state
        self.recipe = ""
        self.state = self.state._replace(
            recipe=old.recipe if old else "",
            bundle=old.bundle if old else "",
            revision=old.revision if old else "",
            problem=problem,
        )


@dataclass
class _Cook:
    """One render under way that several Applications may wait for."""

    done: asyncio.Future[tuple[str, str, Packed | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


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
        self._seen: dict[SourceKey, tuple[str, bool]] = {}
        self._touched: dict[str, None] = {}
        self._confirmed: dict[SourceKey, str] = {}
        self._written: set[int] = set()
        """Versions of our own writes: what we wrote ourselves is no news."""
        self._places = -1
        self._loaded = False
        self._cooking: dict[str, _Cook] = {}
        self._wanted: dict[str, asyncio.Future[tuple[str, str] | None]] = {}
        """Recipes to be looked for in the store."""
        self._reading: list[asyncio.Task[None]] = []
        self._found: dict[SourceKey, asyncio.Task[Answer[Tree]]] = {}
        """The trees of the batch under way: however many Applications use one, it is asked for once."""
        self._claims = Claims(store)
        self._bounds = Bounds(store, world)
        self._concerned: dict[str, None] = {}
        """Applications that others share objects with since their conditions were written."""
        self._limit = asyncio.Semaphore(AT_ONCE)
        self.rendered = 0
        """Renders since the start: the cost of a change is counted here."""

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes; True where an Application itself or a project was written."""
        found = [
            change.uid
            for change in changes
            if change.resource == table.APPLICATION.resource
            and not change.composed
            and change.rv not in self._written
        ]
        self._written.difference_update(change.rv for change in changes)
        if moved := self._bounds.moved(changes):
            found += [uid for uid, entry in self._entries.items() if project_of(entry.manifest) in moved]
        self._touched.update(dict.fromkeys(found))
        return bool(found)

    def again(self) -> None:
        """Looks at every Application again: what all renders depend on has changed."""
        self._touched.update(dict.fromkeys(self._entries))

    def using(self, concerns: Callable[[SourceKey], bool]) -> dict[str, Entry]:
        """By uid: the Applications of which a source is one that it `concerns`."""
        keys = [key for key in self._members if concerns(key)]
        return {uid: self._entries[uid] for key in keys for uid in self._members[key]}

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
                self._written.clear()
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
        ending = [uid for uid in looked_at if uid in self._entries and _ends(self._entries[uid].manifest)]
        if ending:
            tokens = await self._store.read(lambda tx: reports.tokens(tx, ending))
            for uid, token in tokens.items():
                self._entries[uid].ending = token

    def _enter(self, manifest: Manifest, state: AppState | None) -> None:
        uid = manifest["metadata"]["uid"]
        self._leave(uid)
        found, wrong = _sources(manifest)
        self._entries[uid] = Entry(manifest, found, wrong or _misspelt(manifest), state)
        for key in _keys(found):
            self._members.setdefault(key, set()).add(uid)

    def _leave(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        for key in dict.fromkeys(_keys(entry.sources if entry else ())):
            members = self._members[key]
            members.discard(uid)
            if not members:
                del self._members[key]
                self._seen.pop(key, None)

    def _moved_destinations(self, directory: Directory) -> dict[str, None]:
        if self._world.places == self._places:
            return {}
        self._places = self._world.places
        moved: dict[str, None] = {}
        for uid, entry in self._entries.items():
            try:
                cluster = destinations.resolve(entry.manifest["spec"].get("destination") or {}, directory).id
            except Invalid:
                cluster = ""
            if entry.state is None or entry.state.cluster != cluster:
                moved[uid] = None
        return moved

    def _keys_of(self, uid: str) -> list[SourceKey]:
        entry = self._entries.get(uid)
        return _keys(entry.sources) if entry else []

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
            wrote = await self._store.write(lambda tx, found=outcomes: self._write(tx, found))  # type: ignore[misc]
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

    async def _claim(self, outcomes: Sequence[_Outcome]) -> None:
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

    async def _guarded(self, entry: Entry, directory: Directory) -> _Outcome:
        """One Application's trouble, whatever it is, stays its own: it keeps its last good render and shows why."""
        try:
            outcome = await self._one(entry, directory)
        except Exception as error:
            log.exception("application not rendered", app=entry.manifest["metadata"]["name"])
            problem = f"UnknownError: {type(error).__name__}: {error}"
            outcome = _Outcome(entry, _described(entry)._replace(problem=problem))
        _take_up(outcome)
        return outcome

    async def _one(self, entry: Entry, directory: Directory) -> _Outcome:
        manifest, state = entry.manifest, _described(entry)
        if state.deleting:
            return _Outcome(entry, state)
        try:
            cluster = destinations.resolve(manifest["spec"].get("destination") or {}, directory)
        except Invalid as error:
            return _Outcome(entry, state._replace(problem=f"InvalidSpecError: {error.message}"))
        if refused := await self._bounds.of_app(manifest, entry.sources, cluster):
            return _kept(entry, f"InvalidSpecError: {refused}")
        account, wrong = await self._bounds.account(manifest, cluster, self._kitchen.settings.impersonation)
        if wrong := wrong or policy.mode_problem(manifest["metadata"].get("annotations") or {}):
            return _kept(entry, f"InvalidSpecError: {wrong}")
        state = state._replace(cluster=cluster.id, policy=releases.with_account(state.policy, account))
        outcome = await self._sourced(entry, state)
        # The last good release, too, goes to another cluster or project only where it is permitted there.
        refused = await self._bounds.of_objects(manifest, cluster, outcome.state.bundle, outcome.fresh)
        if refused:
            return _kept(entry, outcome.state.problem or f"ComparisonError: {refused}", again=outcome.again)
        return outcome

    async def _sourced(self, entry: Entry, state: AppState) -> _Outcome:
        manifest = entry.manifest
        if entry.wrong:
            return _Outcome(entry, state._replace(problem=f"InvalidSpecError: {entry.wrong}"))
        keys = dict.fromkeys(_keys(entry.sources))
        if _annotated(manifest):
            await asyncio.gather(*(self._trees.look(url) for url in {url for url, _ in keys}))
        trees: dict[SourceKey, Tree] = {}
        for key in keys:
            answer = await self._tree(key, anew=_annotated(manifest))
            if isinstance(answer, Failed):
                problem = f"ComparisonError: {answer.reason}"
                return _Outcome(entry, state._replace(problem=problem))
            trees[key] = answer.value
        return await self._render(entry, state, trees)

    async def _tree(self, key: SourceKey, *, anew: bool) -> Answer[Tree]:
        if anew or key not in self._found:
            self._found[key] = asyncio.create_task(self._trees.tree(*key))
        return await self._found[key]

    async def _untouched(self, moved: Iterable[str]) -> set[str]:
        """Of Applications whose sources moved, those that read nothing of what the new commits changed."""
        known = {
            uid: entry
            for uid in moved
            if (entry := self._entries.get(uid)) is not None and entry.reads is not None and entry.sound
        }
        keys = {key for entry in known.values() for key in _keys(entry.sources)}
        answers = dict(
            zip(keys, await asyncio.gather(*(self._trees.tree(*key) for key in keys)), strict=True)
        )
        trees = {key: answer.value for key, answer in answers.items() if not isinstance(answer, Failed)}

        def look() -> set[str]:
            ids: dict[tuple[SourceKey, str], str | None] = {}
            return {uid for uid, entry in known.items() if entry.reads and entry.reads.same(trees, ids)}

        return await asyncio.to_thread(look)

    async def _render(self, entry: Entry, state: AppState, trees: dict[SourceKey, Tree]) -> _Outcome:
        state = state._replace(problem="")
        commit = trees[_keys(entry.sources)[0]].commit
        try:
            async with self._limit:
                parts = [
                    (source, trees[key])
                    for source, key in zip(entry.sources, _keys(entry.sources), strict=True)
                ]
                kube = functools.partial(self.kube, state.cluster)
                dish = await self._kitchen.prepare(entry.manifest, parts, kube)
            recipe = dish.digest
            entry.reads = reads.of(dish, entry.manifest, _keys(entry.sources), trees)
            if recipe == state.recipe and state.bundle:
                return _Outcome(entry, state)
            digest, problem, fresh = await self._cook(dish)
        except ArgosyError as error:
            problem = f"ComparisonError: {error.message}"
            # What was not to be had is asked for again in the next run; what is wrong stays so until it is changed.
            return _Outcome(entry, state._replace(problem=problem), again=isinstance(error, Unavailable))
        if problem:
            state = state._replace(problem=f"ComparisonError: {problem}")
            return _Outcome(entry, state, recipe)
        state = state._replace(recipe=recipe, bundle=digest, revision=commit)
        return _Outcome(entry, state, recipe, fresh)

    async def kube(self, cluster: str) -> Kube:
        """What is known of a cluster's Kubernetes. Empty until its agent has said hello."""
        agent = await self._store.read(lambda tx: agents.get(tx, cluster))
        return (
            Kube(str(orjson.loads(agent.facts or "{}").get("kubernetes.version") or "")) if agent else Kube()
        )

    async def _cook(self, dish: Dish) -> tuple[str, str, Packed | None]:
        """(bundle digest, problem, the bundle where it is new); waits for a render of the recipe that is under way."""
        recipe = dish.digest
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook.done
        known = await self._find(recipe)
        if known is not None:
            return known[0], known[1], None
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook.done
        cook = self._cooking[recipe] = _Cook()
        try:
            async with self._limit:
                fresh = await kitchen.pack(await self._kitchen.cook(dish))
            self.rendered += 1
            outcome: tuple[str, str, Packed | None] = (fresh.digest, "", fresh)
        except Invalid as error:
            outcome = ("", error.message, None)
        except BaseException as error:
            cook.done.set_exception(error)
            cook.done.exception()
            raise
        finally:
            del self._cooking[recipe]
        cook.done.set_result(outcome)
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

    # --- what is written ------------------------------------------------------------------------------------------

    def _write(self, tx: Tx, outcomes: Sequence[_Outcome]) -> bool:
        now, changed = self._now(), []
        versions = objects.versions(tx, [outcome.state.app for outcome in outcomes])
        for outcome in outcomes:
            state, before = outcome.state, outcome.entry.state
            if outcome.fresh:
                bundles.put(tx, outcome.fresh.digest, outcome.fresh.blob, now)
            if outcome.recipe:
                _, _, text = state.problem.partition(": ")
                recipes.record(tx, outcome.recipe, state.bundle if not text else "", text, now)
            if before is None or state._replace(rolled=before.rolled) != before:
                rolls = before is None or _rolls(state) != _rolls(before)
                state = outcome.state = state._replace(rolled=0 if rolls else before.rolled if before else 0)
                changed.append(state)
            if outcome.state.app in versions:
                self._answer(tx, outcome, versions[outcome.state.app], now)
        apps.put(tx, changed)
        return bool(changed)

    def _answer(self, tx: Tx, outcome: _Outcome, version: int, now: float) -> None:
        """What the Application's object shows of it: conditions, an answered refresh, a taken-up operation, finalizer."""
        live: Manifest | None = outcome.entry.manifest
        if outcome.entry.manifest["metadata"].get("resourceVersion") != str(version):
            live = self._resources.by_uid(tx, outcome.state.app)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        metadata = dict(live["metadata"])
        if generated.OURS not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), generated.OURS]
        if outcome.state.bundle:
            endings = self._claims.endings(outcome.state.bundle)
            metadata["finalizers"] = hooks.finalizers(metadata["finalizers"], endings)
        if _annotated(outcome.entry.manifest) and REFRESH in (metadata.get("annotations") or {}):
            metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != REFRESH}
        wanted = {**live, "metadata": metadata}
        if live.get("operation") == outcome.entry.manifest.get("operation"):
            wanted.pop("operation", None)
        try:
            if wanted != live:
                live = self._resources.update(tx, table.APPLICATION, wanted, manager=MANAGER, now=now)
                self._written.add(int(live["metadata"]["resourceVersion"]))
                outcome.live = live
            self._show(tx, live, outcome, now)
        except ApiFailure as error:
            # Written before a stricter admission: what it deploys goes on, only its own object stays as it is.
            log.warning("application cannot be written", app=outcome.state.name, error=str(error))

    def _show(self, tx: Tx, live: Manifest, outcome: _Outcome, now: float) -> None:
        before: dict[str, Any] = live.get("status") or {}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        repeated = self._kitchen.warning(outcome.state.recipe)
        warnings = ((owners.REPEATED, repeated), (owners.SHARED, outcome.shared))
        found = conditions.of_app(outcome.state.problem, before.get("conditions") or (), stamp, warnings)
        operation = _operation_state(outcome, before, stamp)
        if found != (before.get("conditions") or []) or operation != before.get("operationState"):
            status = {**before, "conditions": found, "operationState": operation}
            if operation is None:
                del status["operationState"]
            metadata = live["metadata"]
            written = self._resources.set_status(
                tx,
                table.APPLICATION,
                metadata["namespace"],
                metadata["name"],
                status,
                manager=MANAGER,
                now=now,
            )
            self._written.add(int(written["metadata"]["resourceVersion"]))


def _keys(found: Sequence[Source]) -> list[SourceKey]:
    """What the sources' trees are looked up by."""
    return [(source.address, source.target) for source in found]


def _sources(manifest: Manifest) -> tuple[tuple[Source, ...], str]:
    """(the Application's sources, why they cannot be used)."""
    try:
        found = sources.of(manifest)
    except Invalid as error:
        return (), error.message
    return found, "" if found else "spec.source: required field is missing"


def _kept(entry: Entry, problem: str, *, again: bool = False) -> _Outcome:
    """What its project refuses changes nothing but what is shown: not even the cluster it would go to."""
    state = entry.state or _described(entry)
    return _Outcome(entry, state._replace(problem=problem), again=again)


def _annotated(manifest: Manifest) -> bool:
    return REFRESH in (manifest["metadata"].get("annotations") or {})


def _described(entry: Entry) -> AppState:
    """The state as the object itself says it; what was rendered last stays."""
    manifest, before = entry.manifest, entry.state
    metadata, spec = manifest["metadata"], manifest["spec"]
    first = entry.sources[0] if entry.sources else None
    state = before or AppState(metadata["uid"], metadata["name"], metadata["namespace"])
    deleting = ""
    if metadata.get("deletionTimestamp"):
        deleting = "cascade" if hooks.cascades(metadata.get("finalizers") or ()) else "release"
    return state._replace(
        project=spec.get("project") or "default",
        owner=generated.controller_of(manifest),
        destination_namespace=(spec.get("destination") or {}).get("namespace") or "",
        repo=first.address if first else "",
        target=first.target if first else "",
        policy=state.policy if entry.wrong else _told(policy.of(spec, asked_for(before), _notes(manifest))),
        deleting=deleting,
    )


def _misspelt(manifest: Manifest) -> str:
    """Why the policy cannot be read, "" where it can."""
    try:
        policy.of(manifest["spec"], policy.Asked(), _notes(manifest))
    except Invalid as error:
        return error.message
    return ""


def _notes(manifest: Manifest) -> dict[str, str]:
    found: dict[str, str] = manifest["metadata"].get("annotations") or {}
    return found


def _told(what: bundle_format.Policy) -> str:
    return manifests.canonical(bundle_format.plain(what)).decode()


def asked_for(state: AppState | None) -> policy.Asked:
    """The newest sync that was asked for, which stays until another is; and the one that was ended."""
    if state is None:
        return policy.Asked()
    told = releases.policy(state.policy)
    return policy.Asked(told.sync_request, told.operation, told.terminate)


def _take_up(outcome: _Outcome) -> None:
    """Passes on what a user asks for beside the spec: a sync, or the end of one."""
    entry, state = outcome.entry, outcome.state
    operation = operations.of(entry.manifest)
    changes = {"terminate": entry.ending} if entry.ending else {}
    if operation is not None:
        wrong = state.problem if state.problem.startswith("InvalidSpecError") else ""
        outcome.refused = wrong or operations.misses(entry.manifest, operation, state.revision)
        if not outcome.refused:
            metadata = entry.manifest["metadata"]
            changes["sync_request"] = f"{metadata['uid']}.{metadata.get('resourceVersion', '')}"
            changes["operation"] = operations.text(operation)
    if changes:
        told = dataclasses.replace(releases.policy(state.policy), **changes)  # type: ignore[arg-type]
        outcome.state = state._replace(policy=_told(told))


def _ends(manifest: Manifest) -> bool:
    """Whether a user ended the running sync, as `argocd app terminate-op` does."""
    state = (manifest.get("status") or {}).get("operationState") or {}
    return bool(state.get("phase") == operations.TERMINATING)


def _operation_state(outcome: _Outcome, before: dict[str, Any], stamp: str) -> dict[str, Any] | None:
    """What the hub itself has to say of operations: that one was not begun. The rest is the agent's to say."""
    operation = operations.of(outcome.entry.manifest)
    if operation is not None:
        return operations.refused(operation, outcome.refused, stamp) if outcome.refused else None
    stored: dict[str, Any] | None = before.get("operationState")
    return None if _ends(outcome.entry.manifest) else stored


def _rolls(state: AppState) -> tuple[object, ...]:
    """The part of a state that a cluster is told of."""
    return (
        state.cluster,
        state.bundle,
        state.policy,
        state.project,
        state.destination_namespace,
        state.deleting,
        state.owner,
    )
