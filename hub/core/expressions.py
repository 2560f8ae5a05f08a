"""Regular expressions that users write for names: answered in bounded time, whatever they are.

Python's engine backtracks. It gets the plain ones, where that costs little; others go to Go's, which reads a text once.
"""

from __future__ import annotations

import re

from hub.core.template.base import TemplateFailed
from hub.core.template.regexp import Pattern

_MANY = 2
"""More repetitions than that may be tried in too many combinations."""
_REPEATED = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")
_REPEATED_GROUP = re.compile(r"\)[*+{]")


def found(expression: str, text: str, *, python: str | None = None) -> bool:
    """Whether the expression matches anywhere in the text; one that cannot be read matches nothing.

    `python` is the expression in Python's words, where its author wrote it in others than Go's and Python's common ones.
    """
    if _is_plain(expression):
        try:
            return re.search(expression if python is None else python, text) is not None
        except (re.error, RecursionError):
            return False
    try:
        return Pattern(expression).matches(text)
    except TemplateFailed:
        return False


def _is_plain(expression: str) -> bool:
    return not _REPEATED_GROUP.search(expression) and len(_REPEATED.findall(expression)) <= _MANY
