"""The files that a pattern finds in folders, in the order in which bmatcuk/doublestar (v4) finds them.

So Argo CD finds Helm's value files, of which later ones win: folder by folder, and not simply by the text of the
paths. `*` stays within one level, `**` as a whole level spans any number, `{a,b}` chooses, `[!a-c]` is a class.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Mapping

Listing = Callable[[str], Mapping[str, bool] | None]
"""What is in a folder ("" is the root): name -> whether it is a folder, in order; None where there is no such folder."""

_DEEPEST = 64
_MOST = 10_000
_SIGN = re.compile(r"\\.|[*?\[{]", re.DOTALL)


def find(pattern: str, listing: Listing) -> list[str]:
    """The files that a pattern matches. Raises `ValueError` for a malformed one, and where it matches too much."""
    _check(pattern)
    return _find(pattern, listing, files=True)


def _check(pattern: str) -> None:
    depth, at = 0, 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\" and at + 1 == len(pattern):
            raise ValueError("nothing follows the last \\")
        if sign == "[":
            at = _class(pattern, at + 1)[1] - 1
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            raise ValueError("} without {")
        at += 2 if sign == "\\" else 1
    if depth:
        raise ValueError("{ without }")


def _find(pattern: str, listing: Listing, *, files: bool) -> list[str]:
    """`files`: files are wanted, otherwise folders."""
    first = next((found.start() for found in _SIGN.finditer(pattern) if found[0][0] != "\\"), -1)
    if first < 0:
        path = _plain(pattern)
        folder, _, name = path.rpartition("/")
        there = not path or (listing(folder) or {}).get(name) is not None
        return [path] if there and (listing(path) is None) == files else []
    split = _last(pattern)
    if split >= 0 and pattern[split] == "}":
        return _chosen(pattern, split, listing, files=files)
    above, name = (pattern[:split], pattern[split + 1 :]) if split >= 0 else ("", pattern)
    folders = [_plain(above)] if split <= first else _find(above, listing, files=False)
    found = [path for folder in folders for path in _inside(folder, name, listing, files=files)]
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST} matches")
    return found


def _inside(folder: str, name: str, listing: Listing, *, files: bool) -> list[str]:
    if name == "**":
        return _below(folder, listing, files=files)
    matches = _level(name)
    return [
        posixpath.join(folder, each)
        for each, is_folder in (listing(folder) or {}).items()
        if is_folder != files and matches(each)
    ]


def _below(folder: str, listing: Listing, *, files: bool, depth: int = 0) -> list[str]:
    inside = listing(folder)
    if inside is None:
        return []
    if depth > _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} folders inside each other")
    found = [] if files else [folder]
    for name, is_folder in inside.items():
        path = posixpath.join(folder, name)
        if is_folder:
            found += _below(path, listing, files=files, depth=depth + 1)
        elif files:
            found.append(path)
        if len(found) > _MOST:
            raise ValueError(f"more than {_MOST} matches")
    return found


def _chosen(pattern: str, closing: int, listing: Listing, *, files: bool) -> list[str]:
    """What the last choice of a pattern gives, in the order of paths; an empty last alternative counts as none."""
    opening = _opening(pattern, closing)
    split = _last(pattern[:opening])
    folders, start = [""], 0
    if split >= 0 and pattern[split] == "/":
        folders, start = _find(pattern[:split], listing, files=False), split + 1
    out: list[str] = []
    for folder in folders:
        above = f"{_escaped(folder)}/" if folder else ""
        found: list[str] = []
        at = opening + 1
        while at < closing:
            end = _comma(pattern, at, closing)
            one = f"{above}{pattern[start:opening]}{pattern[at:end]}{pattern[closing + 1 :]}"
            more = _find(one, listing, files=files)
            found = sorted({*found, *more}) if found and more else found + more
            at = end + 1
        out += found
    return out


def _opening(pattern: str, closing: int) -> int:
    depth = 0
    for at in range(closing, -1, -1):
        if at and pattern[at - 1] == "\\":
            continue
        depth += (pattern[at] == "}") - (pattern[at] == "{")
        if not depth:
            return at
    raise ValueError("} without {")


def _comma(pattern: str, at: int, closing: int) -> int:
    depth = 0
    while at < closing:
        sign = pattern[at]
        if sign == "," and not depth:
            return at
        depth += (sign == "{") - (sign == "}")
        at += 2 if sign == "\\" else 1
    return closing


def _last(pattern: str) -> int:
    """Where the last `/` or `}` is that nothing escapes."""
    for at in range(len(pattern) - 1, -1, -1):
        if pattern[at] in "/}" and (not at or pattern[at - 1] != "\\"):
            return at
    return -1


def _plain(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def _escaped(path: str) -> str:
    return re.sub(r"[*?\[{\\]", r"\\\g<0>", path)


@functools.lru_cache(maxsize=1024)
def _level(pattern: str) -> Callable[[str], bool]:
    """Matches names of one level."""
    text, at = "", 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "*":
            text += "" if text.endswith(".*") else ".*"
        elif sign == "?":
            text += "."
        elif sign == "[":
            inside, at = _class(pattern, at)
            text += inside
        else:
            if sign == "\\":
                sign, at = pattern[at], at + 1
            text += re.escape(sign)
    compiled = re.compile(text, re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _class(pattern: str, at: int) -> tuple[str, int]:
    """A class after its `[`: its regular expression, and the place after its `]`."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    parts: list[str] = []
    low = ""
    while pattern[at : at + 1] not in ("", "]"):
        sign, at = _sign(pattern, at)
        if low and sign == "-" and pattern[at - 2 : at - 1] != "\\" and pattern[at : at + 1] not in ("", "]"):
            high, at = _sign(pattern, at)
            if low <= high:
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
            low = ""
            continue
        parts.append(re.escape(sign))
        low = sign
    if pattern[at : at + 1] != "]":
        raise ValueError("[ without ]")
    if not parts:
        raise ValueError("[] is an empty class")
    return f"[{'^' if negated else ''}{''.join(parts)}]", at + 1


def _sign(pattern: str, at: int) -> tuple[str, int]:
    return (pattern[at + 1 : at + 2], at + 2) if pattern[at] == "\\" else (pattern[at], at + 1)
