"""Creating many objects of one form: what differs from one made before in free values alone is made after its model.

A create's checks, defaults and field ownership depend on an object's form, and on its values only where the schema
constrains them. An object that has the form of its model, and other values only where any will do, gets what the model
got. Everything else takes the whole way through `write.create`, so that no check is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argosy.machinery import names, write
from argosy.machinery.kinds import Place
from argosy.machinery.write import Options, Outcome
from argosy.objects import Manifest

KEPT = 8
"""Models of one kind, namespace and manager."""

_WORDS = frozenset(("type", "description", "title", "nullable", "default", "example"))
_FREE = {"string": _WORDS, "integer": _WORDS | {"format"}, "array": _WORDS | {"items"}}
"""What a schema may say of a text, a number or a list that leaves every one good; of a list, if its items are. Such a list
has one owner as a whole, whatever is in it.
"""
_LOOSE = frozenset((("", "Event"),))
"""Built-in kinds of whose texts nothing is asked."""
_LOGIC = ("allOf", "anyOf", "oneOf", "not", "enum", "x-kubernetes-validations", "x-kubernetes-int-or-string")
_TEXT_MAPS = ("labels", "annotations")

Path = tuple[str, ...]
Differing = list[tuple[Path, Any, Any]]
"""(where, the model's value, the other)."""


@dataclass(frozen=True, slots=True)
class _Model:
    body: Manifest
    made: Manifest
    now: str
    warnings: tuple[str, ...]
    """They are about fields and finalizers, which are the same."""


class Siblings:
    """The models of one process. Not for several threads at once."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, ...], list[_Model]] = {}

    def create(self, place: Place, body: Manifest, options: Options) -> Outcome:
        """What `write.create` gives. Raises as it does."""
        kind = place.kind
        known = kind.structural is not None or (kind.group, kind.kind) in _LOOSE
        if not known or options.strict or "generateName" in (body.get("metadata") or {}):
            return write.create(place, body, options)
        key = (kind.api_version, kind.kind, place.namespace, options.manager, options.validation)
        models = self._models.setdefault(key, [])
        for model in models:
            made = _after(model, place, body, options)
            if made is not None:
                return Outcome(made, write.CREATED, model.warnings)
        outcome = write.create(place, body, options)
        models.insert(0, _Model(body, outcome.object, options.now, outcome.warnings))
        del models[KEPT:]
        return outcome


def _after(model: _Model, place: Place, body: Manifest, options: Options) -> Manifest | None:
    """None where the body is not of the model's form."""
    differing: Differing = []
    if model.body.keys() != body.keys():
        return None
    structural = place.kind.structural
    schema = (structural or {}).get("properties") or {}
    for name, value in body.items():
        before = model.body[name]
        alike: Alike = _loosely_alike if structural is None else _alike(schema.get(name))
        if name == "metadata":
            alike = _metadata_alike
        if not alike(before, value, (name,), differing):
            return None
    made: Any = dict(model.made)
    for path, before, value in differing:
        made = _put(made, path, before, value)
        if made is None:
            return None
    metadata = {**made["metadata"], "uid": options.uid, "creationTimestamp": options.now}
    if options.now != model.now and "managedFields" in metadata:
        metadata["managedFields"] = [{**entry, "time": options.now} for entry in metadata["managedFields"]]
    kind = place.kind
    if names.check_metadata(metadata, namespaced=kind.namespaced, name_check=kind.name_check, create=True):
        return None
    return {**made, "metadata": metadata}


Alike = Callable[[Any, Any, Path, Differing], bool]


def _metadata_alike(before: Any, after: Any, path: Path, out: Differing) -> bool:
    """Name, labels and annotations may differ: their rules are checked for each object."""
    if not isinstance(before, dict) or not isinstance(after, dict) or before.keys() != after.keys():
        return False
    for name, value in after.items():
        old = before[name]
        if old is value or (type(old) is type(value) and old == value):
            continue
        if name == "name" and isinstance(old, str) and isinstance(value, str):
            out.append(((*path, name), old, value))
        elif name not in _TEXT_MAPS or not _texts_alike(old, value, (*path, name), out):
            return False
    return True


def _texts_alike(before: Any, after: Any, path: Path, out: Differing) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict) or before.keys() != after.keys():
        return False
    for name, value in after.items():
        old = before[name]
        if not isinstance(old, str) or not isinstance(value, str):
            return False
        if old != value:
            out.append(((*path, name), old, value))
    return True


def _alike(schema: Any) -> Alike:
    def alike(before: Any, after: Any, path: Path, out: Differing) -> bool:
        return _same_form(before, after, schema, path, out)

    return alike


def _same_form(before: Any, after: Any, schema: Any, path: Path, out: Differing) -> bool:
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(after, dict):
        if before.keys() != after.keys():
            return False
        found = len(out)
        for name, value in after.items():
            old = before[name]
            if old is not value and not _same_form(old, value, _member(schema, name), (*path, name), out):
                return False
        return len(out) == found or _is_plain(schema)
    if before == after:
        return bool(isinstance(after, (str, bool)) or _exactly(before, after))
    if not isinstance(schema, dict) or not schema.keys() <= _FREE.get(
        kind := schema.get("type", ""), frozenset()
    ):
        return False
    if kind == "array":
        free = isinstance(after, list) and _items_alike(before, after, schema.get("items"))
    else:
        free = type(after) is (str if kind == "string" else int)
    if free:
        out.append((path, before, after))
    return free


def _items_alike(before: list[Any], after: list[Any], schema: Any) -> bool:
    """Whether all items have the form of the model's first one: they are kept as they are where that was."""
    return bool(before and after) and all(_same_form(before[0], item, schema, (), []) for item in after)


def _loosely_alike(before: Any, after: Any, path: Path, out: Differing) -> bool:
    """As `_same_form`, of a kind that takes any text. Empty ones are not stored."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _loosely_alike(before[name], value, (*path, name), out) for name, value in after.items()
        )
    if isinstance(before, str) and isinstance(after, str) and before and after:
        if before != after:
            out.append((path, before, after))
        return True
    return _exactly(before, after)


def _exactly(before: Any, after: Any) -> bool:
    """Equal with equal types all the way down: 1 is not true, nor 1.0."""
    if type(before) is not type(after):
        return False
    if isinstance(after, list):
        return len(before) == len(after) and all(map(_exactly, before, after))
    if isinstance(after, dict):
        return before.keys() == after.keys() and all(_exactly(before[name], after[name]) for name in after)
    return bool(before == after)


def _is_plain(schema: Any) -> bool:
    return isinstance(schema, dict) and not any(name in schema for name in _LOGIC)


def _member(schema: Any, name: str) -> Any:
    if not isinstance(schema, dict):
        return None
    found = (schema.get("properties") or {}).get(name)
    return schema.get("additionalProperties") if found is None else found


def _put(value: Any, path: Path, before: Any, after: Any) -> Any:
    """A copy with another value at a path; None where there is not the one that should be."""
    if not path:
        return after if value == before else None
    if not isinstance(value, dict) or path[0] not in value:
        return None
    inner = _put(value[path[0]], path[1:], before, after)
    return None if inner is None else {**value, path[0]: inner}
