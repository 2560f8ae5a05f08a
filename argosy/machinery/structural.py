"""Objects of kinds that are described by a structural OpenAPI v3 schema: pruning, defaults and validation.

These are apiextensions-apiserver's rules for custom resources, texts included. What a schema does not describe is
removed and reported; a null where none is allowed goes away or becomes the default. `x-kubernetes-validations` (CEL)
is not evaluated.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from argosy.machinery import failure, typed
from argosy.machinery.failure import FieldError

Schema = dict[str, Any]
_IDENTITY = frozenset(("apiVersion", "kind", "metadata"))
_DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
)


# --- pruning ------------------------------------------------------------------------------------------------------


def prune(manifest: dict[str, Any], schema: Schema) -> tuple[dict[str, Any], list[str]]:
    """The object without what the schema does not know, and the paths of what went, sorted."""
    unknown: list[str] = []
    out = _pruned(manifest, {**schema, "x-kubernetes-embedded-resource": True}, "", unknown)
    return out, sorted(unknown)


def _pruned(value: Any, schema: Schema | None, path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _pruned_map(value, schema, path, unknown)
    if isinstance(value, list):
        items = None if schema is None else schema.get("items")
        return [_pruned(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _pruned_map(
    value: dict[str, Any], schema: Schema | None, path: str, unknown: list[str]
) -> dict[str, Any]:
    if schema is None:
        unknown += [_joined(path, name) for name in value]
        return {}
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    out = {}
    for name, item in value.items():
        if embedded and name in _IDENTITY:
            out[name] = item
        elif name in properties:
            out[name] = _pruned(item, properties[name], _joined(path, name), unknown)
        elif isinstance(extra, dict):
            out[name] = _pruned(item, extra, _joined(path, name), unknown)
        elif keeps:
            out[name] = item
        elif extra:
            out[name] = _pruned(item, None, _joined(path, name), unknown)
        elif name not in _IDENTITY or path:
            unknown.append(_joined(path, name))
    return out


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# --- nulls and defaults -------------------------------------------------------------------------------------------


def without_nulls(value: Any, schema: Schema | None) -> Any:
    """The value without nulls that are not allowed and have no default to take their place."""
    if schema is None:
        return value
    if isinstance(value, dict):
        out = {}
        for name, item in value.items():
            member = _member(schema, name)
            if item is None and member is not None and _null_goes(member):
                continue
            out[name] = without_nulls(item, member)
        return out
    if isinstance(value, list):
        items = schema.get("items")
        return [without_nulls(item, items) for item in value]
    return value


def _null_goes(schema: Schema) -> bool:
    return not schema.get("nullable") and "default" not in schema


def _member(schema: Schema, name: str) -> Schema | None:
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


def with_defaults(value: Any, schema: Schema | None) -> Any:
    """The value with the schema's defaults where fields are missing, or null and not allowed to be."""
    if schema is None:
        return value
    if isinstance(value, dict):
        out = dict(value)
        for name, member in (schema.get("properties") or {}).items():
            if "default" in member and (
                name not in out or (out[name] is None and not member.get("nullable"))
            ):
                out[name] = copy.deepcopy(member["default"])
        for name, item in out.items():
            known = _member(schema, name)
            if known is not None:
                out[name] = with_defaults(item, known)
        return out
    if isinstance(value, list):
        items = schema.get("items")
        return [with_defaults(item, items) for item in value]
    return value


# --- validation ---------------------------------------------------------------------------------------------------


def validate(
    manifest: dict[str, Any], schema: Schema, live: dict[str, Any] | None = None
) -> list[FieldError]:
    """What is wrong with the object. What is as it was in `live` is not held against an update (ratcheting)."""
    return list(_errors(manifest, schema, "", typed.ABSENT if live is None else live))


def validate_part(value: Any, schema: Schema, path: str, live: Any) -> list[FieldError]:
    """As `validate`, for the part of an object at `path` (such as `status`); `live` is ABSENT where there was none."""
    return list(_errors(value, schema, path, live))


