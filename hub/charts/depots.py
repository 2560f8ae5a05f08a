"""One door to everything that sources can be read from: Git repositories, chart repositories, registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hub.core import charts
from hub.core.tree import Tree


class Depot(Protocol):
    """What holds trees under addresses. Every call raises our errors."""

    async def refs(self, url: str) -> Mapping[str, str]: ...

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str: ...

    async def tree(self, url: str, commit: str) -> Tree: ...


class Depots:
    """Sends each question to `git` or to `archives`, by its address."""

    def __init__(self, git: Depot, archives: Depot) -> None:
        self._git = git
        self._archives = archives

    async def refs(self, url: str) -> Mapping[str, str]:
        return await self._of(url).refs(url)

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        return await self._of(url).resolve(url, target, refs=refs)

    async def tree(self, url: str, commit: str) -> Tree:
        return await self._of(url).tree(url, commit)

    def _of(self, url: str) -> Depot:
        return self._archives if charts.is_address(url) else self._git
