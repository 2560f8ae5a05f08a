"""Artifacts of OCI registries as trees: `oci://host/repository` at a tag, a version range or a digest.

Speaks the distribution API itself: token authentication, pages of tags, digests checked. An archive is
unpacked in memory, with bounds, and nothing of it can leave its root.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from argosy.errors import ArgosyError, Invalid, NotFound, Unavailable
from hub.core.matching import semver
from hub.core.tree import MemoryTree, Tree
from hub.core.types import Answer, Complete, Failed
from hub.providers.base import whole

SCHEME = "oci://"
MAX_BLOB = 100 * 1024 * 1024
MAX_UNPACKED = 400 * 1024 * 1024
MAX_FILES = 100_000
MAX_PAGES = 1000
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LAYER = re.compile(
    r"application/vnd\.(oci\.image\.layer\.v1|cncf\.\S+|docker\.image\.rootfs\.diff)\.?\S*tar(\+?\.?gzip)?\Z"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass
class Registry:
    """One repository of one registry, until `deadline` (the running loop's clock). `plain_http` is for
    tests and registries without TLS.
    """

    session: aiohttp.ClientSession
    host: str
    repository: str
    deadline: float
    username: str = ""
    password: str = field(default="", repr=False)
    plain_http: bool = False
    _authorization: str = field(default="", repr=False)

    async def tags(self) -> list[str]:
        found: list[str] = []
        place = f"/v2/{self.repository}/tags/list?n=1000"
        for _ in range(MAX_PAGES):
            raw, headers = await self._get(place, "application/json", MAX_BLOB)
            listed = _json(raw, place).get("tags") or []
            if not isinstance(listed, list):
                raise Unavailable(f"{self.host}{place}: tags is no list")
            found += [str(tag) for tag in listed]
            following = re.match(r'<([^>]+)>;\s*rel="?next"?', headers.get("link", ""))
            if not following:
                return found
            place = following[1] if following[1].startswith("/") else "/" + following[1].split("/", 3)[-1]
        raise Unavailable(f"{self.host}: more than {MAX_PAGES} pages of tags")

    async def resolve(self, revision: str) -> str:
        """A digest stands for itself, a version range for its highest tag, anything else is a tag."""
        if _DIGEST.match(revision):
            return revision
        if semver.is_range(revision):
            best = semver.highest(revision, [tag.replace("_", "+") for tag in await self.tags()])
            if best is None:
                raise NotFound(f"{self.host}/{self.repository}: no tag satisfies {revision!r}")
            return best.replace("+", "_")
        return revision or "latest"

    async def manifest(self, reference: str) -> tuple[str, Mapping[str, Any]]:
        """(digest, manifest)."""
        place = f"/v2/{self.repository}/manifests/{reference}"
        raw, _ = await self._get(place, ", ".join(_MANIFESTS), 4 * 1024 * 1024)
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        if _DIGEST.match(reference) and digest != reference:
            raise Unavailable(f"{self.host}{place}: the content has digest {digest}")
        return digest, _json(raw, place)

    async def blob(self, digest: str) -> bytes:
        raw, _ = await self._get(f"/v2/{self.repository}/blobs/{digest}", "*/*", MAX_BLOB)
        if "sha256:" + hashlib.sha256(raw).hexdigest() != digest:
            raise Unavailable(f"{self.host}/{self.repository}: blob {digest} is damaged")
        return raw

    async def _get(self, place: str, accept: str, limit: int) -> tuple[bytes, dict[str, str]]:
        url = f"{'http' if self.plain_http else 'https'}://{self.host}{place}"
        for attempt in range(2):
            try:
                async with asyncio.timeout_at(self.deadline):
                    status, raw, headers = await self._once(url, accept, limit)
            except TimeoutError:
                raise Unavailable(f"{url}: no answer in time") from None
            except aiohttp.ClientError as error:
                raise Unavailable(f"{url}: {error or type(error).__name__}") from None
            if status == 401 and attempt == 0:
                await self._log_in(headers.get("www-authenticate", ""))
            elif status == 404:
                raise NotFound(f"{url}: 404")
            elif status >= 300:
                raise Unavailable(f"{url}: {status} {' '.join(raw[:200].decode('utf-8', 'replace').split())}")
            elif len(raw) > limit:
                raise Unavailable(f"{url}: more than {limit} bytes")
            else:
                return raw, headers
        raise Unavailable(f"{url}: 401, the registry does not accept these credentials")

    async def _once(self, url: str, accept: str, limit: int) -> tuple[int, bytes, dict[str, str]]:
        sent = {"Accept": accept, **({"Authorization": self._authorization} if self._authorization else {})}
        async with self.session.get(url, headers=sent) as answer:
            raw = await whole(answer.content, limit)
            return answer.status, raw, {name.lower(): text for name, text in answer.headers.items()}

    async def _log_in(self, challenge: str) -> None:
        basic = "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            self._authorization = basic
            return
        facts = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in facts:
            raise Unavailable(f"{self.host}: asks for {scheme or 'unknown'} authentication")
        query = {key: facts[key] for key in ("service", "scope") if key in facts}
        headers = {"Authorization": basic} if self.username else {}
        try:
            async with (
                asyncio.timeout_at(self.deadline),
                self.session.get(f"{facts['realm']}?{urlencode(query)}", headers=headers) as answer,
            ):
                body = _json(await whole(answer.content, 1 << 20), facts["realm"])
                if answer.status >= 300:
                    raise Unavailable(f"{facts['realm']}: {answer.status}")
        except TimeoutError:
            raise Unavailable(f"{facts['realm']}: no answer in time") from None
        except aiohttp.ClientError as error:
            raise Unavailable(f"{facts['realm']}: {error}") from None
        token = body.get("token") or body.get("access_token")
        if not token:
            raise Unavailable(f"{facts['realm']}: the answer has no token")
        self._authorization = f"Bearer {token}"


def _json(raw: bytes, place: str) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unavailable(f"{place}: expected a JSON object")
    return body


def split(url: str) -> tuple[str, str]:
    """`oci://host/some/repository` -> (host, repository). Raises `Invalid`."""
    host, slash, repository = url.removeprefix(SCHEME).rstrip("/").partition("/")
    if not url.startswith(SCHEME) or not slash or not host or not repository:
        raise Invalid(f"{url}: expected {SCHEME}HOST/REPOSITORY")
    return host, repository


def unpack(archive: bytes) -> tuple[dict[str, bytes], frozenset[str]]:
    """Files and links of a tar archive, gzipped or not. Raises `Invalid` for one that is damaged or leaves
    its root.
    """
    files: dict[str, bytes] = {}
    links = set()
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
            for member in tar:
                path = posixpath.normpath(member.name)
                if path.startswith(("/", "..")):
                    raise Invalid(f"the archive holds {member.name!r}, which leaves its root")
                total += member.size
                if total > MAX_UNPACKED or len(files) >= MAX_FILES:
                    raise Invalid(f"the archive holds more than {MAX_UNPACKED} bytes or {MAX_FILES} files")
                if member.issym():
                    links.add(path)
                    files[path] = member.linkname.encode()
                elif member.isfile():
                    content = tar.extractfile(member)
                    files[path] = content.read() if content else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Invalid(f"the layer is no tar archive: {error}") from None
    return files, frozenset(links)


async def tree(registry: Registry, revision: str) -> Tree:
    """The files of the artifact's one layer; its commit is the manifest's digest. Raises our errors."""
    digest, manifest = await registry.manifest(await registry.resolve(revision))
    layers = [layer for layer in manifest.get("layers") or () if _LAYER.match(str(layer.get("mediaType")))]
    if len(layers) != 1:
        raise Invalid(
            f"{registry.host}/{registry.repository}: expected one archive layer, found {len(layers)}"
        )
    archive = await registry.blob(str(layers[0].get("digest")))
    files, links = await asyncio.to_thread(unpack, archive)
    return MemoryTree(files, digest, links)


async def answer(
    session: aiohttp.ClientSession,
    url: str,
    revision: str,
    *,
    seconds: float,
    username: str = "",
    password: str = "",
    plain_http: bool = False,
) -> Answer[Tree]:
    """Answers a `TreeRequest` whose repository is an OCI one. Never raises for the registry's fault."""
    try:
        host, repository = split(url)
        deadline = asyncio.get_running_loop().time() + seconds
        registry = Registry(session, host, repository, deadline, username, password, plain_http)
        found = await tree(registry, revision)
    except ArgosyError as error:
        return Failed(error.message)
    return Complete(found, found.commit)
