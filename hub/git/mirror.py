"""Bare mirrors of remote repositories: one per repository, however many sets, apps and spellings of its
address use it.

A question about the remote's state is one listing; a new commit is one fetch of branches and tags, written as
one transaction of refs. A failed or cut fetch leaves the mirror as it was. Callers who ask before a command
has begun share it; who asks while it runs shares the next one, since the running one may have looked before
his push.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import Invalid, NotFound, Unavailable
from argosy.turns import Turns
from hub.core import repos
from hub.git import command, revision, tree
from hub.git.batch import Batch, Object
from hub.git.command import Settings
from hub.git.credentials import Access, Keyring
from hub.git.listing import Lister
from hub.git.revision import HighestTag
from hub.git.tree import GitTree, Objects

_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_AT_ONCE = 32
_DESCENDANTS = 200_000
_COMMITS_KEPT = 64
_SETTINGS = Settings()
_NO_KEYS = Keyring()
_DAMAGE = re.compile(
    r"not a git repository:|object file |loose object|is corrupt|bad object|cannot lock ref|bad config|unable to parse"
    r"|unable to read (?!askpass)|missing (?:blob|tree)|invalid object"
)
"""Words of Git about its own files. They lead to a new clone beside the old one, so a wrong guess costs
time only.
"""


@dataclass
class Counters:
    """Commands sent to remotes since the start; `clones` are fetches into an empty mirror."""

    listings: int = 0
    fetches: int = 0
    clones: int = 0


class _Mirror:
    """One repository on disk and its reader."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.fetches = 0
        self.objects = Objects(Batch(str(path), limit=settings.object_bytes))
        self._trees: OrderedDict[str, GitTree] = OrderedDict()
        self.suspect = True
        """A command may have been killed in the middle: lock files that lie about are nobody's."""

    def known(self, commit: str) -> GitTree | None:
        """The tree of a commit that was found here lately."""
        return None if self.objects.damaged else self._trees.get(commit)

    def find(self, commit: str) -> GitTree | None:
        """The tree of a commit that is here. A mirror that cannot be read is one without it."""
        if self.objects.damaged or not self.path.is_dir():
            return None
        try:
            found = tree.at_commit(self.objects, commit)
        except (NotFound, Unavailable):
            return None
        self._trees[commit] = found
        while len(self._trees) > _COMMITS_KEPT:
            self._trees.popitem(last=False)
        return found

    def unlock(self) -> None:
        if self.suspect:
            for lock in self.path.rglob("*.lock"):
                lock.unlink(missing_ok=True)
            for left in self.path.glob("objects/pack/tmp_*"):
                left.unlink(missing_ok=True)
            self.suspect = False

    def changed(self) -> None:
        """Other files lie in the folder now."""
        self._trees.clear()
        self.objects.batch.close()


