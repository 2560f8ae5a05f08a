"""Files of a tree written to a private folder, for a tool that reads files: bounded, and never outside it."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import Invalid
from hub.core.tree import Tree
from hub.render import files

MAX_BYTES = 256 * 1024 * 1024
MAX_FILES = 20_000
_DEEPEST = 10


@dataclass
class Budget:
    """What may still be written."""

    files: int = MAX_FILES
    size: int = MAX_BYTES

    def take(self, path: str, size: int) -> None:
        """Raises `Invalid` where nothing is left."""
        self.files -= 1
        self.size -= size
        if self.files < 0:
            raise Invalid(f"{path}: more than {MAX_FILES} files would be read")
        if self.size < 0:
            raise Invalid(f"{path}: more than {MAX_BYTES} bytes would be read")


def place(folder: Path, path: str) -> Path:
    """Where a file of the tree goes. Git refuses such paths in a checkout, so a tree that has them is
    hostile.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Invalid(f"{path!r} is no path that a repository may have")
    found = folder.joinpath(*parts)
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def followed(tree: Tree, folder: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """(path below `folder`, path of the file that is there) with all symbolic links followed, so that what is
    written needs none. Raises `Invalid` for links that leave the tree, lead nowhere or go round in circles.
    """
    links = tree.symlinks()
    start = len(folder) + 1 if folder else 0
    for path in files.below(tree, folder):
        if path not in links:
            yield path[start:], path
            continue
        real = files.real(tree, path, path)
        if files.is_file(tree, real):
            yield path[start:], real
        elif (
            not real
            or not files.is_folder(tree, real)
            or depth >= _DEEPEST
            or f"{path}/".startswith(f"{real}/")
        ):
            raise Invalid(f"{path}: the symbolic link leads to {real or 'the root'}, and cannot be followed")
        else:
            for below, found in followed(tree, real, depth + 1):
                yield f"{path[start:]}/{below}", found


def write(tree: Tree, wanted: Iterable[tuple[str, str]], folder: Path, budget: Budget) -> None:
    """Writes files of the tree: pairs of (path in `folder`, path in the tree)."""
    for name, path in wanted:
        data = tree.read(path)
        budget.take(path, len(data))
        place(folder, name).write_bytes(data)


def read_only(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
