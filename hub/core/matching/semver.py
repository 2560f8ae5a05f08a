"""Versions and ranges as Masterminds/semver v3 reads them: Helm's and Argo CD's rules, not npm's.

Comma and blank are AND, `||` is OR. A range admits prereleases only where one of its comparators names one.
`~>` is `~`, `=>` is `>=`, hyphen ranges and `x` wildcards work.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from argosy.errors import Invalid

_NUMBER = r"v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?"
_TAIL = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?" + _TAIL + r"\Z")
_COMPARATOR = re.compile(r"\s*(=>|=<|>=|<=|!=|~>|==|=|>|<|~|\^|)\s*" + _NUMBER + _TAIL + r"\s*(?=[,\s]|\Z)")
_HYPHEN = re.compile(rf"\s*({_NUMBER}{_TAIL})\s+-\s+({_NUMBER}{_TAIL})\s*")
_GENERIC = re.compile(r"v?((?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+)(?!\.?\d)", re.ASCII)
MAX_NUMBER = 2**64
MAX_TEXT = 1000


@functools.total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version. Metadata takes no part in comparisons."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    metadata: str = ""
    original: str = ""

    def __str__(self) -> str:
        tail = (f"-{self.prerelease}" if self.prerelease else "") + (
            f"+{self.metadata}" if self.metadata else ""
        )
        return f"{self.major}.{self.minor}.{self.patch}{tail}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.order == other.order

    def __hash__(self) -> int:
        return hash(self.order)

    def __lt__(self, other: Version) -> bool:
        return self.order < other.order

    @property
    def order(self) -> tuple[int, int, int, tuple[tuple[int, int, str], ...]]:
        """Sorts as semver demands: a release after all its prereleases, numbers before words."""
        if not self.prerelease:
            return self.major, self.minor, self.patch, ((2, 0, ""),)
        parts = [
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease.split(".")
        ]
        return self.major, self.minor, self.patch, tuple(parts)

    def __gotemplate_lookup__(self, name: str) -> object:
        """What a Go template may ask of a version; KeyError for anything else."""
        return {
            "Major": self.major,
            "Minor": self.minor,
            "Patch": self.patch,
            "Prerelease": self.prerelease,
            "Metadata": self.metadata,
            "Original": self.original,
            "String": str(self),
        }[name]


def parse_version(text: str) -> Version:
    """`v1.2`, `1.2.3-rc.1+build`: missing parts are 0. Raises ValueError."""
    found = _VERSION.match(text) if len(text) <= MAX_TEXT else None
    if not found:
        raise ValueError(f"invalid semantic version {text!r}")
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    if max(major, minor, patch) >= MAX_NUMBER:
        raise ValueError(f"invalid semantic version {text!r}: number too large")
    prerelease = found[4] or ""
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in prerelease.split(".")):
        raise ValueError(f"invalid semantic version {text!r}: version segment starts with 0")
    return Version(major, minor, patch, prerelease, found[5] or "", text)


@dataclass(frozen=True, slots=True)
class _Comparator:
    operator: str
    version: Version
    dirty: bool
    """Some part is missing or a wildcard."""
    minor_dirty: bool
    patch_dirty: bool

    def check(self, version: Version, prereleases: bool) -> bool:
        if version.prerelease and not self.version.prerelease and not prereleases:
            return False
        return _CHECKS[self.operator](self, version)


def _equal(wanted: _Comparator, version: Version) -> bool:
    return _tilde(wanted, version) if wanted.dirty else version == wanted.version


def _not_equal(wanted: _Comparator, version: Version) -> bool:
    if not wanted.dirty:
        return version != wanted.version
    if version.major != wanted.version.major:
        return True
    if wanted.minor_dirty:
        return False
    return version.minor != wanted.version.minor


def _greater(wanted: _Comparator, version: Version) -> bool:
    if not wanted.dirty:
        return version > wanted.version
    if version.major != wanted.version.major:
        return version.major > wanted.version.major
    if wanted.minor_dirty:
        return False
    return version.minor > wanted.version.minor if wanted.patch_dirty else version > wanted.version


def _less(wanted: _Comparator, version: Version) -> bool:
    return version < wanted.version


def _greater_equal(wanted: _Comparator, version: Version) -> bool:
    return version >= wanted.version


def _less_equal(wanted: _Comparator, version: Version) -> bool:
    if not wanted.dirty:
        return version <= wanted.version
    if version.major != wanted.version.major:
        return version.major < wanted.version.major
    return wanted.minor_dirty or version.minor <= wanted.version.minor


def _tilde(wanted: _Comparator, version: Version) -> bool:
    base = wanted.version
    if (
        (base.major, base.minor, base.patch) == (0, 0, 0)
        and not wanted.minor_dirty
        and not wanted.patch_dirty
    ):
        return True
    if version < wanted.version or version.major != wanted.version.major:
        return False
    return wanted.minor_dirty or version.minor == wanted.version.minor


def _caret(wanted: _Comparator, version: Version) -> bool:
    base = wanted.version
    if version < base:
        return False
    if base.major > 0 or wanted.minor_dirty:
        return version.major == base.major
    if version.major != 0:
        return False
    if base.minor > 0 or wanted.patch_dirty:
        return version.minor == base.minor
    return version.minor == 0 and version.patch == base.patch


_CHECKS = {
    "": _equal,
    "=": _equal,
    "==": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _greater_equal,
    "=>": _greater_equal,
    "<=": _less_equal,
    "=<": _less_equal,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}


class Range:
    """A compiled constraint."""

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        if len(text) > MAX_TEXT:
            raise ValueError("improper constraint: too long")
        self._groups = [_group(part, text) for part in text.split("||")]

    def admits(self, version: Version) -> bool:
        """True where every comparator of one alternative agrees."""
        return any(
            all(one.check(version, any(other.version.prerelease for other in group)) for one in group)
            for group in self._groups
        )


def _group(part: str, whole: str) -> list[_Comparator]:
    text = _HYPHEN.sub(_unhyphened, part)
    found, at = [], 0
    while at < len(text):
        match = _COMPARATOR.match(text, at)
        if not match or match.end() == at:
            raise ValueError(f"improper constraint: {whole}")
        found.append(_comparator(match, whole))
        at = match.end()
        comma = re.match(r"\s*,\s*", text[at:])
        at += comma.end() if comma else 0
        if comma and at == len(text):
            raise ValueError(f"improper constraint: {whole}")
    if not found:
        raise ValueError(f"improper constraint: {whole}")
    return found


def _unhyphened(found: re.Match[str]) -> str:
    return f" >={found[1]} <={found[7]} "


def _comparator(found: re.Match[str], whole: str) -> _Comparator:
    operator, *numbers = found.groups()[:4]
    wild = [number is None or number in "xX*" for number in numbers]
    if wild[1]:
        wild[2] = True
    major, minor, patch = (
        0 if is_wild else int(number) for number, is_wild in zip(numbers, wild, strict=True)
    )
    if max(major, minor, patch) >= MAX_NUMBER:
        raise ValueError(f"improper constraint: {whole}")
    if wild[0]:
        minor = patch = 0
    version = Version(major, minor, patch, found[5] or "", found[6] or "")
    return _Comparator(operator, version, any(wild), wild[1] and not wild[0], wild[2] and not wild[0])


@functools.lru_cache(maxsize=1024)
def compile_range(text: str) -> Range:
    """Raises ValueError."""
    return Range(text)


def is_range(text: str) -> bool:
    """True for a constraint that is not just one version."""
    if _VERSION.match(text):
        return False
    try:
        compile_range(text)
    except ValueError:
        return False
    return True


def compare(constraint: str, version: str) -> bool:
    """The template function `semverCompare`. Raises ValueError."""
    return compile_range(constraint).admits(parse_version(version))


def highest(constraint: str, tags: Iterable[str]) -> str | None:
    """The tag with the highest version that a constraint admits, as Argo CD resolves `targetRevision`.

    None where nothing is admitted, and for a text that is no constraint: a single version is a pin, not a
    range.
    """
    try:
        parse_version(constraint)
    except ValueError:
        pass
    else:
        return None
    try:
        wanted = compile_range(constraint)
    except ValueError:
        return None
    best: tuple[Version, str] | None = None
    for tag in tags:
        try:
            version = parse_version(tag)
        except ValueError:
            continue
        if wanted.admits(version) and (best is None or version > best[0]):
            best = (version, tag)
    return best[1] if best else None


def generic(text: str, where: str) -> str:
    """A version as Kubernetes' `ParseGeneric` reads it, without what distributions add: `v1.31.2-gke.1` is `1.31.2`.

    Raises `Invalid`, beginning with `where`, for what is no version.
    """
    found = _GENERIC.match(text.strip())
    if not found:
        raise Invalid(f"{where}: {text!r} is no version of Kubernetes, 1.37 or v1.37.2 is expected")
    return found[1]
