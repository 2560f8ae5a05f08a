"""JSON as Go's encoder writes it: keys sorted, floats without a point where they are whole, `<`, `>`, `&`
escaped.

`json.dumps` differs in all three. Used by the template functions and by merge keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from argosy import gofloat
from hub.core.template.params import RawJson

MAX_VALUES = 200_000
"""A value that a template made may share its parts; written out it must not grow without bound."""


def encode(value: Any, *, escape_html: bool = True, indent: str = "") -> str:
    """Raises TypeError or ValueError for what Go cannot encode."""
    out: list[str] = []
    _write(out, value, escape_html, indent, "\n")
    return "".join(out)


def _write(out: list[str], value: Any, html: bool, indent: str, line: str) -> None:
    if len(out) > MAX_VALUES * 2:
        raise ValueError(f"more than {MAX_VALUES} values")
    if value is None:
        out.append("null")
    elif isinstance(value, str):
        out.append(_string(value, html))
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, int):
        out.append(str(value))
    elif isinstance(value, float):
        out.append(gofloat.json_form(value))
    elif isinstance(value, RawJson):
        _write(out, value.value, html, indent, line)
    elif isinstance(value, Mapping):
        pairs = sorted(((str(key), value[key]) for key in value), key=lambda pair: pair[0])
        colon = ": " if indent else ":"
        _block(out, "{}", [(_string(key, html) + colon, item) for key, item in pairs], html, indent, line)
    elif isinstance(value, (list, tuple)):
        _block(out, "[]", [("", item) for item in value], html, indent, line)
    else:
        raise TypeError(f"json: unsupported type: {type(value).__name__}")


def _block(
    out: list[str], signs: str, entries: list[tuple[str, Any]], html: bool, indent: str, line: str
) -> None:
    if not entries:
        out.append(signs)
        return
    inner = line + indent if indent else ""
    out.append(signs[0])
    for index, (head, item) in enumerate(entries):
        out.append(("," if index else "") + inner + head)
        _write(out, item, html, indent, inner)
    out.append((line if indent else "") + signs[1])


def _string(text: str, html: bool) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if html and ("<" in quoted or ">" in quoted or "&" in quoted):
        quoted = quoted.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return quoted
