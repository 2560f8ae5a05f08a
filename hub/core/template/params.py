"""Parameter sets: what generators produce and templates consume, with the types Go gives them.

Numbers are float64, as Go's JSON decoder makes them. A map of strings (cluster labels, `values`) and a list
of strings (path segments) are types of their own in Go and behave differently from untyped ones in
templates, in merges and in flattening, so they are here as well: `StringMap`, `StringList`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import orjson

from argosy import gofloat

Params = dict[str, Any]


class StringMap(dict[str, str]):
    """Go's `map[string]string`."""


class StringList(list[str]):
    """Go's `[]string`."""


class RawJson:
    """A JSON value that Go keeps as bytes: it prints as such, and only JSON functions see its content."""

    __slots__ = ("raw", "value")

    def __init__(self, value: Any, raw: bytes) -> None:
        self.value = value
        self.raw = raw

    def __str__(self) -> str:
        return "{[" + " ".join(str(byte) for byte in self.raw) + "]}"


def from_json(value: Any) -> Any:
    """A JSON or YAML value with every number a float, freshly copied."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


T = TypeVar("T")


def copy(value: T) -> T:
    """A deep copy that keeps the Go types."""
    return cast(T, _copy(value))


def _copy(value: Any) -> Any:
    if isinstance(value, StringMap):
        return StringMap(value)
    if isinstance(value, StringList):
        return StringList(value)
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def fingerprint(value: Params) -> bytes | int:
    """Equal for equal parameter sets, Go types included. A set that cannot be written down is equal to itself alone."""
    try:
        return orjson.dumps(
            value, default=_marked, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
        )
    except TypeError:
        return id(value)


def _marked(value: Any) -> Any:
    if isinstance(value, StringMap):
        return {"\0map": dict(value)}
    if isinstance(value, StringList):
        return {"\0list": list(value)}
    if isinstance(value, RawJson):
        return {"\0raw": value.raw.decode("utf-8", "surrogateescape")}
    raise TypeError(type(value).__name__)


def text(value: Any) -> str:
    """Go's `%v` of a value: maps in key order, null as `<nil>`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return gofloat.print_form(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, Sequence):
        return "[" + " ".join(text(item) for item in value) + "]"
    return str(value)


def flatten(value: Mapping[str, Any]) -> dict[str, str]:
    """Nested maps and untyped lists joined with dots, leaves as `%v` text; empty maps and lists disappear."""
    flat: dict[str, str] = {}
    _flatten_into(flat, "", value)
    return flat


def _flatten_into(flat: dict[str, str], prefix: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten_into(flat, f"{prefix}.{key}" if prefix else key, item)
    elif isinstance(value, list) and not isinstance(value, StringList):
        for index, item in enumerate(value):
            _flatten_into(flat, f"{prefix}.{index}" if prefix else str(index), item)
    else:
        flat[prefix] = text(value)


class MixedMaps(Exception):
    """An untyped map cannot override a map of strings: Argo CD panics here."""


def override(target: Params, source: Mapping[str, Any], *, strict: bool) -> None:
    """Merges `source` over `target` in place: maps deeply, everything else replaced, also by empty values.

    That is mergo with override, as matrix and merge use it: an empty map does not clear a map. An untyped map
    over a map of strings raises `MixedMaps` when `strict`; otherwise the two unite.
    """
    for key, item in source.items():
        present = target.get(key)
        if not isinstance(item, dict) or not isinstance(present, dict):
            target[key] = copy(item)
            continue
        if isinstance(present, StringMap) and not isinstance(item, StringMap):
            if strict and item:
                raise MixedMaps(key)
            target[key] = present = dict(present)
        override(present, item, strict=strict)
