"""Values seen through a type: whether they fit, which fields they hold, and what is left without some of these.

The rules are structured-merge-diff v6's (`typed` package), since ownership in `managedFields` is only comparable
with a real API server's when every corner is the same: nulls, empty maps and lists, duplicate list keys, values of
the wrong form. Values are plain JSON data and are never changed; results share parts with their arguments.
"""

from __future__ import annotations

from typing import Any

from argosy.machinery import fields
from argosy.machinery.fields import Fields
from argosy.machinery.schema import ANY, LIST, MAP, SCALAR, Type


class _Absent:
    """The mark for 'no such value', which is not null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()


class TypedError(ValueError):
    """A value does not fit its type. `str(error)` is the message a real API server gives, path first."""


# --- keys of list items -------------------------------------------------------------------------------------------


def element_of(kind: Type, item: Any) -> str:
    """The path element of an item in an associative list. Raises `TypedError`."""
    if kind.keys:
        if item is None:
            raise TypedError("associative list with keys may not have a null element")
        if not isinstance(item, dict):
            raise TypedError("associative list with keys may not have non-map elements")
        found = {}
        for name in kind.keys:
            value = item.get(name, ABSENT)
            if value is ABSENT:
                value = kind.key_defaults.get(name, ABSENT)
            if value is not ABSENT:
                found[name] = value
        if not found:
            names = "[" + " ".join(f'"{name}"' for name in kind.keys) + "]"
            raise TypedError(
                f"associative list with keys has an element that omits all key fields {names} "
                "(and doesn't have default values for any key fields)"
            )
        return fields.key_element(found)
    if isinstance(item, dict):
        raise TypedError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise TypedError("not supported: associative list with lists as elements")
    if item is None:
        raise TypedError("associative list without keys has an element that's an explicit null")
    return fields.value_element(item)


# --- does a value fit its type? -----------------------------------------------------------------------------------


def validate(value: Any, kind: Type, *, allow_duplicates: bool) -> list[str]:
    """What does not fit, as messages with the path in front; empty when the value fits."""
    found: list[tuple[str, str]] = []
    _validate(value, kind, "", found, allow_duplicates)
    return [f"{path}: {message}" if path else message for path, message in found]


def check(value: Any, kind: Type, *, allow_duplicates: bool) -> None:
    """Raises `TypedError` with Go's text when the value does not fit."""
    messages = validate(value, kind, allow_duplicates=allow_duplicates)
    if len(messages) == 1:
        raise TypedError(messages[0])
    if messages:
        raise TypedError("\n".join(["errors:", *("  " + message for message in messages)]))


def _validate(value: Any, kind: Type, path: str, found: list[tuple[str, str]], duplicates: bool) -> None:
    if value is None:
        return
    form = kind.handled_as(kind.form(value))
    if form == SCALAR:
        problem = scalar_problem(kind, value)
        if problem:
            found.append((path, problem))
    elif form == MAP:
        _validate_map(value, kind, path, found, duplicates)
    else:
        _validate_list(value, kind, path, found, duplicates)


def _validate_map(value: Any, kind: Type, path: str, found: list[tuple[str, str]], duplicates: bool) -> None:
    if not isinstance(value, dict):
        found.append((path, f"expected map, got {_shown(value)}"))
        return
    if kind.free:
        return
    for name, item in value.items():
        child = kind.fields.get(name, kind.element)
        if child is None:
            found.append((f"{path}.{name}", "field not declared in schema"))
            return
        _validate(item, child, f"{path}.{name}", found, duplicates)


def _validate_list(value: Any, kind: Type, path: str, found: list[tuple[str, str]], duplicates: bool) -> None:
    if not isinstance(value, list):
        found.append((path, f"expected list, got {_shown(value)}"))
        return
    item_type = kind.item
    assert item_type is not None
    seen = set()
    for index, item in enumerate(value):
        if kind.keys is None:
            step = f"[{index}]"
        else:
            try:
                element = element_of(kind, item)
            except TypedError as error:
                found.append((path, f"element {index}: {error}"))
                return
            step = fields.path_text((element,))
            if element in seen and not duplicates:
                found.append((path, f"duplicate entries for key {step}"))
            seen.add(element)
        _validate(item, item_type, path + step, found, duplicates)


def scalar_problem(kind: Type, value: Any) -> str:
    """Why a value is no scalar of the type, as a real API server says it; "" where it is one, or null."""
    if value is None or value is ABSENT:
        return ""
    is_bool = isinstance(value, bool)
    if kind.scalar == "numeric":
        good, want = isinstance(value, int | float) and not is_bool, "numeric (int or float)"
        return "" if good else f"expected {want}, got {_go_type(value)}"
    if kind.scalar == "string":
        return (
            ""
            if isinstance(value, str)
            else f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"
        )
    if kind.scalar == "boolean":
        return "" if is_bool else f"expected boolean, got {_shown(value)}"
    return "" if isinstance(value, str | int | float) else f"expected any scalar, got {_shown(value)}"


