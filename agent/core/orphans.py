"""Objects of a namespace that no application of the cluster brought, and which of them a project asks about (Argo CD
3.6, `controller/appcontroller.go`). Pure: the hub says what to pass over, somebody else lists what is there.

Only what nobody owns counts. Owners that Kubernetes does not write down are known by name: a StatefulSet's claims, a
ServiceAccount's token.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from agent.core import exclusions, options
from argosy.bundle import ORPHANS
from argosy.kinds import ApiKind, Gvk, Kinds
from argosy.objects import ObjectKey

WARNING = "OrphanedResourceWarning"
_TOKEN_OF = "kubernetes.io/service-account.name"  # noqa: S105  # an annotation's name
_LISTED = frozenset({("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")})
"""Kinds beside the excluded ones that only controllers write."""
_ORDINAL = re.compile(r"(.+)-\d+\Z")


@dataclass(frozen=True, slots=True)
class Loose:
    """An object that nobody owns. `owner` is the assignment that its marks name, "" for none."""

    key: ObjectKey
    owner: str


@dataclass(frozen=True)
class Rules:
    """What is asked for. `warn`: with a condition; `ignore` has expressions for group, kind and name, `white` (None: all)
    and `black` those for group and kind.
    """

    warn: bool
    ignore: tuple[tuple[str, str, str], ...]
    white: tuple[tuple[str, str], ...] | None
    black: tuple[tuple[str, str], ...]

    def concerns(self, key: ObjectKey) -> bool:
        """Whether the object is for the project to judge, and not passed over."""
        if self.white is not None and not _kind(self.white, key):
            return False
        if _kind(self.black, key) or _built_in(key):
            return False
        return not any(
            _hit(group, key.group)
            and (not kind or _hit(kind, key.kind))
            and (not name or _hit(name, key.name))
            for group, kind, name in self.ignore
        )


def rules(sync_options: Iterable[str]) -> Rules | None:
    """What an app's project asks for, None for nothing."""
    said = options.value(sync_options, ORPHANS)
    return _read(said) if said else None


def warns(sync_options: Iterable[str]) -> bool:
    """Whether there is to be a condition."""
    asked = rules(sync_options)
    return asked is not None and asked.warn


@functools.lru_cache(maxsize=64)
def _read(said: str) -> Rules:
    found: dict[str, Any] = orjson.loads(said)
    white = found.get("white")
    return Rules(
        bool(found.get("warn")),
        tuple((group, kind, name) for group, kind, name in found.get("ignore") or ()),
        None if white is None else tuple((group, kind) for group, kind in white),
        tuple((group, kind) for group, kind in found.get("black") or ()),
    )


def looked_at(kinds: Kinds) -> list[Gvk]:
    """The kinds whose objects may be orphans, each at the version that its group prefers."""
    found: dict[tuple[str, str], Gvk] = {}
    for kind in kinds.values():
        if kind.namespaced and "list" in kind.verbs and _counts(kind):
            found.setdefault((kind.gvk.group, kind.gvk.kind), kind.gvk)
    return list(found.values())


def _counts(kind: ApiKind) -> bool:
    key = ObjectKey(kind.gvk.group, kind.gvk.kind, "", "")
    return (key.group, key.kind) not in _LISTED and not exclusions.excluded((), key)


def loose(found: Iterable[tuple[ObjectKey, str, Mapping[str, Any]]]) -> list[Loose]:
    """Those of the (key, owner by marks, metadata) of one namespace that nobody owns, each once under one of its names."""
    listed = list(found)
    sets = {key.name for key, _, _ in listed if (key.group, key.kind) == ("apps", "StatefulSet")}
    once: dict[str, Loose] = {}
    for key, owner, metadata in listed:
        if metadata.get("ownerReferences") or _inferred(key, metadata, sets):
            continue
        once.setdefault(str(metadata.get("uid") or key), Loose(key, owner))
    return sorted(once.values(), key=lambda one: str(one.key))


def orphans(
    found: Iterable[Loose], asked: Rules, assigned: Collection[str], wanted: Callable[[ObjectKey], bool]
) -> list[ObjectKey]:
    """The objects that none of the cluster's applications has: neither marked by one of `assigned` nor `wanted` by any."""
    return [
        one.key
        for one in found
        if one.owner not in assigned and asked.concerns(one.key) and not wanted(one.key)
    ]


def message(count: int) -> str:
    """Argo CD's words."""
    return f"Application has {count} orphaned resources"


def _inferred(key: ObjectKey, metadata: Mapping[str, Any], sets: Collection[str]) -> bool:
    if (key.group, key.kind) == ("", "Secret"):
        return _TOKEN_OF in (metadata.get("annotations") or {})
    if (key.group, key.kind) != ("", "PersistentVolumeClaim"):
        return False
    stem = _ORDINAL.match(key.name)
    return stem is not None and any(stem[1].endswith(f"-{name}") for name in sets)


def _built_in(key: ObjectKey) -> bool:
    """What every namespace has from the start."""
    if key.group:
        return False
    return (key.kind, key.name) in (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")) or (
        (key.namespace, key.kind, key.name) == ("default", "Service", "kubernetes")
    )


def _kind(pairs: Iterable[tuple[str, str]], key: ObjectKey) -> bool:
    return any(_hit(kind, key.kind) and _hit(group, key.group) for group, kind in pairs)


def _hit(expression: str, text: str) -> bool:
    try:
        return re.fullmatch(expression, text, re.DOTALL) is not None
    except (re.error, RecursionError):
        return False
