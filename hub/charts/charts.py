"""Charts and artifacts answered for as Git repositories are: heads, what a revision means, and the files.

Heads of a chart are its versions, of an artifact its tags; a commit is a chart's version or an artifact's
digest. What was fetched once lies under its SHA-256, and a version stays what it was when it was first
fetched: a chart that is published again under the same version changes nothing here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson

from argosy.errors import ArgosyError, Invalid, NotFound, Unavailable
from hub.charts import archive, keyring
from hub.charts.client import Client
from hub.charts.keyring import Keyring
from hub.charts.registry import CHART_LAYER, DIGEST, Registry
from hub.core.apps import charts
from hub.core.apps.charts import Place, Release
from hub.core.matching import semver
from hub.core.tree import Tree

MAX_INDEX = 128 * 1024 * 1024
FRESH = 5.0
"""Seconds for which one reading of an index answers for other charts too: they are often looked at together."""
UNUSED = 30 * 86400.0
_KEPT_BYTES = 64 * 1024 * 1024


@dataclass
class _Index:
    """The index of one repository as last read."""

    body: bytes = b""
    etag: str = ""
    read: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    parsed: dict[str, tuple[Release, ...]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    """Charts that this reading has answered for: when they are looked at again, it is read again."""


class Charts:
    """Answers `refs`, `resolve` and `tree` for addresses of `hub.core.apps.charts`, from `folder` where it can.

    `keys` may be replaced at any time. `plain` (for tests and `insecureOCIForceHttp`) speaks HTTP to registries
    on this machine's loopback.
    """

    def __init__(self, folder: Path, keys: Keyring | None = None, *, seconds: float = 60.0) -> None:
        self.keys = keys or Keyring()
        self.fetches = 0
        """Archives fetched over the network so far."""
        self._folder = folder
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._indexes: dict[str, _Index] = {}
        self._used: dict[str, set[str]] = {}
        self._trees: OrderedDict[tuple[str, str], Tree] = OrderedDict()
        self._sizes: dict[tuple[str, str], int] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def refs(self, url: str) -> Mapping[str, str]:
        """Version -> digest for a chart of an index, tag -> digest ("" while nobody needs it) for a registry.

        Raises `Unavailable`, `NotFound`, `Invalid`.
        """
        place = charts.place(url)
        if place.protocol != charts.OCI:
            return {release.version: release.digest for release in await self._releases(place, again=True)}
        registry, used = self._registry(place), self._used.get(url, set())
        found: dict[str, str] = {}
        if not used or any(semver.is_range(revision) for revision in used):
            found = dict.fromkeys(await registry.tags(), "")
        if not place.chart:
            for revision in used:
                if not semver.is_range(revision) and not DIGEST.match(revision):
                    found[revision] = await registry.digest(revision)
        return found or dict.fromkeys(used, "")

    async def resolve(self, url: str, target: str, *, refs: Mapping[str, str]) -> str:
        """A chart's version, or an artifact's digest. Raises `NotFound` where nothing is called so."""
        place = charts.place(url)
        self._used.setdefault(url, set()).add(target)
        shown = f"{place.repository}{'' if place.protocol == charts.OCI else f'/{place.chart}'}"
        if place.protocol != charts.OCI:
            return charts.choose(target, list(refs), shown)
        tag = target
        if semver.is_range(target):
            # A tag cannot have a plus sign, so registries hold an underscore in its place.
            tag = charts.choose(target, [name.replace("_", "+") for name in refs], shown).replace("+", "_")
        if place.chart:
            return tag.replace("_", "+") if semver.is_range(target) else tag
        if DIGEST.match(tag):
            return tag
        if tag == "HEAD":
            tag = "latest"
        return refs.get(tag) or await self._registry(place).digest(tag)

    async def tree(self, url: str, commit: str) -> Tree:
        """The files of a chart or an artifact. Raises `Unavailable`, `NotFound`, `Invalid`."""
        key = (url, commit)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if (known := self._trees.get(key)) is not None:
                self._trees.move_to_end(key)
                return known
            place = charts.place(url)
            data, media = await self._archive(place, commit)
            strip = bool(place.chart) or media == CHART_LAYER
            what = f"{place.repository} {place.chart} {commit}"
            found = await asyncio.to_thread(archive.tree, data, commit, what, strip=strip)
            self._hold(key, found)
            return found

    def _hold(self, key: tuple[str, str], found: Tree) -> None:
        """Keeps what was unpacked last; the newest always, however large it is."""
        self._trees[key] = found
        self._sizes[key] = sum(len(found.read(path)) for path in found.paths())
        while len(self._trees) > 1 and sum(self._sizes.values()) > _KEPT_BYTES:
            gone, _ = self._trees.popitem(last=False)
            self._sizes.pop(gone)
            self._locks.pop(gone, None)

    async def tidy(self, now: float) -> None:
        """Forgets archives that nobody has asked for in a month. `now` is Unix seconds."""
        await asyncio.to_thread(self._forget, now - UNUSED)

    def _forget(self, before: float) -> None:
        for place in ("pins", "blobs"):
            for path in (self._folder / place).glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()

    # --- archives -------------------------------------------------------------------------------------------------

    async def _archive(self, place: Place, version: str) -> tuple[bytes, str]:
        """(the archive, its media type), from the cache where the version is pinned and the content is whole."""
        identity = archive.sha256(orjson.dumps([place.protocol, place.repository, place.chart, version]))
        pin = self._folder / "pins" / identity
        kept = await asyncio.to_thread(self._kept, pin)
        if kept is not None:
            return kept
        self.fetches += 1
        if place.protocol == charts.OCI:
            tag = version if DIGEST.match(version) else version.replace("+", "_")
            _, media, data = await self._registry(place).content(tag)
        else:
            media, data = CHART_LAYER, await self._download(place, version)
        await asyncio.to_thread(self._keep, pin, data, media)
        return data, media

    async def _download(self, place: Place, version: str) -> bytes:
        for release in await self._releases(place):
            if release.version == version:
                break
        else:
            raise NotFound(f"{place.repository}: no version {version!r} of {place.chart}")
        failure: ArgosyError = Unavailable(f"{place.repository}: {place.chart} {version}: no URL")
        for given in release.urls:
            url = urljoin(f"{place.repository}/", given)
            if urlsplit(url).scheme not in ("http", "https"):
                failure = Invalid(
                    f"{place.repository}: {place.chart} {version}: {url} is neither http nor https"
                )
                continue
            try:
                answer = await self._client(place.repository, place.repository, passing=place.passing).get(
                    url, archive.MAX_ARCHIVE
                )
            except ArgosyError as error:
                failure = error
                continue
            found = archive.sha256(answer.body)
            if release.digest and found != release.digest:
                raise Unavailable(f"{url}: has digest {found}, the index says {release.digest}")
            return answer.body
        raise failure

    def _kept(self, pin: Path) -> tuple[bytes, str] | None:
        try:
            digest, media = pin.read_text().split()
            blob = self._folder / "blobs" / digest
            data = blob.read_bytes()
            for path in (pin, blob):
                os.utime(path)
        except (OSError, ValueError):
            return None
        return (data, media) if archive.sha256(data) == digest else None

    def _keep(self, pin: Path, data: bytes, media: str) -> None:
        digest = archive.sha256(data)
        _write(self._folder / "blobs" / digest, data)
        _write(pin, f"{digest} {media}".encode())

    # --- indexes --------------------------------------------------------------------------------------------------

    async def _releases(self, place: Place, *, again: bool = False) -> tuple[Release, ...]:
        index = self._indexes.setdefault(place.repository, _Index())
        url = f"{place.repository}/index.yaml"
        async with index.lock:
            old = time.monotonic() - index.read > FRESH or place.chart in index.answered
            if not index.body or (again and old):
                await self._read(place, index, url)
            if again:
                index.answered.add(place.chart)
            if place.chart not in index.parsed:
                index.parsed[place.chart] = await asyncio.to_thread(
                    charts.releases, index.body, place.chart, url
                )
            return index.parsed[place.chart]

    async def _read(self, place: Place, index: _Index, url: str) -> None:
        known = {"If-None-Match": index.etag} if index.etag and index.body else {}
        answer = await self._client(place.repository, place.repository).get(url, MAX_INDEX, headers=known)
        index.read = time.monotonic()
        index.answered.clear()
        if answer.status == 304:
            return
        if answer.body != index.body:
            index.body, index.parsed = answer.body, {}
        index.etag = answer.headers.get("etag", "")

    # --- clients --------------------------------------------------------------------------------------------------

    def _registry(self, place: Place) -> Registry:
        host, _, repository = place.repository.partition("/")
        plain = self.keys.of(place.repository).plain_http
        return Registry(
            self._client(f"{'http' if plain else 'https'}://{host}", place.repository), repository
        )

    def _client(self, base: str, repository: str, *, passing: bool = False) -> Client:
        held = self.keys.of(repository)
        parts = urlsplit(base)
        place = parts.netloc.rpartition("@")[2]
        tls = keyring.context(held, self.keys.authorities.get((parts.hostname or "").lower(), ""))
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return Client(
            self._session,
            f"{parts.scheme}://{place}",
            held.username,
            held.password,
            held.bearer_token,
            tls,
            passing,
            self._seconds,
        )


def _write(path: Path, data: bytes) -> None:
    """Complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with contextlib.ExitStack() as undo:
        undo.callback(part.unlink, missing_ok=True)
        part.write_bytes(data)
        part.replace(path)
