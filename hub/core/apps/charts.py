"""Charts and artifacts as addresses, the index of a chart repository, and the dependencies a chart declares.

A chart is looked up by one address, as a Git repository is: `chart+https://host/path/NAME` in an index
repository, `chart+oci://host/path/NAME` in a registry, `oci://host/path` for an artifact that is no chart by
declaration. So polling, known heads and failures are those of every other source. Pure: nothing is fetched
here, and where archives come from is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid, NotFound
from hub.core import repos
from hub.core.matching import semver

OCI = "oci"
_MARK, _MARK_PASSING = "chart+", "chartpass+"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
MAX_CHART_ENTRY = 16 * 1024 * 1024
"""Bytes of an index that may speak of one chart."""
MAX_FLOWING = 4 * 1024 * 1024
"""Bytes of an index that is not laid out in lines by chart, and so must be read as a whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address taken apart. `repository` is the index repository's URL, or `host/path` of a registry's
    repository with the chart's name in it. `chart` is "" for an artifact that is not asked for as a chart.
    """

    protocol: str
    repository: str
    chart: str = ""
    passing: bool = False
    """Credentials also go to other hosts that the index names (`passCredentials`)."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a chart in an index. `digest` is its hexadecimal SHA-256, "" where the index has none."""

    version: str
    urls: tuple[str, ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that another needs. `folder` is a path beside the chart for `file://`, else `address` says
    where it is; with neither it must lie in `charts/` already.
    """

    name: str
    version: str
    address: str = ""
    folder: str = ""


def address(repo: str, chart: str, where: str, *, passing: bool = False) -> str:
    """The address of a chart of a repository: `https://…` is an index, `oci://…` or no protocol a registry.

    Raises `Invalid`, beginning with `where`, for what is neither.
    """
    protocol, sign, rest = repo.strip().partition("://")
    if not sign:
        protocol, rest = OCI, protocol
    rest = rest.rstrip("/")
    wrong = not rest or "?" in rest or "#" in rest or repos.strays(rest)
    if wrong or protocol not in (OCI, "http", "https"):
        raise Invalid(f"{where}.repoURL: {repo!r} is no chart repository: https://…, oci://… or HOST/PATH")
    if not (_PATH if protocol == OCI else _NAME).match(chart):
        raise Invalid(f"{where}.chart: {chart!r} is no chart's name")
    mark = _MARK_PASSING if passing and protocol != OCI else _MARK
    return f"{mark}{protocol}://{rest}/{chart}"


def is_address(text: str) -> bool:
    """Whether a source's address is a chart's or an artifact's, and no Git repository's."""
    return text.startswith((_MARK, _MARK_PASSING, "oci://"))


def shown(text: str) -> str:
    """An address as people write it: the repository, and the chart's name at its end."""
    return text.removeprefix(_MARK_PASSING).removeprefix(_MARK)


def is_at(text: str, repo: str) -> bool:
    """Whether an address is of a repository, or is that of the chart itself, however it is written."""
    wanted = repo.strip().rstrip("/").removeprefix("oci://")
    bare = shown(text).removeprefix("oci://")
    return wanted in (bare, bare.rpartition("/")[0])


def place(text: str) -> Place:
    """Raises `Invalid` for what `address` does not make and what is no `oci://HOST/PATH`."""
    passing = text.startswith(_MARK_PASSING)
    bare = text.removeprefix(_MARK_PASSING if passing else _MARK)
    protocol, sign, rest = bare.partition("://")
    rest = rest.rstrip("/")
    chart = rest.rpartition("/")[2] if bare != text else ""
    if not sign or "/" not in rest or repos.strays(rest):
        raise Invalid(f"{text}: expected oci://HOST/REPOSITORY")
    if protocol == OCI:
        return Place(OCI, rest, chart)
    return Place(protocol, f"{protocol}://{rest.rpartition('/')[0]}", chart, passing)


def releases(index: bytes, chart: str, source: str) -> tuple[Release, ...]:
    """The versions of one chart in an `index.yaml`. Of the index only the lines about that chart are read:
    it may be tens of megabytes long.

    Raises `NotFound` where the chart is not there, `Invalid` where the index cannot be read.
    """
    part = _entry(index, chart)
    if part is None and len(index) > MAX_FLOWING:
        if _laid_out(index):
            raise NotFound(f"{source}: no chart {chart!r} in the index")
        raise Invalid(
            f"{source}: an index of more than {MAX_FLOWING} bytes must have a chart's versions in lines"
        )
    limits = yamlio.Limits(size=MAX_CHART_ENTRY)
    found = yamlio.load_first(part if part is not None else index, source=source, limits=limits)
    entries = found.get("entries") if isinstance(found, dict) else None
    if not isinstance(entries, dict):
        raise Invalid(f"{source}: no index of a chart repository: entries are missing")
    listed = entries.get(chart)
    if not isinstance(listed, list):
        raise NotFound(f"{source}: no chart {chart!r} in the index")
    return tuple(_releases(listed))


def _releases(listed: Sequence[Any]) -> Iterator[Release]:
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("version"), str):
            continue
        urls = entry.get("urls")
        digest = _DIGEST.match(str(entry.get("digest") or ""))
        if isinstance(urls, list) and urls and all(isinstance(url, str) for url in urls):
            yield Release(entry["version"], tuple(urls), digest[1] if digest else "")


