"""A stand-in for an API server that costs next to nothing: what a client of it reaches, the client itself limits.

It keeps what is applied to it, answers discovery, lists and watches, and nothing else of Kubernetes: no validation, no
merge, no ownership.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
import uuid
from collections import Counter, defaultdict
from typing import Any

import orjson

from bench.roles import talk

KINDS = {
    ("", "v1", "namespaces"): ("Namespace", False),
    ("", "v1", "configmaps"): ("ConfigMap", True),
    ("", "v1", "secrets"): ("Secret", True),
    ("", "v1", "services"): ("Service", True),
    ("", "v1", "events"): ("Event", True),
    ("apps", "v1", "deployments"): ("Deployment", True),
}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
Key = tuple[str, str, str]
"""(path of the collection without its namespace, namespace, name)."""


class Stub:
    def __init__(self, uid: str) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.version = 1
        self.watches: dict[str, set[asyncio.Transport]] = defaultdict(set)
        self.reset()
        made = self._put(("/api/v1/namespaces", "", "kube-system"), {"metadata": {"name": "kube-system"}})
        made["metadata"]["uid"] = uid

    def reset(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first = self.last = 0.0

    def answer(self, head: bytes, body: bytes, transport: asyncio.Transport) -> bytes | None:
        """The answer's bytes; None where the answer is a stream that stays open."""
        method, target, _ = head[: head.find(b"\r\n")].decode().split(" ")
        path, _, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        fixed = _discovery(path, aggregated=b"apidiscovery" in head)
        if fixed is not None:
            self.counts["discovery"] += 1
            return _response(200, fixed)
        key = _key(path)
        if key is None:
            return _response(404, _status(404, f"{path} is not served"))
        collection, namespace, name = key
        if method == "PATCH":
            return self._apply(key, orjson.loads(body), "dryRun" in asked)
        if method == "GET" and asked.get("watch") == "true":
            self.counts["watch"] += 1
            self._watch(collection, "resourceVersion" in asked and asked["resourceVersion"] != "", transport)
            return None
        if method == "GET" and not name:
            self.counts["list"] += 1
            items = [v for (c, n, _), v in self.objects.items() if c == collection and namespace in ("", n)]
            return _response(200, {"metadata": {"resourceVersion": str(self.version)}, "items": items})
        live = self.objects.get(key)
        self.counts[method.lower()] += 1
        if live is None:
            details = {"name": name, "kind": collection.rpartition("/")[2]}
            return _response(404, _status(404, f"{name} not found") | {"details": details})
        if method == "DELETE":
            del self.objects[key]
            self._tell(collection, "DELETED", live)
        return _response(200, live)

    def _apply(self, key: Key, patch: dict[str, Any], dry: bool) -> bytes:
        self.counts["dry run" if dry else "apply"] += 1
        if not dry:
            self.last = time.monotonic()
            self.first = self.first or self.last
            return _response(200, self._put(key, patch))
        return _response(200, self._made(key, patch))

    def _made(self, key: Key, patch: dict[str, Any]) -> dict[str, Any]:
        live = self.objects.get(key)
        known = live["metadata"] if live else {}
        metadata = {
            **patch["metadata"],
            "uid": known.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "resourceVersion": known.get("resourceVersion", "0"),
            "generation": 1,
        }
        fields: dict[str, dict[str, Any]] = {
            f"f:{name}": {} for name in patch if name not in ("apiVersion", "kind", "metadata")
        }
        metadata["managedFields"] = [
            {
                "manager": "argosy",
                "operation": "Apply",
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        ]
        return {**patch, "metadata": metadata}

    def _put(self, key: Key, patch: dict[str, Any]) -> dict[str, Any]:
        made = self._made(key, patch)
        live = self.objects.get(key)
        if made != live:
            self.version += 1
            made["metadata"]["resourceVersion"] = str(self.version)
            self.objects[key] = made
            self._tell(key[0], "MODIFIED" if live else "ADDED", made)
        return made

    def _watch(self, collection: str, resumed: bool, transport: asyncio.Transport) -> None:
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        if not resumed:
            for (kept, _, _), live in self.objects.items():
                if kept == collection:
                    transport.write(_event("ADDED", live))
        mark = {"k8s.io/initial-events-end": "true"}
        metadata = {"resourceVersion": str(self.version), "annotations": mark}
        transport.write(_event("BOOKMARK", {"metadata": metadata}))
        self.watches[collection].add(transport)

    def _tell(self, collection: str, verb: str, live: dict[str, Any]) -> None:
        if self.watches[collection]:
            event = _event(verb, live)
            for transport in tuple(self.watches[collection]):
                if transport.is_closing():
                    self.watches[collection].discard(transport)
                else:
                    transport.write(event)


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as clients of Kubernetes speak it: bodies with a Content-Length."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        assert self._transport is not None
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _length(head)
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            answer = self._stub.answer(head, body, self._transport)
            if answer is not None:
                self._transport.write(answer)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _response(status: int, value: Any) -> bytes:
    body = orjson.dumps(value)
    return b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def _event(verb: str, value: dict[str, Any]) -> bytes:
    line = orjson.dumps({"type": verb, "object": value}) + b"\n"
    return b"%x\r\n%b\r\n" % (len(line), line)


def _status(code: int, message: str) -> dict[str, Any]:
    reason = "NotFound" if code == 404 else "BadRequest"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }


