"""Applications x trees -> bundles (hop 3 of a change).

Works on what changed only: an Application that was written, a revision that moved, a destination that resolves to
another cluster. Of those, only an Application whose recipe differs is rendered, and equal recipes are rendered once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import structlog

from argosy import bundle as bundle_format
from argosy import objects as manifests
from argosy.errors import ArgosyError, Invalid
from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest
from hub.core import conditions, destinations, expand, generated, policy, releases, repos
from hub.core.destinations import Directory
from hub.core.served import table
from hub.core.tree import Tree
from hub.core.types import Failed
from hub.loops.trees import Trees
from hub.loops.world import World
from hub.store import apps, bundles, recipes
from hub.store.apps import AppState
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources

MANAGER = "argosy-renderer"
REFRESH = "argocd.argoproj.io/refresh"
AT_ONCE = 8

log = structlog.get_logger("renderer")

SourceKey = tuple[str, str]
"""(repository identity, target revision)."""


class Kitchen(Protocol):
    """What this needs of `hub.render`. Raises `Invalid` for a user's mistake, `Unavailable` for trouble of ours."""

    def recipe(self, app: Manifest, tree: Tree) -> str:
        """The digest of everything the render depends on."""

    async def cook(self, app: Manifest, tree: Tree) -> Sequence[Manifest]:
        """The finished objects."""


@dataclass
class Entry:
    """One Application as this loop knows it. `checked` is the newest commit that its bundle is right for."""

    manifest: Manifest
    source: SourceKey | None
    state: AppState | None
    checked: str = ""


@dataclass
class _Outcome:
    """What one look at an Application gave: its new state, and a bundle that was not there before."""

    entry: Entry
    state: AppState
    recipe: str = ""
    fresh: tuple[str, bytes] | None = None
    checked: str = ""