class Mirrors:
    """All mirrors below one folder, which belongs to this process alone. For one event loop.

    `keyring` may be replaced at any time; `highest` says which tag a version constraint means.
    """

    def __init__(
        self,
        folder: Path,
        *,
        highest: HighestTag,
        settings: Settings = _SETTINGS,
        keyring: Keyring = _NO_KEYS,
    ) -> None:
        self.keyring = keyring
        self.counters = Counters()
        self._folder = folder
        self.settings = settings
        self._highest = highest
        self._mirrors: dict[str, _Mirror] = {}
        self._turns = Turns()
        self._lister = Lister(settings)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in (*folder.glob("*.new-*"), *folder.glob("*.old-*")):
            shutil.rmtree(left, ignore_errors=True)

    async def refs(self, url: str) -> Mapping[str, str]:
        """ref -> commit id of everything the remote lists, HEAD included, tags peeled: one listing.

        Raises `Unavailable` where the remote does not answer or answers nonsense, `Invalid` for an address or
        a protocol that may not be used.
        """
        identity = self._identity(url)
        return await self._turns.run(f"list {identity}", lambda: self._list(url))

    async def fetch(self, url: str) -> None:
        """Brings all branches and tags into the mirror, which is made where it is not there. Raises as
        `refs` does.
        """
        identity = self._identity(url)
        await self._turns.run(identity, lambda: self._fetch(url))

    async def resolve(
        self, url: str, target: str, *, refs: Mapping[str, str] | None = None, tag_prefix: str = ""
    ) -> str:
        """The commit id of a `targetRevision`, by the listing given or by a new one.

        Raises `NotFound` where the repository has nothing of that name, and as `refs` does.
        """
        listed = await self.refs(url) if refs is None else refs
        mirror = self._mirror(url)

        def look() -> str:
            return revision.resolve(
                target,
                listed,
                highest=self._highest,
                short=lambda text: _full(mirror, text),
                tag_prefix=tag_prefix,
            )

        try:
            return await asyncio.to_thread(look)
        except NotFound:
            if not revision.is_shortened(target):
                raise
        await self.fetch(url)
        return await asyncio.to_thread(look)

    async def tree(self, url: str, commit: str) -> GitTree:
        """The files of a commit; fetched only where the mirror does not have it.

        Raises `NotFound` where the remote has no such commit, and as `refs` does.
        """
        identity, mirror = self._identity(url), self._mirror(url)
        if (known := mirror.known(commit)) is not None:
            return known
        found = await asyncio.to_thread(mirror.find, commit)
        if found is None:
            found = await self._turns.run(f"{identity} {commit}", lambda: self._bring(url, identity, commit))
        return found

    async def merged(self, url: str, ours: str, theirs: str) -> GitTree:
        """What a merge of `theirs` into `ours` would hold, named by the commit `theirs`; both are fetched where they are
        not here. Raises `Invalid` where they conflict, naming the files, and as `tree` does.
        """
        await self.tree(url, ours)
        tip = await self.tree(url, theirs)
        mirror = self._mirror(url)
        place = ["--git-dir", str(mirror.path)]
        if (
            await command.ask([*place, "merge-base", "--is-ancestor", ours, theirs], self.settings, 4096)
        ).code == 0:
            return tip
        args = [*place, "merge-tree", "--write-tree", "--name-only", "--no-messages", ours, theirs]
        outcome = await command.ask(args, self.settings, 1 << 20)
        root, *files = outcome.out.decode("utf-8", "replace").split()
        if outcome.code == 1 and files:
            shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
            raise Invalid(f"{theirs[:12]} cannot be merged into {ours[:12]}: conflicts in {shown}")
        if outcome.code:
            raise Unavailable(f"git merge-tree: {outcome.err.decode('utf-8', 'replace').strip()[:300]}")
        mirror.changed()
        return GitTree(mirror.objects, theirs, root)

    async def known(self, url: str, shortened: str) -> str | None:
        """The full id of a commit that is here already; None where it is not. Raises `Invalid` where several begin so."""
        return await asyncio.to_thread(_full, self._mirror(url), shortened)

    async def committed(self, url: str, commit: str) -> float:
        """When a commit that is here was made, Unix seconds; -1.0 where it is not here."""
        mirror = self._mirror(url)

        def look() -> float:
            if not mirror.path.is_dir():
                return -1.0
            try:
                return tree.committed(mirror.objects.batch.read(f"{commit}^{{commit}}").data)
            except (NotFound, Unavailable, Invalid):
                return -1.0

        return await asyncio.to_thread(look)

    async def descendants(self, url: str, commit: str) -> frozenset[str]:
        """The commits of branches and tags here that contain `commit`, without itself: at most `_DESCENDANTS`, the newest."""
        mirror = self._mirror(url)
        args = ["--git-dir", str(mirror.path), "rev-list", f"--max-count={_DESCENDANTS}", "--ancestry-path"]
        outcome = await command.ask([*args, "--all", f"^{commit}"], self.settings, 42 * _DESCENDANTS)
        if outcome.code:
            raise Unavailable(f"git rev-list: {outcome.err.decode('utf-8', 'replace').strip()[:300]}")
        return frozenset(outcome.out.decode("ascii").split())

    async def object(self, url: str, name: str) -> Object:
        """An object of the mirror by anything that Git resolves to one. Raises `NotFound`, `Unavailable`."""
        batch = self._mirror(url).objects.batch
        return await asyncio.to_thread(batch.read, name)

    def place(self, url: str) -> Path:
        """Where the mirror lies, for those who ask Git about what is in it."""
        return self._mirror(url).path

    async def tidy(self, used: Iterable[str]) -> None:
        """Packs the mirrors of the addresses in use, and removes those of all others."""
        kept = {self._mirror(url).path.name for url in used}
        for path in self._folder.glob("*.git"):
            if path.name in kept:
                args = ["--git-dir", str(path), "gc", "--quiet", "--prune=2.weeks.ago"]
                await command.local(args, self.settings)
            else:
                for identity, mirror in list(self._mirrors.items()):
                    if mirror.path == path:
                        del self._mirrors[identity]
                        mirror.changed()
                await asyncio.to_thread(shutil.rmtree, path, True)

    async def close(self) -> None:
        """Ends every command and every reader."""
        await self._turns.close()
        await self._lister.close()
        for mirror in self._mirrors.values():
            mirror.changed()

    def _identity(self, url: str) -> str:
        command.check(url, self.settings)
        return repos.identity(url)

    def _mirror(self, url: str) -> _Mirror:
        identity = self._identity(url)
        if identity not in self._mirrors:
            name = hashlib.sha256(identity.encode()).hexdigest()[:40]
            self._mirrors[identity] = _Mirror(self._folder / f"{name}.git", self.settings)
        return self._mirrors[identity]

    async def _list(self, url: str) -> Mapping[str, str]:
        self.counters.listings += 1
        async with self._slots:
            listed = await self._lister.refs(url, self.keyring.access(url))
        if listed is not None:
            return listed
        text = await self._run(
            ["ls-remote", repos.bare(url)], url, self.settings.list_seconds, self.settings.listing_bytes
        )
        return revision.parse_listing(text.decode("utf-8", "surrogateescape"))

    async def _bring(self, url: str, identity: str, commit: str) -> GitTree:
        mirror = self._mirror(url)
        begun = mirror.fetches
        found = None
        while found is None and mirror.fetches == begun:
            # The turn may be shared with somebody whose commit came meanwhile, and then fetch nothing.
            await self._turns.run(identity, lambda: self._fetch(url, commit))
            found = await asyncio.to_thread(mirror.find, commit)
        if found is None:
            await self._pull(url, mirror.path, f"+{commit}:refs/argosy/{commit}")
            mirror.changed()
            found = await asyncio.to_thread(mirror.find, commit)
        if found is None:
            raise NotFound(f"repository {repos.redacted(url)} has no commit {commit}")
        return found

    async def _fetch(self, url: str, commit: str = "") -> None:
        """One fetch, unless the commit that it is for has come meanwhile."""
        mirror = self._mirror(url)
        if commit and await asyncio.to_thread(mirror.find, commit) is not None:
            return
        mirror.fetches += 1
        self.counters.fetches += 1
        if not mirror.path.is_dir() or mirror.objects.damaged:
            await self._clone(url, mirror)
            return
        await asyncio.to_thread(mirror.unlock)
        try:
            await self._pull(url, mirror.path, *_REFSPECS)
        except Unavailable as error:
            mirror.suspect = True
            if not _DAMAGE.search(error.message):
                raise
            await self._clone(url, mirror)
        mirror.changed()

    async def _clone(self, url: str, mirror: _Mirror) -> None:
        """A new mirror beside the old one takes its place once it is whole."""
        fresh = mirror.path.with_suffix(f".new-{secrets.token_hex(4)}")
        try:
            await asyncio.to_thread(_create, fresh)
            self.counters.clones += 1
            try:
                await self._pull(url, fresh, *_REFSPECS)
            except Unavailable as error:
                # The folder's random name would make every failure look like another one.
                raise Unavailable(error.message.replace(str(fresh), "the mirror")) from None
            await asyncio.to_thread(_replace, fresh, mirror)
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, True)

    async def _pull(self, url: str, path: Path, *refspecs: str) -> None:
        prune = ["--prune"] if refspecs == _REFSPECS else []
        args = ["--git-dir", str(path), "fetch", "--quiet", "--atomic", "--no-tags", *prune]
        args += ["--no-write-fetch-head", "--no-auto-maintenance", repos.bare(url), *refspecs]
        await self._run(args, url, self.settings.fetch_seconds, 65536)

    async def _run(self, args: list[str], url: str, seconds: float, output: int) -> bytes:
        access: Access = self.keyring.access(url)
        async with self._slots:
            return await command.run(args, url, access, self.settings, seconds=seconds, output=output)


def _create(path: Path) -> None:
    # Late: only a mirror that is made for the first time needs it, and it takes a tenth of a second.
    import git

    try:
        made = git.Repo.init(path, mkdir=True, bare=True)
        made.close()
    except (git.GitError, OSError) as error:
        raise Unavailable(f"a mirror cannot be made: {error}") from None


def _replace(fresh: Path, mirror: _Mirror) -> None:
    old = mirror.path.with_suffix(f".old-{secrets.token_hex(4)}")
    mirror.changed()
    if mirror.path.exists():
        os.rename(mirror.path, old)
    os.rename(fresh, mirror.path)
    mirror.objects.damaged = False
    mirror.changed()
    shutil.rmtree(old, ignore_errors=True)


def _full(mirror: _Mirror, shortened: str) -> str | None:
    """The full id of a commit in the mirror. Raises `Invalid` where several begin so."""
    if not mirror.path.is_dir():
        return None
    try:
        return mirror.objects.batch.read(f"{shortened}^{{commit}}").id
    except NotFound as error:
        if error.message.endswith("ambiguous"):
            raise Invalid(f"commit id {shortened!r} is ambiguous: write more digits of it") from None
        return None
    except Unavailable:
        return None
