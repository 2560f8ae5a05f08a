"""What the ConfigMap `argocd-cm` says about what is compared at all: excluded kinds, ignored differences (Argo CD 3.6).

`resource.exclusions` and `resource.inclusions` are lists of `{apiGroups, kinds, clusters}`;
`resource.customizations.ignoreDifferences.<group>_<kind>` (`all` for every kind) has the lists of an entry of
`spec.ignoreDifferences`, and so has `ignoreDifferences` in the older `resource.customizations`. `knownTypeFields` beside it
are fields of Kubernetes' own types, `{field, type}` each. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy import gobwas, objects, yamlio
from argosy.bundle import EXCLUSIONS, Policy, plain
from argosy.errors import ArgosyError
from argosy.machinery import schema
from hub.core.releases import releases

_IGNORE = "resource.customizations.ignoreDifferences."
_KNOWN = "resource.customizations.knownTypeFields."
_AMOUNTS = ("core/Quantity", "meta/v1/Duration")
_CORE = "core/v1/"
_INLINE = "resource.customizations"
_LISTS = ("jsonPointers", "jqPathExpressions", "managedFieldsManagers")


@dataclass(frozen=True, slots=True)
class Filter:
    """One entry: groups are globs, kinds exact or `*`, clusters globs over a server's address; empty is any."""

    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()

    def holds_on(self, places: Iterable[str]) -> bool:
        """Whether it is about a cluster, known by its server and its name."""
        known = tuple(places)
        return not self.clusters or any(gobwas.match(glob, each) for glob in self.clusters for each in known)


@dataclass(frozen=True, slots=True)
class Comparing:
    """`ignored` are entries of `spec.ignoreDifferences` as canonical JSON, for all Applications."""

    exclusions: tuple[Filter, ...] = ()
    inclusions: tuple[Filter, ...] = ()
    ignored: str = "[]"

    def told(self, policy: str, places: Iterable[str]) -> str:
        """`applied` for a policy as canonical JSON."""
        if self == NOTHING:
            return policy
        return objects.canonical(plain(self.applied(releases.policy(policy), places))).decode()

    def applied(self, policy: Policy, places: Iterable[str]) -> Policy:
        """The policy of an Application on the cluster of these names."""
        out = policy
        if self.ignored != "[]":
            both = [*orjson.loads(policy.ignore_differences), *orjson.loads(self.ignored)]
            out = replace(out, ignore_differences=objects.canonical(both).decode())
        if self.exclusions or self.inclusions:
            known = tuple(places)
            told = {"in": _told(self.inclusions, known), "out": _told(self.exclusions, known)}
            option = f"{EXCLUSIONS}={objects.canonical(told).decode()}"
            out = replace(out, sync_options=(*out.sync_options, option))
        return out


NOTHING = Comparing()


def of(data: Mapping[str, Any]) -> tuple[Comparing, str]:
    """(what the ConfigMap says, what of it is not understood: "" for nothing). What is not understood has no effect."""
    wrong: list[str] = []
    ignored = [entry for key, value in sorted(data.items()) for entry in _ignored(key, value, wrong)]
    made = Comparing(
        tuple(_filters(data, "resource.exclusions", wrong)),
        tuple(_filters(data, "resource.inclusions", wrong)),
        objects.canonical(ignored).decode(),
    )
    return made, "; ".join(wrong)


def _told(filters: Iterable[Filter], places: tuple[str, ...]) -> list[list[tuple[str, ...]]]:
    return [[each.groups, each.kinds] for each in filters if each.holds_on(places)]


def _filters(data: Mapping[str, Any], key: str, wrong: list[str]) -> Iterator[Filter]:
    found = _yaml(data.get(key), key, wrong)
    if not isinstance(found, list):
        if found is not None:
            wrong.append(f"{key}: a list is expected")
        return
    for number, entry in enumerate(found):
        lists = entry if isinstance(entry, dict) else {}
        parts = [lists.get(name) or [] for name in ("apiGroups", "kinds", "clusters")]
        if lists and all(isinstance(part, list) for part in parts):
            yield Filter(*(tuple(map(str, part)) for part in parts))
        else:
            wrong.append(f"{key}[{number}]: expected apiGroups, kinds and clusters, each a list")


def _ignored(key: str, value: Any, wrong: list[str]) -> Iterator[dict[str, Any]]:
    if key.startswith(_IGNORE):
        yield from _entry(key.removeprefix(_IGNORE), _yaml(value, key, wrong), key, wrong, split="_")
    elif key.startswith(_KNOWN):
        yield from _known(key.removeprefix(_KNOWN), _yaml(value, key, wrong), key, wrong, split="_")
    elif key == _INLINE:
        found = _yaml(value, key, wrong)
        for name, custom in sorted((found if isinstance(found, dict) else {}).items()):
            said = custom.get("ignoreDifferences") if isinstance(custom, dict) else None
            where = f"{key}[{name}].ignoreDifferences"
            inner = _yaml(said, where, wrong) if isinstance(said, str) else said
            yield from _entry(str(name), inner, where, wrong, split="/")
            typed = custom.get("knownTypeFields") if isinstance(custom, dict) else None
            yield from _known(str(name), typed, f"{key}[{name}].knownTypeFields", wrong, split="/")


def _entry(name: str, found: Any, where: str, wrong: list[str], *, split: str) -> Iterator[dict[str, Any]]:
    if found is None:
        return
    said = found if isinstance(found, dict) else {}
    lists: dict[str, Any] = {part: said[part] for part in _LISTS if said.get(part) is not None}
    if not lists or not all(isinstance(items, list) for items in lists.values()):
        wrong.append(f"{where}: expected {', '.join(_LISTS)}, each a list")
        return
    group, _, kind = name.rpartition(split)
    if name in ("all", "*/*"):
        group, kind = "*", "*"
    yield {"group": group, "kind": kind, **{part: list(map(str, items)) for part, items in lists.items()}}


def _known(name: str, found: Any, where: str, wrong: list[str], *, split: str) -> Iterator[dict[str, Any]]:
    if found is None:
        return
    pairs = []
    for each in found if isinstance(found, list) else [None]:
        said = each if isinstance(each, dict) else {}
        field, kind = said.get("field"), said.get("type")
        if not (isinstance(field, str) and field and isinstance(kind, str)):
            wrong.append(f"{where}: expected a list of field and type")
        elif kind not in _AMOUNTS and (kind[: len(_CORE)] != _CORE or not schema.builtin(kind[len(_CORE) :])):
            wrong.append(f'{where}: type "{kind}" is not supported')
        else:
            pairs.append([field, kind])
    group, _, kind = name.rpartition(split)
    if pairs:
        yield {"group": group, "kind": kind, "knownTypeFields": pairs}


def _yaml(text: Any, where: str, wrong: list[str]) -> Any:
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return yamlio.load_first(text, source=where)
    except ArgosyError as error:
        wrong.append(error.message)
        return None
