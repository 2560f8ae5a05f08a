"""Evaluates one set: what it asks for is fetched, and it is asked again, until it asks for nothing more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.appsets import expand
from hub.core.appsets.expand import Evaluation, Evaluator
from hub.core.generators.base import Inputs, TreeRequest
from hub.core.schema import parse
from hub.core.served import table
from hub.core.types import NAMESPACE, Complete
from hub.loops.appsets import asking
from hub.loops.appsets.asking import Asked, Provide
from hub.loops.appsets.sets import Known
from hub.loops.appsets.world import World
from hub.loops.repos.integrity import Integrity
from hub.loops.repos.trees import Trees

QUICK = 0.003
"""Seconds below which an evaluation is not worth a thread of its own."""


class Evaluating:
    """Where the inputs of evaluations come from, and what they looked at of it."""

    def __init__(self, world: World, trees: Trees, provide: Provide, integrity: Integrity) -> None:
        self._world = world
        self._trees = trees
        self._integrity = integrity
        self._fetcher = asking.Fetcher(world, trees.tree, provide)

    async def of(self, manifest: Manifest, known: Known) -> tuple[object, Evaluation]:
        """(versions of the objects that it looked at, the evaluation). Raises `Invalid` where the set cannot be evaluated."""
        if manifest["metadata"].get("deletionTimestamp"):
            return (), Evaluation()
        if known.evaluator is None:
            known.evaluator = evaluator_of(manifest)
        asked = Asked(await self._world.clusters(), answers=dict(known.kept))
        known.project = project_of(manifest)
        fetcher = await self._fetching(known.project)
        for _ in range(asking.ROUNDS):
            before = dict(self._world.versions)
            evaluation = await _quickly(known, known.evaluator, asked)
            # Who hears of news while the answers are fetched and written must find whom they concern.
            known.inputs = evaluation.inputs
            if not evaluation.requests and not asked.missing:
                # Who was told meanwhile to ask anew does not keep what was answered before.
                known.kept = {
                    request: answer
                    for request, answer in asked.answers.items()
                    if request in evaluation.inputs.providers and not known.stale
                }
                return _versions(evaluation.inputs, before), evaluation
            await fetcher.fetch(asked, evaluation.requests)
        raise Invalid(asking.TOO_DEEP)

    def versions(self, inputs: Inputs) -> object:
        """What the objects that an evaluation looked at are at now, to be compared with what they were at."""
        return _versions(inputs, self._world.versions)

    async def authors(self, evaluation: Evaluation, before: Mapping[TreeRequest, str]) -> tuple[str, ...]:
        """Of the commits that came since the evaluation before."""
        found = []
        for request, commit in evaluation.inputs.trees.items():
            if commit and request in before and before[request] != commit:
                answer = await self._trees.tree(request.repo_url, request.revision)
                if isinstance(answer, Complete) and answer.value.commit == commit and answer.value.author:
                    found.append(answer.value.author)
        return tuple(found)

    async def _fetching(self, name: str) -> asking.Fetcher:
        """Where a set's inputs come from: signed repositories alone where its project wants that. A set whose project is a
        template has none yet, as in Argo CD.
        """
        projects = await self._world.listed(table.APP_PROJECT, NAMESPACE)
        project = next((one for one in projects if one["metadata"]["name"] == name), None)
        return replace(self._fetcher, tree=self._integrity.guarded(project, self._trees.tree))


def evaluator_of(manifest: Manifest) -> Evaluator:
    """Raises `Invalid` for a set that cannot be evaluated."""
    appset = parse.application_set(manifest)
    strict = appset.annotations.get("argosy.dev/strict-argocd") == "true"
    return Evaluator(appset, expand.Settings(strict=strict, limit=expand.limit_of(appset.annotations)))


async def _quickly(known: Known, evaluator: Evaluator, asked: Asked) -> Evaluation:
    """In a thread, but for what is done before a thread would begin."""
    began = time.perf_counter()
    if known.cost < QUICK:
        evaluation = evaluator.evaluate(asked)
    else:
        evaluation = await asyncio.to_thread(evaluator.evaluate, asked)
    known.cost = time.perf_counter() - began
    return evaluation


def _versions(inputs: Inputs, versions: Mapping[str, int]) -> object:
    found = {f"{group}/{kind}" for group, kind, _ in inputs.objects}
    return tuple((resource, versions.get(resource, 0)) for resource in sorted(found))


def project_of(manifest: Manifest) -> str:
    """The project that a set's template names."""
    spec = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    return str(spec.get("project") or "default")
