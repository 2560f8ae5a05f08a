"""What the agent remembers on disk beside the desired state: deletions of the last hour, and contested fields.

One small file, replaced as a whole; a damaged one is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

from agent.core.contested import Claim, Corrections
from agent.state import cache
from argosy import objects
from argosy.objects import ObjectKey, parse_key

log = structlog.get_logger("notes")

AppCorrections = Mapping[ObjectKey, tuple[str, Corrections]]
NAME = "notes.json"


class Notes:
    """`folder` None keeps them in memory only. Calls block, for a few milliseconds."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / NAME if folder is not None else None
        self._deletions: tuple[float, ...] = ()
        self._corrections: dict[str, Any] = {}
        self._load()

    @property
    def deletions(self) -> tuple[float, ...]:
        """When objects were deleted (Unix seconds), as far as it may still matter."""
        return self._deletions

    def delete(self, deletions: tuple[float, ...]) -> None:
        """Makes deletions durable, before the last of them happens. Raises `Unavailable` where the disk is full."""
        self._write(deletions, self._corrections)

    def corrections(self, assignment: str) -> AppCorrections:
        """Of one app's objects: when each field was taken back from whom, and for which content (its digest)."""
        return {
            parse_key(key): (
                digest,
                {Claim(manager, field): tuple(times) for manager, field, times in rows},
            )
            for key, (digest, rows) in self._corrections.get(assignment, {}).items()
        }

    def correct(self, assignment: str, corrections: AppCorrections) -> None:
        """Keeps an app's corrections where they differ from what is kept. Raises `Unavailable`."""
        rows = {
            str(key): [digest, [[*claim, list(times)] for claim, times in sorted(found.items())]]
            for key, (digest, found) in corrections.items()
            if found
        }
        if rows == self._corrections.get(assignment, {}):
            return
        kept = {name: value for name, value in self._corrections.items() if name != assignment}
        self._write(self._deletions, {**kept, assignment: rows} if rows else kept)

    def forget(self, assignment: str) -> None:
        """The app is gone."""
        self.correct(assignment, {})

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            check, _, raw = self._path.read_bytes().partition(b"\n")
            if objects.digest(raw).encode() != check:
                raise ValueError("the digest does not fit")
            value = orjson.loads(raw)
            self._deletions = tuple(float(each) for each in value["deletions"])
            self._corrections = value["corrections"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the notes on disk are damaged and not used", file=str(self._path), error=str(error))

    def _write(self, deletions: tuple[float, ...], corrections: dict[str, Any]) -> None:
        if self._path is not None:
            raw = objects.canonical({"deletions": deletions, "corrections": corrections})
            cache.replace_file(self._path, objects.digest(raw).encode() + b"\n" + raw)
        self._deletions, self._corrections = deletions, corrections