@dataclass
class _Cook:
    """One render under way that several Applications may wait for."""

    done: asyncio.Future[tuple[str, str, tuple[str, bytes] | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Renderer:
    """`rolled` is called after a run that changed what any cluster should have."""

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
        self._fleet = -1
        self._loaded = False
        self._cooking: dict[str, _Cook] = {}
        self._limit = asyncio.Semaphore(AT_ONCE)
        self.rendered = 0
        """Renders since the start: the cost of a change is counted here."""

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes; True where an Application itself was written."""
        found = [
            change.uid
            for change in changes
            if change.resource == table.APPLICATION.resource and not change.composed
        ]
        self._touched.update(dict.fromkeys(found))
        return bool(found)

    def checked(self, uid: str) -> str:
        """The newest commit for which an Application's present bundle is known to be right, "" where unknown."""
        entry = self._entries.get(uid)
        return entry.checked if entry else ""

    async def run(self) -> None:
        if not self._loaded:
            await self._load()
        facts = await self._world.clusters()
        directory = Directory(facts)
        touched, self._touched = self._touched, {}
        await self._reread(touched)
        due = dict.fromkeys(uid for uid in touched if uid in self._entries)
        due.update(self._moved_destinations(directory))
        due.update(dict.fromkeys(await self._moved_sources()))
        if due:
            await self._work(list(due), directory)

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
        self._loaded = True

    async def _reread(self, touched: Iterable[str]) -> None:
        wanted = tuple(touched)

        def read(tx: Tx) -> list[tuple[str, Manifest | None]]:
            return [(uid, self._resources.by_uid(tx, uid)) for uid in wanted]

        for uid, manifest in await self._store.read(read) if wanted else []:
            if manifest is None:
                self._leave(uid)
            else:
                old = self._entries.get(uid)
                self._enter(manifest, old.state if old else None, old.checked if old else "")

    def _enter(self, manifest: Manifest, state: AppState | None, checked: str = "") -> None:
        uid = manifest["metadata"]["uid"]
        self._leave(uid)
        source = source_key(manifest)
        self._entries[uid] = Entry(manifest, source, state, checked or (state.revision if state else ""))
        if source is not None:
            self._members.setdefault(source, set()).add(uid)

    def _leave(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is not None and entry.source is not None:
            members = self._members[entry.source]
            members.discard(uid)
            if not members:
                del self._members[entry.source]
                self._seen.pop(entry.source, None)

    def _moved_destinations(self, directory: Directory) -> dict[str, None]:
        if self._world.fleet == self._fleet:
            return {}
        self._fleet = self._world.fleet
        moved: dict[str, None] = {}
        for uid, entry in self._entries.items():
            try:
                cluster = destinations.resolve(entry.manifest["spec"].get("destination") or {}, directory).id
            except Invalid:
                cluster = ""
            if entry.state is None or entry.state.cluster != cluster:
                moved[uid] = None
        return moved

    async def _moved_sources(self) -> list[str]:
        due: list[str] = []
        for source, members in self._members.items():
            entry = self._entries[next(iter(members))]
            url, revision = _where(entry.manifest)
            state = self._trees.state(url, revision)
            if source in self._seen and self._seen[source] != state:
                due += sorted(members)
            self._seen[source] = state
        return due

    # --- the work -------------------------------------------------------------------------------------------------

    async def _work(self, due: Sequence[str], directory: Directory) -> None:
        for start in range(0, len(due), 200):
            part = [self._entries[uid] for uid in due[start : start + 200] if uid in self._entries]
            outcomes = await asyncio.gather(*(self._one(entry, directory) for entry in part))
            wrote = await self._store.write(lambda tx, found=outcomes: self._write(tx, found))  # type: ignore[misc]
            for outcome in outcomes:
                outcome.entry.state = outcome.state
                outcome.entry.checked = outcome.checked
                if outcome.entry.source is not None:
                    self._seen[outcome.entry.source] = self._trees.state(*_where(outcome.entry.manifest))
            if wrote:
                self._changed()

    async def _one(self, entry: Entry, directory: Directory) -> _Outcome:
        manifest, before = entry.manifest, entry.state
        state = _described(manifest, before)
        if state.deleting:
            return _Outcome(entry, state, checked=entry.checked)
        try:
            cluster = destinations.resolve(manifest["spec"].get("destination") or {}, directory)
            state = replace(state, cluster=cluster.id)
            if entry.source is None:
                raise Invalid(_unusable(manifest))
        except Invalid as error:
            return _Outcome(entry, replace(state, problem=f"InvalidSpecError: {error.message}"))
        url, revision = _where(manifest)
        if _annotated(manifest):
            await self._trees.look(url)
        answer = await self._trees.tree(url, revision)
        if isinstance(answer, Failed):
            return _Outcome(entry, replace(state, problem=f"ComparisonError: {answer.reason}"))
        return await self._render(entry, state, answer.value)

    async def _render(self, entry: Entry, state: AppState, tree: Tree) -> _Outcome:
        state = replace(state, problem="")
        try:
            async with self._limit:
                recipe = await asyncio.to_thread(self._kitchen.recipe, entry.manifest, tree)
            if recipe == state.recipe and state.bundle:
                return _Outcome(entry, state, checked=tree.commit)
            digest, problem, fresh = await self._cook(recipe, entry.manifest, tree)
        except ArgosyError as error:
            return _Outcome(
                entry, replace(state, problem=f"ComparisonError: {error.message}"), checked=entry.checked
            )
        if problem:
            state = replace(state, problem=f"ComparisonError: {problem}")
            return _Outcome(entry, state, recipe, checked=entry.checked)
        state = replace(state, recipe=recipe, bundle=digest, revision=tree.commit)
        return _Outcome(entry, state, recipe, fresh, tree.commit)

    async def _cook(
        self, recipe: str, manifest: Manifest, tree: Tree
    ) -> tuple[str, str, tuple[str, bytes] | None]:
        """(bundle digest, problem, the bundle where it is new); waits for a render of the recipe that is under way."""
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook.done
        known = await self._store.read(lambda tx: recipes.find(tx, recipe))
        if known is not None:
            return known[0], known[1], None
        if (cook := self._cooking.get(recipe)) is not None:
            return await cook.done
        cook = self._cooking[recipe] = _Cook()
        try:
            async with self._limit:
                found = await self._kitchen.cook(manifest, tree)
                fresh = await asyncio.to_thread(bundle_format.pack, found)
            self.rendered += 1
            outcome: tuple[str, str, tuple[str, bytes] | None] = (fresh[0], "", fresh)
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

    # --- what is written ------------------------------------------------------------------------------------------

    def _write(self, tx: Tx, outcomes: Sequence[_Outcome]) -> bool:
        now, changed = self._now(), []
        for outcome in outcomes:
            state, before = outcome.state, outcome.entry.state
            if outcome.fresh:
                bundles.put(tx, *outcome.fresh, now)
            if outcome.recipe:
                _, _, text = state.problem.partition(": ")
                recipes.record(tx, outcome.recipe, state.bundle if not text else "", text, now)
            if before is None or replace(state, rolled=before.rolled) != before:
                rolls = before is None or _rolls(state) != _rolls(before)
                state = outcome.state = replace(state, rolled=0 if rolls else before.rolled if before else 0)
                changed.append(state)
            self._answer(tx, outcome, now)
        apps.put(tx, changed)
        return bool(changed)

    def _answer(self, tx: Tx, outcome: _Outcome, now: float) -> None:
        """What the Application's object shows of it: conditions, an answered refresh, a taken-up operation, finalizer."""
        live = self._resources.by_uid(tx, outcome.state.app)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        metadata = dict(live["metadata"])
        if generated.OURS not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), generated.OURS]
        if _annotated(outcome.entry.manifest) and REFRESH in (metadata.get("annotations") or {}):
            metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != REFRESH}
        wanted = {**live, "metadata": metadata}
        if live.get("operation") == outcome.entry.manifest.get("operation"):
            wanted.pop("operation", None)
        try:
            if wanted != live:
                live = self._resources.update(tx, table.APPLICATION, wanted, manager=MANAGER, now=now)
            self._show(tx, live, outcome.state.problem, now)
        except ApiFailure as error:
            # Written before a stricter admission: what it deploys goes on, only its own object stays as it is.
            log.warning("application cannot be written", app=outcome.state.name, error=str(error))

    def _show(self, tx: Tx, live: Manifest, problem: str, now: float) -> None:
        before: dict[str, Any] = live.get("status") or {}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        found = conditions.of_app(problem, before.get("conditions") or (), stamp)
        if found != (before.get("conditions") or []):
            status = {**before, "conditions": found}
            metadata = live["metadata"]
            self._resources.set_status(
                tx,
                table.APPLICATION,
                metadata["namespace"],
                metadata["name"],
                status,
                manager=MANAGER,
                now=now,
            )


