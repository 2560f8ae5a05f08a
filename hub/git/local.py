"""A repository or a plain folder of this machine as a tree, for commands that work offline.

A repository's files are those of the commit that the revision means there. A plain folder stands for every
revision; nothing in it is followed out of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from argosy.errors import Invalid, NotFound, Unavailable
from hub.core.tree import MemoryTree, Tree
from hub.git import revision, tree
from hub.git.batch import Batch
from hub.git.revision import HighestTag

_MOST_FILES = 50_000
_MOST_BYTES = 512 * 1024 * 1024
_OBJECT_BYTES = 50 * 1024 * 1024


def open_tree(folder: str, target: str, *, highest: HighestTag, tag_prefix: str = "") -> Tree:
    """The files of a revision ("" for HEAD) of the repository in `folder`, or of the plain folder.

    Raises `NotFound` where the folder or the revision is not there, `Invalid` where a plain folder is too
    large.
    """
    path = Path(folder)
    if not path.is_dir():
        raise NotFound(f"{folder}: no such folder")
    git_dir = _git_dir(path)
    if git_dir is None:
        return _plain(path)
    objects = tree.Objects(Batch(str(git_dir), limit=_OBJECT_BYTES))
    try:
        commit = revision.resolve(
            target, _refs(git_dir), highest=highest, short=lambda text: text, tag_prefix=tag_prefix
        )
        return tree.at_commit(objects, commit)
    except (NotFound, Unavailable) as error:
        raise NotFound(f"{folder}: {error.message}") from None


def _git_dir(path: Path) -> Path | None:
    inner = path / ".git"
    if inner.is_dir():
        return inner
    if inner.is_file():
        return path / inner.read_text().removeprefix("gitdir:").strip()
    return path if (path / "HEAD").is_file() and (path / "objects").is_dir() else None


def _refs(git_dir: Path) -> Mapping[str, str]:
    import git

    try:
        with git.Repo(git_dir, search_parent_directories=False) as repo:
            found = {ref.path: ref.commit.hexsha for ref in (*repo.heads, *repo.tags)}
            if repo.head.is_valid():
                found["HEAD"] = repo.head.commit.hexsha
            # What a clone calls origin/main is main of the address that it stands for.
            for ref in (ref for remote in repo.remotes for ref in remote.refs):
                found.setdefault(f"refs/heads/{ref.remote_head}", ref.commit.hexsha)
            return found
    except (git.GitError, ValueError, OSError) as error:
        raise Unavailable(f"not readable as a Git repository: {error}") from None


def _plain(root: Path) -> Tree:
    """All files of a folder, read at once: it may change later, a tree may not."""
    content: dict[str, bytes] = {}
    links: set[str] = set()
    left = _MOST_BYTES
    for here, folders, names in os.walk(root):
        base = Path(here)
        for name in sorted((*names, *(each for each in folders if (base / each).is_symlink()))):
            place = base / name
            path = place.relative_to(root).as_posix()
            if place.is_symlink():
                links.add(path)
                content[path] = os.readlink(place).encode()
            elif place.is_file():
                left -= place.stat().st_size
                if left < 0 or len(content) >= _MOST_FILES:
                    raise Invalid(f"{root}: more than {_MOST_FILES} files or {_MOST_BYTES} bytes")
                content[path] = place.read_bytes()
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted(content):
        digest.update(f"{path}\0{len(content[path])}\0".encode("utf-8", "surrogateescape"))
        digest.update(content[path])
    return MemoryTree(content, digest.hexdigest(), frozenset(links))
