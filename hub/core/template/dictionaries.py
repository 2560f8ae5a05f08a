"""Functions of Go templates over dictionaries, which refuse maps of strings as sprig's do.

Cluster labels, annotations and a generator's `values` are such maps in Argo CD.
"""

from __future__ import annotations

from typing import Any

from gotpl import TypedMap

from hub.core.template.bounds import Function


def _untyped(name: str, value: Any, *, nil: bool = True) -> dict[str, Any]:
    if value is None and nil:
        return {}
    if type(value) is dict:
        return value
    what = "map[string]string" if isinstance(value, TypedMap) else type(value).__name__
    raise TypeError(f"{name}: wrong type for value; expected map[string]interface {{}}; got {what}")


def _dig(*arguments: Any) -> object:
    if len(arguments) < 3:
        raise TypeError("dig needs at least three arguments")
    *keys, fallback, value = arguments
    if not all(isinstance(key, str) for key in keys):
        raise TypeError("dig: every key must be a string")
    current = _untyped("dig", value, nil=False)
    for index, key in enumerate(keys):
        if key not in current:
            return fallback
        if index == len(keys) - 1:
            return current[key]
        current = _untyped("dig", current[key], nil=False)
    return current


def _get(value: object, key: str) -> object:
    return _untyped("get", value).get(key, "")


def _has_key(value: object, key: str) -> bool:
    return key in _untyped("hasKey", value)


def _keys(*values: object) -> list[str]:
    return [key for value in values for key in sorted(_untyped("keys", value))]


def _values(value: object) -> list[object]:
    found = _untyped("values", value)
    return [found[key] for key in sorted(found)]


def _pick(value: object, *wanted: str) -> dict[str, Any]:
    found = _untyped("pick", value)
    return {key: found[key] for key in wanted if key in found}


def _omit(value: object, *unwanted: str) -> dict[str, Any]:
    return {key: item for key, item in _untyped("omit", value).items() if key not in unwanted}


def _pluck(key: str, *values: object) -> list[object]:
    return [found[key] for found in (_untyped("pluck", value) for value in values) if key in found]


def _set(value: object, key: str, item: object) -> dict[str, Any]:
    found = _untyped("set", value, nil=False)
    found[key] = item
    return found


def _unset(value: object, key: str) -> dict[str, Any]:
    found = _untyped("unset", value)
    found.pop(key, None)
    return found


def _merging(name: str, *, overwrite: bool) -> Function:
    def merge(target: object, *sources: object) -> dict[str, Any]:
        into = _untyped(name, target)
        for source in sources:
            _merge_into(into, _untyped(name, source), overwrite)
        return into

    return merge


def _merge_into(target: dict[str, Any], source: dict[str, Any], overwrite: bool) -> None:
    for key, item in source.items():
        present = target.get(key)
        if type(present) is dict and type(item) is dict:
            _merge_into(present, item, overwrite)
        elif item is None:
            if overwrite:
                target.setdefault(key, None)
        elif _empty(present) or (overwrite and not _empty(item)):
            target[key] = item


def _empty(value: object) -> bool:
    return (
        value is None
        or value is False
        or (isinstance(value, (int, float)) and value == 0)
        or value in ("", [], {})
    )


TABLE: dict[str, Function] = {
    "dig": _dig,
    "get": _get,
    "hasKey": _has_key,
    "keys": _keys,
    "values": _values,
    "pick": _pick,
    "omit": _omit,
    "pluck": _pluck,
    "set": _set,
    "unset": _unset,
    "merge": _merging("merge", overwrite=False),
    "mustMerge": _merging("mustMerge", overwrite=False),
    "mergeOverwrite": _merging("mergeOverwrite", overwrite=True),
    "mustMergeOverwrite": _merging("mustMergeOverwrite", overwrite=True),
}
