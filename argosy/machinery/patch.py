"""The three patches that are no apply: JSON patch, JSON merge patch, strategic merge patch.

Values in, values out; nothing is changed in place. Limits and error texts are the API server's (evanphx/json-patch
for RFC 6902).
"""

from __future__ import annotations

import copy
from typing import Any

from argosy.machinery import failure, typed
from argosy.machinery.schema import LIST, MAP, Type

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

MAX_OPERATIONS = 10_000
MAX_BODY = 3 * 1024 * 1024
"""Bytes of a request's body an API server reads."""


# --- RFC 6902 -----------------------------------------------------------------------------------------------------


def json_patch(document: Any, operations: Any) -> Any:
    """The document after all operations. Raises `ApiFailure`: 400 for what is no patch, 413 for more than 10,000
    operations, 422 where one cannot be applied."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise failure.bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        raise failure.too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    out = copy.deepcopy(document)
    for operation in operations:
        try:
            out = _operate(out, operation)
        except _Misplaced as error:
            raise failure.unprocessable() from error
    return out


class _Misplaced(Exception):
    """An operation that does not fit the document."""


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    verb, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise _Misplaced(f"{verb} operation: error in path: missing value")
    if verb in ("add", "replace", "test") and "value" not in operation and verb != "test":
        raise _Misplaced(f"{verb} operation does not apply: missing value")
    if verb == "add":
        return _put(document, path, copy.deepcopy(operation["value"]), "add", insert=True)
    if verb == "replace":
        _read(document, path, "replace", last_may_lack=True)
        return _put(document, path, copy.deepcopy(operation["value"]), "replace", insert=False)
    if verb == "remove":
        return _take(document, path, "remove")
    if verb in ("move", "copy"):
        return _from_elsewhere(document, operation, path, verb)
    if verb == "test":
        return _test(document, path, operation.get("value"))
    raise _Misplaced(f"Unexpected kind: {verb}")


def _from_elsewhere(document: Any, operation: dict[str, Any], path: str, verb: str) -> Any:
    source = operation.get("from")
    if not isinstance(source, str):
        raise _Misplaced(f"{verb} operation: error in from: missing value")
    value = copy.deepcopy(_read(document, source, verb, last_may_lack=verb == "copy"))
    if verb == "move":
        document = _take(document, source, verb)
    return _put(document, path, value, verb, insert=True)


def _test(document: Any, path: str, value: Any) -> Any:
    try:
        found = _read(document, path, "test")
    except _Misplaced:
        if value is not None:
            raise
        return document
    if not typed.equal(found, value):
        raise _Misplaced(f"testing value {path} failed: test failed")
    return document


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _Misplaced(f"unable to find path: {path}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _index(step: str, length: int, path: str, verb: str, *, beyond: bool) -> int:
    if beyond and step == "-":
        return length
    try:
        index = int(step)
    except ValueError as error:
        raise _Misplaced(
            f"{verb} operation does not apply: doc is missing path: {path}: invalid index"
        ) from error
    if index < 0:
        index += length + (1 if beyond else 0)
    if not 0 <= index < length + (1 if beyond else 0):
        raise _Misplaced(
            f"{verb} operation does not apply: doc is missing path: {path}: invalid index referenced"
        )
    return index


def _parent(document: Any, steps: list[str], path: str, verb: str) -> Any:
    node = document
    for step in steps[:-1]:
        node = _child(node, step, path, verb)
    if not isinstance(node, dict | list):
        raise _Misplaced(f"{verb} operation does not apply: doc is missing path: {path}: missing value")
    return node


def _child(node: Any, step: str, path: str, verb: str) -> Any:
    if isinstance(node, dict) and step in node:
        return node[step]
    if isinstance(node, list):
        return node[_index(step, len(node), path, verb, beyond=False)]
    raise _Misplaced(f"{verb} operation does not apply: doc is missing path: {path}: missing value")


def _read(document: Any, path: str, verb: str, *, last_may_lack: bool = False) -> Any:
    """The value at the path. In a map, a last key that is missing reads as null where the API server's library
    thinks so (replace and copy)."""
    node = document
    steps = _steps(path)
    for index, step in enumerate(steps):
        if last_may_lack and index == len(steps) - 1 and isinstance(node, dict):
            return node.get(step)
        node = _child(node, step, path, verb)
        if node is None and index < len(steps) - 1:
            raise _Misplaced(f"{verb} operation does not apply: doc is missing path: {path}: missing value")
    return node


def _put(document: Any, path: str, value: Any, verb: str, *, insert: bool) -> Any:
    steps = _steps(path)
    if not steps:
        return value
    node = _parent(document, steps, path, verb)
    if isinstance(node, dict):
        node[steps[-1]] = value
        return document
    index = _index(steps[-1], len(node), path, verb, beyond=insert)
    if insert:
        node.insert(index, value)
    else:
        node[index] = value
    return document


def _take(document: Any, path: str, verb: str) -> Any:
    steps = _steps(path)
    if not steps:
        return None
    node = _parent(document, steps, path, verb)
    if isinstance(node, dict):
        if steps[-1] not in node:
            raise _Misplaced(f"{verb} operation does not apply: doc is missing key: {path}: missing value")
        del node[steps[-1]]
    else:
        del node[_index(steps[-1], len(node), path, verb, beyond=False)]
    return document


# --- RFC 7386 -----------------------------------------------------------------------------------------------------


def merge_patch(document: Any, patch: Any) -> Any:
    """The document with the patch over it: maps are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict):
            out[name] = merge_patch(out.get(name), value)
        else:
            out[name] = value
    return out


