"""ApplicationSets x clusters x trees -> Applications (hop 2 of a change).

A set is evaluated again only when something it looked at may answer differently. What its evaluation means for the
applications that exist is decided in `hub.core`; this file asks, fetches and writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from argosy.errors import ArgosyError, Internal, Invalid
from argosy.loop import Wake
from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest
from hub.core import conditions, expand, generated, parse, removals
from hub.core.expand import Evaluation
from hub.core.generators.base import Inputs, ProviderRequest, Request, TreeRequest
from hub.core.served import table
from hub.core.tree import Tree
from hub.core.types import VALIDATION_FAILED, Answer, ClusterFacts, Complete, Failed, SetProblem
from hub.loops.trees import Trees
from hub.loops.world import World
from hub.store import evaluations, objects
from hub.store.base import Change, Store, Tx
from hub.store.resources import NAMESPACE, Resources

MANAGER = "argosy-applicationset"
REFRESH = "argocd.argoproj.io/application-set-refresh"
FINALIZER = "argosy.dev/removals"
"""Keeps a deleted set until its applications went the way every removal goes."""
CONFIRM_AFTER = 1.0
"""Seconds until the second evaluation that confirms a removal."""
ROUNDS = 12
"""Evaluations of one set in one run: nested generators learn of further inputs one level at a time."""

log = structlog.get_logger("expander")

Provide = Callable[[ProviderRequest], Awaitable[Answer[Sequence[Mapping[str, Any]]]]]
"""Asks an SCM provider or a plugin."""
Pull = Callable[[TreeRequest], Awaitable[Answer[Tree]]]
"""Reads an artifact of an OCI registry."""


@dataclass
class _Asked:
    """The `Sources` of one evaluation: what was fetched for it so far."""

    facts: tuple[ClusterFacts, ...]
    trees: dict[TreeRequest, Answer[Tree]] = field(default_factory=dict)
    answers: dict[ProviderRequest, Answer[Sequence[Mapping[str, Any]]]] = field(default_factory=dict)
    listed: dict[tuple[str, str], list[Manifest]] = field(default_factory=dict)
    missing: set[tuple[str, str]] = field(default_factory=set)

    def clusters(self) -> Sequence[ClusterFacts]:
        return self.facts

    def tree(self, request: TreeRequest) -> Answer[Tree] | None:
        return self.trees.get(request)

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]] | None:
        return self.answers.get(request)

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        key = (f"{group}/{resource}", namespace)
        if key not in self.listed:
            self.missing.add(key)
        return self.listed.get(key, [])


@dataclass(frozen=True)
class _Known:
    """What the last evaluation of a set depended on, and when it wants to be repeated by itself."""

    stamp: object
    inputs: Inputs
    again: float
    confirm: bool = False
    """True where the next evaluation decides about removals, and shall read its inputs again."""


class Expander:
    """`settled` is called after a run that wrote applications; `wake` is this loop's own."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        world: World,
        trees: Trees,
        provide: Provide,
        pull: Pull,
        wake: Wake,
        settled: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._resources = resources
        self._world = world
        self._trees = trees
        self._provide = provide
        self._pull = pull
        self._wake = wake
        self._settled = settled
        self._now = now
        self._known: dict[str, _Known] = {}
        self._written: set[int] = set()
        self._touched: set[str] = set()
        self._owners: dict[str, str] = {}
        """Application -> its set, for applications that are gone by the time we hear of it."""
        self.evaluated = 0
        """Sets evaluated since the start: the cost of a change is counted here."""

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes; True where somebody else wrote an Application, which its set may set right."""
        found = {
            change.uid
            for change in changes
            if change.resource == table.APPLICATION.resource
            and not change.composed
            and change.rv not in self._written
        }
        self._written.difference_update(change.rv for change in changes)
        self._touched |= found
        return bool(found)

    async def _look_at_touched(self) -> None:
        """Forgets the last evaluation of the sets whose applications others wrote or deleted."""
        touched, self._touched = self._touched, set()
        if not touched:
            return
        try:
            members = await self._store.read(lambda tx: {uid: objects.by_uid(tx, uid) for uid in touched})
        except BaseException:
            self._touched |= touched
            raise
        for uid, row in members.items():
            owner = row.owner if row else self._owners.pop(uid, "")
            self._known.pop(owner, None)

    async def run(self) -> None:
        await self._look_at_touched()
        sets = await self._world.listed(table.APPLICATION_SET, NAMESPACE)
        uids = {item["metadata"]["uid"] for item in sets}
        self._known = {uid: known for uid, known in self._known.items() if uid in uids}
        await self._world.clusters()
        broken = []
        for item in sets:
            try:
                await self._one(item)
            except Exception as error:
                # One set's trouble, whatever it is, stays its own; the next run tries again.
                name = item["metadata"]["name"]
                log.exception("set not evaluated", appset=name)
                broken.append(f"{name}: {error}")
        if broken:
            raise Internal("; ".join(broken))

    async def _one(self, manifest: Manifest) -> None:
        uid, refresh = manifest["metadata"]["uid"], _refresh_asked(manifest)
        known = self._known.get(uid)
        if refresh:
            await self._look_again(manifest, known, whole=True)
        elif known is not None and known.confirm:
            # A removal is confirmed by inputs that were read again, and by nothing sooner.
            if self._now() < known.again:
                return
            await self._look_again(manifest, known, whole=False)
        elif (
            known is not None
            and self._now() < known.again
            and known.stamp == self._stamp(manifest, known.inputs)
        ):
            return
        try:
            evaluation = await self._evaluate(manifest)
        except ArgosyError as error:
            evaluation = _refused(error)
        self.evaluated += 1
        try:
            recheck, wrote = await self._store.write(lambda tx: self._write(tx, manifest, evaluation))
        except BaseException:
            # Versions of writes that were undone will be those of others' writes, and these are news.
            self._written.clear()
            raise
        again = self._now() + (evaluation.inputs.requeue or float("inf"))
        if recheck:
            again = self._now() + CONFIRM_AFTER
            asyncio.get_running_loop().call_later(CONFIRM_AFTER, self._wake.set)
        self._known[uid] = _Known(self._stamp(manifest, evaluation.inputs), evaluation.inputs, again, recheck)
        if wrote:
            self._settled()

    def _stamp(self, manifest: Manifest, inputs: Inputs) -> object:
        """Equal stamps: the evaluation would give the same. Status and managedFields of the set itself do not count."""
        metadata = manifest["metadata"]
        return (
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            metadata.get("annotations"),
            metadata.get("labels"),
            self._world.fleet if inputs.clusters else 0,
            tuple(self._trees.state(one.repo_url, one.revision) for one in inputs.trees),
            tuple(
                self._world.versions.get(f"{group}/{kind}", 0) for group, kind, _ in sorted(inputs.objects)
            ),
        )

    async def _look_again(self, manifest: Manifest, known: _Known | None, *, whole: bool) -> None:
        """Reads the set's repositories again; `whole`: those of its applications too, as a user asked for."""
        urls = {request.repo_url for request in known.inputs.trees} if known else set()
        if whole:
            uid = manifest["metadata"]["uid"]
            for app in await self._store.read(lambda tx: self._resources.owned(tx, table.APPLICATION, uid)):
                urls |= {source["repoURL"] for source in sources_of(app) if source.get("repoURL")}
        moved = await asyncio.gather(*(self._trees.look(url) for url in urls))
        if any(moved):
            # The applications' own sources are followed by the renderer, also where the set itself stays as it is.
            self._settled()

    async def _evaluate(self, manifest: Manifest) -> Evaluation:
        appset = parse.application_set(manifest)
        if manifest["metadata"].get("deletionTimestamp"):
            return Evaluation()
        asked = _Asked(await self._world.clusters())
        settings = expand.Settings(strict=appset.annotations.get("argosy.dev/strict-argocd") == "true")
        for _ in range(ROUNDS):
            evaluation = await asyncio.to_thread(expand.expand, appset, asked, settings)
            if not evaluation.requests and not asked.missing:
                return evaluation
            await self._fetch(asked, evaluation.requests)
        raise Invalid("spec.generators: nested too deeply to be evaluated")

    async def _fetch(self, asked: _Asked, requests: Sequence[Request]) -> None:
        for key in tuple(asked.missing):
            served = table.BY_RESOURCE.get(key[0])
            asked.listed[key] = await self._world.listed(served, key[1]) if served else []
        asked.missing.clear()

        async def one(request: Request) -> None:
            if isinstance(request, TreeRequest) and request.repo_url.startswith("oci://"):
                asked.trees[request] = await self._pull(request)
            elif isinstance(request, TreeRequest):
                asked.trees[request] = await self._trees.tree(request.repo_url, request.revision)
            else:
                asked.answers[request] = await self._provide(request)

        await asyncio.gather(*(one(request) for request in requests))

    def _write(self, tx: Tx, seen: Manifest, evaluation: Evaluation) -> tuple[bool, bool]:
        """Applies one evaluation; returns (look again soon, applications were written)."""
        metadata = seen["metadata"]
        appset = self._resources.get(tx, table.APPLICATION_SET, metadata["namespace"], metadata["name"])
        if appset is None or appset["metadata"]["uid"] != metadata["uid"]:
            return False, False
        if appset["metadata"].get("generation") != metadata.get("generation"):
            return True, False
        writer = _Writer(tx, self._resources, self._now(), appset, self._written)
        problems = [*evaluation.problems, *writer.put(evaluation)]
        verdict = writer.remove(evaluation)
        self._owners.update(dict.fromkeys(writer.uids, metadata["uid"]))
        writer.status(problems, evaluation.completeness, verdict.blocked)
        return verdict.recheck, writer.wrote


