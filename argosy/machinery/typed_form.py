"""Objects of built-in kinds as a typed API server would keep them.

A real API server decodes them into structs: unknown fields fall away (and are reported), nulls and empty maps and
lists are not written back, a value of the wrong type is refused. The shape comes from the compact table.
"""

from __future__ import annotations

from typing import Any

from argosy.machinery import failure
from argosy.machinery.schema import MAP, SCALAR, STRUCT, Type
from argosy.objects import Manifest


def read(manifest: Manifest, kind: Type, version: str, name: str) -> tuple[Manifest, list[str]]:
    """The object in its stored form, and the paths of unknown fields. `version` and `name` of the kind are for messages.

    Raises `ApiFailure` 400 for a value of the wrong type.
    """
    unknown: list[str] = []
    try:
        out = _struct(manifest, kind, "", unknown)
    except _Misfit as error:
        raise failure.bad_request(
            f'{name} in version "{version}" cannot be handled as a {name}: json: cannot unmarshal {error.found} into '
            f"Go struct field {name}.{error.path} of type {error.wanted}"
        ) from error
    return out, unknown


class _Misfit(Exception):
    def __init__(self, path: str, found: str, wanted: str) -> None:
        super().__init__(path)
        self.path, self.found, self.wanted = path, found, wanted


_GO = {"string": "string", "numeric": "int32", "boolean": "bool"}


def _found(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "number"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _struct(value: dict[str, Any], kind: Type, path: str, unknown: list[str]) -> dict[str, Any]:
    out = {}
    named = kind.fields
    for name, item in value.items():
        child = named.get(name, kind.element)
        if child is None:
            unknown.append(_joined(path, name))
        elif item is not None:
            kept = _value(item, child, _joined(path, name), unknown)
            if kept or not _left_out(kept, child, name in kind.omitted):
                out[name] = kept
    for name, empty in kind.written.items():
        if name not in out:
            out[name] = _struct({}, named[name], "", []) if empty is STRUCT else empty
    return out


def _left_out(value: Any, kind: Type, zero_is_omitted: bool) -> bool:
    """Whether an empty value is not written: empty lists and maps never are, structs always, scalars by their field."""
    if value in ([], {}):
        return not (kind.map and (kind.element is None or kind.free))
    return zero_is_omitted


def blank(kind: Type) -> Manifest:
    """An object of a built-in kind before anybody wrote anything: what is always written, and nothing else."""
    return _struct({}, kind, "", []) if kind.only == MAP and kind.fields else {}


def _value(value: Any, kind: Type, path: str, unknown: list[str]) -> Any:
    if not kind.only:
        return value
    if kind.only == SCALAR:
        _check_scalar(value, kind, path)
        return value
    if kind.only == MAP:
        if not isinstance(value, dict):
            raise _Misfit(path, _found(value), "map")
        if kind.free:
            return value
        if kind.fields:
            return _struct(value, kind, path, unknown)
        element = kind.element
        assert element is not None
        return {
            name: _value(item, element, f"{path}.{name}", unknown)
            for name, item in value.items()
            if item is not None
        }
    if not isinstance(value, list):
        raise _Misfit(path, _found(value), "slice")
    items = kind.item
    assert items is not None
    return [_value(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]


def _check_scalar(value: Any, kind: Type, path: str) -> None:
    found = _found(value)
    if kind.scalar == "untyped":
        fits = found not in ("object", "array")
    else:
        fits = found == {"string": "string", "numeric": "number", "boolean": "bool"}[kind.scalar or ""]
    if not fits:
        raise _Misfit(path, found, _GO.get(kind.scalar or "", "string"))
