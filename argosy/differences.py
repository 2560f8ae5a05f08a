"""What differs between two objects, field by field, without showing what is secret.

A path is written as people read it: `spec.template.spec.containers[name=web].image`. Entries of lists that have unique
names are compared by name, those of other lists by position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import objects
from argosy.annotations import LAST_APPLIED
from argosy.objects import Manifest, ObjectKey

MASK = "••••••"
"""Stands for a value that nobody may read here, whatever its length."""
MOST_FIELDS = 200
"""Fields shown of one object; the rest are counted."""
LONGEST = 4096
"""Characters shown of one text."""
_SECRET_FIELDS = ("data", "stringData")
_NAMES = ("name", "key", "ref", "containerPort", "port", "mountPath", "ip")
"""Fields by which entries of Kubernetes' lists are told apart, in the order in which they are tried."""


class Hidden:
    """Stands in an object for a value that is compared and never shown."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._value == other._value

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Field:
    """One field that differs. A value that is not there is None and `has_*` is False; `masked` values are `MASK`."""

    path: str
    before: Any = None
    after: Any = None
    has_before: bool = True
    has_after: bool = True
    masked: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON: what is not there has no key."""
        out: dict[str, Any] = {"path": self.path}
        if self.has_before:
            out["before"] = self.before
        if self.has_after:
            out["after"] = self.after
        return out | ({"masked": True} if self.masked else {})


@dataclass(frozen=True, slots=True)
class Difference:
    """The fields of one object that differ, at most `MOST_FIELDS` of them, and how many more there are."""

    fields: tuple[Field, ...]
    more: int = 0


NO_DIFFERENCE = Difference(())


def between(before: Manifest, after: Manifest) -> Difference:
    """What differs between two versions of one object. Secrets' values are masked, and so is what is `Hidden` in either."""
    secret = is_secret(before) or is_secret(after)
    if secret:
        before, after = _without_copy(before), _without_copy(after)
    shown: list[Field] = []
    more = 0
    for found in _walk("", before, after):
        if len(shown) == MOST_FIELDS:
            more += 1
            continue
        shown.append(_masked(found) if secret and _is_private(found.path) else _shortened(found))
    return Difference(tuple(shown), more)


def is_secret(manifest: Manifest) -> bool:
    """True for a core Secret, whatever its version."""
    group, _ = objects.split_api_version(str(manifest.get("apiVersion") or ""))
    return not group and manifest.get("kind") == "Secret"


def _is_private(path: str) -> bool:
    return path.partition(".")[0].partition("[")[0] in _SECRET_FIELDS


def _without_copy(secret: Manifest) -> Manifest:
    """A Secret without what kubectl wrote down of it, which holds the values once more."""
    metadata = secret.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(notes, dict) or LAST_APPLIED not in notes:
        return secret
    kept = {key: text for key, text in notes.items() if key != LAST_APPLIED}
    return {**secret, "metadata": {**metadata, "annotations": kept}}


def _masked(found: Field) -> Field:
    """A whole `data` that came or went is masked key by key, so that one sees which keys there are."""

    def mask(value: Any) -> Any:
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK

    return Field(
        found.path,
        mask(found.before) if found.has_before else None,
        mask(found.after) if found.has_after else None,
        found.has_before,
        found.has_after,
        masked=True,
    )


def _shortened(found: Field) -> Field:
    before, after = _short(found.before), _short(found.after)
    masked = found.masked or _hides(found.before) or _hides(found.after)
    return Field(found.path, before, after, found.has_before, found.has_after, masked)


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value)} characters)"
    return _shown(value) if _hides(value) else value


def _hides(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_hides, value.values()))
    return any(map(_hides, value)) if isinstance(value, list) else isinstance(value, Hidden)


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return MASK if isinstance(value, Hidden) else value


def _walk(path: str, before: Any, after: Any) -> Iterator[Field]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _entry(_joined(path, str(key)), before, after, key)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list(path, before, after)
    elif before != after or type(before) is not type(after):
        # To Python, true is 1; to Kubernetes it is not.
        yield Field(path, before, after)


def _entry(path: str, before: dict[Any, Any], after: dict[Any, Any], key: Any) -> Iterator[Field]:
    if key not in after:
        yield Field(path, before[key], None, has_after=False)
    elif key not in before:
        yield Field(path, None, after[key], has_before=False)
    else:
        yield from _walk(path, before[key], after[key])


def _list(path: str, before: list[Any], after: list[Any]) -> Iterator[Field]:
    name = next((name for name in _NAMES if _tells(name, before) and _tells(name, after)), "")
    if name:
        old = {item[name]: item for item in before}
        new = {item[name]: item for item in after}
        for key in dict.fromkeys([*old, *new]):
            yield from _entry(f"{path}[{name}={key}]", old, new, key)
        if set(old) == set(new) and list(old) != list(new):
            yield Field(f"{path} (order)", list(old), list(new))
        return
    old_at, new_at = dict(enumerate(before)), dict(enumerate(after))
    for at in range(max(len(before), len(after))):
        yield from _entry(f"{path}[{at}]", old_at, new_at, at)


def _tells(name: str, items: Sequence[Any]) -> bool:
    """Whether every entry has a scalar of that name, no two the same."""
    found = [item.get(name) if isinstance(item, dict) else None for item in items]
    return all(isinstance(value, str | int) for value in found) and len(set(map(repr, found))) == len(found)


def _joined(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object of an application that comes ("added"), changes ("changed") or goes ("removed"), or that another
    application of the cluster has in its place ("handedOver").

    `kept` says, for one that goes, why it stays in the cluster all the same: "" where it is deleted. `given_to` and
    `taken_from` name the other application.
    """

    key: ObjectKey
    change: str
    difference: Difference = NO_DIFFERENCE
    kept: str = ""
    given_to: str = ""
    taken_from: str = ""

    def document(self) -> dict[str, Any]:
        key = self.key
        out: dict[str, Any] = {
            "group": key.group,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "change": self.change,
        }
        if self.difference.fields:
            out["fields"] = [each.document() for each in self.difference.fields]
        if self.difference.more:
            out["moreFields"] = self.difference.more
        said = {"kept": self.kept, "givenTo": self.given_to, "takenFrom": self.taken_from}
        return out | {name: text for name, text in said.items() if text}


ADDED, CHANGED, REMOVED, HANDED_OVER = "added", "changed", "removed", "handedOver"


def taken(found: ObjectChange, giver: str, before: Manifest, after: Manifest) -> ObjectChange:
    """An object that comes to an application from another one: it changes, or stays as it is."""
    if objects.canonical(before) == objects.canonical(after):
        return ObjectChange(found.key, HANDED_OVER, taken_from=giver)
    return ObjectChange(found.key, CHANGED, between(before, after), taken_from=giver)


def of_bundles(
    before: Sequence[Manifest], after: Sequence[Manifest], *, kept: str = ""
) -> tuple[ObjectChange, ...]:
    """The objects that differ between two renders of one application, by key. `kept` is why what goes stays."""
    old = {objects.key_of(item): item for item in before}
    new = {objects.key_of(item): item for item in after}
    found: list[ObjectChange] = []
    for key in sorted({*old, *new}):
        if key not in new:
            found.append(ObjectChange(key, REMOVED, kept=kept))
        elif key not in old:
            found.append(ObjectChange(key, ADDED))
        elif objects.canonical(old[key]) != objects.canonical(new[key]):
            found.append(ObjectChange(key, CHANGED, between(old[key], new[key])))
    return tuple(found)