def _laid_out(index: bytes) -> bool:
    return re.search(rb"(?m)^entries:[ \t]*\r?$", index) is not None


def _entry(index: bytes, chart: str) -> bytes | None:
    """The lines of one chart as an index of its own, None where the index is not laid out so."""
    head = re.search(rb"(?m)^entries:[ \t]*\r?\n", index)
    if head is None:
        return None
    name = re.escape(chart.encode())
    start = re.compile(rb"(?m)^( +)(?:" + name + rb"|\"" + name + rb"\"|'" + name + rb"'):[ \t]*\r?\n")
    first = re.compile(rb"( *)\S").match(index, head.end())
    for found in start.finditer(index, head.end()):
        indent = found[1]
        if first is None or indent != first[1]:
            continue
        end = re.compile(rb"(?m)^(?: {0,%d}[^ \-\r\n#]|\S)" % len(indent)).search(index, found.end())
        return b"entries:\n" + index[found.start() : end.start() if end else len(index)]
    return None


def choose(revision: str, versions: Sequence[str], what: str) -> str:
    """The version that a `targetRevision` means: itself where it is one, else the highest that its range
    admits (Masterminds' rules, as Argo CD's `versions.MaxVersion`). Raises `NotFound`.
    """
    if revision in versions:
        return revision
    if semver.is_range(revision):
        best = semver.highest(revision, versions)
        if best is None:
            raise NotFound(f"{what}: no version satisfies {revision!r}")
        return best
    for version in versions:
        if _same(revision, version):
            return version
    raise NotFound(f"{what}: no version {revision!r}")


def _same(left: str, right: str) -> bool:
    try:
        one, other = semver.parse_version(left), semver.parse_version(right)
    except ValueError:
        return False
    return one == other and one.metadata == other.metadata


def dependencies(chart: bytes, lock: bytes | None, source: str) -> tuple[Dependency, ...]:
    """What `Chart.yaml` (or the `requirements.yaml` of an old chart) declares, at the versions of its lock.

    Raises `Invalid` naming the entry for a repository that cannot be used.
    """
    found = _mapping(chart, source)
    locked = _mapping(lock, f"{source}'s lock") if lock else {}
    pinned = {
        (str(entry.get("name")), str(entry.get("repository") or "")): str(entry.get("version") or "")
        for entry in _listed(locked)
    }
    result = []
    for at, entry in enumerate(_listed(found)):
        name, repository = str(entry.get("name") or ""), str(entry.get("repository") or "")
        where = f"{source}: dependencies[{at}]"
        if not _NAME.match(name):
            raise Invalid(f"{where}.name: {name!r} is no chart's name")
        version = pinned.get((name, repository)) or str(entry.get("version") or "") or ">=0"
        result.append(_dependency(name, version, repository, where))
    return tuple(result)


def _dependency(name: str, version: str, repository: str, where: str) -> Dependency:
    if not repository:
        return Dependency(name, version)
    if repository.startswith("file://"):
        return Dependency(name, version, folder=repository.removeprefix("file://"))
    if repository.startswith(("@", "alias:")):
        raise Invalid(
            f"{where}.repository: {repository} is an alias of somebody's own machine; write the URL instead"
        )
    try:
        return Dependency(name, version, address=address(repository, name, where))
    except Invalid:
        raise Invalid(
            f"{where}.repository: {repository} is not supported: https://…, oci://… or file://…"
        ) from None


def _mapping(data: bytes, source: str) -> Mapping[str, Any]:
    found = yamlio.load_first(data, source=source)
    if not isinstance(found, dict):
        raise Invalid(f"{source}: a mapping is expected")
    return found


def _listed(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = found.get("dependencies") or []
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def missing(wanted: Sequence[Dependency], vendored: Collection[str]) -> list[Dependency]:
    """The dependencies that `charts/` does not hold. `vendored` are its entries: folders and archives."""
    return [
        one
        for one in wanted
        if one.name not in vendored
        and not any(
            re.fullmatch(rf"{re.escape(one.name)}-v?\d[^/]*\.tgz", entry) is not None for entry in vendored
        )
    ]
