"""What a project asks about objects that no application brought: `spec.orphanedResources` (Argo CD 3.6).

The agents do the looking; they are told what to pass over as expressions, so that they need not know Argo CD's globs:
what the project ignores, and kinds that it does not permit, which are not for it to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from argosy import gobwas, objects
from argosy.bundle import ORPHANS, plain
from argosy.objects import Manifest
from hub.core.matching import globs
from hub.core.releases import releases


def told(policy: str, project: Manifest | None) -> str:
    """A policy as canonical JSON, with what the project asks for."""
    asked = _asked((project or {}).get("spec") or {})
    if not asked:
        return policy
    before = releases.policy(policy)
    option = f"{ORPHANS}={objects.canonical(asked).decode()}"
    return objects.canonical(plain(replace(before, sync_options=(*before.sync_options, option)))).decode()


def _asked(spec: Mapping[str, Any]) -> dict[str, Any]:
    wanted = spec.get("orphanedResources")
    if wanted is None:
        return {}
    white = spec.get("namespaceResourceWhitelist")
    return {
        "warn": bool(wanted.get("warn")),
        "ignore": [item for item in map(_ignored, wanted.get("ignore") or ()) if item is not None],
        "white": None if white is None else _kinds(white),
        "black": _kinds(spec.get("namespaceResourceBlacklist") or ()),
    }


def _ignored(item: Mapping[str, Any]) -> list[str] | None:
    """[group, kind, name]; "" in the last two is any, while no group is the core one alone. None for what hits nothing."""
    found = [gobwas.expression(str(item.get("group") or ""))]
    for part in ("kind", "name"):
        text = str(item.get(part) or "")
        found.append(gobwas.expression(text) if text else "")
    return None if None in found else [str(part) for part in found]


def _kinds(items: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    found = ((globs.expression(item.get(part) or "") for part in ("group", "kind")) for item in items)
    return [[str(part) for part in pair] for pair in map(list, found) if None not in pair]