def _errors(value: Any, schema: Schema, path: str, live: Any) -> Iterator[FieldError]:
    if live is not typed.ABSENT and typed.equal(value, live):
        return
    if value is None and schema.get("nullable"):
        return
    wrong = _type_error(value, schema, path)
    if wrong is not None:
        yield wrong
        return
    yield from _enum_errors(value, schema, path)
    if isinstance(value, dict):
        yield from _map_errors(value, schema, path, live)
    elif isinstance(value, list):
        yield from _list_errors(value, schema, path, live)
    elif isinstance(value, str):
        yield from _string_errors(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_errors(value, schema, path)
    yield from _logic_errors(value, schema, path)


def _shown(path: str) -> str:
    return path or "<nil>"


def _body(path: str) -> str:
    return f"{path} in body"


_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    return next(name for name, kind in _TYPES.items() if isinstance(value, kind))


def _type_error(value: Any, schema: Schema, path: str) -> FieldError | None:
    want = schema.get("type") or ""
    actual = _type_name(value)
    if schema.get("x-kubernetes-int-or-string"):
        want, fits = "integer,string", actual in ("integer", "string")
    elif not want:
        return None
    else:
        fits = actual == want or (want == "number" and actual == "integer")
    if fits:
        return None
    return failure.wrong_type(_shown(path), actual, f'{_body(path)} must be of type {want}: "{actual}"')


def _enum_errors(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed is not None and not any(typed.equal(value, each) for each in allowed):
        texts = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in allowed]
        yield failure.not_supported(_shown(path), value, texts)


def _map_errors(value: dict[str, Any], schema: Schema, path: str, live: Any) -> Iterator[FieldError]:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        yield failure.invalid_value(
            _shown(path), len(value), f"{_body(path)} should have at least {least} properties"
        )
    if most is not None and len(value) > most:
        yield failure.too_many(_shown(path), len(value), most)
    for name in schema.get("required") or ():
        if name not in value:
            yield failure.required(_joined(path, name))
    properties = schema.get("properties") or {}
    before = live if isinstance(live, dict) else {}
    for name, item in value.items():
        member = _member(schema, name)
        if member is None or (not path and name in _IDENTITY and name not in properties):
            continue
        if not path and name == "metadata":
            yield from _metadata_errors(item, member)
            continue
        yield from _errors(item, member, _joined(path, name), before.get(name, typed.ABSENT))


def _metadata_errors(metadata: Any, schema: Schema) -> Iterator[FieldError]:
    """A CRD may restrict `metadata.name` and `generateName`, nothing else of the metadata."""
    for name in ("name", "generateName"):
        member = (schema.get("properties") or {}).get(name)
        if member and isinstance(metadata, dict) and name in metadata:
            yield from _errors(metadata[name], member, f"metadata.{name}", typed.ABSENT)


def _list_errors(value: list[Any], schema: Schema, path: str, live: Any) -> Iterator[FieldError]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        yield failure.invalid_value(
            _shown(path), len(value), f"{_body(path)} should have at least {least} items"
        )
    if most is not None and len(value) > most:
        yield failure.too_many(_shown(path), len(value), most)
    items = schema.get("items")
    if isinstance(items, dict):
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        before = _by_keys(live, keys) if keys and isinstance(live, list) else {}
        for index, item in enumerate(value):
            old = before.get(_key(item, keys), typed.ABSENT) if before else typed.ABSENT
            yield from _errors(item, items, f"{path}[{index}]", old)


def _key(item: Any, keys: Sequence[str]) -> bytes:
    return orjson.dumps([item.get(key) for key in keys]) if isinstance(item, dict) else b""


def _by_keys(items: list[Any], keys: Sequence[str]) -> dict[bytes, Any]:
    return {_key(item, keys): item for item in items}


def _string_errors(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    least, most = schema.get("minLength"), schema.get("maxLength")
    if most is not None and len(value) > most:
        yield failure.too_long(_shown(path), most)
    if least is not None and len(value) < least:
        yield failure.invalid_value(
            _shown(path), value, f"{_body(path)} should be at least {least} chars long"
        )
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        yield failure.invalid_value(_shown(path), value, f"{_body(path)} should match '{pattern}'")
    if schema.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        detail = f"{_body(path)} must be of type date-time: {orjson.dumps(value).decode()}"
        yield failure.wrong_type(_shown(path), value, detail)


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    """RE2 patterns of schemas are read as Python's, which differ in corners; one Python cannot read matches all."""
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"))
    except re.error:
        return re.compile("")


def _number_errors(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value < low or (value == low and schema.get("exclusiveMinimum"))):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield failure.invalid_value(_shown(path), value, f"{_body(path)} should be {than} {low}")
    if high is not None and (value > high or (value == high and schema.get("exclusiveMaximum"))):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield failure.invalid_value(_shown(path), value, f"{_body(path)} should be {than} {high}")
    if step and abs(value / step - round(value / step)) > 1e-9:
        yield failure.invalid_value(_shown(path), value, f"{_body(path)} should be a multiple of {step}")


def _logic_errors(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("x-kubernetes-int-or-string"):
        return
    for part in schema.get("allOf") or ():
        yield from _errors(value, part, path, typed.ABSENT)
    choices = schema.get("anyOf")
    if choices and not any(_fits(value, part, path) for part in choices):
        message = f"{_body(path)} must validate at least one schema (anyOf)"
        yield failure.invalid_value(_shown(path), "", message)
    choices = schema.get("oneOf")
    if choices:
        good = sum(_fits(value, part, path) for part in choices)
        if good != 1:
            found = "Found none valid" if not good else f"Found {good} valid alternatives"
            message = f'"{path}" must validate one and only one schema (oneOf). {found}'
            yield failure.invalid_value(_shown(path), "", message)
    forbidden = schema.get("not")
    if forbidden and _fits(value, forbidden, path):
        yield failure.invalid_value(_shown(path), "", f"{_body(path)} must not validate the schema (not)")


def _fits(value: Any, schema: Schema, path: str) -> bool:
    return next(_errors(value, schema, path, typed.ABSENT), None) is None


# --- sets and maps ------------------------------------------------------------------------------------------------


def duplicates(value: Any, schema: Schema, path: str = "") -> list[FieldError]:
    """Items that occur twice in lists that are sets, or share their keys in lists that are maps."""
    out: list[FieldError] = []
    if isinstance(value, dict):
        for name, item in value.items():
            member = _member(schema, name)
            if member is not None and (path or name not in _IDENTITY):
                out += duplicates(item, member, _joined(path, name))
    elif isinstance(value, list):
        relation = schema.get("x-kubernetes-list-type")
        if relation == "set":
            out += [failure.duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]
        elif relation == "map":
            keys = schema.get("x-kubernetes-list-map-keys") or []
            found = [
                {key: item[key] for key in keys if key in item} if isinstance(item, dict) else {}
                for item in value
            ]
            out += [failure.duplicate(f"{path}[{index}]", found[index]) for index in _repeated(found)]
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                out += duplicates(item, items, f"{path}[{index}]")
    return out


def _repeated(values: list[Any]) -> list[int]:
    """The indexes of second occurrences."""
    times: dict[bytes, int] = {}
    out = []
    for index, value in enumerate(values):
        key = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        times[key] = times.get(key, 0) + 1
        if times[key] == 2:
            out.append(index)
    return out
