"""The files of one commit, as the core sees them.

`hub/git` implements `Tree` over Git objects; the offline command over a plain folder; tests use
`MemoryTree`. The core never learns where the bytes come from. Paths are relative, with `/`, and without a
leading or trailing one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from argosy.errors import NotFound


class Tree(Protocol):
    """A repository at one commit. Everything about it is immutable, so any answer may be kept for ever."""

    @property
    def commit(self) -> str:
        """The full commit id; for a plain folder a digest of its content."""
        ...

    @property
    def author(self) -> str:
        """Who made the commit, as "name <address>"; "" where there is none."""
        ...

    def paths(self) -> Sequence[str]:
        """All tracked files in byte order of their paths, symbolic links included, submodules and folders
        not.
        """
        ...

    def symlinks(self) -> frozenset[str]:
        """The paths of `paths()` that are symbolic links; `read` gives such a link's target text."""
        ...

    def read(self, path: str) -> bytes:
        """The content of one file. Raises `errors.NotFound` where `path` is no file of this tree."""
        ...

    def tree_id(self, path: str) -> str | None:
        """An id of everything at and below `path` ("" is the root): equal ids mean equal content. None: not
        there.
        """
        ...


@dataclass(frozen=True, eq=False)
class MemoryTree:
    """A tree held in a dictionary of path -> content."""

    files: Mapping[str, bytes]
    commit: str = "0" * 40
    links: frozenset[str] = frozenset()
    author: str = ""
    _sorted: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sorted", tuple(sorted(self.files, key=str.encode)))

    def paths(self) -> Sequence[str]:
        return self._sorted

    def symlinks(self) -> frozenset[str]:
        return self.links

    def read(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise NotFound(f"{path}: no such file at {self.commit}") from None

    def tree_id(self, path: str) -> str | None:
        if path in self.files:
            link = path in self.links
            return hashlib.sha256(f"{link}\0".encode() + self.files[path]).hexdigest()
        below = path + "/" if path else ""
        found = [name for name in self._sorted if name == path or name.startswith(below)]
        if not found:
            return None
        content = hashlib.sha256()
        for name in found:
            data = self.files[name]
            content.update(f"{name[len(path) :]}\0{name in self.links}\0{len(data)}\0".encode())
            content.update(data)
        return content.hexdigest()
