"""One door to everything that sources can be read from: Git repositories, chart repositories, registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hub.core.apps import charts, sources
from hub.core.tree import Tree


class Depot(Protocol):
    """What holds trees under addresses. Every call raises our errors."""

    async def refs(self, url: str) -> Mapping[str, str]: ...

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str: ...

    async def tree(self, url: str, commit: str) -> Tree: ...


class Git(Depot, Protocol):
    """Git also knows prefixes of tags (`tagPrefix`)."""

    async def resolve(
        self, url: str, target: str, *, refs: Mapping[str, str], tag_prefix: str = ""
    ) -> str: ...


class Depots:
    """Sends each question to `git` or to `archives`, by its address. Targets are `hub.core.apps.sources.Source.target`."""

    def __init__(self, git: Git, archives: Depot) -> None:
        self._git = git
        self._archives = archives

    async def refs(self, url: str) -> Mapping[str, str]:
        return await self._of(url).refs(url)

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        prefix, _, revision = target.rpartition(sources.PREFIXED)
        if charts.is_address(url):
            return await self._archives.resolve(url, revision, refs=refs)
        return await self._git.resolve(url, revision, refs=refs, tag_prefix=prefix)

    async def tree(self, url: str, commit: str) -> Tree:
        return await self._of(url).tree(url, commit)

    def _of(self, url: str) -> Depot:
        return self._archives if charts.is_address(url) else self._git
