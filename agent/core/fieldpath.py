"""Field paths as the API server prints them in conflicts: `.spec.ports[port=80,protocol="TCP"].nodePort`.

Names are not escaped there, so `.metadata.labels.app.kubernetes.io/name` is resolved against a value: the
longest key that fits wins. Paths are only ever looked up in, or dropped from, a manifest; the answer never
changes one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

_BRACKET = re.compile(r'\[((?:"(?:[^"\\]|\\.)*"|[^\]"])*)\]')
_INDEX = re.compile(r"[+-]?[0-9]{1,18}\Z")
_POSITION = re.compile(r"\.(\d+)(?=[.\[]|\Z)")
_PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^,]+)')


def has(value: Any, path: str) -> bool:
    """Whether the value has the field."""
    return _walk(value, path, drop=False) is not None


def get(value: Any, path: str) -> tuple[Any] | None:
    """The field, in a tuple; None where the value has none."""
    if not path:
        return (value,)
    if path.startswith(".") and isinstance(value, dict):
        rest = path[1:]
        fitting = (key for key in value if rest == key or rest.startswith((f"{key}.", f"{key}[")))
        for key in sorted(fitting, key=len, reverse=True):
            found = get(value[key], rest[len(key) :])
            if found is not None:
                return found
        return None
    bracket = _BRACKET.match(path)
    if bracket and isinstance(value, list):
        for number, item in enumerate(value):
            if _selects(bracket.group(1), number, item):
                return get(item, path[bracket.end() :])
    return None


def drop(value: Any, path: str) -> Any:
    """The value without the field; the value itself where it has none."""
    out = _walk(value, path, drop=True)
    return value if out is None else out[0]


def put(value: Any, path: str, new: Any) -> Any:
    """The value with another one at the field; the value itself where it has no such field."""
    if not path:
        return new
    if path.startswith(".") and isinstance(value, dict):
        rest = path[1:]
        fitting = (key for key in value if rest == key or rest.startswith((f"{key}.", f"{key}[")))
        for key in sorted(fitting, key=len, reverse=True):
            below = rest[len(key) :]
            if not below or has(value[key], below):
                return {**value, key: put(value[key], below, new)}
        return value
    bracket = _BRACKET.match(path)
    if bracket and isinstance(value, list):
        for number, item in enumerate(value):
            if _selects(bracket.group(1), number, item):
                return [*value[:number], put(item, path[bracket.end() :], new), *value[number + 1 :]]
    return value


def each(value: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """The value with every field changed that the path leads to: a list of which it names no entry stands for them all.

    An entry may be named as in a JSON pointer, too: `.spec.tokens.0`.
    """
    if not path:
        return change(value)
    if isinstance(value, list):
        named = _BRACKET.match(path) or _POSITION.match(path)
        below = path[named.end() :] if named else path
        return [
            each(item, below, change) if named is None or _selects(named.group(1), number, item) else item
            for number, item in enumerate(value)
        ]
    if not path.startswith(".") or not isinstance(value, dict):
        return value
    rest = path[1:]
    return {
        key: each(item, rest[len(key) :], change)
        if rest == key or rest.startswith((f"{key}.", f"{key}["))
        else item
        for key, item in value.items()
    }


def places(path: str) -> str:
    """The path without the entries of lists that it names."""
    return _BRACKET.sub("", path)


def _walk(value: Any, path: str, *, drop: bool) -> tuple[Any] | None:
    """None where the path leads nowhere; else the value (without the field when `drop`) in a tuple."""
    if path.startswith(".") and isinstance(value, dict):
        return _walk_map(value, path[1:], drop=drop)
    bracket = _BRACKET.match(path)
    if bracket and isinstance(value, list):
        return _walk_list(value, bracket.group(1), path[bracket.end() :], drop=drop)
    return None


def _walk_map(value: dict[str, Any], rest: str, *, drop: bool) -> tuple[Any] | None:
    fitting = (key for key in value if rest == key or rest.startswith((f"{key}.", f"{key}[")))
    for key in sorted(fitting, key=len, reverse=True):
        below = rest[len(key) :]
        if not below:
            return ({name: item for name, item in value.items() if name != key} if drop else value,)
        found = _walk(value[key], below, drop=drop)
        if found is not None:
            return ({**value, key: found[0]} if drop else value,)
    return None


def _walk_list(value: list[Any], selector: str, below: str, *, drop: bool) -> tuple[Any] | None:
    index = next((number for number, item in enumerate(value) if _selects(selector, number, item)), None)
    if index is None:
        return None
    if not below:
        return (value[:index] + value[index + 1 :] if drop else value,)
    found = _walk(value[index], below, drop=drop)
    if found is None:
        return None
    return ([*value[:index], found[0], *value[index + 1 :]] if drop else value,)


def _selects(selector: str, number: int, item: Any) -> bool:
    if selector.isdigit():
        return int(selector) == number
    if selector.startswith("="):
        return bool(_literal(selector[1:]) == item)
    if not isinstance(item, dict):
        return False
    pairs = _PAIR.findall(selector)
    # A key the manifest leaves out has its default on the server (`protocol: TCP`); it does not tell items
    # apart here.
    return bool(pairs) and all(name not in item or item[name] == _literal(text) for name, text in pairs)


def _literal(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def pointer(value: Any, path: str) -> Any:
    """The value without what the JSON pointer (RFC 6901) names; the value itself where that is not there.

    As in Argo CD a negative number counts from the end of a list.
    """
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    return _without(value, steps) if steps else value


def _without(value: Any, steps: list[str]) -> Any:
    first, *rest = steps
    if isinstance(value, dict) and first in value:
        if not rest:
            return {name: item for name, item in value.items() if name != first}
        return {**value, first: _without(value[first], rest)}
    if isinstance(value, list) and _INDEX.match(first) and -len(value) <= int(first) < len(value):
        index = int(first) % len(value)
        return [*value[:index], *([_without(value[index], rest)] if rest else []), *value[index + 1 :]]
    return value
