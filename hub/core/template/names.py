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
_SPELLED = """
ßss æae øo đd łl þth ðd œoe ıi ŋng ħh ŧt ΞKs
αa βb γg δd εe ζz ηe θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υu φph χkh ψps ωo
аa бb вv гg дd еe жzh зz иi кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ъ' ыy ь' эe юiu
яia іi єie їyi ґg' ђdj јj љlj њnj ћtsh џdzh ѕdz ѓgj ќkj ёio
"""
_LETTERS = {entry[0]: entry[1:] for entry in _SPELLED.split()}
"""Lower-case letters as gosimple/unidecode writes them, and capitals that it writes otherwise."""


def _transliterate(text: str) -> str:
    return "".join(_ascii(sign) for sign in text)


def _ascii(sign: str) -> str:
    if sign in _WORDS:
        return _WORDS[sign]
    if sign.isascii():
        return sign
    known = _LETTERS.get(sign) or _LETTERS.get(sign.lower())
    if known is not None:
        return known
    parts = unicodedata.normalize("NFKD", sign)
    if parts == sign or len(parts) > 20:
        return ""
    return "".join(part if part.isascii() else _LETTERS.get(part.lower(), "") for part in parts)


def _smart_cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    dash = text.rfind("-", 0, longest + 1)
    return text[: dash if dash >= 0 else longest]
