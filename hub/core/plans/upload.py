"""An uploaded folder as a tree whose ids are those that Git would give it, so that what it has in common with the
commit that is deployed is neither rendered nor shown again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from argosy.errors import NotFound

_FOLDER, _FILE, _EXECUTABLE, _LINK = "40000", "100644", "100755", "120000"


class UploadedTree:
    """`hub.core.tree.Tree` over path -> content (a link's content is its target)."""

    author = ""

    def __init__(
        self, files: Mapping[str, bytes], links: frozenset[str], executables: frozenset[str]
    ) -> None:
        self._files = files
        self._links = links
        self._paths = tuple(sorted(files, key=_bytes))
        self._ids: dict[str, str] = {}
        below: dict[str, dict[str, str]] = {"": {}}
        for path, data in files.items():
            mode = _LINK if path in links else _EXECUTABLE if path in executables else _FILE
            self._ids[path] = _digest("blob", data)
            self._enter(below, path, mode)
        for folder in sorted(below, key=lambda path: -len(path.split("/")) if path else 1):
            self._ids[folder] = self._folder(folder, below[folder])

    def _enter(self, below: dict[str, dict[str, str]], path: str, mode: str) -> None:
        folder, _, name = path.rpartition("/")
        while True:
            known = folder in below
            below.setdefault(folder, {})[name] = mode
            if known:
                return
            mode = _FOLDER
            folder, _, name = folder.rpartition("/")

    def _folder(self, folder: str, entries: Mapping[str, str]) -> str:
        def place(name: str) -> bytes:
            # Git sorts a folder as if its name ended with a slash.
            return _bytes(name) + (b"/" if entries[name] == _FOLDER else b"")

        data = b"".join(
            f"{entries[name]} ".encode()
            + _bytes(name)
            + b"\0"
            + bytes.fromhex(self._ids[f"{folder}/{name}" if folder else name])
            for name in sorted(entries, key=place)
        )
        return _digest("tree", data)

    @property
    def commit(self) -> str:
        """No commit: the id of the whole tree."""
        return self._ids[""]

    def paths(self) -> Sequence[str]:
        return self._paths

    def symlinks(self) -> frozenset[str]:
        return self._links

    def read(self, path: str) -> bytes:
        try:
            return self._files[path]
        except KeyError:
            raise NotFound(f"{path}: no such file in the uploaded folder") from None

    def tree_id(self, path: str) -> str | None:
        return self._ids.get(path)


def _digest(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
