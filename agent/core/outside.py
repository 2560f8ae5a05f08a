"""Which objects outside namespaces a project permits, by the lists that the hub sends as a sync option. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

import orjson

from agent.core import options
from argosy.bundle import OUTSIDE
from argosy.objects import ObjectKey


def refused(sync_options: Iterable[str], key: ObjectKey) -> bool:
    """Whether the project does not permit an object, where it is outside namespaces."""
    said = "" if key.namespace else options.value(sync_options, OUTSIDE)
    return bool(said) and not _permitted(said, key.group, key.kind, key.name)


@functools.lru_cache(maxsize=4096)
def _permitted(said: str, group: str, kind: str, name: str) -> bool:
    lists: dict[str, Any] = orjson.loads(said)
    white, black = (
        any(_hits(entry, (group, kind, name)) for entry in lists.get(which) or ())
        for which in ("white", "black")
    )
    return white and not black


def _hits(entry: Iterable[str], parts: tuple[str, str, str]) -> bool:
    """Expressions for group, kind and name; "" in the last is any name."""
    *kind, name = zip(entry, parts, strict=True)
    return all(re.fullmatch(*pair) for pair in kind) and (not name[0] or bool(re.fullmatch(*name)))
