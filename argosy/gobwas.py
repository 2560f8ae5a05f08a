"""Globs of users' settings (projects, windows, kinds), as the library of Argo CD reads them (gobwas/glob 1.0.0).

`*` and `?` stop at a separator, `**` does not; `{a,b}` chooses and nests; `[a-z]` is a range, `[abc]` a set, and
`!` in front negates either; `\\` quotes. Without separators `*` spans everything.
"""

from __future__ import annotations

import functools
import re

_TEXT_ENDS = "?*[{"
_CHOICE_ENDS = _TEXT_ENDS + "},"


class _Malformed(Exception):
    """The pattern is none."""


def match(pattern: str, text: str, separator: str = "") -> bool:
    """Whether the whole text matches. A malformed pattern matches nothing, as in Argo CD."""
    compiled = _compiled(pattern, separator)
    return compiled is not None and compiled.fullmatch(text) is not None


def expression(pattern: str) -> str | None:
    """A pattern as a regular expression for the whole text, without separators; None for a malformed one."""
    compiled = _compiled(pattern, "")
    return None if compiled is None else compiled.pattern


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str, separator: str) -> re.Pattern[str] | None:
    try:
        return re.compile(_Reader(pattern, separator).translated(), re.DOTALL)
    except _Malformed:
        return None


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str, separator: str) -> None:
        self._pattern = pattern
        self._one = f"[^{re.escape(separator)}]" if separator else "."
        self._at = 0

    def translated(self) -> str:
        out: list[str] = []
        depth = 0
        while (sign := self._peek()) != "":
            if sign == "{":
                depth += 1
                out.append("(?:")
            elif sign == "," and depth:
                out.append("|")
            elif sign == "}" and depth:
                depth -= 1
                out.append(")")
            elif sign == "[":
                self._at += 1
                out.append(self._class())
                continue
            elif sign == "?":
                out.append(self._one)
            elif sign == "*":
                out.append(self._star())
            else:
                out.append(re.escape(self._text(_CHOICE_ENDS if depth else _TEXT_ENDS)))
                continue
            self._at += 1
        if depth:
            raise _Malformed
        return "".join(out)

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _star(self) -> str:
        if self._pattern.startswith("**", self._at):
            self._at += 1
            return ".*"
        return f"{self._one}*"

    def _text(self, ends: str) -> str:
        """Literal text up to one of `ends`, with quotes resolved."""
        out: list[str] = []
        while (sign := self._peek()) and sign not in ends:
            self._at += 1
            if sign == "\\":
                sign = self._peek()
                if not sign:
                    raise _Malformed
                self._at += 1
            out.append(sign)
        return "".join(out)

    def _class(self) -> str:
        negated = self._peek() == "!"
        self._at += negated
        if self._pattern[self._at + 1 : self._at + 2] == "-":
            low, high = self._peek(), self._pattern[self._at + 2 : self._at + 3]
            self._at += 3
            if not high or high < low:
                raise _Malformed
            inside = f"{re.escape(low)}-{re.escape(high)}"
        else:
            inside = "".join(map(re.escape, self._text("]")))
        if not inside or self._peek() != "]":
            raise _Malformed
        self._at += 1
        return f"[{'^' if negated else ''}{inside}]"
