"""Creating many objects of one form: what differs from one made before in free texts alone is made after its model.

A create's checks, defaults and field ownership depend on an object's form, and on its values only where the schema
constrains them. An object that has the form of its model, and other texts only where any text will do, gets what the
model got. Everything else takes the whole way through `write.create`, so that no check is left out.
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

_FREE = frozenset(("type", "description", "title", "nullable", "default", "example"))
"""What a schema may say of a text that leaves every text good."""
_LOGIC = ("allOf", "anyOf", "oneOf", "not", "enum", "x-kubernetes-validations", "x-kubernetes-int-or-string")
_TEXT_MAPS = ("labels", "annotations")

Path = tuple[str, ...]


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
        if kind.structural is None or options.strict or "generateName" in (body.get("metadata") or {}):
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
    differing: list[tuple[Path, str, str]] = []
    if model.body.keys() != body.keys():
        return None
    schema = (place.kind.structural or {}).get("properties") or {}
    for name, value in body.items():
        before = model.body[name]
        alike = _metadata_alike if name == "metadata" else _alike(schema.get(name))
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


Alike = Callable[[Any, Any, Path, list[tuple[Path, str, str]]], bool]


def _metadata_alike(before: Any, after: Any, path: Path, out: list[tuple[Path, str, str]]) -> bool:
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


def _texts_alike(before: Any, after: Any, path: Path, out: list[tuple[Path, str, str]]) -> bool:
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
    def alike(before: Any, after: Any, path: Path, out: list[tuple[Path, str, str]]) -> bool:
        return _same_form(before, after, schema, path, out)

    return alike


def _same_form(before: Any, after: Any, schema: Any, path: Path, out: list[tuple[Path, str, str]]) -> bool:
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
    if isinstance(after, str) and isinstance(schema, dict):
        free = schema.get("type") == "string" and schema.keys() <= _FREE
        if free:
            out.append((path, before, after))
        return free
    return False


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


def _put(value: Any, path: Path, before: str, after: str) -> Any:
    """A copy with another text at a path; None where there is not the text that should be."""
    if not path:
        return after if value == before else None
    if not isinstance(value, dict) or path[0] not in value:
        return None
    inner = _put(value[path[0]], path[1:], before, after)
    return None if inner is None else {**value, path[0]: inner}
