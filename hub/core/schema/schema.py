"""Shapes of Argo CD's objects: what the API server admits, what Go's types keep, and what they leave out.

A shape answers three questions about a value: what is wrong with it (`check`, by the field's path), what Go's
decoder keeps of it (`decode`), and what Go's encoder writes (`encode`: empty fields that may be left out are
left out). The tables of shapes are in `app_fields.py` and `appset_fields.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from argosy.errors import Problem

Say: TypeAlias = Callable[[str, str], None]
"""Takes a path and a message."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """`name` is what people call the type; `types` are the Python types it may have."""

    name: str
    types: tuple[type, ...]
    pointer: bool = False
    """A pointer in Go: present means present, also when it is false or 0."""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    """What is found in every text that is admitted."""


@dataclass(frozen=True, slots=True)
class Free:
    """Any JSON (`object_only`: any JSON object). Go keeps it as raw bytes."""

    object_only: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Shape
    pointer: bool = False
    """Behind a pointer in Go: written also when empty, as long as it is there."""


@dataclass(frozen=True, slots=True)
class MapOf:
    item: Shape
    pointer: bool = False
    """As for lists."""


@dataclass(frozen=True, slots=True)
class Field:
    shape: Shape
    required: bool = False
    kept: bool = False
    """Written also when empty: Go's tag has no `omitempty`."""


@dataclass(frozen=True, slots=True)
class Struct:
    fields: Mapping[str, Field]
    value: bool = False
    """Held by value in Go and not by pointer: always written."""
    omit_zero: bool = False
    """Go's tag has `omitzero`: left out when nothing of it would be written."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """What to tell people who write a field here that belongs elsewhere."""
    loose: bool = False
    """Unknown fields are dropped without a word (free-form JSON in the CRD that Go decodes later)."""


Shape: TypeAlias = Scalar | Free | ListOf | MapOf | Struct

TEXT = Scalar("string", (str,))
FLAG = Scalar("boolean", (bool,))
WHOLE = Scalar("integer", (int,))
OPTIONAL_FLAG = Scalar("boolean", (bool,), pointer=True)
OPTIONAL_WHOLE = Scalar("integer", (int,), pointer=True)
OPTIONAL_TEXT = Scalar("string", (str,), pointer=True)
WHOLE_OR_TEXT = Scalar("integer or string", (int, str), pointer=True)
ANY = Free()
OBJECT = Free(object_only=True)
TEXTS = ListOf(TEXT)
TEXT_MAP = MapOf(TEXT)


def choice(*words: str) -> Scalar:
    return Scalar("string", (str,), pointer=True, choices=words)


def struct(**shapes: Shape) -> Struct:
    """Fields by name. A trailing `__` marks a field that is required and always written."""
    fields = {}
    for name, shape in shapes.items():
        always = name.endswith("__")
        fields[name.removesuffix("__")] = Field(shape, required=always, kept=always)
    return Struct(fields)


def text_with(pattern: str) -> Scalar:
    """Text in which a pattern is found."""
    return Scalar("string", (str,), pattern=pattern)


def keeping(shape: Struct, *names: str) -> Struct:
    """The struct that writes some fields also when they are empty."""
    kept = {name: replace(shape.fields[name], kept=True) for name in names}
    return replace(shape, fields={**shape.fields, **kept})


def held(shape: Struct) -> Struct:
    """The struct held by value."""
    return replace(shape, value=True)


def omitted_when_zero(shape: Struct) -> Struct:
    """The struct that is left out when nothing of it would be written."""
    return replace(shape, omit_zero=True)


def loose(shape: Struct) -> Struct:
    """The struct that drops unknown fields without a word."""
    return replace(shape, loose=True)


def hinted(shape: Struct, **hints: str) -> Struct:
    """The struct with words for those who write a field that belongs elsewhere."""
    return replace(shape, hints=hints)


def check(shape: Shape, value: Any, path: str) -> list[Problem]:
    """Everything that the API server (with strict field validation) would refuse, by path.

    A null under a name is nothing: the API server drops it before it looks.
    """
    found: list[Problem] = []
    _check(shape, value, path, lambda where, message: found.append(Problem(where, message)))
    return found


def _check(shape: Shape, value: Any, path: str, say: Say) -> None:
    if isinstance(shape, Free):
        if shape.object_only and not isinstance(value, dict):
            say(path, f"expected an object, found {described(value)}")
    elif isinstance(shape, Scalar):
        _check_scalar(shape, value, path, say)
    elif isinstance(shape, ListOf):
        if not isinstance(value, list):
            say(path, f"expected a list, found {described(value)}")
            return
        for index, item in enumerate(value):
            _check(shape.item, item, f"{path}[{index}]", say)
    elif not isinstance(value, dict):
        say(path, f"expected an object, found {described(value)}")
    elif isinstance(shape, MapOf):
        for key, item in value.items():
            if item is not None:
                _check(shape.item, item, f"{path}.{key}", say)
    else:
        _check_struct(shape, value, path, say)


def _check_scalar(shape: Scalar, value: Any, path: str, say: Say) -> None:
    right = isinstance(value, shape.types) and (not isinstance(value, bool) or bool in shape.types)
    if not right:
        hint = ""
        if shape.types == (str,) and isinstance(value, (bool, int, float)):
            hint = ": put it in quotes"
        elif isinstance(value, str) and "{{" in value:
            hint = ": only string fields can be templated, use templatePatch for this one"
        say(
            path,
            f"expected a {shape.name}, found {described(value)}{hint}".replace("a integer", "an integer"),
        )
    elif shape.choices and value not in shape.choices:
        say(path, f"expected one of {', '.join(shape.choices)}, found {value!r}")
    elif shape.pattern and not re.search(shape.pattern, value):
        say(path, f"expected text that matches {shape.pattern}, found {value!r}")


def _check_struct(shape: Struct, value: dict[str, Any], path: str, say: Say) -> None:
    for name, entry in shape.fields.items():
        if value.get(name) is not None:
            _check(entry.shape, value[name], f"{path}.{name}", say)
        elif entry.required:
            say(f"{path}.{name}", "required field is missing")
    if shape.loose:
        return
    for name in value:
        if name not in shape.fields:
            say(f"{path}.{name}", "unknown field" + _suggestion(shape, name))


def _suggestion(shape: Struct, name: str) -> str:
    if name in shape.hints:
        return ": " + shape.hints[name]
    by_case = {known.lower(): known for known in shape.fields}
    near = (
        [by_case[name.lower()]]
        if name.lower() in by_case
        else difflib.get_close_matches(name, shape.fields, 1, 0.75)
    )
    return f", did you mean {near[0]}?" if near else ""


def described(value: Any) -> str:
    """A value as people call it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the string {value if len(value) < 60 else value[:57] + '...'!r}"
    return "a list" if isinstance(value, list) else "an object"


