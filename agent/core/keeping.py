"""Fields that the user told us to ignore keep their live value: in what is compared, and with
`RespectIgnoreDifferences=true` in what is applied (Argo CD 3.6, `normalizeTargetResources`).

They are not left out: a field that only we own would go then, and be the server's default from there on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import known, marks, merging
from agent.core.drift import Ignored
from argosy.kinds import gvk_of
from argosy.machinery import fields, schema, typed
from argosy.machinery.schema import Type
from argosy.objects import Manifest

_NOTHING: Any = object()
_NAMES = ("name", "key", "type", "mountPath", "port")
"""What items of lists are told apart by where the kind does not say."""


def kept(manifest: Manifest, live: Manifest, ignored: Ignored, *, owned: bool = False) -> Manifest:
    """The manifest with the live value in each ignored field, without those that the live object has not.

    With `owned` only fields that the manifest has, or that are ours by the live object's managedFields: for server-side
    apply, which leaves the others alone and would make them ours. Items of lists are told apart by the keys of the kind,
    else by their names, else by their places where there are as many; a list in which that cannot be done stays as the
    manifest has it. So does what is known to say the same in another form.
    """
    manifest = known.alike(manifest, live, ignored.known)
    if not ignored.fields:
        return manifest
    shape = merging.shape(gvk_of(manifest))
    there: Any = merging.content(live)
    rest = ignored.strip(there)
    if owned:
        there = _without_others(manifest, live, there, rest, shape)
    out: Manifest = _filled(manifest, ignored.strip(manifest), there, rest, shape)
    return _ours(out, manifest)


def _without_others(manifest: Manifest, live: Manifest, there: Any, rest: Any, shape: Type) -> Any:
    mine = fields.union(typed.field_set(manifest, shape), merging.owned(live, (marks.MANAGER,)))
    gone = fields.difference(typed.field_set(there, shape), typed.field_set(rest, shape))
    return typed.remove(there, fields.difference(gone, mine), shape)


def _ours(manifest: Manifest, original: Manifest) -> Manifest:
    """With what makes it this object, and our marks, as they are to be: whatever is ignored, those are not."""
    metadata: dict[str, Any] = dict(manifest.get("metadata") or {})
    said = original["metadata"]
    for part in ("labels", "annotations"):
        own = {name: value for name, value in (said.get(part) or {}).items() if marks.own(name)}
        if own:
            metadata[part] = {**(metadata.get(part) or {}), **own}
    metadata |= {name: said[name] for name in ("name", "namespace") if name in said}
    return {
        **manifest,
        "apiVersion": original["apiVersion"],
        "kind": original["kind"],
        "metadata": metadata,
    }


def _filled(said: Any, bare: Any, live: Any, rest: Any, kind: Type) -> Any:
    """`bare` and `rest` are `said`, of the manifest, and `live` without what is ignored."""
    if live == rest:
        return bare
    if isinstance(live, dict) and isinstance(rest, dict):
        return _filled_map(said, bare, live, rest, kind)
    if isinstance(live, list) and isinstance(rest, list):
        return _filled_list(said, bare, live, rest, kind)
    return bare


def _filled_map(said: Any, bare: Any, live: dict[str, Any], rest: dict[str, Any], kind: Type) -> Any:
    if bare is not _NOTHING and not isinstance(bare, dict):
        return bare
    out = {} if bare is _NOTHING else dict(bare)
    had = said if isinstance(said, dict) else {}
    for name, value in live.items():
        if name in rest:
            child = kind.child(name) or schema.DEDUCED
            value = _filled(had.get(name, _NOTHING), out.get(name, _NOTHING), value, rest[name], child)
        if value is not _NOTHING and value is not None:
            out[name] = value
    return out or bare


def _filled_list(said: Any, bare: Any, live: list[Any], rest: list[Any], kind: Type) -> Any:
    had, left = (item if isinstance(item, list) else [] for item in (said, bare))
    item_kind = kind.item or schema.DEDUCED
    for name in _namings(kind):
        found = [side for items in (had, left, live, rest) if (side := _by_name(items, name)) is not None]
        if len(found) == 4:
            named_had, named_left, named_live, named_rest = found
            return _filled_by_name(named_had, named_left, named_live, named_rest, item_kind) or bare
    gone = _gone(live, rest)
    if len(live) == len(rest) == len(left):
        hads = had if len(had) == len(left) else left
        return [_filled(*each, item_kind) for each in zip(hads, left, live, rest, strict=True)]
    if gone is not None and len(left) == len(rest):
        kept_items = iter(left)
        return [item if number in gone else next(kept_items) for number, item in enumerate(live)]
    return said


def _filled_by_name(
    had: dict[str, Any], left: dict[str, Any], live: dict[str, Any], rest: dict[str, Any], kind: Type
) -> list[Any]:
    out = []
    for name in dict.fromkeys([*had, *live, *left]):
        if name in live and name not in rest:
            out.append(live[name])
        elif name in live and name in left:
            out.append(_filled(had.get(name, _NOTHING), left[name], live[name], rest[name], kind))
        elif name in left:
            out.append(left[name])
        elif name in had and name in rest:
            out.append(had[name])  # a place in the list that has another item in the live object
    return out


def _namings(kind: Type) -> list[Callable[[Any], str]]:
    """The ways to tell items apart, the best one first."""
    if kind.keys is not None:
        return [lambda item: typed.element_of(kind, item)]

    def called(name: str) -> Callable[[Any], str]:
        return lambda item: repr(item[name])

    return [called(name) for name in _NAMES]


def _by_name(items: list[Any], name: Callable[[Any], str]) -> dict[str, Any] | None:
    """None where a name is missing, or is there twice."""
    try:
        found = {name(item): item for item in items}
    except (typed.TypedError, TypeError, KeyError):
        return None
    return found if len(found) == len(items) else None


def _gone(live: list[Any], rest: list[Any]) -> frozenset[int] | None:
    """The places of items that were left out whole; None where others were changed, too."""
    gone, at = set(), 0
    for number, item in enumerate(live):
        if at < len(rest) and rest[at] == item:
            at += 1
        else:
            gone.add(number)
    return frozenset(gone) if at == len(rest) else None
