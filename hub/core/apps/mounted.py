"""Trees put together: a chart with what it needs from elsewhere, without copying anything.

`Mounted` looks like the tree below it with other trees at folders inside it (the dependencies of a chart),
and beside it, at `$name`, the trees that a source's `$name/path` refers to. Those are reached by their names
alone and never by walking.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argosy.errors import NotFound
from hub.core.tree import Tree


@dataclass(frozen=True, eq=False)
class Mounted:
    """`inside` is folder -> (tree, folder of that tree that appears there); `refs` is name -> tree."""

    base: Tree
    inside: Mapping[str, tuple[Tree, str]] = field(default_factory=dict)
    refs: Mapping[str, Tree] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        return self.base.commit

    @property
    def author(self) -> str:
        return self.base.author

    @functools.cached_property
    def _listing(self) -> dict[str, tuple[Tree, str]]:
        """Path -> (tree, path in it)."""
        found = {path: (self.base, path) for path in self.base.paths()}
        for folder, (tree, below) in self.inside.items():
            start = f"{below}/" if below else ""
            for path in tree.paths():
                if path.startswith(start):
                    found[f"{folder}/{path[len(start) :]}"] = (tree, path)
        return found

    @functools.cached_property
    def _sorted(self) -> tuple[str, ...]:
        return tuple(sorted(self._listing, key=lambda path: path.encode("utf-8", "surrogateescape")))

    def paths(self) -> Sequence[str]:
        return self._sorted if self.inside else self.base.paths()

    @functools.cached_property
    def _links(self) -> frozenset[str]:
        links = {id(tree): tree.symlinks() for tree, _ in self._listing.values()}
        return frozenset(path for path, (tree, at) in self._listing.items() if at in links[id(tree)])

    def symlinks(self) -> frozenset[str]:
        return self._links if self.inside else self.base.symlinks()

    def read(self, path: str) -> bytes:
        tree, at = self._found(path)
        return tree.read(at)

    def _found(self, path: str) -> tuple[Tree, str]:
        name, slash, rest = path.partition("/")
        if slash and name.startswith("$") and name[1:] in self.refs:
            return self.refs[name[1:]], rest
        if not self.inside:
            return self.base, path
        try:
            return self._listing[path]
        except KeyError:
            raise NotFound(f"{path}: no such file at {self.commit}") from None

    def tree_id(self, path: str) -> str | None:
        name, _, rest = path.partition("/")
        if name.startswith("$") and name[1:] in self.refs:
            return self.refs[name[1:]].tree_id(rest)
        under = [folder for folder in self.inside if folder.startswith(f"{path}/") or not path]
        over = next((folder for folder in self.inside if f"{path}/".startswith(f"{folder}/")), None)
        if over is not None:
            tree, below = self.inside[over]
            return tree.tree_id("/".join(part for part in (below, path[len(over) + 1 :]) if part))
        own = self.base.tree_id(path)
        if not under:
            return own
        parts = [
            f"{folder}={self.inside[folder][0].tree_id(self.inside[folder][1])}" for folder in sorted(under)
        ]
        return hashlib.sha256("\0".join([str(own), *parts]).encode()).hexdigest()


def identity(tree: Tree) -> str:
    """Equal texts for trees of one repository mean equal content; what is mounted is part of it."""
    if not isinstance(tree, Mounted):
        return tree.commit
    parts = [identity(tree.base)]
    parts += [f"{at}={identity(one)}:{below}" for at, (one, below) in sorted(tree.inside.items())]
    parts += [f"${name}={identity(one)}" for name, one in sorted(tree.refs.items())]
    return " ".join(parts)