def source_key(manifest: Manifest) -> SourceKey | None:
    """What an Application's trees are looked up by; None where its source cannot be used."""
    spec = manifest["spec"]
    source = spec.get("source") or {}
    if spec.get("sources") or not source.get("repoURL") or source.get("chart"):
        return None
    try:
        return repos.identity(source["repoURL"]), source.get("targetRevision") or "HEAD"
    except Invalid:
        return None


def _where(manifest: Manifest) -> tuple[str, str]:
    source = manifest["spec"]["source"]
    return source["repoURL"], source.get("targetRevision") or "HEAD"


def _unusable(manifest: Manifest) -> str:
    spec = manifest["spec"]
    if spec.get("sources"):
        return "spec.sources: several sources are not supported yet; use spec.source"
    source = spec.get("source") or {}
    if source.get("chart"):
        return "spec.source.chart: Helm charts are not supported yet"
    if not source.get("repoURL"):
        return "spec.source.repoURL: required field is missing"
    return f"spec.source.repoURL: {source['repoURL']!r} is not the address of a Git repository"


def _annotated(manifest: Manifest) -> bool:
    return REFRESH in (manifest["metadata"].get("annotations") or {})


def _described(manifest: Manifest, before: AppState | None) -> AppState:
    """The state as the object itself says it; what was rendered last stays."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    source = spec.get("source") or {}
    state = before or AppState(metadata["uid"], metadata["name"], metadata["namespace"])
    request = policy_request(before)
    if manifest.get("operation"):
        request = f"{metadata['uid']}.{metadata.get('resourceVersion', '')}"
    deleting = ""
    if metadata.get("deletionTimestamp"):
        deleting = "cascade" if expand.FINALIZER in (metadata.get("finalizers") or ()) else "release"
    return replace(
        state,
        project=spec.get("project") or "default",
        owner=generated.controller_of(manifest),
        destination_namespace=(spec.get("destination") or {}).get("namespace") or "",
        repo=source.get("repoURL") or "",
        target=source.get("targetRevision") or "HEAD",
        policy=manifests.canonical(asdict(policy.of(spec, request))).decode(),
        deleting=deleting,
    )


def policy_request(state: AppState | None) -> str:
    """The newest sync that was asked for, which stays until another is."""
    return releases.policy(state.policy).sync_request if state else ""


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
