"""The in-memory cluster on disk: a journal of writes, folded into a snapshot when it grows.

A process that is killed at any point finds its cluster as it was at the last answered write: every write is handed to
the kernel before it is answered. (Not synced to the device: this cluster is for demos and tests.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from argosy import errors
from argosy.objects import Manifest

Key = tuple[str, str, str, str]
"""Group, kind, namespace, name."""

FOLD_AFTER = 2000
"""Journal lines beyond the number of objects before it is folded."""


class Journal:
    """The file of one cluster. Not for two processes at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._lines = 0

    def load(self) -> tuple[int, dict[Key, Manifest]]:
        """The last version and all objects; (0, {}) for a file that is not there. A half-written last line is cut off.

        Raises `Invalid` for a file that is no journal.
        """
        objects: dict[Key, Manifest] = {}
        version = 0
        good = 0
        data = self._path.read_bytes() if self._path.exists() else b""
        for line in data.splitlines(keepends=True):
            try:
                version, key, manifest = orjson.loads(line)
                if not line.endswith(b"\n"):
                    raise ValueError
            except ValueError:
                if good + len(line) < len(data):
                    raise errors.Invalid(f"{self._path}: not the journal of an in-memory cluster") from None
                break
            good += len(line)
            self._lines += 1
            if manifest is None:
                objects.pop(tuple(key), None)
            else:
                objects[tuple(key)] = manifest
        self._open()
        os.truncate(self._path, good)
        return version, objects

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, version: int, key: Key, manifest: Manifest | None) -> None:
        """One write; None is a delete."""
        os.write(self._file, orjson.dumps((version, key, manifest)) + b"\n")
        self._lines += 1

    def fold(self, version: int, objects: Callable[[], Iterable[tuple[Key, Manifest]]], count: int) -> None:
        """Replaces a journal that has grown far beyond the objects by their present state, in one step."""
        if self._lines < count + FOLD_AFTER:
            return
        fresh = self._path.with_suffix(".new")
        lines = [orjson.dumps((version, key, manifest)) + b"\n" for key, manifest in objects()]
        fresh.write_bytes(b"".join(lines))
        os.replace(fresh, self._path)
        os.close(self._file)
        self._open()
        self._lines = len(lines)

    def close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
