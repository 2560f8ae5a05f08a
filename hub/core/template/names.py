"""Names made out of any text: Argo CD's `normalize` and `slugify`, and the slugs of branch names."""

from __future__ import annotations

import re
import unicodedata

_NOT_DNS = re.compile(r"[^-a-z0-9.]")
_NOT_SLUG = re.compile(r"[^a-z0-9\-_]")
_DASHES = re.compile(r"-+")
MAX_NAME = 253


def normalize(name: str) -> str:
    """Lower case; what is no letter, digit, `-` or `.` becomes `-`; at most 253 bytes; no `-` or `.` at the
    ends.
    """
    return _NOT_DNS.sub("-", _lower(name))[:MAX_NAME].strip("-.")


def _lower(text: str) -> str:
    """Go's ToLower maps sign by sign; Python's `İ` would become two."""
    if text.isascii():
        return text.lower()
    return "".join(lowered if len(lowered := sign.lower()) == 1 else sign for sign in text)


def slugify(text: str, longest: int = 50, smart: bool = True) -> str:
    """`normalize`, then a slug of at most `longest` characters, cut at a dash when `smart`."""
    return slug(normalize(text), longest, smart)


def slug(text: str, longest: int = 50, smart: bool = True) -> str:
    """gosimple/slug: transliterated, lower case, everything else a dash. `longest` 0 is unlimited when
    `smart`.
    """
    text = _transliterate(text).lower()
    if not smart and len(text) >= longest:
        text = text[:longest]
    text = _DASHES.sub("-", _NOT_SLUG.sub("-", text)).strip("-_")
    return _smart_cut(text, longest) if smart and longest > 0 else text


_WORDS = {"_": "-", "&": "and", "@": "at", "'": "", '"': "", "’": "", "‒": "-", "–": "-", "—": "-", "―": "-"}
_LETTERS = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L",
    "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "œ": "oe", "Œ": "OE", "ı": "i", "ŋ": "ng", "Ŋ": "NG",
}  # fmt: skip


def _transliterate(text: str) -> str:
    out = []
    for sign in text:
        if sign in _WORDS:
            out.append(_WORDS[sign])
        elif sign.isascii():
            out.append(sign)
        elif sign in _LETTERS:
            out.append(_LETTERS[sign])
        else:
            plain = unicodedata.normalize("NFKD", sign)
            out.append("".join(part for part in plain if part.isascii()))
    return "".join(out)


def _smart_cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    dash = text.rfind("-", 0, longest + 1)
    return text[: dash if dash >= 0 else longest]
