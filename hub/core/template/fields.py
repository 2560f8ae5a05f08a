"""Go templates that only print fields: `{{.path.basename}}-{{index .metadata.labels "a/b"}}`.

Nearly all templates of ApplicationSets are of this form; read here, they cost a hundredth of a run of the
template library. The rules are the library's, and the golden suite holds both to them. Any other text is not
for this module.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Literal, NoReturn, TypeAlias

from hub.core.template import params
from hub.core.template.base import Quick, Scope, TemplateFailed
from hub.core.template.params import Params, StringMap

Mode: TypeAlias = Literal["default", "zero", "error"]
"""`missingkey=`: what an absent key means."""
_NAME = r"[A-Za-z_]\w*"
_ACTION = re.compile(
    rf'\{{\{{\s*(?:\.({_NAME}(?:\.{_NAME})*)|index\s+\.({_NAME}(?:\.{_NAME})*)((?:\s+"[^"\\]*")+))\s*\}}\}}'
)
_KEY = re.compile(r'"([^"]*)"')
_ABSENT = object()


class FieldTemplate:
    """Alternating text and fields."""

    __slots__ = ("_actions", "_first", "_mode", "_text", "quick")

    def __init__(self, text: str, first: str, actions: list[Any], mode: Mode) -> None:
        self._text, self._first, self._actions, self._mode = text, first, actions, mode
        self.quick: Quick = _quick(first, actions)

    def render(self, scope: Scope) -> str:
        out = [self._first]
        for names, keys, after in self._actions:
            value: Any = scope.params
            try:
                for name in names:
                    value = value[name]
            except (KeyError, TypeError):
                value = self._lookup(scope.params, names)
            if keys:
                value = self._index(value, keys)
            if type(value) is not str:
                value = "<no value>" if value is None or value is _ABSENT else params.text(value)
            out.append(value)
            out.append(after)
        return "".join(out)

    def _lookup(self, value: Any, names: tuple[str, ...]) -> Any:
        for name in names:
            if isinstance(value, dict):
                if name in value:
                    value = value[name]
                elif self._mode == "default":
                    return _ABSENT
                elif self._mode == "zero":
                    value = "" if isinstance(value, StringMap) else None
                else:
                    raise self._failed(f"map has no entry for key {name!r}", missing=True)
            elif value is None:
                self._fail(f"nil pointer evaluating interface {{}}.{name}")
            else:
                self._fail(f"can't evaluate field {name} in type {_type(value)}")
        return value

    def _index(self, value: Any, keys: tuple[str, ...]) -> Any:
        for key in keys:
            if not isinstance(value, dict):
                what = (
                    "untyped nil" if value is None or value is _ABSENT else f"{_type(value)} by text {key!r}"
                )
                self._fail(f"error calling index: index of {what}")
            value = value.get(key, "" if isinstance(value, StringMap) else _ABSENT)
        return value

    def _fail(self, message: str) -> NoReturn:
        raise self._failed(message)

    def _failed(self, message: str, *, missing: bool = False) -> TemplateFailed:
        short = self._text if len(self._text) <= 120 else self._text[:117] + "..."
        return TemplateFailed(f"failed to execute template {short}: {message}", missing=missing)


def _quick(first: str, actions: list[Any]) -> Quick:
    """For parameter sets in which every field is there and is text."""
    paths = [(*names, *keys) for names, keys, _ in actions]
    afters = [after for _, _, after in actions]
    if len(paths) == 1 and len(paths[0]) in _ONE:
        return _ONE[len(paths[0])](first, afters[0], *paths[0])
    steps = list(zip(paths, afters, strict=True))

    def quick(found: Params) -> str | None:
        out = [first]
        try:
            for path, after in steps:
                value: Any = found
                for name in path:
                    value = value[name]
                if type(value) is not str:
                    return None
                out.append(value)
                out.append(after)
        except (KeyError, TypeError):
            return None
        return "".join(out)

    return quick


def _one_of_one(first: str, after: str, name: str) -> Quick:
    def quick(found: Params) -> str | None:
        value = found.get(name)
        return f"{first}{value}{after}" if type(value) is str else None

    return quick


def _one_of_two(first: str, after: str, outer: str, name: str) -> Quick:
    def quick(found: Params) -> str | None:
        try:
            value = found[outer][name]
        except (KeyError, TypeError):
            return None
        return f"{first}{value}{after}" if type(value) is str else None

    return quick


def _one_of_three(first: str, after: str, outer: str, inner: str, name: str) -> Quick:
    def quick(found: Params) -> str | None:
        try:
            value = found[outer][inner][name]
        except (KeyError, TypeError):
            return None
        return f"{first}{value}{after}" if type(value) is str else None

    return quick


_ONE: dict[int, Callable[..., Quick]] = {1: _one_of_one, 2: _one_of_two, 3: _one_of_three}
"""By the length of the path: one field with text around it, which most templates are."""


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "a number"
    return {str: "string"}.get(type(value), "a list")


@functools.lru_cache(maxsize=65536)
def compile_text(text: str, mode: Mode) -> FieldTemplate | None:
    """None for a text with anything else in it than fields. `mode` is "default", "zero" or "error"."""
    actions: list[Any] = []
    first, end = "", 0
    for found in _ACTION.finditer(text):
        before = text[end : found.start()]
        if actions:
            actions[-1][2] = before
        else:
            first = before
        names = tuple((found[1] or found[2]).split("."))
        keys = tuple(_KEY.findall(found[3])) if found[3] else ()
        actions.append([names, keys, ""])
        end = found.end()
        if "{{" in before:
            return None
    if not actions or "{{" in text[end:]:
        return None
    actions[-1][2] = text[end:]
    return FieldTemplate(text, first, actions, mode)
