"""The files of one commit, read from Git's objects without a checkout.

A folder whose id is known has been parsed before, whichever commit it came from: parsed folders are cached by
their id, so a new commit costs the folders it touched. Submodules are left out, symbolic links are flagged
and not followed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from argosy.errors import Invalid, NotFound, Unavailable
from hub.core.releases.cause import author
from hub.git.batch import Batch, Object

T = TypeVar("T")

_FOLDER, _LINK, _SUBMODULE = "40000", "120000", "160000"
_FOLDERS_KEPT = 20_000
_LISTINGS_KEPT = 16
_BLOBS_KEPT_BYTES = 32 * 1024 * 1024
_BLOB_KEPT_BYTES = 256 * 1024
_DEEPEST = 100


class Entry(NamedTuple):
    """One line of a folder: Git's mode as text, and the id of what is there."""

    mode: str
    id: str


class Lru(Generic[T]):
    """A bounded cache, safe for threads; what was not asked for longest goes first."""

    def __init__(self, weight: int) -> None:
        self._left = weight
        self._items: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> T | None:
        with self._lock:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def put(self, key: str, value: T, weight: int = 1) -> None:
        with self._lock:
            if key in self._items:
                return
            self._items[key] = (value, weight)
            self._left -= weight
            while self._left < 0 and self._items:
                _, (_, freed) = self._items.popitem(last=False)
                self._left += freed


class _Listing(NamedTuple):
    paths: tuple[str, ...]
    links: frozenset[str]


class Objects:
    """A repository's objects: its batch process and what has been parsed of it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.damaged = False
        """Set when an object that must be there could not be read; the mirror's owner makes it anew."""
        self._folders: Lru[dict[str, Entry]] = Lru(_FOLDERS_KEPT)
        self._listings: Lru[_Listing] = Lru(_LISTINGS_KEPT)
        self._blobs: Lru[bytes] = Lru(_BLOBS_KEPT_BYTES)

    def folder(self, tree: str) -> dict[str, Entry]:
        """name -> entry of one folder, by its tree id."""
        found = self._folders.get(tree)
        if found is None:
            found = parse_folder(self._present([tree])[0].data, len(tree) // 2)
            self._folders.put(tree, found)
        return found

    def folders(self, trees: Sequence[str]) -> None:
        """Reads those of the folders that are not known yet, in few turns."""
        unknown = [tree for tree in dict.fromkeys(trees) if self._folders.get(tree) is None]
        if not unknown:
            return
        for tree, item in zip(unknown, self._present(unknown), strict=True):
            self._folders.put(tree, parse_folder(item.data, len(tree) // 2))

    def blob(self, blob: str) -> bytes:
        found = self._blobs.get(blob)
        if found is None:
            found = self._present([blob])[0].data
            if len(found) <= _BLOB_KEPT_BYTES:
                self._blobs.put(blob, found, len(found) + 200)
        return found

    def listing(self, root: str) -> _Listing:
        """All files below a tree, level by level, so that each level is one turn with the process."""
        known = self._listings.get(root)
        if known is not None:
            return known
        paths: list[str] = []
        links: set[str] = set()
        level = [("", root)]
        for _ in range(_DEEPEST):
            if not level:
                break
            self.folders([tree for _, tree in level])
            below: list[tuple[str, str]] = []
            for prefix, tree in level:
                for name, entry in self.folder(tree).items():
                    if entry.mode == _FOLDER:
                        below.append((f"{prefix}{name}/", entry.id))
                    elif entry.mode != _SUBMODULE:
                        paths.append(prefix + name)
                        if entry.mode == _LINK:
                            links.add(prefix + name)
            level = below
        else:
            raise Invalid(f"folders are nested more than {_DEEPEST} levels deep")
        # In the order of their bytes, which for these texts is that of their characters.
        paths.sort(key=None if all(map(str.isascii, paths)) else _bytes)
        found = _Listing(tuple(paths), frozenset(links))
        self._listings.put(root, found)
        return found

    def _present(self, ids: Sequence[str]) -> list[Object]:
        """Objects that a complete repository must have."""
        try:
            return self.batch.read_all(ids)
        except NotFound as error:
            self.damaged = True
            raise Unavailable(f"the mirror is damaged: object {error.message}") from None
        except Unavailable:
            self.damaged = True
            raise


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def parse_folder(data: bytes, width: int) -> dict[str, Entry]:
    """The entries of a tree object. `width` is the length of an id in bytes (20, or 32 with SHA-256)."""
    found: dict[str, Entry] = {}
    at = 0
    while at < len(data):
        blank = data.index(b" ", at)
        end = data.index(b"\0", blank)
        name = data[blank + 1 : end].decode("utf-8", "surrogateescape")
        found[name] = Entry(data[at:blank].decode().lstrip("0"), data[end + 1 : end + 1 + width].hex())
        at = end + 1 + width
    return found


class GitTree:
    """`hub.core.tree.Tree` over one commit. Cheap to make: nothing is read until it is asked for."""

    def __init__(self, objects: Objects, commit: str, root: str, author: str = "") -> None:
        self._objects = objects
        self._commit = commit
        self._root = root
        self._near: tuple[str, dict[str, Entry]] | None = None
        """The folder that was asked about last: who asks goes on beside it."""
        self.author = author
        """Who made the commit, as "name <address>"; "" where that is not known."""

    @property
    def commit(self) -> str:
        return self._commit

    def paths(self) -> Sequence[str]:
        return self._objects.listing(self._root).paths

    def symlinks(self) -> frozenset[str]:
        return self._objects.listing(self._root).links

    def read(self, path: str) -> bytes:
        entry = self._entry(path)
        if entry is None or entry.mode in (_FOLDER, _SUBMODULE):
            raise NotFound(f"{path}: no such file at {self._commit}")
        try:
            return self._objects.blob(entry.id)
        except Invalid as error:
            raise Invalid(f"{path}: {error.message.partition(': ')[2]}") from None

    def tree_id(self, path: str) -> str | None:
        entry = self._entry(path)
        return None if entry is None else entry.id

    def _entry(self, path: str) -> Entry | None:
        folder, _, name = path.rpartition("/")
        if not name:
            return self._walked(path)
        near = self._near
        if near is None or near[0] != folder:
            above = self._walked(folder)
            if above is None or above.mode != _FOLDER:
                return None
            near = self._near = folder, self._objects.folder(above.id)
        return near[1].get(name)

    def _walked(self, path: str) -> Entry | None:
        at = Entry(_FOLDER, self._root)
        for name in path.split("/") if path else ():
            if at.mode != _FOLDER:
                return None
            found = self._objects.folder(at.id).get(name)
            if found is None:
                return None
            at = found
        return at


def at_commit(objects: Objects, revision: str) -> GitTree:
    """The tree of a commit, named by anything that Git resolves to one. Raises `NotFound` where there is
    none.
    """
    found = objects.batch.read(f"{revision}^{{commit}}")
    first = found.data.partition(b"\n")[0]
    if found.kind != "commit" or not first.startswith(b"tree "):
        raise NotFound(f"{revision} is no commit")
    return GitTree(objects, found.id, first[5:].decode(), author(found.data))


def committed(commit: bytes) -> float:
    """When a commit was made (its committer's time), Unix seconds, from the content of its object; -1.0 where it says not."""
    for line in commit.partition(b"\n\n")[0].splitlines():
        if line.startswith(b"committer "):
            seconds = line.split()[-2]
            return float(seconds) if seconds.isdigit() else -1.0
    return -1.0
