"""What an in-memory cluster holds, read from its journal: one JSON line for each write.

The demo does not ask the agent, which might be wrong about itself, nor the hub, which only knows what agents say.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from argosy.objects import Manifest


def read(journal: Path) -> list[Manifest]:
    """All objects: a line is [version, key, object], or null for one that was deleted. The later line wins.

    A line that is being written at this moment is left out.
    """
    held: dict[tuple[str, ...], Manifest] = {}
    for line in journal.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        _, key, manifest = orjson.loads(line)
        if manifest is None:
            held.pop(tuple(key), None)
        else:
            held[tuple(key)] = manifest
    return list(held.values())
