"""Answers where a commit is, from the store and from Git's history; asks no cluster and no remote."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from argosy.errors import ArgosyError, Invalid, NotFound
from hub.core import repos
from hub.core.apps import charts
from hub.core.views import where
from hub.core.views.where import History
from hub.loops.repos.trees import Trees
from hub.planning.trees import followed
from hub.store import deliveries, places
from hub.store.apps import confirmed
from hub.store.base import Store, Tx


class GitHistory(Protocol):
    """What this needs of the mirrors (`hub.git.mirror.Mirrors`)."""

    async def known(self, url: str, shortened: str) -> str | None: ...

    async def descendants(self, url: str, commit: str) -> frozenset[str]: ...


@dataclass(frozen=True)
class Answer:
    """Where a commit of a repository is: one row for each cluster."""

    repo: str
    commit: str
    rows: tuple[where.Row, ...]

    def document(self, states: frozenset[str] = frozenset(), limit: int = 0) -> dict[str, Any]:
        """As JSON; only rows in `states` where there are any, and no more than `limit` (0: all). Counts are of all."""
        chosen = [row for row in self.rows if not states or row.place.value in states]
        return {
            "repo": self.repo,
            "commit": self.commit,
            "clusters": len(self.rows),
            "counts": where.counts(self.rows),
            "items": [row.document() for row in (chosen[:limit] if limit else chosen)],
        }


class Locator:
    """For one hub."""

    def __init__(self, store: Store, trees: Trees, git: GitHistory) -> None:
        self._store = store
        self._trees = trees
        self._git = git

    async def where(self, commit: str, repo: str = "") -> Answer:
        """`commit` may be shortened, and may be a chart's version or an artifact's digest; `repo` "" is the repository (or
        chart) in use that has it.

        Raises `NotFound` where none has, `Invalid` where several have or the text is no commit.
        """
        if where.is_version(commit):
            return await self._where_version(commit, repo)
        if not where.is_commit(commit):
            raise Invalid(
                f"commit: found {commit!r}, expected at least {where.SHORTEST} hexadecimal digits of a commit, or the "
                "version of a chart"
            )
        url, full = await self._find(commit.lower(), repo)
        descendants = await self._git.descendants(url, full)
        refs = await self._trees.refs(url)
        only = await self._store.read(lambda tx: deliveries.of_commit(tx, full))
        identity = repos.identity(url)

        def look(tx: Tx) -> tuple[where.Row, ...]:
            apps = places.of_repository(tx, lambda other: _same(other, identity), only)
            tips = {target: _has(refs, target, full, descendants) for target in {app.target for app in apps}}
            return tuple(where.account(places.clusters(tx), apps, History(full, descendants, tips)))

        return Answer(repos.redacted(url), full, await self._store.read(look))

    async def _where_version(self, version: str, repo: str) -> Answer:
        urls = [one.url for one in self._trees.in_use() if charts.is_address(one.url)]
        urls = [url for url in urls if not repo or charts.is_at(url, repo)]

        def look(tx: Tx) -> Answer:
            known = {url: places.versions(tx, url) for url in urls}
            found = sorted(
                (url, one) for url, every in known.items() for one in every if _begins(one, version)
            )
            if not found:
                raise NotFound(f"no chart or artifact in use has a version {version}")
            if len(found) > 1:
                names = ", ".join(f"{charts.shown(url)} {one}" for url, one in found)
                raise Invalid(f"version {version} is more than one: {names}; name its repository")
            ((url, full),) = found
            above = where.newer(full, known[url])
            apps = places.of_repository(tx, lambda other: other == url, deliveries.of_commit(tx, full))
            at = confirmed(tx)
            tips = {
                target: at.get((url, target), "") in {full, *above} for target in {app.target for app in apps}
            }
            rows = where.account(places.clusters(tx), apps, History(full, above, tips))
            return Answer(charts.shown(url), full, tuple(rows))

        return await self._store.read(look)

    async def _find(self, commit: str, repo: str) -> tuple[str, str]:
        urls = [one.url for one in self._trees.in_use() if not charts.is_address(one.url)]
        if repo:
            urls = [url for url in urls if _same(repo, repos.identity(url))] or [repo]

        async def has(url: str) -> str | None:
            try:
                return await self._git.known(url, commit)
            except Invalid:
                raise
            except ArgosyError:
                return None

        answers = await asyncio.gather(*map(has, urls))
        found = [(url, full) for url, full in zip(urls, answers, strict=True) if full]
        if not found:
            raise NotFound(f"no repository in use has a commit {commit}")
        if len(found) > 1:
            names = ", ".join(repos.redacted(url) for url, _ in found)
            raise Invalid(f"commit {commit} is in more than one repository: {names}; name one of them")
        return found[0]


def _begins(full: str, asked: str) -> bool:
    return full == asked or (asked.startswith("sha256:") and full.startswith(asked))


def _same(url: str, identity: str) -> bool:
    try:
        return repos.identity(url) == identity
    except Invalid:
        return False


def _has(refs: Mapping[str, str], target: str, commit: str, descendants: frozenset[str]) -> bool:
    """Whether what an application follows contains the commit by now."""
    tip = followed(refs, target, "") or refs.get(f"refs/tags/{target}") or target
    return tip == commit or tip in descendants