def misfits(kind: Type, value: Any) -> bool:
    """Whether there is a value, and it is no scalar of the type."""
    return value is not ABSENT and bool(scalar_problem(kind, value))


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def _go(value: Any) -> str:
    """A value as Go's `%#v` prints it, for messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = ", ".join(f"{_go(name)}:{_go(value[name])}" for name in sorted(value))
        return "map[string]interface {}{" + inner + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(_go(item) for item in value) + "}"
    return "interface {}(nil)" if value is None else f"{value}"


def _shown(value: Any) -> str:
    """A value as Go's `%v` prints a structured-merge-diff value."""
    return "&{" + _plain(value) + "}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_plain(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_plain(item) for item in value) + "]"
    return "<nil>" if value is None else str(value)


# --- which fields a value holds -----------------------------------------------------------------------------------


def field_set(value: Any, kind: Type) -> Fields:
    """The set of fields a configuration speaks of (what an applier owns)."""
    return _field_node(value, kind)[0]


def _field_node(value: Any, kind: Type) -> tuple[Fields, bool]:
    """The node's children, and whether the value is a leaf, that is a member by itself."""
    form = kind.handled_as(kind.form(value))
    if form == SCALAR:
        return {}, True
    if form == LIST:
        if kind.keys is None:
            return {}, True
        return (_list_fields(value, kind), False) if isinstance(value, list) else ({}, False)
    if kind.atomic:
        return {}, True
    if not isinstance(value, dict):
        return {}, False
    out: Fields = {}
    named = kind.fields
    for name, item in value.items():
        child = named.get(name, kind.element)
        if child is None:
            continue
        below, member = _field_node(item, child)
        member = member or item is None or item == {} or name not in named
        if below:
            out["f:" + name] = {".": {}, **below} if member else below
        elif member:
            out["f:" + name] = {}
    return out, False


def _list_fields(value: list[Any], kind: Type) -> Fields:
    out: Fields = {}
    seen: set[str] = set()
    item_type = kind.item
    assert item_type is not None
    for item in value:
        try:
            element = element_of(kind, item)
        except TypedError:
            continue
        if element in seen:
            out[element] = {}
            continue
        seen.add(element)
        below, _ = _field_node(item, item_type)
        out[element] = {".": {}, **below} if below else {}
    return out


def equal(left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, but not true."""
    if left is right:
        return True
    if isinstance(left, dict):
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(name in right and equal(item, right[name]) for name, item in left.items())
    if isinstance(left, list):
        if not isinstance(right, list) or len(left) != len(right):
            return False
        return all(equal(one, other) for one, other in zip(left, right, strict=True))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


# --- taking fields away -------------------------------------------------------------------------------------------


def remove(value: Any, gone: Fields, kind: Type) -> Any:
    """The value without the fields of the set. A map or list that loses all it had becomes null."""
    if not gone:
        return value
    form = kind.handled_as(kind.form(value))
    if form == SCALAR:
        return value
    if form == LIST:
        return _remove_items(value, gone, kind) if isinstance(value, list) and value else None
    if not isinstance(value, dict) or not value or kind.atomic:
        return None
    out = {}
    for name, item in value.items():
        node = gone.get("f:" + name)
        if node is None:
            out[name] = item
            continue
        if fields.is_member(node):
            continue
        child = kind.fields.get(name, kind.element)
        out[name] = remove(item, node, child) if child is not None else item
    return out or None


def _remove_items(value: list[Any], gone: Fields, kind: Type) -> Any:
    if kind.keys is None:
        return None
    item_type = kind.item
    assert item_type is not None
    out = []
    for item in value:
        try:
            node = gone.get(element_of(kind, item))
        except TypedError:
            node = None
        if node is None:
            out.append(item)
        elif not fields.is_member(node):
            out.append(remove(item, node, item_type))
    return out or None


# --- sets and types -----------------------------------------------------------------------------------------------


def with_named(owned: Fields, kind: Type | None) -> Fields:
    """The set where each struct field that has something below it is a member too."""
    out: Fields = {}
    for element, node in owned.items():
        if element == "." or not node:
            out[element] = node
            continue
        child: Type | None = None
        named = False
        if kind is not None:
            if element.startswith("f:") and kind.map:
                name = element[2:]
                named = name in kind.fields
                child = kind.fields.get(name, kind.element)
            elif element.startswith("k:"):
                child = kind.item
        below = with_named(node, child)
        out[element] = {".": {}, **below} if named and "." not in below else below
    return out


def reconciled(owned: Fields, kind: Type) -> Fields:
    """The set after the schema changed: a list or map that became atomic is owned as a whole."""
    return _reconciled(owned, kind, atomic=False)


def _reconciled(owned: Fields, kind: Type, *, atomic: bool) -> Fields:
    form = kind.handled_as(ANY if kind.only == ANY else kind.only)
    if form == SCALAR or not owned or (form == MAP and kind.free):
        return owned
    if not atomic and ((form == MAP and kind.atomic) or (form == LIST and kind.keys is None)):
        return {}
    out = owned
    for element, node in owned.items():
        if element == "." or not node:
            continue
        child = kind.item if form == LIST else kind.fields.get(element[2:], kind.element)
        if child is None:
            continue
        fresh = _reconciled(node, child, atomic=False)
        if fresh is not node:
            out = {**out, element: fresh}
    return out
