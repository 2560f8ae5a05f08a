"""Asks who signed the sources of projects that want them signed. What is enough is decided in `hub.core.integrity`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from argosy.errors import Invalid, NotFound, Unavailable
from argosy.objects import Manifest
from hub.core import charts, integrity, sources
from hub.core.integrity import Signature
from hub.core.sources import Source
from hub.core.tree import Tree
from hub.core.types import Answer, Failed


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
        self, project: Manifest, found: Sequence[Source], trees: Mapping[tuple[str, str], Tree]
    ) -> str:
        """Why sources may not be used, in Argo CD's words and one reason a line; "" where they may. `trees` are by
        (address, target). Raises `Unavailable` where it cannot be told now.
        """
        told: dict[str, None] = {}
        for source in found:
            if not source.chart:
                commit = trees[source.address, source.target].commit
                told.update(dict.fromkeys(await self._of(project, source.repo, source.target, commit)))
        return "\n".join(told)

    async def tree(self, project: Manifest, url: str, revision: str, answer: Answer[Tree]) -> Answer[Tree]:
        """The answer itself, or why its tree may not be used."""
        if isinstance(answer, Failed) or charts.is_address(url):
            return answer
        try:
            wrong = await self._of(project, url, revision, answer.value.commit)
        except Unavailable as error:
            wrong = [error.message]
        return Failed("; ".join(wrong)) if wrong else answer

    async def _of(self, project: Manifest, repo: str, target: str, commit: str) -> list[str]:
        try:
            wanted = integrity.policies(project, repo)
            told: list[str] = []
            for policy in wanted:
                told += integrity.problems(policy, await self._signatures(repo, target, commit, policy.mode))
        except (Invalid, NotFound) as error:
            return [error.message]
        return told

    async def _signatures(self, repo: str, target: str, commit: str, mode: str) -> Sequence[Signature]:
        if self._signed is None:
            raise Unavailable("signatures cannot be verified here, and nothing unverified is deployed")
        prefix, _, revision = target.rpartition(sources.PREFIXED)
        refs, deep = await self._refs(repo), mode == integrity.STRICT
        return await self._signed.of(repo, revision, commit, refs=refs, tag_prefix=prefix, deep=deep)
