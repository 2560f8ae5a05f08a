"""What template functions may cost, since the template library counts their calls and the output only.

Everything that can make a text or a list longer is refused beforehand where its size can be told, and what
remains is counted over one render.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

Function = Callable[..., object]

MAX_TEXT = 4 * 1024 * 1024
MAX_ITEMS = 100_000
MAX_PADDING = 100_000
MAX_WORK = 32_000_000

_spent: ContextVar[int] = ContextVar("spent", default=0)


def begin() -> None:
    """The functions' budget begins anew: called before every render."""
    _spent.set(0)


def _spend(amount: int) -> None:
    """Counts characters looked at and values put together, since the library counts calls only."""
    spent = _spent.get() + amount
    _spent.set(spent)
    if spent > MAX_WORK:
        raise ValueError("the template takes too many steps")


_MUST = ("mustAppend", "mustPush", "mustPrepend", "mustMerge", "mustMergeOverwrite")
_BUILDERS = frozenset(
    [
        "dict",
        "list",
        "tuple",
        "set",
        "append",
        "push",
        "prepend",
        "concat",
        "merge",
        "mergeOverwrite",
        "chunk",
        *_MUST,
    ]
)
_MORE = (
    "nospace",
    "normalize",
    "slugify",
    "wrap",
    "wrapWith",
    "fromYaml",
    "fromYamlArray",
    "toYaml",
    "quote",
    "sortAlpha",
)
_SIGN_BY_SIGN = frozenset(
    [
        "upper",
        "lower",
        "title",
        "untitle",
        "swapcase",
        "snakecase",
        "camelcase",
        "kebabcase",
        "initials",
        *_MORE,
    ]
)
"""Functions of the library that look at a text sign by sign in Python."""


def _weight(value: object, limit: int) -> int:
    """How many values the written-out form would hold: a value that holds another twice counts it twice."""
    count, stack = 0, [value]
    while stack:
        item = stack.pop()
        count += 1
        if count > limit:
            raise ValueError(f"the result holds more than {limit} values")
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return count


def _text_at_most(size: int) -> None:
    if size > MAX_TEXT:
        raise ValueError(f"the result would have more than {MAX_TEXT} characters")


def _count_at_most(count: Any) -> None:
    if isinstance(count, int) and abs(count) > MAX_ITEMS:
        raise ValueError(f"{count} is more than {MAX_ITEMS}")


def _cost_repeat(count: Any, value: Any) -> None:
    if isinstance(count, int) and isinstance(value, str):
        _text_at_most(count * len(value))


def _cost_indent(count: Any, value: Any) -> None:
    if isinstance(count, int) and isinstance(value, str):
        _text_at_most(count * (value.count("\n") + 1) + len(value))


def _cost_replace(old: Any, new: Any, value: Any) -> None:
    if isinstance(old, str) and isinstance(new, str) and isinstance(value, str):
        _text_at_most(len(value) + len(new) * (value.count(old) if old else len(value) + 1))


def _cost_regex_replace(pattern: Any, value: Any, new: Any) -> None:
    if isinstance(new, str) and isinstance(value, str):
        _text_at_most(len(value) + len(new) * (len(value) + 1))


def _cost_join(separator: Any, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        _text_at_most(
            sum(len(item) for item in value if isinstance(item, str)) + len(str(separator)) * len(value)
        )


def _cost_range(start: Any, stop: Any, step: Any = 1) -> None:
    if all(isinstance(number, int) for number in (start, stop, step)) and step:
        _count_at_most((stop - start) // step)


def _cost_seq(*numbers: Any) -> None:
    if len(numbers) == 1:
        _count_at_most(numbers[0])
    elif len(numbers) in (2, 3):
        _cost_range(numbers[0], numbers[-1], numbers[1] if len(numbers) == 3 else 1)


def _cost_concat(*lists: Any) -> None:
    _count_at_most(sum(len(item) for item in lists if isinstance(item, list)))


def _cost_wrap(width: Any, *rest: Any) -> None:
    _text_at_most(sum(len(item) for item in rest if isinstance(item, str)) * 2)


def _cost_printf(form: Any, *values: Any) -> None:
    if not isinstance(form, str):
        return
    for width in re.findall(r"\d{5,}", form):
        if int(width) > MAX_PADDING:
            raise ValueError(f"printf: width {width} is more than {MAX_PADDING}")
    if "*" in form and any(isinstance(value, int) and abs(value) > MAX_PADDING for value in values):
        raise ValueError(f"printf: a width is more than {MAX_PADDING}")


_COSTS: dict[str, Callable[..., None]] = {
    "repeat": _cost_repeat,
    "indent": _cost_indent,
    "nindent": _cost_indent,
    "replace": _cost_replace,
    "regexReplaceAll": _cost_regex_replace,
    "regexReplaceAllLiteral": _cost_regex_replace,
    "mustRegexReplaceAll": _cost_regex_replace,
    "mustRegexReplaceAllLiteral": _cost_regex_replace,
    "join": _cost_join,
    "until": _count_at_most,
    "untilStep": _cost_range,
    "seq": _cost_seq,
    "concat": _cost_concat,
    "wrap": _cost_wrap,
    "wrapWith": _cost_wrap,
    "printf": _cost_printf,
    **{f"rand{kind}": _count_at_most for kind in ("Alpha", "AlphaNum", "Numeric", "Ascii", "Bytes")},
}


def bounded(name: str, function: Function, absent: tuple[object, ...]) -> Function:
    """The function with its budget. What is in `absent` reaches it as None, since Go passes nil on."""
    cost = _COSTS.get(name)
    builds = name in _BUILDERS
    effort = 20 if "egex" in name else 8 if name in _SIGN_BY_SIGN else 1

    @functools.wraps(function)
    def call(*arguments: Any) -> object:
        given = [None if any(argument is one for one in absent) else argument for argument in arguments]
        if cost is not None:
            cost(*given)
        result = function(*given)
        if isinstance(result, str) and len(result) > MAX_TEXT:
            raise ValueError(f"{name}: the result has more than {MAX_TEXT} characters")
        if isinstance(result, list) and len(result) > MAX_ITEMS:
            raise ValueError(f"{name}: the result has more than {MAX_ITEMS} items")
        if builds:
            _spend(8 * _weight(result, MAX_ITEMS))
        else:
            _spend(effort * sum(len(text) for text in (result, *given) if isinstance(text, str)))
        return result

    return call
