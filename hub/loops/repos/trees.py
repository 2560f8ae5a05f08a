"""The repositories in use: where their refs were when last looked at, and the trees that revisions stand for.

An up-to-date check is one ref listing, a new commit one fetch, however many sets and applications use the repository.
A repository that cannot be reached keeps answering with what is known, marked partial: good enough to go on with,
never good enough to remove by. One that says nothing counts as such after a moment, so that nobody waits for another's
repository; it goes on being asked, and whoever uses it hears of the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog

from argosy.errors import ArgosyError, Invalid, NotFound, Unavailable
from hub.core import repos
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed, Partial
from hub.loops.repos.patience import NO_ANSWER, Patience
from hub.store import heads
from hub.store.base import Store

RETRY_SECONDS = 20.0
"""After which a repository is looked at again whose newest commit could not be fetched or written down."""

PATIENCE = 5.0
"""Seconds for which others wait for a repository's answer."""
FAILING_PATIENCE = 0.5
"""The same for a repository that failed last."""

TreeOf = Callable[[str, str], Awaitable[Answer[Tree]]]
"""(repository, revision) -> its files."""

T = TypeVar("T")

log = structlog.get_logger("trees")


class _Late(Unavailable):
    """There is no answer yet."""


class Mirrors(Protocol):
    """What this needs of `hub.git`. Every call raises `Unavailable` or `Invalid` in our words."""

    async def refs(self, url: str) -> Mapping[str, str]:
        """One listing of the remote: ref name -> commit id, with `HEAD`."""

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        """The commit a revision stands for; raises `NotFound` where it stands for none."""

    async def tree(self, url: str, commit: str) -> Tree:
        """The files of a commit, fetched first where they are not in the mirror."""


class _About(NamedTuple):
    """What a repository is being asked for: a commit, what a revision is, or "" for its refs."""

    url: str
    what: str = ""


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
    """Held by a listing."""
    again: bool = False
    """Whether it shall be looked at once more at the end of the silence."""


