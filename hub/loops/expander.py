"""ApplicationSets x clusters x trees -> Applications (hop 2 of a change).

A set is evaluated again only when something it looked at may answer differently. What its evaluation means for the
applications that exist is decided in `hub.core`; this file asks and fetches, `members` writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from argosy.errors import Internal, Invalid
from argosy.loop import Wake
from argosy.objects import Manifest
from hub.core import expand, increment, parse, settings
from hub.core.expand import Evaluation, Evaluator
from hub.core.generators.base import Inputs, ProviderRequest, TreeRequest
from hub.core.served import table
from hub.core.types import VALIDATION_FAILED, Answer, Complete, Failed, SetProblem
from hub.loops import asking
from hub.loops.asking import Asked, Provide
from hub.loops.causing import Trigger
from hub.loops.integrity import Integrity
from hub.loops.members import REFRESH, Claim, ClaimsOf, Members, Writer, refresh_asked
from hub.loops.trees import Trees
from hub.loops.world import World
from hub.store import objects
from hub.store.base import Change, Store, Tx
from hub.store.resources import NAMESPACE, Resources

CONFIRM_AFTER = 1.0
"""Seconds until the second evaluation that confirms a removal."""
DELETED_AFTER = 2.0
"""Seconds for which a deleted set keeps its applications: another one that comes in its place gets them."""
PATIENCE = 30.0
"""Seconds for which that evaluation waits for other sets that were not evaluated yet."""
RETRY_AFTER = 60.0
"""Seconds after which a provider that failed is asked again, where the set does not ask sooner."""
AT_ONCE = 8
"""Sets under evaluation at one time; what they write shares a commit."""
QUICK = 0.003
"""Seconds below which an evaluation is not worth a thread of its own."""

log = structlog.get_logger("expander")


@dataclass
class _Known:
    """A set as its last evaluation left it."""

    own: object
    """What of the set itself the evaluation depended on."""
    project: str = ""
    """What its applications' project is called, which may want its sources signed."""
    seen: Manifest | None = None
    """The set as it was last looked at in vain: the same object again has nothing new to say."""
    evaluator: Evaluator | None = None
    """None where the set cannot be evaluated as it is."""
    members: Members = field(default_factory=Members)
    inputs: Inputs = field(default_factory=Inputs)
    versions: object = ()
    states: dict[TreeRequest, tuple[str, bool]] = field(default_factory=dict)
    kept: dict[ProviderRequest, Any] = field(default_factory=dict)
    """Answers of providers and registries, good until `again`."""
    again: float = 0.0
    confirm: bool = False
    """True where the next evaluation decides about removals, and shall read its inputs again."""
    stale: bool = True
    """Something that the last evaluation looked at may answer differently, or there was none."""
    cost: float = float("inf")
    """Seconds that the last evaluation took."""
    busy: bool = False
    """True while an evaluation is under way."""
    patience: float = 0.0
    """Until when the confirmation of removals waits for other sets."""


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
        self._integrity = integrity or Integrity(trees.refs)
        self._fetcher = asking.Fetcher(world, trees.tree, provide)
        self._wake = wake
        self._settled = settled
        self._now = now
        self._known: dict[str, _Known] = {}
        self._sets: frozenset[str] = frozenset()
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
        projects = {change.name for change in changes if change.resource == table.APP_PROJECT.resource}
        for known in self._known.values() if projects else ():
            known.stale = known.stale or known.project in projects
        decided = any(map(_decides, changes))
        for known in self._known.values() if decided else ():
            known.stale = known.stale or known.members.held
        return bool(found) or decided

    def ask(self, concerns: Callable[[ProviderRequest], bool]) -> int:
        """Asks anew what sets ask of hosting services that it `concerns`; returns the number of these sets."""
        found = [known for known in self._known.values() if any(map(concerns, known.inputs.providers))]
        for known in found:
            known.kept.clear()
            known.stale = True
        if found:
            self._wake.set()
        return len(found)

    def again(self) -> None:
        """Evaluates every set again: what all of them depend on has changed."""
        for known in self._known.values():
            known.stale = True

    def told(self, request: ProviderRequest, answer: Answer[Sequence[Mapping[str, Any]]]) -> None:
        """Takes up an answer that came when nobody waited for it any more."""
        found = [known for known in self._known.values() if request in known.inputs.providers]
        for known in found:
            known.kept[request] = answer
            known.stale = True
        if found:
            self._wake.set()

    def looked_at(self, uid: str) -> Inputs | None:
        """What a set's last evaluation looked at; None where there was none in this run of the hub."""
        known = self._known.get(uid)
        return known.inputs if known is not None and not known.stale else None

    async def run(self) -> None:
        sets = await self._world.listed(table.APPLICATION_SET, NAMESPACE)
        by_uid = {item["metadata"]["uid"]: item for item in sets}
        self._sets = frozenset(by_uid)
        self._known = {uid: known for uid, known in self._known.items() if uid in by_uid}
        await self._look_at_touched(by_uid)
        await self._world.clusters()
        self._spread()
        broken: list[str] = []
        await asyncio.gather(*(self._guarded(item, broken) for item in sets if not self._rests(item)))
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

    async def _look_at_touched(self, sets: Mapping[str, Manifest]) -> None:
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
            for owner in self._owners(uid, name, row.owner if row else ""):
                known = self._known[owner]
                if not known.members.unmoved(row, name, sets[owner], self._resources):
                    known.stale = True
            for known in self._known.values():
                # What it waited for may be free, or somebody else's.
                known.stale = known.stale or name in known.members.claims

    def _owners(self, uid: str, name: str, said: str) -> Iterable[str]:
        """The sets that have, or had, an Application."""
        if said in self._known and self._known[said].members.may_hold(name, uid):
            return (said,)
        had = [owner for owner, known in self._known.items() if known.members.may_hold(name, uid)]
        return {*had, said} if said in self._known else had

    def _spread(self) -> None:
        """Finds the sets that clusters concern which joined, changed or left."""
        moves = self._world.moved()
        for known in self._known.values() if moves else ():
            known.stale = known.stale or any(increment.concerns(known.inputs, move) for move in moves)

    def _rests(self, manifest: Manifest) -> bool:
        """True where `_one` would find nothing to do: told at once, since of many sets a change concerns few."""
        known = self._known.get(manifest["metadata"]["uid"])
        return (
            known is not None
            and known.seen is manifest
            and not known.stale
            and not known.confirm
            and time.monotonic() < known.again
            and known.versions == self._versions(known.inputs)
            and all(
                self._trees.state(request.repo_url, request.revision) == before
                for request, before in known.states.items()
            )
        )

    async def _one(self, manifest: Manifest) -> None:
        known, now = self._known.get(manifest["metadata"]["uid"]), time.monotonic()
        reread = True
        if refresh_asked(manifest):
            await self._look_again(manifest, known, whole=True)
        elif known is not None and known.confirm:
            # A removal is confirmed by inputs that were read again, and by nothing sooner.
            if now < known.again:
                return
            if now < known.patience and self._others_unsettled(known):
                self._soon(known, now)
                return
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

    def _others_unsettled(self, mine: _Known) -> bool:
        """Whether another set may want what this one lets go, and has not said so yet."""
        unknown = self._sets - self._known.keys()
        return bool(unknown) or any(
            known.stale or known.busy for known in self._known.values() if known is not mine
        )

    def _soon(self, known: _Known, now: float) -> None:
        known.again = now + CONFIRM_AFTER
        asyncio.get_running_loop().call_later(CONFIRM_AFTER, self._wake.set)

    async def _in_turn(self, known: _Known, now: float) -> None:
        """What a set asks for to be looked at every so often, looked at."""
        every = float(known.inputs.requeue)
        urls = {request.repo_url for request in known.inputs.trees}
        await asyncio.gather(*(self._trees.look(url, older=every) for url in urls))
        if known.kept or not all(known.inputs.trees.values()):
            known.kept.clear()
            known.stale = True
        known.again = now + every if every else float("inf")

    async def _due(self, manifest: Manifest, known: _Known) -> bool:
        if known.stale or known.own != _own(manifest) or known.versions != self._versions(known.inputs):
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

    def _versions(self, inputs: Inputs) -> object:
        found = {f"{group}/{kind}" for group, kind, _ in inputs.objects}
        return tuple((resource, self._world.versions.get(resource, 0)) for resource in sorted(found))

    async def _look_again(self, manifest: Manifest, known: _Known | None, *, whole: bool) -> None:
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
        uid, own = manifest["metadata"]["uid"], _own(manifest)
        known = self._known.get(uid)
        before = known.states if known is not None else {}
        edited = known is not None and known.own != own
        if known is None or known.own != own:
            known = self._known[uid] = _Known(own, kept=known.kept if known else {})
        claimed = known.members.claims
        known.stale, known.busy = False, True
        versions: object = ()
        try:
            try:
                versions, evaluation = await self._evaluate(manifest, known)
            except Invalid as error:
                evaluation = _refused(error)
            self.evaluated += 1
            trigger = Trigger(edited, await self._authors(evaluation, before))
            claims = self._claims_of(known.members)
            recheck, wrote, moved = await self._store.write(
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
        if recheck and not known.confirm:
            known.patience = time.monotonic() + PATIENCE
        deleting = bool(manifest["metadata"].get("deletionTimestamp"))
        known.again, known.confirm = self._again(evaluation, recheck, deleting=deleting), recheck
        self._tell_of(known.members, claimed)
        for other in moved & self._known.keys():
            self._known[other].members.forget()
            self._known[other].stale = True
            self._wake.set()
        if wrote:
            self._settled()

    async def _authors(
        self, evaluation: Evaluation, before: Mapping[TreeRequest, tuple[str, bool]]
    ) -> tuple[str, ...]:
        """Of the commits that came since the evaluation before."""
        found = []
        for request, commit in evaluation.inputs.trees.items():
            if commit and request in before and before[request][0] != commit:
                answer = await self._trees.tree(request.repo_url, request.revision)
                if isinstance(answer, Complete) and answer.value.commit == commit and answer.value.author:
                    found.append(answer.value.author)
        return tuple(found)

    def _state_of(self, request: TreeRequest, commit: str) -> tuple[str, bool]:
        """The commit that was looked at, and whether its repository answered: a newer one is news."""
        now, answers = self._trees.state(request.repo_url, request.revision)
        return commit or now, answers

    def _tell_of(self, members: Members, before: Mapping[str, Claim]) -> None:
        """Lets the sets look again of which this one wants what it did not want before."""
        told = {claim.owner for name, claim in members.claims.items() if name not in before}
        for owner in told & self._known.keys():
            self._known[owner].stale = True
            self._wake.set()

    def _claims_of(self, mine: Members) -> ClaimsOf:
        """What other sets want of a set's applications."""
        others = [known.members for known in self._known.values() if known.members is not mine]
        claims: dict[str, Claim] = {}
        for members in others:
            for name, claim in members.claims.items():
                claims.setdefault(name, claim)
        return claims.get

    def _again(self, evaluation: Evaluation, recheck: bool, *, deleting: bool) -> float:
        inputs = evaluation.inputs
        if recheck:
            after = DELETED_AFTER if deleting else CONFIRM_AFTER
            asyncio.get_running_loop().call_later(after, self._wake.set)
            return time.monotonic() + after
        wait = float(inputs.requeue) or float("inf")
        if not isinstance(evaluation.completeness, Complete) and inputs.requeue and _asks(inputs):
            wait = min(wait, RETRY_AFTER)
        return time.monotonic() + wait

    async def _evaluate(self, manifest: Manifest, known: _Known) -> tuple[object, Evaluation]:
        """(versions of the objects that it looked at, the evaluation)."""
        if manifest["metadata"].get("deletionTimestamp"):
            return (), Evaluation()
        if known.evaluator is None:
            known.evaluator = evaluator_of(manifest)
        asked = Asked(await self._world.clusters(), answers=dict(known.kept))
        known.project = project_of(manifest)
        fetcher = await self._fetching(known.project)
        for _ in range(asking.ROUNDS):
            before = dict(self._world.versions)
            evaluation = await self._quickly(known, known.evaluator, asked)
            if not evaluation.requests and not asked.missing:
                # Who was told meanwhile to ask anew does not keep what was answered before.
                known.kept = {
                    request: answer
                    for request, answer in asked.answers.items()
                    if request in evaluation.inputs.providers and not known.stale
                }
                found = {f"{group}/{kind}" for group, kind, _ in evaluation.inputs.objects}
                return tuple((resource, before.get(resource, 0)) for resource in sorted(found)), evaluation
            await fetcher.fetch(asked, evaluation.requests)
        raise Invalid(asking.TOO_DEEP)

    async def _fetching(self, name: str) -> asking.Fetcher:
        """Where a set's inputs come from: signed repositories alone where its project wants that. A set whose project is a
        template has none yet, as in Argo CD.
        """
        projects = await self._world.listed(table.APP_PROJECT, NAMESPACE)
        project = next((one for one in projects if one["metadata"]["name"] == name), None)
        return replace(self._fetcher, tree=self._integrity.guarded(project, self._trees.tree))

    async def _quickly(self, known: _Known, evaluator: Evaluator, asked: Asked) -> Evaluation:
        """In a thread, but for what is done before a thread would begin."""
        began = time.perf_counter()
        if known.cost < QUICK:
            evaluation = evaluator.evaluate(asked)
        else:
            evaluation = await asyncio.to_thread(evaluator.evaluate, asked)
        known.cost = time.perf_counter() - began
        return evaluation

    def _write(
        self,
        tx: Tx,
        seen: Manifest,
        evaluation: Evaluation,
        members: Members,
        claims: ClaimsOf,
        reread: bool,
        trigger: Trigger,
    ) -> tuple[bool, bool, set[str]]:
        """Applies one evaluation; returns (look again soon, applications were written, sets with which some moved)."""
        metadata = seen["metadata"]
        appset = self._resources.get(tx, table.APPLICATION_SET, metadata["namespace"], metadata["name"])
        if appset is None or appset["metadata"]["uid"] != metadata["uid"]:
            return False, False, set()
        if appset["metadata"].get("generation") != metadata.get("generation"):
            return True, False, set()
        writer = Writer(tx, self._resources, self._now(), appset, members, self._written, trigger, claims)
        problems = [*evaluation.problems, *writer.put(evaluation)]
        verdict = writer.remove(evaluation, reread=reread)
        writer.status(problems, evaluation.completeness, verdict.blocked)
        return verdict.recheck, writer.wrote, writer.moved


def sources_of(app: Manifest) -> list[dict[str, Any]]:
    """The sources of an Application, however many it has."""
    spec = app.get("spec") or {}
    return list(spec.get("sources") or ([spec["source"]] if spec.get("source") else []))


def project_of(manifest: Manifest) -> str:
    """The project that a set's template names."""
    spec = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    return str(spec.get("project") or "default")


def _own(manifest: Manifest) -> object:
    """What of a set itself its evaluation depends on: neither its status nor managedFields, nor what asks to look again."""
    metadata = manifest["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != REFRESH}
    return (
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        annotations,
        metadata.get("labels"),
    )


def evaluator_of(manifest: Manifest) -> Evaluator:
    """Raises `Invalid` for a set that cannot be evaluated."""
    appset = parse.application_set(manifest)
    strict = appset.annotations.get("argosy.dev/strict-argocd") == "true"
    return Evaluator(appset, expand.Settings(strict=strict, limit=expand.limit_of(appset.annotations)))


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
