"""OCI artifacts as trees, from a registry that asks for a token, pages its tags and may lie."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from argosy.errors import Invalid
from hub.core.types import Complete, Failed
from hub.providers import oci


def archive(files: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            tar.addfile(info)
    return out.getvalue()


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class FakeRegistry:
    def __init__(self, layer: bytes, kind: str = "application/vnd.oci.image.layer.v1.tar+gzip") -> None:
        self.layer = layer
        manifest = {
            "schemaVersion": 2,
            "layers": [{"mediaType": kind, "digest": sha(layer), "size": len(layer)}],
        }
        self.manifest = json.dumps(manifest).encode()
        self.tags = ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "latest"]
        self.damaged = False
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/token":
            return web.json_response({"token": "t0k", "scope": request.query.get("scope")})
        if request.headers.get("Authorization") != "Bearer t0k":
            realm = f'Bearer realm="{request.url.origin()}/token",service="s",scope="repository:a/b:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        if request.path == "/v2/a/b/tags/list":
            if request.query.get("last"):
                return web.json_response({"tags": self.tags[2:]})
            link = '</v2/a/b/tags/list?n=2&last=x>; rel="next"'
            return web.json_response({"tags": self.tags[:2]}, headers={"Link": link})
        name = request.path.rpartition("/")[2]
        if "/manifests/" in request.path and name in [*self.tags, sha(self.manifest)]:
            return web.Response(body=self.manifest)
        if "/blobs/" in request.path:
            return web.Response(body=b"x" if self.damaged else self.layer)
        return web.Response(status=404)


async def fetch(registry: FakeRegistry, revision: str) -> Any:
    runner = web.ServerRunner(web.Server(registry.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            url = f"oci://{host}:{port}/a/b"
            return await oci.answer(session, url, revision, seconds=60, plain_http=True)
    finally:
        await runner.cleanup()


FILES = {"./apps/web/k.yaml": b"a: 1\n", "apps/api/k.yaml": b""}


@pytest.mark.parametrize("revision", ["1.2.0", "latest", "", "1.*"])
async def test_the_files_of_an_artifact(revision: str) -> None:
    registry = FakeRegistry(archive(FILES, ("current", "apps/web")))
    found = await fetch(registry, revision)
    assert isinstance(found, Complete)
    assert list(found.value.paths()) == ["apps/api/k.yaml", "apps/web/k.yaml", "current"]
    assert found.value.symlinks() == {"current"}
    assert found.value.read("apps/web/k.yaml") == b"a: 1\n"
    assert found.revision == sha(registry.manifest)


async def test_a_range_takes_the_highest_release_over_all_pages() -> None:
    registry = FakeRegistry(archive(FILES))
    await fetch(registry, "^1")
    assert "/v2/a/b/manifests/1.10.0" in registry.asked


async def test_a_digest_is_held_to() -> None:
    registry = FakeRegistry(archive(FILES))
    assert isinstance(await fetch(registry, sha(registry.manifest)), Complete)
    assert isinstance(await fetch(registry, "sha256:" + "0" * 64), Failed)


async def test_a_damaged_blob_is_a_failure() -> None:
    registry = FakeRegistry(archive(FILES))
    registry.damaged = True
    found = await fetch(registry, "latest")
    assert isinstance(found, Failed)
    assert "is damaged" in found.reason


@pytest.mark.parametrize(
    ("layer", "kind", "words"),
    [
        (b"no archive", "application/vnd.oci.image.layer.v1.tar+gzip", "is no tar archive"),
        (archive(FILES), "application/json", "expected one archive layer, found 0"),
        (archive({"../up": b""}), "application/vnd.oci.image.layer.v1.tar+gzip", "leaves its root"),
    ],
    ids=["no archive", "no layer", "a way out"],
)
async def test_an_artifact_that_cannot_be_used_says_why(layer: bytes, kind: str, words: str) -> None:
    found = await fetch(FakeRegistry(layer, kind), "latest")
    assert isinstance(found, Failed)
    assert words in found.reason


async def test_no_such_tag() -> None:
    found = await fetch(FakeRegistry(archive(FILES)), "9.9.9")
    assert isinstance(found, Failed)
    assert "404" in found.reason


@pytest.mark.parametrize("url", ["https://h/a", "oci://host", "oci:///a", "oci://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(Invalid, match="expected oci://HOST/REPOSITORY"):
        oci.split(url)
