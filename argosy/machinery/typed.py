"""Values seen through a type: which fields they hold, how two of them differ, merge and lose fields.

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

DUPLICATE = None
"""What stands for items of an associative list that share one key: they are not merged."""


class TypedError(ValueError):
    """A value does not fit its type. `str(error)` is the message a real API server gives, path first."""


# --- keys of list items -------------------------------------------------------------------------------------------


def _element(kind: Type, item: Any) -> str:
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
        problem = _scalar_problem(kind, value)
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
                element = _element(kind, item)
            except TypedError as error:
                found.append((path, f"element {index}: {error}"))
                return
            step = fields.path_text((element,))
            if element in seen and not duplicates:
                found.append((path, f"duplicate entries for key {step}"))
            seen.add(element)
        _validate(item, item_type, path + step, found, duplicates)


def _scalar_problem(kind: Type, value: Any) -> str:
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
            element = _element(kind, item)
        except TypedError:
            continue
        if element in seen:
            out[element] = {}
            continue
        seen.add(element)
        below, _ = _field_node(item, item_type)
        out[element] = {".": {}, **below} if below else {}
    return out


# --- comparing ----------------------------------------------------------------------------------------------------

Change = tuple[Fields, Fields, Fields]
"""(removed, modified, added) fields."""


def compare(left: Any, right: Any, kind: Type) -> Change:
    """What has to change to come from left to right. The three sets are disjoint."""
    out: Change = ({}, {}, {})
    if left is not right:
        _compare(left, right, kind, out)
    return out


REMOVED, MODIFIED, ADDED = 0, 1, 2


def _compare(left: Any, right: Any, kind: Type, out: Change) -> int | None:
    """Fills `out` with what differs below this path; answers in which set the path itself belongs, if in any."""
    left_form = ANY if left is ABSENT else kind.form(left)
    right_form = ANY if right is ABSENT else kind.form(right)
    if right is ABSENT:
        leaf, verdict = _compare_as(kind.handled_as(left_form), left, right, kind, out)
    elif left is ABSENT or left_form == right_form:
        leaf, verdict = _compare_as(kind.handled_as(right_form), left, right, kind, out)
    else:
        _, before = _compare_as(kind.handled_as(left_form), left, right, kind, out)
        leaf, verdict = _compare_as(kind.handled_as(right_form), left, right, kind, out)
        verdict = before if verdict is None else verdict
    if leaf:
        return verdict
    if left is ABSENT:
        return ADDED
    return REMOVED if right is ABSENT else verdict


def _leaf_verdict(left: Any, right: Any) -> int | None:
    if left is ABSENT:
        return ADDED
    if right is ABSENT:
        return REMOVED
    return None if equal(left, right) else MODIFIED


def _compare_as(form: int, left: Any, right: Any, kind: Type, out: Change) -> tuple[bool, int | None]:
    if form == SCALAR:
        if _misfits(kind, left) and _misfits(kind, right):
            raise TypedError(_scalar_problem(kind, left))
        return True, _leaf_verdict(left, right)
    if form == LIST:
        lefts = left if isinstance(left, list) else None
        rights = right if isinstance(right, list) else None
        if kind.keys is None or (not lefts and not rights):
            return True, _leaf_verdict(left, right)
        _compare_items(lefts or [], rights or [], kind, out)
        return False, None
    left_map = left if isinstance(left, dict) else None
    right_map = right if isinstance(right, dict) else None
    if kind.atomic or (not left_map and not right_map):
        return True, _leaf_verdict(left, right)
    _compare_maps(left_map or {}, right_map or {}, kind, out)
    return False, None


def _misfits(kind: Type, value: Any) -> bool:
    return value is not ABSENT and bool(_scalar_problem(kind, value))


def _compare_maps(left: dict[str, Any], right: dict[str, Any], kind: Type, out: Change) -> None:
    for name, mine in left.items():
        other = right.get(name, ABSENT)
        if mine is not other:
            _compare_child("f:" + name, mine, other, kind.fields.get(name, kind.element), out)
    for name, other in right.items():
        if name not in left:
            _compare_child("f:" + name, ABSENT, other, kind.fields.get(name, kind.element), out)


def _compare_child(element: str, left: Any, right: Any, kind: Type | None, out: Change) -> None:
    if kind is None:
        raise TypedError(f"{fields.path_text((element,))}: field not declared in schema")
    below: Change = ({}, {}, {})
    verdict = _compare(left, right, kind, below)
    for index in (REMOVED, MODIFIED, ADDED):
        children = below[index]
        if index == verdict:
            out[index][element] = {".": {}, **children} if children else {}
        elif children:
            out[index][element] = children


def _grouped(items: list[Any], kind: Type) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for index, item in enumerate(items):
        try:
            element = _element(kind, item)
        except TypedError as error:
            raise TypedError(f"element {index}: {error}") from error
        out.setdefault(element, []).append(item)
    return out


def _compare_items(left: list[Any], right: list[Any], kind: Type, out: Change) -> None:
    lefts, rights = _grouped(left, kind), _grouped(right, kind)
    for element in [*lefts, *(element for element in rights if element not in lefts)]:
        mine, theirs = lefts.get(element, []), rights.get(element, [])
        if len(mine) <= 1 and len(theirs) <= 1:
            one, other = (mine or [ABSENT])[0], (theirs or [ABSENT])[0]
            if one is not other:
                _compare_child(element, one, other, kind.item, out)
        elif len(mine) >= 2 and len(theirs) >= 2:
            if not equal(mine, theirs):
                _put(out[MODIFIED], element)
        elif len(mine) >= 2:
            if theirs:
                _compare_child(element, ABSENT, theirs[0], kind.item, out)
            _put(out[REMOVED], element)
        else:
            if mine:
                _compare_child(element, mine[0], ABSENT, kind.item, out)
            _put(out[ADDED], element)


def _put(target: Fields, element: str) -> None:
    node = target.get(element)
    target[element] = {".": {}, **node} if node else {}


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


# --- merging ------------------------------------------------------------------------------------------------------


def merge(left: Any, right: Any, kind: Type) -> Any:
    """`left` with everything `right` says put over it. Raises `TypedError` where the two do not fit together."""
    out = _merge(left, right, kind)
    return None if out is ABSENT else out


def _merge(left: Any, right: Any, kind: Type) -> Any:
    left_form = ANY if left is ABSENT else kind.form(left)
    right_form = ANY if right is ABSENT else kind.form(right)
    form = kind.handled_as(left_form if right is ABSENT else right_form)
    if form == SCALAR:
        if _misfits(kind, left) and _misfits(kind, right):
            raise TypedError(_scalar_problem(kind, left))
        return _later(left, right)
    if form == LIST:
        lefts = left if isinstance(left, list) else None
        rights = right if isinstance(right, list) else None
        if kind.keys is None or (not lefts and not rights):
            return _later(left, right)
        if not rights:
            return left
        merged = _merge_items(lefts or [], rights, kind)
        return left if lefts and _same_items(lefts, merged) else merged
    left_map = left if isinstance(left, dict) else None
    right_map = right if isinstance(right, dict) else None
    if kind.atomic or (not left_map and not right_map):
        return _later(left, right)
    return _merge_maps(left_map or {}, right_map, kind) if right_map else left


def _later(left: Any, right: Any) -> Any:
    """The right value, or the left one when it is equal: what did not change stays the same piece of memory."""
    return left if right is ABSENT or (left is not ABSENT and equal(left, right)) else right


def _same_items(left: list[Any], merged: Any) -> bool:
    if not isinstance(merged, list) or len(merged) != len(left):
        return False
    return all(one is other for one, other in zip(left, merged, strict=True))


def _merge_maps(left: dict[str, Any], right: dict[str, Any], kind: Type) -> Any:
    changed: dict[str, Any] = {}
    for name, other in right.items():
        child = kind.fields.get(name, kind.element)
        if child is None:
            raise TypedError(f".{name}: field not declared in schema")
        mine = left.get(name, ABSENT)
        merged = _merge(mine, other, child)
        if merged is not mine:
            changed[name] = merged
    if not changed:
        return left or ABSENT
    out = {**left, **changed}
    if ABSENT in changed.values():
        out = {name: item for name, item in out.items() if item is not ABSENT}
    return out or ABSENT


def _indexed(items: list[Any], kind: Type, *, allow_duplicates: bool) -> tuple[list[str], dict[str, Any]]:
    order: list[str] = []
    by_element: dict[str, Any] = {}
    for index, item in enumerate(items):
        try:
            element = _element(kind, item)
        except TypedError as error:
            raise TypedError(f"element {index}: {error}") from error
        if element in by_element:
            if not allow_duplicates:
                raise TypedError(f"duplicate entries for key {fields.path_text((element,))}")
            by_element[element] = DUPLICATE
        else:
            by_element[element] = item
        order.append(element)
    return order, by_element


def _merge_items(left: list[Any], right: list[Any], kind: Type) -> Any:
    """The order of an associative list: the applied items keep theirs, the others stay where they were."""
    right_order, rights = _indexed(right, kind, allow_duplicates=False)
    left_order, lefts = _indexed(left, kind, allow_duplicates=True)
    item_type = kind.item
    assert item_type is not None
    shared = iter([element for element in right_order if element in lefts])
    next_shared = next(shared, None)
    merged: set[str] = set()
    out: list[Any] = []

    def take(element: str, mine: Any, theirs: Any) -> None:
        item = _merge(mine, theirs, item_type)
        if item is not ABSENT:
            out.append(item)

    at_left = at_right = 0
    while at_left < len(left_order) or at_right < len(right_order):
        if at_left < len(left_order) and at_right < len(right_order):
            element = left_order[at_left]
            if element == right_order[at_right]:
                merged.add(element)
                take(element, lefts[element], rights[element])
                at_left += 1
                at_right += 1
                next_shared = next(shared, None)
                continue
            if element in rights and next_shared is not None and next_shared != element:
                at_left += 1
                continue
        if at_left < len(left_order):
            element = left_order[at_left]
            if element not in rights:
                take(element, left[at_left], ABSENT)
                at_left += 1
                continue
            if element in merged:
                at_left += 1
        if at_right < len(right_order):
            element = right_order[at_right]
            merged.add(element)
            take(element, lefts.get(element, ABSENT), rights[element])
            at_right += 1
            if next_shared == element:
                next_shared = next(shared, None)
    return out or ABSENT


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
            node = gone.get(_element(kind, item))
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
