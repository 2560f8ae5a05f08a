"""ApplicationSets x clusters x trees -> Applications (hop 2 of a change).

A set is evaluated again only when something it looked at may answer differently. What its evaluation means for the
applications that exist is decided in `hub.core`. Here is which sets are due; `evaluating` asks and fetches, `members` writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from argosy.errors import Internal, Invalid
from argosy.loop import Wake
from argosy.objects import Manifest
from hub.core import settings
from hub.core.appsets import increment
from hub.core.appsets.expand import Evaluation
from hub.core.generators.base import Inputs, ProviderRequest, TreeRequest
from hub.core.removals import caps, grace
from hub.core.served import table
from hub.core.types import NAMESPACE, VALIDATION_FAILED, Answer, Complete, Failed, SetProblem
from hub.loops.appsets import sets
from hub.loops.appsets.asking import Provide
from hub.loops.appsets.evaluating import Evaluating
from hub.loops.appsets.members import ClaimsOf, Members, Writer, refresh_asked
from hub.loops.appsets.sets import Known, Sets
from hub.loops.appsets.world import World
from hub.loops.releases.causing import Trigger
from hub.loops.repos.integrity import Integrity
from hub.loops.repos.trees import Trees
from hub.store import evaluations, objects
from hub.store.base import Change, Store, Tx
from hub.store.evaluations import Looked
from hub.store.resources import Resources

CONFIRM_AFTER = 1.0
"""Seconds until the second evaluation that confirms a removal."""
PATIENCE = 30.0
"""Seconds for which that evaluation waits for other sets that were not evaluated yet."""
RETRY_AFTER = 60.0
"""Seconds after which a provider that failed is asked again, where the set does not ask sooner."""
AT_ONCE = 8
"""Sets under evaluation at one time; what they write shares a commit."""

log = structlog.get_logger("expander")


class Expander:
    """`settled` is called after a run that wrote applications; `wake` is this loop's own."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        world: World,
        trees: Trees,
        provide: Provide,
        wake: Wake,
        settled: Callable[[], None],
        now: Callable[[], float] = time.time,
        integrity: Integrity | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._world = world
        self._trees = trees
        self._evaluating = Evaluating(world, trees, provide, integrity or Integrity(trees.refs))
        self._wake = wake
        self._settled = settled
        self._now = now
        self._sets = Sets()
        self._written: set[int] = set()
        self._touched: dict[str, str] = {}
        """Uid -> name of the Applications that somebody else wrote or deleted."""
        self._limit = asyncio.Semaphore(AT_ONCE)
        self.evaluated = 0
        """Sets evaluated since the start: the cost of a change is counted here."""

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes of objects themselves; True where somebody else wrote an Application, which its set
        may set right.
        """
        found = {
            change.uid: change.name
            for change in changes
            if change.resource == table.APPLICATION.resource and change.rv not in self._written
        }
        self._written.difference_update(change.rv for change in changes)
        self._touched |= found
        self._sets.governed({one.name for one in changes if one.resource == table.APP_PROJECT.resource})
        if decided := any(map(_decides, changes)):
            self._sets.decided()
        return bool(found) or decided

    def ask(self, concerns: Callable[[ProviderRequest], bool]) -> int:
        """Asks anew what sets ask of hosting services that it `concerns`; returns the number of these sets."""
        if found := self._sets.asking(concerns):
            self._wake.set()
        return found

    def again(self) -> None:
        """Evaluates every set again: what all of them depend on has changed."""
        self._sets.again()

    def told(self, request: ProviderRequest, answer: Answer[Sequence[Mapping[str, Any]]]) -> None:
        """Takes up an answer that came when nobody waited for it any more."""
        if self._sets.told(request, answer):
            self._wake.set()

    def looked_at(self, uid: str) -> Inputs | None:
        """What a set's last evaluation looked at; None where there was none in this run of the hub."""
        known = self._sets.get(uid)
        return known.inputs if known is not None and not known.stale and not known.busy else None

    def asked(self) -> frozenset[ProviderRequest]:
        """What sets asked of hosting services and plugins in their last evaluations."""
        return self._sets.asked()

    async def run(self) -> None:
        listed = await self._world.listed(table.APPLICATION_SET, NAMESPACE)
        by_uid = {item["metadata"]["uid"]: item for item in listed}
        self._sets.keep(by_uid)
        await self._look_at_touched(by_uid)
        await self._world.clusters()
        self._sets.moved(self._world.moved())
        broken: list[str] = []
        await asyncio.gather(*(self._guarded(item, broken) for item in listed if not self._rests(item)))
        if broken:
            raise Internal("; ".join(broken))

    async def _guarded(self, manifest: Manifest, broken: list[str]) -> None:
        """One set's trouble, whatever it is, stays its own; the next run tries again."""
        try:
            await self._one(manifest)
        except Exception as error:
            name = manifest["metadata"]["name"]
            log.exception("set not evaluated", appset=name)
            broken.append(f"{name}: {error}")

    # --- what is due ----------------------------------------------------------------------------------------------

    async def _look_at_touched(self, listed: Mapping[str, Manifest]) -> None:
        """Finds the sets whose applications others wrote so that there is something to set right."""
        touched, self._touched = self._touched, {}
        if not touched:
            return
        try:
            rows = await self._store.read(lambda tx: [(uid, objects.by_uid(tx, uid)) for uid in touched])
        except BaseException:
            self._touched = {**touched, **self._touched}
            raise
        for uid, row in rows:
            name = touched[uid]
            for owner in self._sets.owners(uid, name, row.owner if row else ""):
                known = self._sets[owner]
                if not known.members.unmoved(row, name, listed[owner], self._resources):
                    known.stale = True
            self._sets.wanting(name)

    def _rests(self, manifest: Manifest) -> bool:
        """True where `_one` would find nothing to do: told at once, since of many sets a change concerns few."""
        known = self._sets.get(manifest["metadata"]["uid"])
        return (
            known is not None
            and known.seen is manifest
            and not known.stale
            and not known.confirm
            and time.monotonic() < known.again
            and known.versions == self._evaluating.versions(known.inputs)
            and all(
                self._trees.state(request.repo_url, request.revision) == before
                for request, before in known.states.items()
            )
        )

    async def _one(self, manifest: Manifest) -> None:
        known, now = self._sets.get(manifest["metadata"]["uid"]), time.monotonic()
        reread = True
        if refresh_asked(manifest):
            await self._look_again(manifest, known, whole=True)
        elif known is not None and known.confirm:
            # A removal is confirmed by inputs that were read again, and by nothing sooner.
            # A deleted set may lose its applications to others meanwhile, or be told to keep them for another time.
            deleted = bool(manifest["metadata"].get("deletionTimestamp"))
            news = deleted and (known.stale or known.own != sets.own(manifest))
            if now < known.again and not news:
                return
            waits = now < known.patience and self._sets.unsettled_beside(known)
            if waits and not known.stale:
                self._soon(known, now)
                return
            # Of sets that wait for each other each says first what it wants now; that confirms nothing yet.
            reread = not waits
            if reread:
                await self._look_again(manifest, known, whole=False)
        else:
            reread = False
            if known is not None and now >= known.again:
                await self._in_turn(known, now)
            if known is not None and not await self._due(manifest, known):
                known.seen = manifest
                return
        async with self._limit:
            await self._expand(manifest, reread=reread)

    def _soon(self, known: Known, now: float) -> None:
        known.again = now + CONFIRM_AFTER
        asyncio.get_running_loop().call_later(CONFIRM_AFTER, self._wake.set)

    async def _in_turn(self, known: Known, now: float) -> None:
        """What a set asks for to be looked at every so often, looked at."""
        every = float(known.inputs.requeue)
        urls = {request.repo_url for request in known.inputs.trees}
        await asyncio.gather(*(self._trees.look(url, older=every) for url in urls))
        if known.kept or not all(known.inputs.trees.values()):
            known.kept.clear()
            known.stale = True
        known.again = now + every if every else float("inf")

    async def _due(self, manifest: Manifest, known: Known) -> bool:
        if (
            known.stale
            or known.own != sets.own(manifest)
            or known.versions != self._evaluating.versions(known.inputs)
        ):
            return True
        for request, before in tuple(known.states.items()):
            state = self._trees.state(request.repo_url, request.revision)
            if state == before:
                continue
            answer = await self._trees.tree(request.repo_url, request.revision)
            if not before[1] or not isinstance(answer, Complete):
                return True
            tree = answer.value
            if await asyncio.to_thread(increment.tree_concerns, known.inputs, request, tree):
                return True
            known.states[request] = (tree.commit, True)
        return False

    async def _look_again(self, manifest: Manifest, known: Known | None, *, whole: bool) -> None:
        """Reads the set's inputs again; `whole`: the repositories of its applications too, as a user asked for."""
        urls = {request.repo_url for request in known.inputs.trees} if known else set()
        if known is not None:
            known.kept.clear()
        if whole:
            uid = manifest["metadata"]["uid"]
            for app in await self._store.read(lambda tx: self._resources.owned(tx, table.APPLICATION, uid)):
                urls |= {source["repoURL"] for source in sources_of(app) if source.get("repoURL")}
        moved = await asyncio.gather(*(self._trees.look(url) for url in urls))
        if any(moved):
            # The applications' own sources are followed by the renderer, also where the set itself stays as it is.
            self._settled()

    # --- the evaluation -------------------------------------------------------------------------------------------

    async def _expand(self, manifest: Manifest, *, reread: bool) -> None:
        uid, own = manifest["metadata"]["uid"], sets.own(manifest)
        last = self._sets.get(uid)
        # Who changed something while no hub looked is known by what the hub before saw last.
        seen = await self._store.read(lambda tx: evaluations.looked(tx, uid)) if last is None else None
        before = {request: commit for request, (commit, _) in last.states.items()} if last else {}
        edited = last is not None and last.own != own
        edited = edited or (seen is not None and seen.generation != manifest["metadata"].get("generation"))
        known = self._sets.begin(uid, own)
        claimed = known.members.claims
        known.stale, known.busy = False, True
        versions: object = ()
        try:
            try:
                versions, evaluation = await self._evaluating.of(manifest, known)
            except Invalid as error:
                evaluation = _refused(error)
            self.evaluated += 1
            if seen is not None:
                keys = {request: (request.repo_url, request.revision) for request in evaluation.inputs.trees}
                before = {request: seen.commits[key] for request, key in keys.items() if key in seen.commits}
            authors = await self._evaluating.authors(evaluation, before)
            trigger = Trigger(edited, authors, seen.at if seen else 0.0)
            claims = self._sets.claims_beside(known.members)
            again, wrote, moved = await self._store.write(
                lambda tx: self._write(tx, manifest, evaluation, known.members, claims, reread, trigger)
            )
        except BaseException:
            # Versions of writes that were undone will be those of others' writes, and these are news.
            self._written.clear()
            known.members.forget()
            known.stale = True
            raise
        finally:
            known.busy = False
        known.inputs, known.versions = evaluation.inputs, versions
        known.states = {
            request: self._state_of(request, commit) for request, commit in evaluation.inputs.trees.items()
        }
        if again and not known.confirm:
            known.patience = time.monotonic() + again + PATIENCE
        known.again, known.confirm = self._again(evaluation, again), bool(again)
        if known.members.later:
            asyncio.get_running_loop().call_later(caps.TOGETHER + CONFIRM_AFTER, self._look_at_held)
        if self._sets.claimed(known.members, claimed) + self._sets.forgotten(moved):
            self._wake.set()
        if wrote:
            self._settled()

    def _look_at_held(self) -> None:
        self._sets.decided()
        self._wake.set()

    def _state_of(self, request: TreeRequest, commit: str) -> tuple[str, bool]:
        """The commit that was looked at, and whether its repository answered: a newer one is news."""
        now, answers = self._trees.state(request.repo_url, request.revision)
        return commit or now, answers

    def _again(self, evaluation: Evaluation, after: float) -> float:
        inputs = evaluation.inputs
        if after:
            asyncio.get_running_loop().call_later(after, self._wake.set)
            return time.monotonic() + after
        wait = float(inputs.requeue) or float("inf")
        if not isinstance(evaluation.completeness, Complete) and inputs.requeue and _asks(inputs):
            wait = min(wait, RETRY_AFTER)
        return time.monotonic() + wait

    def _write(
        self,
        tx: Tx,
        seen: Manifest,
        evaluation: Evaluation,
        members: Members,
        claims: ClaimsOf,
        reread: bool,
        trigger: Trigger,
    ) -> tuple[float, bool, set[str]]:
        """Applies one evaluation; returns (seconds after which to look again, 0 for not by itself; whether applications
        were written; sets with which some moved)."""
        metadata = seen["metadata"]
        appset = self._resources.get(tx, table.APPLICATION_SET, metadata["namespace"], metadata["name"])
        if appset is None or appset["metadata"]["uid"] != metadata["uid"]:
            return 0.0, False, set()
        if appset["metadata"].get("generation") != metadata.get("generation"):
            return CONFIRM_AFTER, False, set()
        writer = Writer(tx, self._resources, self._now(), appset, members, self._written, trigger, claims)
        problems = [*evaluation.problems, *writer.put(evaluation)]
        verdict = writer.remove(evaluation, reread=reread)
        deleting = bool(metadata.get("deletionTimestamp"))
        if deleting:
            if verdict.pending is None:
                evaluations.forget(tx, metadata["uid"])
        elif evaluation.whole:
            commits = {
                (request.repo_url, request.revision): commit
                for request, commit in evaluation.inputs.trees.items()
                if commit
            }
            evaluations.note(
                tx, metadata["uid"], Looked(metadata.get("generation") or 0, commits, self._now())
            )
        writer.status(problems, evaluation.completeness, verdict.blocked or writer.kept)
        after = max(grace.DEFAULT, writer.until - self._now()) if deleting else CONFIRM_AFTER
        return after if verdict.recheck else 0.0, writer.wrote, writer.moved


def sources_of(app: Manifest) -> list[dict[str, Any]]:
    """The sources of an Application, however many it has."""
    spec = app.get("spec") or {}
    return list(spec.get("sources") or ([spec["source"]] if spec.get("source") else []))


def _decides(change: Change) -> bool:
    """Whether what a removal waits for may have come: a decision, or another cap."""
    caps = (change.resource, change.namespace, change.name)
    return change.resource == table.REMOVAL.resource or caps == (
        table.CONFIG_MAP.resource,
        NAMESPACE,
        settings.CONFIG_MAP,
    )


def _asks(inputs: Inputs) -> bool:
    return bool(inputs.providers)


def _refused(error: Invalid) -> Evaluation:
    return Evaluation(
        problems=(SetProblem(VALIDATION_FAILED, "", error.message),), completeness=Failed(error.message)
    )
