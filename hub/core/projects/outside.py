"""What a project permits outside namespaces: its `clusterResourceWhitelist` and `clusterResourceBlacklist` (Argo CD 3.6).

The hub refuses what it knows to be there. Which kinds a cluster has made of its own, and where, its agent alone knows for
sure; so it is told the lists, as expressions, and applies nothing outside namespaces that they do not permit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from argosy import objects
from argosy.bundle import OUTSIDE, plain
from argosy.objects import Manifest
from hub.core.matching import globs
from hub.core.releases import releases

_ANY = {"group": "*", "kind": "*"}


def told(policy: str, project: Manifest | None) -> str:
    """A policy as canonical JSON, with the lists of a project that does not permit everything."""
    spec: Mapping[str, Any] = (project or {}).get("spec") or {}
    white, black = spec.get("clusterResourceWhitelist") or (), spec.get("clusterResourceBlacklist") or ()
    if project is None or (_ANY in white and not black):
        return policy
    before = releases.policy(policy)
    lists = {"white": _listed(white), "black": _listed(black)}
    option = f"{OUTSIDE}={objects.canonical(lists).decode()}"
    return objects.canonical(plain(replace(before, sync_options=(*before.sync_options, option)))).decode()


def _listed(items: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """[group, kind, name] of each entry, "" for any name; an entry that is no pattern hits nothing."""
    found = []
    for item in items:
        name = str(item.get("name") or "")
        parts = [globs.expression(str(item.get(part) or "")) for part in ("group", "kind")]
        parts.append(globs.expression(name) if name else "")
        if None not in parts:
            found.append([str(part) for part in parts])
    return found