class Trees:
    """Answers for (repository, revision). `every` is the poll interval in seconds, `now` tells the time; `heard` is called
    when a repository answers, or fails at last, for which nobody waited any more.
    """

    def __init__(
        self,
        mirrors: Mirrors,
        store: Store,
        *,
        every: float = 180.0,
        now: Callable[[], float] = time.time,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._mirrors = mirrors
        self._store = store
        self._every = every
        self._now = now
        self._heard = heard
        self._repos: dict[str, Repo] = {}
        self._patience = Patience[_About](self._late, self._ended)

    async def close(self) -> None:
        """Waits for nobody any more."""
        await self._patience.close()

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
        if self._silent(repo):
            # What was read before is not read again by this.
            self._waits(repo)
            repo.again = True
            return False

        async def listed() -> bool:
            async with repo.lock:
                return False if repo.looked > began else await self._list(repo)

        with contextlib.suppress(_Late):
            about = _About(repo.url)
            return await self._awaited(repo, about, self._patience.ask(about, listed()))
        return False

    async def tree(self, url: str, revision: str) -> Answer[Tree]:
        """The files at a revision: complete, partial while the remote does not answer, or failed."""
        try:
            repo = await self._known(url)
            if (commit := repo.commits.get(revision)) is None:
                commit = await self._once(repo, f"revision {revision}", lambda: self._commit(repo, revision))
            tree = await self._fetched(repo, commit)
        except ArgosyError as error:
            return Failed(f"{repos.redacted(url)} at {revision or 'HEAD'}: {error.message}")
        if repo.failed:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(repo.failed))
            return Partial(tree, f"{repos.redacted(url)}: not reachable since {since}: {repo.error}")
        return Complete(tree, commit)

    async def refs(self, url: str) -> Mapping[str, str]:
        """ref -> commit as of the last look, which is the first where there was none. Raises `Unavailable`."""
        try:
            return (await self._known(url)).refs
        except Unavailable as error:
            raise Unavailable(f"{repos.redacted(url)}: {error.message}") from None

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
            return await self._once(repo, commit, lambda: self._mirrors.tree(repo.url, commit))
        except Unavailable as error:
            self._fetch_failed(repo, error)
            raise

    def _fetch_failed(self, repo: Repo, error: ArgosyError) -> None:
        repo.failed, repo.error = repo.failed or self._now(), error.message
        repo.due = min(repo.due, time.monotonic() + RETRY_SECONDS)

    # --- nobody waits for long ------------------------------------------------------------------------------------

    async def _once(self, repo: Repo, what: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        about = _About(repo.url, what)
        return await self._awaited(repo, about, self._patience.once(about, ask))

    async def _awaited(self, repo: Repo, about: _About, task: asyncio.Task[T]) -> T:
        """What a question's answer is. Raises `_Late` where that takes long: it goes on being waited for aside."""
        if await self._patience.answers(about, task, FAILING_PATIENCE if repo.failed else PATIENCE):
            return task.result()
        self._waits(repo)
        raise _Late(repo.error)

    def _silent(self, repo: Repo) -> bool:
        """Whether there are questions whose answers nobody waits for any more."""
        return self._patience.waits(lambda about: about.url == repo.url)

    def _waits(self, repo: Repo) -> None:
        if not repo.failed:
            repo.failed, repo.error = self._now(), NO_ANSWER

    def _late(self, about: _About) -> None:
        log.warning("repository says nothing", repo=repos.redacted(about.url))

    def _ended(self, about: _About, task: asyncio.Task[Any], late: bool) -> None:
        if not late:
            return
        repo, error = self._repos[repos.identity(about.url)], task.exception()
        if about.what and isinstance(error, ArgosyError):
            self._fetch_failed(repo, error)
        elif about.what:
            # A good listing is what it counts as well by again.
            repo.again = True
        if repo.again:
            repo.again, repo.due = False, 0.0
        self._heard()

    def state(self, url: str, revision: str) -> tuple[str, bool]:
        """(the commit as of the last look, whether the remote answered it): what an evaluation's answer depends on. No I/O;
        the commit is "" where it has not been asked for.
        """
        try:
            repo = self._repos.get(repos.identity(url))
        except Invalid:
            # Who looks at it says so. Whoever asks about many must not fail with one of them.
            return "", True
        return (repo.commits.get(revision, ""), not repo.failed) if repo else ("", True)

    async def _repo(self, url: str) -> Repo:
        key = repos.identity(url)
        if (repo := self._repos.get(key)) is None:
            kept = await self._store.read(lambda tx: heads.of(tx, key))
            # Another task may have come first while the store was read.
            repo = self._repos.setdefault(key, Repo(url, kept))
        return repo

    async def _known(self, url: str) -> Repo:
        """A repository that was looked at. Raises `Unavailable`."""
        repo = await self._repo(url)

        async def listed() -> None:
            async with repo.lock:
                if not repo.refs:
                    await self._list(repo)

        if not repo.refs and not self._silent(repo):
            about = _About(repo.url)
            await self._awaited(repo, about, self._patience.ask(about, listed()))
        if not repo.refs:
            raise Unavailable(repo.error)
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
        if moved:
            key, due = repos.identity(repo.url), repo.due
            # Where the store fails, the refs stay the old ones, and the next look sees the change again.
            repo.due = min(due, ticks + RETRY_SECONDS)
            await self._store.write(lambda tx: heads.replace(tx, key, refs, now))
            repo.commits = await self._moved(repo, refs)
            repo.refs, repo.due = refs, due
        repo.failed, repo.error, repo.seen = 0.0, "", now
        return moved

    async def _moved(self, repo: Repo, refs: Mapping[str, str]) -> dict[str, str]:
        """Where the revisions in use are now. One that vanished keeps no commit, so that its users hear why."""
        found = {}
        for revision in tuple(repo.commits):
            with contextlib.suppress(ArgosyError):
                found[revision] = await self._mirrors.resolve(repo.url, revision, refs=refs)
        return found

    async def _commit(self, repo: Repo, revision: str) -> str:
        refs = repo.refs
        commit = await self._mirrors.resolve(repo.url, revision, refs=refs)
        if repo.refs is refs:
            repo.commits[revision] = commit
        return commit
