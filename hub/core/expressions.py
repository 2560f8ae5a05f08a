"""Regular expressions that users write for names: answered in bounded time, whatever they are.

Python's engine backtracks. It gets the plain ones, where that costs little; others go to Go's, which reads a text once.
"""

from __future__ import annotations

import math
import re

from hub.core.template.base import TemplateFailed
from hub.core.template.regexp import Pattern

_WAYS = 2_000_000
"""In how many ways the parts of a plain expression may be laid over a text, at most."""
_NO_SIGN = re.compile(r"\\.|\(\?", re.DOTALL)
_REPEATED_GROUP = re.compile(r"\)[*+{]")


def found(expression: str, text: str, *, python: str | None = None) -> bool:
    """Whether the expression matches anywhere in the text; one that cannot be read matches nothing.

    `python` is the expression in Python's words, where its author wrote it in others than Go's and Python's common ones.
    """
    if _is_plain(expression, len(text)):
        try:
            return re.search(expression if python is None else python, text) is not None
        except (re.error, RecursionError):
            return False
    try:
        return Pattern(expression).matches(text)
    except TemplateFailed:
        return False


def _is_plain(expression: str, length: int) -> bool:
    """Each repetition may end anywhere in a text of this length; each alternative may be taken or not."""
    signs = _NO_SIGN.sub("", expression)
    repeated = sum(map(signs.count, "*+{"))
    ways = math.comb(length + repeated, repeated + 1) << (signs.count("?") + signs.count("|"))
    return ways <= _WAYS and not _REPEATED_GROUP.search(signs)
