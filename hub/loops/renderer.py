"""Applications x trees -> bundles (hop 3 of a change).

Works on what changed only: an Application that was written, a revision that moved, a destination that resolves to
another cluster. Of those, only an Application whose recipe differs is rendered, and equal recipes are rendered once.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterable, Sequence

from argosy.objects import Manifest, ObjectKey
from hub.core.apps.destinations import Directory
from hub.core.releases import releases
from hub.core.served import table
from hub.core.types import Failed
from hub.loops.apps import entries
from hub.loops.apps.applications import Applications
from hub.loops.apps.bounds import Bounds, project_of
from hub.loops.apps.claims import Claims, Wanted
from hub.loops.apps.entries import Outcome
from hub.loops.apps.kitchen import Kitchen
from hub.loops.apps.kubes import Kubes
from hub.loops.apps.looking import Looking
from hub.loops.apps.outcomes import Writing
from hub.loops.apps.reads import SourceKey
from hub.loops.appsets.world import World
from hub.loops.repos.integrity import Integrity
from hub.loops.repos.trees import Trees
from hub.store import apps, reports
from hub.store.apps import AppState
from hub.store.base import Change, Store, Tx
from hub.store.resources import Resources

FAIL_ON_SHARED = "FailOnSharedResource=true"
ROUNDS = 3
"""Looks in one run at sources that move while it works; the next run goes on from there."""
TOGETHER = 1000
"""Applications whose renders become visible in one transaction, so that what moves between them is handed over."""


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
        self._changed = changed
        self._now = now
        self.known = Applications()
        """As the last run left them."""
        self._touched: dict[str, None] = {}
        self._confirmed: dict[SourceKey, str] = {}
        self._places = -1
        self._loaded = False
        self._claims = Claims(store)
        self._bounds = Bounds(store, world)
        self._integrity = integrity or Integrity(trees.refs)
        self.kubes = Kubes(store)
        self._concerned: dict[str, None] = {}
        """Applications that others share objects with since their conditions were written."""
        self._looking = Looking(store, trees, kitchen, self._bounds, self._integrity, self.kubes)
        self._writing = Writing(resources, kitchen, self._claims)

    @property
    def rendered(self) -> int:
        """Renders since the start: the cost of a change is counted here."""
        return self._looking.rendered

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes of objects themselves; True where an Application itself or a project was written."""
        found = [
            change.uid
            for change in changes
            if change.resource == table.APPLICATION.resource and change.rv not in self._writing.versions
        ]
        self._writing.versions.difference_update(change.rv for change in changes)
        if moved := self._bounds.moved(changes):
            found += self.known.governed_by(moved)
        self._touched.update(dict.fromkeys(found))
        return bool(found)

    def told(self, topic: str) -> None:
        """The agent of a cluster told something new of it: renders that asked for that are due."""
        self._touched.update(dict.fromkeys(self.kubes.asking(topic.partition(":")[2])))

    def again(self) -> None:
        """Looks at every Application again: what all renders depend on has changed."""
        self._touched.update(dict.fromkeys(self.known))

    def holders(self, cluster: str, key: ObjectKey) -> dict[str, str]:
        """uid -> name of the Applications that want an object of a cluster (id)."""
        found = {uid: self.known.get(uid) for uid in self._claims.holders(cluster, key)}
        return {uid: str(one.manifest["metadata"]["name"]) for uid, one in found.items() if one is not None}

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
            if not self.known.behind(self._trees.state):
                return

    async def _look(self, due: dict[str, None]) -> None:
        """Works on what is `due`, and first adds to it what has become so by itself."""
        directory = await self._world.directory()
        await self._reread(due)
        due.update(self._redirected(directory))
        moved = [uid for uid in self.known.moved_sources(self._trees.state) if uid not in due]
        due.update(dict.fromkeys(moved))
        same = await self._untouched(moved) if moved else set()
        for uid in same:
            del due[uid]
        known = [uid for uid in due if uid in self.known]
        if known:
            await self._work(known, directory)
        if concerned := [uid for uid in self._concerned if uid in self.known]:
            self._concerned.clear()
            await self._work(concerned, directory)
        if known or same:
            await self._confirm(self.known.sources_of((*known, *same)))

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
                old = self.known.get(uid)
                self._enter(manifest, old.state if old else None)
        await self._note_endings(wanted)

    async def _note_endings(self, looked_at: Iterable[str]) -> None:
        """Which syncs are to be ended: those that run now, of Applications that say so."""
        ending = [uid for uid in looked_at if uid in self.known and entries.ends(self.known[uid].manifest)]
        if ending:
            tokens = await self._store.read(lambda tx: reports.tokens(tx, ending))
            for uid, token in tokens.items():
                self.known[uid].ending = token

    def _enter(self, manifest: Manifest, state: AppState | None) -> None:
        self.kubes.leave(manifest["metadata"]["uid"])
        self.known.enter(manifest, state)

    def _leave(self, uid: str) -> None:
        self.kubes.leave(uid)
        self.known.leave(uid)

    def _redirected(self, directory: Directory) -> dict[str, None]:
        if self._world.places == self._places:
            return {}
        places, self._places = self._world.moved_places(max(self._places, 0)), self._world.places
        return self.known.redirected(places, directory)

    # --- the work -------------------------------------------------------------------------------------------------

    async def _work(self, due: Sequence[str], directory: Directory) -> None:
        for start in range(0, len(due), TOGETHER):
            part = [self.known[uid] for uid in due[start : start + TOGETHER] if uid in self.known]
            outcomes = await self._looking.batch(part, directory)
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
        for key, commit, answers in self._looking.commits():
            if not self.known.seen(key):
                self.known.see(key, commit, answers=answers)

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
        metadata = self.known[uid].manifest["metadata"] if uid in self.known else {}
        return f"{metadata.get('namespace', '')}/{metadata.get('name', uid)}"

    async def _untouched(self, moved: Iterable[str]) -> set[str]:
        """Of Applications whose sources moved, those that read nothing of what the new commits changed."""
        projects = await self._bounds.projects()
        signed = {name for name, project in projects.items() if self._integrity.asks(project)}
        known = {
            uid: entry
            for uid in moved
            if (entry := self.known.get(uid)) is not None
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

    async def _confirm(self, looked_at: Iterable[SourceKey]) -> None:
        """Notes which commits the renders are right for: one row for each moved source, however many apps share it."""
        moved = []
        for key in looked_at:
            commit = self.known.seen(key)
            if commit and self._confirmed.get(key) != commit:
                moved.append((key, commit))
        if not moved:
            return

        def write(tx: Tx) -> None:
            for (repo, target), commit in moved:
                if apps.confirm(tx, repo, target, commit):
                    self._tell(tx, self.known.sharing((repo, target)))

        await self._store.write(write)
        self._confirmed.update(moved)

    def _tell(self, tx: Tx, uids: Iterable[str]) -> None:
        """What is shown of these Applications is another: of a commit, of thousands that it does not touch."""
        resource = table.APPLICATION.resource
        for uid in uids:
            metadata = self.known[uid].manifest["metadata"]
            namespace, name = metadata["namespace"], metadata["name"]
            tx.emit(Change(tx.next_rv(), "MODIFIED", resource, namespace, name, uid, composed=True))
