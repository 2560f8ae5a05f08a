"""The three ways of matching paths that Argo CD has, each compiled to one regular expression.

`directory` is Go's `path.Match` (git directories), `pathspec` is what `git ls-files -- PATTERN` selects
(git files), `doublestar` is what its magic `:(glob)` spans.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from argosy.errors import Invalid

Matcher = Callable[[str], bool]


def never(path: str) -> bool:
    """Matches nothing."""
    return False


@functools.lru_cache(maxsize=4096)
def directory(pattern: str) -> Matcher | None:
    """`*` and `?` stay within one level, `[a-z]` and `[^a-z]` are classes. None for a malformed pattern."""
    translated = expression(pattern)
    return None if translated is None else _full(translated)


def expression(pattern: str) -> str | None:
    """What `directory` matches, as a regular expression for the whole text."""
    return _translate(pattern, star="[^/]*", one="[^/]", slash_in_class=True, strict=True)


@functools.lru_cache(maxsize=4096)
def pathspec(pattern: str) -> Matcher:
    """Wildcards cross `/`; a pattern without its wildcards taken literally also selects all below a folder
    of that name; one that excludes selects all the rest.

    Raises `errors.Invalid` for a pattern that Git refuses.
    """
    if not pattern:
        raise Invalid("pathspec '' is none for Git: write . for all files")
    if pattern == ":":
        return lambda path: True
    magic, rest = _magic(pattern)
    found = _selecting(magic, rest)
    return (lambda path: not found(path)) if "exclude" in magic else found


def _selecting(magic: frozenset[str], pattern: str) -> Matcher:
    literal = _normal(pattern)
    if literal in ("", "."):
        return lambda path: True
    fold = re.IGNORECASE if "icase" in magic else 0
    below = re.compile(
        re.escape(literal.rstrip("/")) + r"(?:\Z|/)" if not literal.endswith("/") else re.escape(literal),
        fold,
    )
    if "literal" in magic:
        return lambda path: below.match(path) is not None
    if "glob" in magic:
        spanning = doublestar(literal)
        return lambda path: below.match(path) is not None or spanning(path)
    translated = _translate(literal, star=".*", one=".", slash_in_class=True, strict=False)
    wild = re.compile(f"(?s:{translated})\\Z", fold) if translated is not None else None
    return lambda path: below.match(path) is not None or (wild is not None and wild.match(path) is not None)


def _magic(pattern: str) -> tuple[frozenset[str], str]:
    """(words, the rest) of a pattern, as Git reads them (`pathspec.c`)."""
    if not pattern.startswith(":"):
        return frozenset(), pattern
    if not pattern.startswith(":("):
        return _short_magic(pattern)
    inside, closed, rest = pattern[2:].partition(")")
    if not closed:
        raise Invalid(f"pathspec {pattern!r}: ) is missing at the end of its magic")
    words = frozenset(filter(None, inside.split(",")))
    unknown = words - {"glob", "icase", "literal", "top", "exclude"}
    if unknown:
        raise Invalid(f"pathspec magic {', '.join(sorted(unknown))!r} is not supported in {pattern!r}")
    if {"glob", "literal"} <= words:
        raise Invalid(f"pathspec {pattern!r}: 'literal' and 'glob' are incompatible")
    return words, rest


_SHORT = {"/": "top", "!": "exclude", "^": "exclude"}
_RESERVED = frozenset("!\"#%&',-/:;<=>@_`~")
"""What Git keeps for magic to come, and refuses."""


def _short_magic(pattern: str) -> tuple[frozenset[str], str]:
    at, words = 1, set()
    while at < len(pattern) and pattern[at] != ":":
        sign = pattern[at]
        if sign not in _SHORT:
            if sign in _RESERVED:
                raise Invalid(f"pathspec {pattern!r}: unimplemented pathspec magic {sign!r}")
            break
        words.add(_SHORT[sign])
        at += 1
    return frozenset(words), pattern[at + 1 :] if pattern[at : at + 1] == ":" else pattern[at:]


def _normal(pattern: str) -> str:
    if pattern.startswith("/"):
        raise Invalid(f"pathspec {pattern!r} is outside the repository: paths are relative to its root")
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == "..":
            if not parts:
                raise Invalid(f"pathspec {pattern!r} is outside the repository")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    last = pattern.rpartition("/")[2]
    return "/".join(parts) + ("/" if last in ("", ".", "..") and parts else "")


@functools.lru_cache(maxsize=4096)
def doublestar(pattern: str) -> Matcher:
    """`*` stays within one level, `**` as a whole path element spans any number of levels, `{a,b}` is a
    choice.
    """
    text = _doublestar(pattern)
    return never if text is None else _full(text)


def _doublestar(pattern: str) -> str | None:
    out: list[str] = []
    for branch in _choices(pattern):
        elements = branch.split("/")
        text = ""
        for index, element in enumerate(elements):
            last = index == len(elements) - 1
            if element == "**":
                text += ".*" if last else "(?:[^/]+/)*"
                continue
            part = _translate(element, star="[^/]*", one="[^/]", slash_in_class=False, strict=True)
            if part is None:
                return None
            text += part + ("" if last else "/")
        if len(elements) > 1 and elements[-1] == "**":
            text = text[: -len("/.*")] + "(?:/.*)?"
        out.append(text)
    return "(?:" + "|".join(out) + ")"


def _choices(pattern: str) -> list[str]:
    opening = pattern.find("{")
    if opening < 0:
        return [pattern]
    depth, start, parts = 0, opening + 1, []
    for index in range(opening, len(pattern)):
        sign = pattern[index]
        depth += (sign == "{") - (sign == "}")
        if (sign == "," and depth == 1) or (sign == "}" and depth == 0):
            parts.append(pattern[start:index])
            start = index + 1
        if depth == 0:
            tails = _choices(pattern[index + 1 :])
            return [
                pattern[:opening] + head + tail for part in parts for head in _choices(part) for tail in tails
            ]
    return [pattern]


def _full(translated: str) -> Matcher:
    compiled = re.compile(f"(?s:{translated})\\Z")
    return lambda path: compiled.match(path) is not None


def _translate(pattern: str, *, star: str, one: str, slash_in_class: bool, strict: bool) -> str | None:
    out: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "*":
            while at < len(pattern) and pattern[at] == "*":
                at += 1
            out.append(star)
        elif sign == "?":
            out.append(one)
        elif sign == "[":
            found = _class(pattern, at, strict)
            if found is None:
                return None
            text, at = found
            out.append(text if slash_in_class else f"(?!/){text}")
        elif sign == "\\":
            if at >= len(pattern):
                return None
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(sign))
    return "".join(out)


_NAMED_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\ \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_NAMED = re.compile(r"\[:(" + "|".join(_NAMED_CLASSES) + r"):\]")


def _class(pattern: str, at: int, strict: bool) -> tuple[str, int] | None:
    """A bracket expression after its `[`: its regular expression and the position after its `]`."""
    negated = at < len(pattern) and pattern[at] in ("^" if strict else "^!")
    at += negated
    ranges: list[str] = []
    while True:
        if at >= len(pattern):
            return None
        if pattern[at] == "]" and ranges:
            break
        named = None if strict else _NAMED.match(pattern, at)
        if named:
            ranges.append(_NAMED_CLASSES[named[1]])
            at = named.end()
            continue
        low = _class_char(pattern, at, strict)
        if low is None:
            return None
        sign, at = low
        high = sign
        if at + 1 < len(pattern) and pattern[at] == "-" and pattern[at + 1] != "]":
            upper = _class_char(pattern, at + 1, strict)
            if upper is None:
                return None
            high, at = upper
        if sign <= high:
            ranges.append(f"{re.escape(sign)}-{re.escape(high)}")
        elif strict:
            ranges.append("")
    inside = "".join(ranges)
    if not inside:
        return ("(?s:.)" if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{inside}]", at + 1


def _class_char(pattern: str, at: int, strict: bool) -> tuple[str, int] | None:
    sign = pattern[at]
    if strict and sign in "-]":
        return None
    if sign == "\\":
        at += 1
        if at >= len(pattern):
            return None
        sign = pattern[at]
    return sign, at + 1