def merge_diff(before: Any, after: Any) -> Any:
    """The merge patch that turns `before` into `after`, where one can (no nulls inside `after`)."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    out: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        if name not in before:
            out[name] = value
        elif not typed.equal(before[name], value):
            out[name] = merge_diff(before[name], value)
    return out


# --- strategic merge patch ----------------------------------------------------------------------------------------

_PATCH, _RETAIN, _ORDER, _DELETE = "$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/"


def strategic_patch(document: dict[str, Any], patch: dict[str, Any], kind: Type) -> dict[str, Any]:
    """The document with a strategic merge patch over it: lists that have a merge key are merged item by item.

    The merge key is the first of the list's keys, as for all core kinds. Raises `ApiFailure` 400 for a directive that
    makes no sense.
    """
    return _strategic_map(document, patch, kind)


def _strategic_map(original: dict[str, Any], patch: dict[str, Any], kind: Type | None) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {name: _clean(value) for name, value in patch.items() if name != _PATCH and value is not None}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise failure.bad_request(f"unknown patch type found: {directive}")
    out = dict(original)
    retained = patch.get(_RETAIN)
    if retained is not None:
        out = {name: value for name, value in out.items() if name in retained}
    for name, value in patch.items():
        if name in (_PATCH, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE):
            target = name[len(_DELETE) :]
            out[target] = [item for item in out.get(target) or [] if item not in value]
            continue
        if value is None:
            out.pop(name, None)
            continue
        child = kind.child(name) if kind is not None and kind.map else None
        out[name] = _strategic_value(out.get(name), value, child, patch.get(_ORDER + name))
    return out


def _strategic_value(original: Any, value: Any, kind: Type | None, order: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_PATCH) == "replace" or not isinstance(original, dict):
            return _clean({name: item for name, item in value.items() if name != _PATCH})
        return _strategic_map(original, value, kind if kind is not None and kind.form(value) == MAP else None)
    if not isinstance(value, list) or kind is None or kind.form(value) != LIST or kind.keys is None:
        return _clean(value)
    if kind.keys:
        return _strategic_items(original if isinstance(original, list) else [], value, kind, order)
    before = original if isinstance(original, list) else []
    merged = [*before, *(item for item in value if item not in before)]
    return _ordered(merged, before, order if isinstance(order, list) else value)


def _strategic_items(original: list[Any], patch: list[Any], kind: Type, order: Any) -> list[Any]:
    assert kind.keys
    key = kind.keys[0]
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get(_PATCH) != "replace"]
    out = list(original)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise failure.bad_request(f"map: {item} does not contain declared merge key: {key}")
        matches = [
            index for index, mine in enumerate(out) if isinstance(mine, dict) and mine.get(key) == item[key]
        ]
        if item.get(_PATCH) == "delete":
            out = [mine for index, mine in enumerate(out) if index not in matches]
        elif matches:
            out[matches[0]] = _strategic_map(out[matches[0]], item, kind.item)
        else:
            out.append(_clean({name: value for name, value in item.items() if name != _PATCH}))
    return _ordered(out, original, order if isinstance(order, list) else patch, key)


def _ordered(items: list[Any], before: list[Any], order: list[Any], key: str = "") -> list[Any]:
    """Items in the patch's order, those only the server has merged in where they stood (`normalizeElementOrder`)."""

    def name(item: Any) -> str:
        return repr(item.get(key) if key and isinstance(item, dict) else item)

    wanted = {name(item): index for index, item in reversed(list(enumerate(order)))}
    stood = {name(item): index for index, item in reversed(list(enumerate(before)))}
    named = sorted((item for item in items if name(item) in wanted), key=lambda item: wanted[name(item)])
    others = [item for item in items if name(item) not in wanted]
    out: list[Any] = []
    while named and others:
        first, second = stood.get(name(named[0])), stood.get(name(others[0]))
        take_named = first is None or second is None or first < second
        out.append((named if take_named else others).pop(0))
    return [*out, *named, *others]


def _clean(value: Any) -> Any:
    """A value that is new: directives in it have nothing to act on, nulls in maps say nothing."""
    if isinstance(value, dict):
        return {
            name: _clean(item)
            for name, item in value.items()
            if item is not None and name not in (_PATCH, _RETAIN) and not name.startswith((_ORDER, _DELETE))
        }
    if isinstance(value, list):
        return [
            _clean(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")
        ]
    return value