def _key(path: str) -> Key | None:
    parts = path.strip("/").split("/")
    root = 2 if parts[0] == "api" else 3
    base, rest = "/" + "/".join(parts[:root]), parts[root:]
    if not rest or parts[0] not in ("api", "apis"):
        return None
    if rest[0] == "namespaces" and len(rest) > 2:
        return f"{base}/{rest[2]}", rest[1], rest[3] if len(rest) > 3 else ""
    return f"{base}/{rest[0]}", "", rest[1] if len(rest) > 1 else ""


def _discovery(path: str, *, aggregated: bool) -> dict[str, Any] | None:
    """Discovery, in the aggregated form that agents ask for and the older one of the official dynamic client."""
    if path == "/version":
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.2"}
    if aggregated and path in ("/api", "/apis"):
        return _aggregated("" if path == "/api" else "apps")
    if path == "/api":
        return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}
    if path == "/apis":
        version = {"groupVersion": "apps/v1", "version": "v1"}
        apps = {"name": "apps", "versions": [version], "preferredVersion": version}
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [apps]}
    if path in ("/api/v1", "/apis/apps/v1"):
        group = "" if path == "/api/v1" else "apps"
        resources = [
            {"name": plural, "singularName": "", "namespaced": spaced, "kind": kind, "verbs": VERBS}
            for (of, _, plural), (kind, spaced) in KINDS.items()
            if of == group
        ]
        named = {"kind": "APIResourceList", "apiVersion": "v1"}
        return {**named, "groupVersion": path.split("/", 2)[2], "resources": resources}
    return None


def _aggregated(group: str) -> dict[str, Any]:
    resources = [
        {
            "resource": plural,
            "responseKind": {"group": of, "version": version, "kind": kind},
            "scope": "Namespaced" if spaced else "Cluster",
            "verbs": VERBS,
        }
        for (of, version, plural), (kind, spaced) in KINDS.items()
        if of == group
    ]
    return {"items": [{"metadata": {"name": group}, "versions": [{"version": "v1", "resources": resources}]}]}


async def main(*, uid: str = "") -> None:
    stub = Stub(uid)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(stub), "127.0.0.1", 0)

    async def reset(_: dict[str, Any]) -> dict[str, Any]:
        stub.reset()
        return {}

    async def stats(_: dict[str, Any]) -> dict[str, Any]:
        return {"counts": dict(stub.counts), "seconds": stub.last - stub.first, "last": stub.last}

    port = server.sockets[0].getsockname()[1]
    await talk.answer({"reset": reset, "stats": stats}, port=port)
    server.close()
