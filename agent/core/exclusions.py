"""Kinds that nobody compares, applies or removes: Argo CD's `resource.exclusions` and `resource.inclusions` (3.6). Pure.

The hub says which filters hold for a cluster, as a sync option; some kinds are excluded always, for they are records
of what happens and change without end.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import orjson

from agent.core import options
from argosy import gobwas
from argosy.bundle import EXCLUSIONS
from argosy.objects import ObjectKey

_ALWAYS_GROUPS = frozenset({"events.k8s.io", "metrics.k8s.io"})
_ALWAYS = frozenset({("", "Event"), ("coordination.k8s.io", "Lease")})


def excluded(sync_options: Iterable[str], key: ObjectKey) -> bool:
    """Whether objects of this kind are left alone."""
    if key.group in _ALWAYS_GROUPS or (key.group, key.kind) in _ALWAYS:
        return True
    said = options.value(sync_options, EXCLUSIONS)
    return bool(said) and _matches(said, key.group, key.kind)


@functools.lru_cache(maxsize=1024)
def _matches(said: str, group: str, kind: str) -> bool:
    filters: dict[str, Any] = orjson.loads(said)
    inside, outside = filters.get("in") or (), filters.get("out") or ()
    if inside and not any(_fits(each, group, kind) for each in inside):
        return True
    return any(_fits(each, group, kind) for each in outside)


def _fits(each: Any, group: str, kind: str) -> bool:
    """Groups are globs, kinds are exact or `*`; an empty list is any."""
    groups, kinds = each
    by_group = not groups or any(gobwas.match(pattern, group) for pattern in groups)
    return by_group and (not kinds or "*" in kinds or kind in kinds)