def decode(shape: Shape, value: Any) -> Any:
    """What Go's types keep of a checked value: unknown fields and nulls under a name are gone."""
    if isinstance(shape, Struct):
        return {
            name: decode(entry.shape, value[name])
            for name, entry in shape.fields.items()
            if name in value and value[name] is not None
        }
    if isinstance(shape, MapOf) and isinstance(value, dict):
        return {key: decode(shape.item, item) for key, item in value.items() if item is not None}
    if isinstance(shape, ListOf) and isinstance(value, list):
        return [decode(shape.item, item) for item in value]
    return value


def encode(shape: Shape, value: Any) -> Any:
    """What Go writes of a decoded value."""
    if value is None:
        return None
    if isinstance(shape, Struct):
        out = {}
        for name, entry in shape.fields.items():
            item = encode(entry.shape, value.get(name, _zero(entry.shape)))
            if entry.kept or _written(entry.shape, item):
                out[name] = item
        return out
    if isinstance(shape, MapOf):
        return {key: encode(shape.item, item) for key, item in value.items()}
    if isinstance(shape, ListOf):
        return [encode(shape.item, item) for item in value]
    return value


def _zero(shape: Shape) -> Any:
    if isinstance(shape, Struct):
        return {} if shape.value else None
    if isinstance(shape, Scalar) and not shape.pointer:
        return {str: "", bool: False, int: 0}[shape.types[0]]
    return None


def _written(shape: Shape, item: Any) -> bool:
    if isinstance(shape, Struct) and shape.omit_zero:
        return bool(item)
    if isinstance(shape, (Struct, Free)) or shape.pointer:
        return item is not None
    return bool(item)


def is_empty(value: Any) -> bool:
    """Empty as Go's mergo has it: also behind a pointer, also a struct whose fields are all empty."""
    if isinstance(value, dict):
        return all(is_empty(item) for item in value.values())
    return value is None or value is False or value in (0, "", [])


def fill(shape: Shape, value: Any, base: Any) -> Any:
    """`value` with its empty parts taken from `base`: how a generator's template meets the set's."""
    if isinstance(shape, Struct) and isinstance(value, dict) and isinstance(base, dict):
        names: Iterable[str] = dict.fromkeys([*value, *base])
        return {
            name: fill(shape.fields[name].shape, value.get(name), base.get(name))
            for name in names
            if name in shape.fields
        }
    if isinstance(shape, MapOf) and isinstance(value, dict) and isinstance(base, dict):
        return {**base, **{key: item for key, item in value.items() if key not in base or not is_empty(item)}}
    if isinstance(shape, Free):
        return base if value is None else value
    if base is None:
        return value
    return base if is_empty(value) else value
