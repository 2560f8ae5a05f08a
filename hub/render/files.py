"""Paths inside a tree: what lies below a folder, and where a path leads once symbolic links are followed.

Nothing here follows a link out of the tree.
"""

from __future__ import annotations

import bisect
import posixpath
from collections.abc import Sequence

from argosy.errors import Invalid, NotFound
from hub.core.tree import Tree

_HOPS = 40


def below(tree: Tree, folder: str) -> Sequence[str]:
    """All files at any depth below a folder ("" is the root), in the order of `Tree.paths`."""
    return beginning(tree, f"{folder}/") if folder else tree.paths()


def beginning(tree: Tree, start: str) -> Sequence[str]:
    """All files whose paths begin with a text that is not empty."""
    paths, first = tree.paths(), _bytes(start)
    low = bisect.bisect_left(paths, first, key=_bytes)
    # UTF-8 never has this byte, so it sorts after every continuation.
    high = bisect.bisect_left(paths, first + b"\xff", lo=low, key=_bytes)
    return paths[low:high]


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def is_file(tree: Tree, path: str) -> bool:
    """Whether a path without links is a file or a link of the tree."""
    paths = tree.paths()
    at = bisect.bisect_left(paths, _bytes(path), key=_bytes)
    return at < len(paths) and paths[at] == path


def is_folder(tree: Tree, path: str) -> bool:
    return not path or len(below(tree, path)) > 0


def real(tree: Tree, path: str, where: str) -> str:
    """The path without `.`, `..` and links, whether or not something is there.

    Raises `Invalid`, beginning with `where`, for one that leaves the tree on its way or goes in circles.
    """
    links = tree.symlinks()
    todo = path.split("/")[::-1]
    done: list[str] = []
    hops = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if not done:
                raise Invalid(f"{where}: {path} leads out of the repository")
            done.pop()
            continue
        here = "/".join([*done, name])
        if here not in links:
            done.append(name)
            continue
        hops += 1
        if hops > _HOPS:
            raise Invalid(f"{where}: {path} is a circle of symbolic links")
        target = tree.read(here).decode("utf-8", "surrogateescape")
        if target.startswith("/") or f"{posixpath.normpath(posixpath.join(*done, target))}/".startswith(
            "../"
        ):
            raise Invalid(f"{where}: the symbolic link {here} leads out of the repository, to {target}")
        todo += target.split("/")[::-1]
    return "/".join(done)


def content(tree: Tree, path: str) -> bytes:
    """The bytes of a file, or of the file that a link leads to. Raises `Invalid` for a link to anything else."""
    found = real(tree, path, path)
    try:
        return tree.read(found)
    except NotFound:
        raise Invalid(f"{path}: the symbolic link leads to {found}, and that is no file") from None