class _Writer:
    """The writes of one evaluation of one set in one transaction."""

    def __init__(self, tx: Tx, resources: Resources, now: float, appset: Manifest, written: set[int]) -> None:
        self._written = written
        self._tx = tx
        self._resources = resources
        self._now = now
        self._appset = appset
        self._uid = appset["metadata"]["uid"]
        self._owned = {
            item["metadata"]["name"]: item for item in resources.owned(tx, table.APPLICATION, self._uid)
        }
        self.uids = [item["metadata"]["uid"] for item in self._owned.values()]
        self.wrote = False

    def put(self, evaluation: Evaluation) -> list[SetProblem]:
        """Creates and updates. An application that cannot be written is a problem of its own and stops no other."""
        problems = []
        for app in evaluation.applications:
            try:
                self._put(app)
            except (ApiFailure, Invalid) as error:
                name = app["metadata"]["name"]
                problems.append(SetProblem(VALIDATION_FAILED, "", str(error), name))
        return problems

    def _put(self, app: Manifest) -> None:
        metadata = app["metadata"]
        live = self._owned.get(metadata["name"])
        if live is None:
            live = self._resources.get(self._tx, table.APPLICATION, metadata["namespace"], metadata["name"])
            owner = generated.controller_of(live) if live else ""
            if owner and owner != self._uid:
                raise Invalid("an Application of this name belongs to another ApplicationSet")
        elif not generated.may(self._appset["spec"]).update:
            return
        wanted = generated.merge(live, app, self._appset)
        if live is None:
            made = self._resources.create(self._tx, table.APPLICATION, wanted, manager=MANAGER, now=self._now)
            self.uids.append(made["metadata"]["uid"])
            self._wrote(made)
        elif wanted != live:
            made = self._resources.update(self._tx, table.APPLICATION, wanted, manager=MANAGER, now=self._now)
            self._wrote(made)

    def _wrote(self, made: Manifest) -> None:
        self.wrote = True
        self._written.add(int(made["metadata"]["resourceVersion"]))

    def remove(self, evaluation: Evaluation) -> removals.Verdict:
        """Deletes what may go. A set under deletion wants none of its applications, and that is no empty reading."""
        annotations = self._appset["metadata"].get("annotations") or {}
        deleting = bool(self._appset["metadata"].get("deletionTimestamp"))
        wanted = {app["metadata"]["name"] for app in evaluation.applications}
        wanted |= {problem.app for problem in evaluation.problems if problem.app}
        alive = [app for app in self._owned.values() if not app["metadata"].get("deletionTimestamp")]
        nameless = any(not problem.app for problem in evaluation.problems)
        verdict = removals.judge(
            [removals.member(app) for app in alive],
            wanted,
            complete=isinstance(evaluation.completeness, Complete) and not nameless,
            deleting=deleting,
            annotations=annotations,
            before=evaluations.pending(self._tx, self._uid),
            now=self._now,
        )
        evaluations.remember(self._tx, self._uid, verdict.pending)
        if deleting or generated.may(self._appset["spec"]).delete:
            for name in verdict.remove:
                self._resources.delete(self._tx, table.APPLICATION, NAMESPACE, name, now=self._now)
                self.wrote = True
        if deleting and not self._resources.owned(self._tx, table.APPLICATION, self._uid):
            self._finish()
        return verdict

    def _finish(self) -> None:
        """The last application of a deleted set is gone: let the set go."""
        metadata = dict(self._appset["metadata"])
        metadata["finalizers"] = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        self._resources.update(
            self._tx,
            table.APPLICATION_SET,
            {**self._appset, "metadata": metadata},
            manager=MANAGER,
            now=self._now,
        )

    def status(self, problems: Sequence[SetProblem], completeness: Answer[None], blocked: str) -> None:
        """The set's status, its answered refresh annotation and its finalizer. Writes nothing where nothing differs."""
        metadata = self._appset["metadata"]
        live = self._resources.get(self._tx, table.APPLICATION_SET, metadata["namespace"], metadata["name"])
        if live is None:
            return
        wanted = dict(live["metadata"])
        if _refresh_asked(live):
            wanted["annotations"] = {k: v for k, v in wanted["annotations"].items() if k != REFRESH}
        if not wanted.get("deletionTimestamp") and FINALIZER not in (wanted.get("finalizers") or ()):
            wanted["finalizers"] = [*(wanted.get("finalizers") or ()), FINALIZER]
        if wanted != live["metadata"]:
            live = self._resources.update(
                self._tx, table.APPLICATION_SET, {**live, "metadata": wanted}, manager=MANAGER, now=self._now
            )
        before = live.get("status") or {}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now))
        found = conditions.of_set(problems, completeness, blocked, before.get("conditions") or (), stamp)
        self._resources.set_status(
            self._tx,
            table.APPLICATION_SET,
            metadata["namespace"],
            metadata["name"],
            {**before, "conditions": found},
            manager=MANAGER,
            now=self._now,
        )


def sources_of(app: Manifest) -> list[dict[str, Any]]:
    """The sources of an Application, however many it has."""
    spec = app.get("spec") or {}
    return list(spec.get("sources") or ([spec["source"]] if spec.get("source") else []))


def _refused(error: ArgosyError) -> Evaluation:
    return Evaluation(
        problems=(SetProblem(VALIDATION_FAILED, "", error.message),), completeness=Failed(error.message)
    )


def _refresh_asked(manifest: Manifest) -> bool:
    return REFRESH in (manifest["metadata"].get("annotations") or {})
