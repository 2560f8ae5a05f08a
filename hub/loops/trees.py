"""The repositories in use: where their refs were when last looked at, and the trees that revisions stand for.

An up-to-date check is one ref listing, a new commit one fetch, however many sets and applications use the repository.
A repository that cannot be reached keeps answering with what is known, marked partial: good enough to go on with,
never good enough to remove by.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from argosy.errors import ArgosyError, NotFound, Unavailable
from hub.core import repos
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed, Partial
from hub.store import heads
from hub.store.base import Store

RETRY_SECONDS = 20.0
"""After which a repository is looked at again whose newest commit could not be fetched or written down."""

log = structlog.get_logger("trees")


class Mirrors(Protocol):
    """What this needs of `hub.git`. Every call raises `Unavailable` or `Invalid` in our words."""

    async def refs(self, url: str) -> Mapping[str, str]:
        """One listing of the remote: ref name -> commit id, with `HEAD`."""

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        """The commit a revision stands for; raises `NotFound` where it stands for none."""

    async def tree(self, url: str, commit: str) -> Tree:
        """The files of a commit, fetched first where they are not in the mirror."""


@dataclass
class Repo:
    """One repository in use. `seen` is its last answer, `failed` the first attempt in vain, 0.0 while it answers: Unix
    seconds. `looked` is the last attempt and `due` the next, by a clock that nobody sets.
    """

    url: str
    refs: Mapping[str, str] = field(default_factory=dict)
    seen: float = 0.0
    looked: float = float("-inf")
    due: float = 0.0
    failed: float = 0.0
    error: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    """Revision -> commit, as of `refs`."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Trees:
    """Answers for (repository, revision). `every` is the poll interval in seconds, `now` tells the time."""

    def __init__(
        self, mirrors: Mirrors, store: Store, *, every: float = 180.0, now: Callable[[], float] = time.time
    ) -> None:
        self._mirrors = mirrors
        self._store = store
        self._every = every
        self._now = now
        self._repos: dict[str, Repo] = {}

    def in_use(self) -> Iterable[Repo]:
        return self._repos.values()

    def due(self) -> list[str]:
        """Repositories whose next look is due."""
        now = time.monotonic()
        return [repo.url for repo in self._repos.values() if repo.due <= now]

    async def look(self, url: str, older: float = 0.0) -> bool:
        """Lists the remote's refs once; True where a ref moved. A failure is kept and shown, not raised.

        A look within the last `older` seconds is as good as a new one.
        """
        repo = await self._repo(url)
        began = time.monotonic() - older
        async with repo.lock:
            if repo.looked > began:
                return False
            return await self._list(repo)

    async def tree(self, url: str, revision: str) -> Answer[Tree]:
        """The files at a revision: complete, partial while the remote does not answer, or failed."""
        try:
            repo = await self._repo(url)
            async with repo.lock:
                if not repo.refs:
                    await self._list(repo)
                if not repo.refs:
                    raise Unavailable(repo.error)
                commit = await self._commit(repo, revision)
            tree = await self._fetched(repo, commit)
        except ArgosyError as error:
            return Failed(f"{repos.redacted(url)} at {revision or 'HEAD'}: {error.message}")
        if repo.failed:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(repo.failed))
            return Partial(tree, f"{repos.redacted(url)}: not reachable since {since}: {repo.error}")
        return Complete(tree, commit)

    async def refs(self, url: str) -> Mapping[str, str]:
        """ref -> commit as of the last look, which is the first where there was none. Raises `Unavailable`."""
        repo = await self._repo(url)
        async with repo.lock:
            if not repo.refs:
                await self._list(repo)
            if not repo.refs:
                raise Unavailable(f"{repos.redacted(url)}: {repo.error}")
            return repo.refs

    async def commit(self, url: str, revision: str) -> str:
        """The commit of a revision that nobody follows, as the remote says now: what was listed last may be old. Raises
        `NotFound`, and as the mirrors do.
        """
        return await self._mirrors.resolve(url, revision, refs=await self._mirrors.refs(url))

    async def first(self, url: str, names: Sequence[str]) -> str:
        """The commit of the first of these refs that the remote has, asked anew. Raises `NotFound`, and as `refs`."""
        listed = await self._mirrors.refs(url)
        for name in names:
            if name in listed:
                return listed[name]
        raise NotFound(f"the repository has none of {', '.join(names)}")

    async def at(self, url: str, commit: str) -> Tree:
        """The files of a commit that nobody follows. Raises as the mirrors do."""
        return await self._mirrors.tree(url, commit)

    async def _fetched(self, repo: Repo, commit: str) -> Tree:
        """The tree of a commit. Where it cannot be fetched the repository counts as failed until its next good listing,
        which then looks like a change: the commit must not need another one to be noticed.
        """
        try:
            return await self._mirrors.tree(repo.url, commit)
        except Unavailable as error:
            repo.failed, repo.error = repo.failed or self._now(), error.message
            repo.due = min(repo.due, time.monotonic() + RETRY_SECONDS)
            raise

    def state(self, url: str, revision: str) -> tuple[str, bool]:
        """(the commit as of the last look, whether the remote answered it): what an evaluation's answer depends on. No I/O;
        the commit is "" where it has not been asked for.
        """
        repo = self._repos.get(repos.identity(url))
        return (repo.commits.get(revision, ""), not repo.failed) if repo else ("", True)

    async def _repo(self, url: str) -> Repo:
        key = repos.identity(url)
        if (repo := self._repos.get(key)) is None:
            kept = await self._store.read(lambda tx: heads.of(tx, key))
            # Another task may have come first while the store was read.
            repo = self._repos.setdefault(key, Repo(url, kept))
        return repo

    async def _list(self, repo: Repo) -> bool:
        now, ticks = self._now(), time.monotonic()
        # Looks at many repositories of one host spread by themselves.
        repo.looked, repo.due = ticks, ticks + self._every * random.uniform(0.8, 1.0)
        try:
            refs = dict(await self._mirrors.refs(repo.url))
            if not refs:
                raise Unavailable("the repository has no refs")
        except ArgosyError as error:
            repo.failed, repo.error = repo.failed or now, error.message
            log.warning("repository not reachable", repo=repos.redacted(repo.url), error=error.message)
            return False
        moved = refs != repo.refs
        repo.failed, repo.error, repo.seen = 0.0, "", now
        if moved:
            key, due = repos.identity(repo.url), repo.due
            # Where the store fails, the refs stay the old ones, and the next look sees the change again.
            repo.due = min(due, ticks + RETRY_SECONDS)
            await self._store.write(lambda tx: heads.replace(tx, key, refs, now))
            repo.refs, repo.due = refs, due
            for revision in tuple(repo.commits):
                await self._move(repo, revision)
        return moved

    async def _move(self, repo: Repo, revision: str) -> None:
        """Where a revision is now. One that vanished keeps no commit, so that its users hear why."""
        try:
            repo.commits[revision] = await self._mirrors.resolve(repo.url, revision, refs=repo.refs)
        except ArgosyError:
            del repo.commits[revision]

    async def _commit(self, repo: Repo, revision: str) -> str:
        if (commit := repo.commits.get(revision)) is None:
            commit = await self._mirrors.resolve(repo.url, revision, refs=repo.refs)
            repo.commits[revision] = commit
        return commit
