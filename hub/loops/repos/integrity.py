"""Asks who signed the sources of projects that want them signed. What is enough is decided in `hub.core.projects.integrity`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from argosy.errors import Invalid, NotFound, Unavailable
from argosy.objects import Manifest
from hub.core.apps import charts, sources
from hub.core.apps.sources import Source
from hub.core.projects import integrity
from hub.core.projects.integrity import Signature
from hub.core.tree import Tree
from hub.core.types import Answer, Failed
from hub.loops.repos.trees import TreeOf

Unmade = Mapping[tuple[str, str], str]
"""(address, revision) of trees whose commit is not made yet -> the commit that it will come after, "" where that is not
known: what nobody could sign yet is not called unsigned, but all of the history that is there may be looked at."""
ALL_MADE: Unmade = MappingProxyType({})


class Signed(Protocol):
    """What this needs of `hub.git`."""

    async def of(
        self, url: str, target: str, commit: str, *, refs: Mapping[str, str], tag_prefix: str = "", deep: bool
    ) -> Sequence[Signature]:
        """Raises `Unavailable`, `NotFound`, `Invalid`."""


class Integrity:
    """`refs` are those of a repository's last listing. With `signed` None nobody verifies anything: what a project wants
    signed is then refused.
    """

    def __init__(
        self, refs: Callable[[str], Awaitable[Mapping[str, str]]], signed: Signed | None = None
    ) -> None:
        self._refs = refs
        self._signed = signed
        self.enabled = True
        """False where an administrator turned it off: nothing is asked of anything."""

    def asks(self, project: Manifest | None) -> bool:
        """Whether the project wants any source signed."""
        return self.enabled and project is not None and integrity.asked(project)

    async def of(
        self,
        project: Manifest,
        found: Sequence[Source],
        trees: Mapping[tuple[str, str], Tree],
        unmade: Unmade = ALL_MADE,
    ) -> str:
        """Why sources may not be used, in Argo CD's words and one reason a line; "" where they may. `trees` are by
        (address, target). Raises `Unavailable` where it cannot be told now.
        """
        told: dict[str, None] = {}
        for source in found:
            if not source.chart:
                key = (source.address, source.target)
                wrong = await self._of(
                    project, source.repo, source.target, trees[key].commit, unmade.get(key)
                )
                told.update(dict.fromkeys(wrong))
        return "\n".join(told)

    def awaited(self, project: Manifest, found: Sequence[Source], unmade: Unmade) -> list[str]:
        """The repositories of which the project wants a commit signed that is not made yet."""
        return [
            source.repo
            for source in found
            if not source.chart and (source.address, source.target) in unmade
            if integrity.wanted(project, source.repo)
        ]

    def guarded(self, project: Manifest | None, tree: TreeOf, unmade: Unmade = ALL_MADE) -> TreeOf:
        """`tree` itself, or for a project that wants sources signed one that answers with such alone."""
        if project is None or not self.asks(project):
            return tree
        asking = project

        async def signed(url: str, revision: str) -> Answer[Tree]:
            return await self._tree(asking, url, revision, await tree(url, revision), unmade)

        return signed

    async def _tree(
        self, project: Manifest, url: str, revision: str, answer: Answer[Tree], unmade: Unmade
    ) -> Answer[Tree]:
        if isinstance(answer, Failed) or charts.is_address(url):
            return answer
        try:
            wrong = await self._of(project, url, revision, answer.value.commit, unmade.get((url, revision)))
        except Unavailable as error:
            wrong = [error.message]
        return Failed("; ".join(wrong)) if wrong else answer

    async def _of(
        self, project: Manifest, repo: str, target: str, commit: str, before: str | None
    ) -> list[str]:
        """`before` is None, or what `Unmade` says of the commit."""
        try:
            wanted = integrity.policies(project, repo)
            told: list[str] = []
            for policy in wanted:
                if before is not None and (policy.mode != integrity.STRICT or not before):
                    continue
                looked_at = commit if before is None else before
                told += integrity.problems(
                    policy, await self._signatures(repo, target, looked_at, policy.mode)
                )
        except (Invalid, NotFound) as error:
            return [error.message]
        return told

    async def _signatures(self, repo: str, target: str, commit: str, mode: str) -> Sequence[Signature]:
        if self._signed is None:
            raise Unavailable("signatures cannot be verified here, and nothing unverified is deployed")
        prefix, _, revision = target.rpartition(sources.PREFIXED)
        refs, deep = await self._refs(repo), mode == integrity.STRICT
        return await self._signed.of(repo, revision, commit, refs=refs, tag_prefix=prefix, deep=deep)
