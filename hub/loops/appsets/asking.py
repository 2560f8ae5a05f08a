"""How an evaluation gets its inputs: what it asks for is fetched, then it is evaluated again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.appsets.expand import Evaluation, Evaluator
from hub.core.fleet import Fleet
from hub.core.generators.base import ProviderRequest, Request, TreeRequest
from hub.core.served import table
from hub.core.tree import Tree
from hub.core.types import Answer, Failed
from hub.loops.appsets.world import World
from hub.loops.repos.trees import TreeOf

ROUNDS = 12
"""Evaluations of one set in one run: nested generators learn of further inputs one level at a time."""
TOO_DEEP = "spec.generators: nested too deeply to be evaluated"

Provide = Callable[[ProviderRequest], Awaitable[Answer[Sequence[Mapping[str, Any]]]]]
"""Asks an SCM provider or a plugin."""


def as_asked(provide: Provide, asked: Callable[[], Collection[ProviderRequest]]) -> Provide:
    """Asks what is `asked` anyhow, and nothing else."""

    async def answer(request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]]:
        if request in asked():
            return await provide(request)
        return Failed(
            f"{request.kind}: no set asks this so far; in a plan of somebody who may write the set it is asked"
        )

    return answer


@dataclass
class Asked:
    """The `Sources` of one evaluation: what was fetched for it so far."""

    fleet: Fleet
    trees: dict[TreeRequest, Answer[Tree]] = field(default_factory=dict)
    answers: dict[ProviderRequest, Answer[Sequence[Mapping[str, Any]]]] = field(default_factory=dict)
    listed: dict[tuple[str, str], list[Manifest]] = field(default_factory=dict)
    missing: set[tuple[str, str]] = field(default_factory=set)

    def clusters(self) -> Fleet:
        return self.fleet

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
class Fetcher:
    """Where answers come from."""

    world: World
    tree: TreeOf
    provide: Provide

    async def fetch(self, asked: Asked, requests: Sequence[Request]) -> None:
        """Answers every request, and lists the objects that were missing."""
        for key in tuple(asked.missing):
            served = table.BY_RESOURCE.get(key[0])
            asked.listed[key] = await self.world.listed(served, key[1]) if served else []
        asked.missing.clear()

        async def one(request: Request) -> None:
            if isinstance(request, TreeRequest):
                asked.trees[request] = await self.tree(request.repo_url, request.revision)
            else:
                asked.answers[request] = await self.provide(request)

        await asyncio.gather(*(one(request) for request in requests))

    async def evaluated(self, evaluator: Evaluator, fleet: Fleet) -> Evaluation:
        """One evaluation from nothing, in threads. Raises `Invalid` for generators that are nested too deeply."""
        asked = Asked(fleet)
        for _ in range(ROUNDS):
            evaluation = await asyncio.to_thread(evaluator.evaluate, asked)
            if not evaluation.requests and not asked.missing:
                return evaluation
            await self.fetch(asked, evaluation.requests)
        raise Invalid(TOO_DEEP)
