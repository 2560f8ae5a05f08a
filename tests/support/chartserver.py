"""Chart repositories on loopback: one with an index over HTTP, and an OCI registry with token authentication.

Both count what is asked, and can be told to be slow, forbidding or wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

Reply: TypeAlias = tuple[int, dict[str, str], bytes]
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Server:
    """Answers GET with `reply(path with query, headers)`; `asked` counts the paths."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.headers: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked[urlsplit(self.path).path] += 1
                given = {name.lower(): value for name, value in self.headers.items()}
                outer.headers.append((self.path, given))
                status, headers, body = outer.reply(self.path, given)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        raise NotImplementedError

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class IndexRepository(Server):
    """`index.yaml` and archives below `/charts`. `user` is (name, password) where it asks for one."""

    def __init__(self, user: tuple[str, str] | None = None) -> None:
        self.user = user
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes] = {}
        self.index: bytes | None = None
        """In place of the index that the entries make."""
        super().__init__()

    @property
    def repository(self) -> str:
        return f"{self.url}/charts"

    def publish(self, name: str, version: str, archive: bytes, **more: Any) -> None:
        file = f"{name}-{version}.tgz"
        self.files[f"/charts/{file}"] = archive
        entry = {
            "name": name,
            "version": version,
            "urls": [file],
            "digest": hashlib.sha256(archive).hexdigest(),
        }
        self.entries.setdefault(name, []).append(entry | more)

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        if self.user and headers.get("authorization") != basic(*self.user):
            return 401, {"WWW-Authenticate": 'Basic realm="charts"'}, b"who are you?"
        if path == "/charts/index.yaml":
            body = self.index if self.index is not None else self._index()
            etag = hashlib.sha256(body).hexdigest()
            if headers.get("if-none-match") == etag:
                return 304, {"ETag": etag}, b""
            return 200, {"ETag": etag}, body
        if path in self.files:
            return 200, {}, self.files[path]
        return 404, {}, b"no such file"

    def _index(self) -> bytes:
        lines = ["apiVersion: v1", "entries:"]
        for name, versions in self.entries.items():
            lines.append(f"  {name}:")
            lines += [f"  - {json.dumps(entry)}" for entry in versions]
        return "\n".join([*lines, 'generated: "2026-01-01T00:00:00Z"', ""]).encode()


@dataclass
class Artifact:
    """What a tag stands for."""

    manifest: bytes
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.digest = f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"


class OciRegistry(Server):
    """A registry of one user whose tokens are good for one repository; pages of `page` tags."""

    def __init__(self, user: tuple[str, str] = ("robot", "s3cret"), page: int = 2) -> None:
        self.user = user
        self.page = page
        self.repositories: dict[str, dict[str, Artifact]] = {}
        self.blobs: dict[str, bytes] = {}
        self.spoil: Callable[[bytes], bytes] = bytes
        """What happens to a blob on its way."""
        super().__init__()

    def push(self, repository: str, tag: str, layer: bytes, media: str = CHART_LAYER) -> str:
        """Returns the manifest's digest."""
        digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        self.blobs[digest] = layer
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest, "size": 2},
            "layers": [{"mediaType": media, "digest": digest, "size": len(layer)}],
        }
        artifact = Artifact(json.dumps(manifest).encode())
        self.repositories.setdefault(repository, {})[tag] = artifact
        return artifact.digest

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            if headers.get("authorization") != basic(*self.user):
                return 401, {}, b"{}"
            return 200, {}, json.dumps({"token": f"for {query['scope']}"}).encode()
        repository, _, rest = parts.path.removeprefix("/v2/").rpartition("/")
        repository, _, kind = repository.rpartition("/")
        scope = f"repository:{repository}:pull"
        if headers.get("authorization") != f"Bearer for {scope}":
            challenge = f'Bearer realm="{self.url}/token",service="tests",scope="{scope}"'
            return 401, {"WWW-Authenticate": challenge}, b"{}"
        tags = self.repositories.get(repository)
        if tags is None:
            return 404, {}, b"{}"
        return self._content(repository, tags, kind, rest, query)

    def _content(
        self, repository: str, tags: dict[str, Artifact], kind: str, name: str, query: dict[str, str]
    ) -> Reply:
        if kind == "tags":
            names = sorted(tags)
            start = names.index(query["last"]) + 1 if "last" in query else 0
            shown = names[start : start + self.page]
            more = start + self.page < len(names)
            link = {"Link": f'</v2/{repository}/tags/list?last={shown[-1]}&n=2>; rel="next"'} if more else {}
            return 200, link, json.dumps({"name": repository, "tags": shown}).encode()
        if kind == "manifests":
            for tag, artifact in tags.items():
                if name in (tag, artifact.digest):
                    return 200, {"Content-Type": MANIFEST}, artifact.manifest
        if kind == "blobs" and name in self.blobs:
            return 200, {}, self.spoil(self.blobs[name])
        return 404, {}, b"{}"
