"""A real cluster behind the agent's contract: HTTP of our own and orjson on the hot path.

The official client decodes into models at three to seven times the cost per call (bench B11), so it is used
for nothing but users with a legacy `auth-provider`, and imported only then. This module turns calls into
requests and answers into values or the contract's errors; it decides nothing and repeats nothing but an
expired token.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from agent.cluster import answers, discovery, kubeconfig
from agent.cluster.base import (
    MANAGER,
    PAGE,
    Changed,
    Event,
    Identity,
    KindMissing,
    Page,
    Propagation,
    Refused,
)
from agent.cluster.http import Broken, Client, Connection
from agent.cluster.kubeconfig import Credentials
from argosy.annotations import INITIAL_EVENTS_END
from argosy.errors import Forbidden, NotFound, Unavailable
from argosy.kinds import ApiKind, Gvk, Kinds, gvk_of
from argosy.objects import Manifest

CONNECTIONS = 24
CALL_SECONDS = 60.0
AGENT = {"User-Agent": "argosy-agent", "Accept": "*/*"}
WATCH_SECONDS = (240, 420)
SILENCE = 180.0
"""A watch that says nothing for so long is dead: bookmarks come every minute."""
REFRESH_AT_MOST = 0.1
APPLY = "application/apply-patch+yaml"
JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
IMPERSONATE = "Impersonate-User"


@dataclass
class _Known:
    """What discovery found, shared by all names under which one server is asked."""

    kinds: dict[Gvk, ApiKind] = field(default_factory=dict)
    at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KubeCluster:
    """One real API server. Made by `connect`; use from one event loop; `close` when done."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._client = Client(credentials.server, credentials.tls)
        # Watches hold connections for long; only short calls are limited.
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._known = _Known()
        self._watchlist = True
        self._user = ""

    def acting(self, account: str) -> KubeCluster:
        # Connections and discovery are shared; only the name under which is asked differs.
        other = copy.copy(self)
        other._user = f"system:serviceaccount:{account}"
        return other

    async def identity(self) -> Identity:
        system = await self._call("GET", "/api/v1/namespaces/kube-system")
        version = await self._call("GET", "/version")
        return Identity(system["metadata"]["uid"], version["gitVersion"])

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        asked = time.monotonic()
        known = self._known
        if known.kinds and not refresh:
            return known.kinds
        async with known.lock:
            if known.at < asked:
                headers = {"Accept": discovery.ACCEPT}
                core = await self._call("GET", "/api", headers=headers)
                rest = await self._call("GET", "/apis", headers=headers)
                found = [*discovery.kinds_of(core), *discovery.kinds_of(rest)]
                known.kinds = {kind.gvk: kind for kind in found}
                known.at = time.monotonic()
            return known.kinds

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        try:
            return await self._call("GET", await self._path(gvk, namespace, name))
        except KindMissing:
            raise
        except NotFound:
            return None

    async def list(
        self,
        gvk: Gvk,
        *,
        namespace: str = "",
        selector: str = "",
        limit: int = PAGE,
        more: str = "",
        metadata: bool = False,
    ) -> Page:
        params = {"limit": str(limit), "labelSelector": selector, "continue": more}
        headers = {"Accept": _METADATA} if metadata else None
        answer = await self._call("GET", await self._path(gvk, namespace), params=params, headers=headers)
        for item in answer.get("items") or ():
            item["apiVersion"], item["kind"] = gvk.api_version, gvk.kind
        listed = answer.get("metadata") or {}
        return Page(
            tuple(answer.get("items") or ()),
            listed.get("resourceVersion", ""),
            listed.get("continue", ""),
        )

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        metadata = manifest["metadata"]
        path = await self._path(gvk_of(manifest), metadata.get("namespace") or "", metadata["name"])
        params = {"force": "true" if force else "false", **_write(manager, dry_run, validate)}
        return await self._call(
            "PATCH", path, params=params, body=orjson.dumps(manifest), headers={"Content-Type": APPLY}
        )

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        path = await self._path(gvk_of(manifest), manifest["metadata"].get("namespace") or "")
        return await self._call(
            "POST",
            path,
            params=_write(manager, dry_run, validate),
            body=orjson.dumps(manifest),
            headers={"Content-Type": JSON},
        )

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        metadata = manifest["metadata"]
        path = await self._path(gvk_of(manifest), metadata.get("namespace") or "", metadata["name"])
        try:
            return await self._call(
                "PUT",
                path,
                params=_write(manager, dry_run, validate),
                body=orjson.dumps(manifest),
                headers={"Content-Type": JSON},
            )
        except KindMissing:
            raise
        except NotFound as error:
            raise Changed(error.message) from None

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {"uid": uid},
        }
        path = await self._path(gvk, namespace, name)
        headers = {"Content-Type": JSON}
        try:
            await self._call("DELETE", path, body=orjson.dumps(options), headers=headers)
        except KindMissing:
            raise
        except NotFound:
            return False
        return True

    async def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        path = await self._path(gvk, namespace)
        params = {"labelSelector": selector, "resourceVersion": resource_version}
        if not resource_version and self._watchlist:
            initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            try:
                async for event in self._stream(path, params | initial):
                    yield event
                return
            except Refused:
                # An older server, or one with streaming lists switched off: list in pages from now on.
                self._watchlist = False
        if not resource_version:
            more = ""
            while True:
                page = await self.list(gvk, namespace=namespace, selector=selector, more=more)
                for item in page.items:
                    yield Event("ADDED", item, item["metadata"]["resourceVersion"])
                more = page.more
                if not more:
                    break
            yield Event("BOOKMARK", {}, page.resource_version, listed=True)
            params["resourceVersion"] = page.resource_version
        async for event in self._stream(path, params):
            yield event

    async def close(self) -> None:
        await self._client.close()

    async def _stream(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Event]:
        asked = {
            **{name: value for name, value in params.items() if value},
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),
        }
        headers = {**AGENT, "Authorization": await self._credentials.authorization(), IMPERSONATE: self._user}
        try:
            async with self._client.stream(_target(path, asked), _given(headers)) as answer:
                if answer.status == 401:
                    await self._credentials.authorization(renew=True)  # for the next try
                if answer.status != 200:
                    async with asyncio.timeout(CALL_SECONDS):
                        raise answers.error(answer.status, answer.headers, await answer.body())
                rest = b""
                while chunk := await _soon(answer):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield _event(line)
        except (Broken, TimeoutError, OSError) as error:
            raise Unavailable(f"watch of {path} broke off: {error or type(error).__name__}") from None

    async def _path(self, gvk: Gvk, namespace: str = "", name: str = "") -> str:
        kind = self._known.kinds.get(gvk)
        if kind is None and time.monotonic() - self._known.at > REFRESH_AT_MOST:
            kind = (await self.kinds(refresh=True)).get(gvk)
        if kind is None:
            raise KindMissing(f"the cluster does not serve {gvk.kind} of {gvk.api_version}")
        root = f"/apis/{gvk.group}/{gvk.version}" if gvk.group else f"/api/{gvk.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind.namespaced else ""
        return f"{root}{inside}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request; a refused token is renewed once."""
        status, found, data = await self._once(method, path, params, body, headers, renew=False)
        if status == 401:
            status, found, data = await self._once(method, path, params, body, headers, renew=True)
        if status >= 300:
            raise answers.error(status, found, data)
        try:
            value: dict[str, Any] = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Unavailable(f"{method} {path}: the answer is no JSON") from None
        return value

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        *,
        renew: bool,
    ) -> tuple[int, Mapping[str, str], bytes]:
        authorization = await self._credentials.authorization(renew=renew)
        sent = _given({**AGENT, **(headers or {}), "Authorization": authorization, IMPERSONATE: self._user})
        target = _target(path, _given(params or {}))
        try:
            async with self._slots:
                answer = await self._client.request(method, target, sent, body or b"", seconds=CALL_SECONDS)
        except (Broken, TimeoutError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error or type(error).__name__}") from None
        return answer.status, answer.headers, answer.body


def _target(path: str, params: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(params, quote_via=quote)}" if params else path


async def _soon(answer: Connection) -> bytes:
    """The next of a watch, b"" at its end. A server that says nothing for too long is gone."""
    async with asyncio.timeout(SILENCE):
        return await answer.chunk()


def _write(manager: str, dry_run: bool, validate: bool) -> dict[str, str]:
    """The query of a write."""
    strict = "Strict" if validate else "Ignore"
    return {"fieldManager": manager, "fieldValidation": strict, "dryRun": "All" if dry_run else ""}


def _given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _event(line: bytes) -> Event:
    """One line of a watch. Raises the contract's error for an ERROR event (410 inside a 200)."""
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Unavailable("a watch broke off in the middle of an event") from None
    kind, value = parsed["type"], parsed["object"]
    if kind == "ERROR":
        raise answers.from_status(value)
    metadata = value.get("metadata") or {}
    version = metadata.get("resourceVersion", "")
    if kind == "BOOKMARK":
        notes = metadata.get("annotations") or {}
        return Event("BOOKMARK", {}, version, listed=notes.get(INITIAL_EVENTS_END) == "true")
    return Event(kind, value, version)


async def connect(*, kubeconfig_file: Path | None = None, context: str = "") -> KubeCluster:
    """The cluster of a kubeconfig, or the one this pod runs in. Raises `Invalid` where neither works."""
    if kubeconfig_file is None:
        return KubeCluster(kubeconfig.in_cluster())
    credentials = kubeconfig.load(kubeconfig_file, context)
    if credentials.legacy_user:
        credentials.static_token = await _official_token(kubeconfig_file, context)
    return KubeCluster(credentials)


async def _official_token(path: Path, context: str) -> str:
    """The token that the official client's loader gets for a user with an `auth-provider`."""
    from kubernetes.aio import client, config

    load: Any = config.load_kube_config

    configuration = client.Configuration()
    try:
        await load(config_file=str(path), context=context or None, client_configuration=configuration)
    except Exception as error:
        raise Forbidden(f"kubeconfig {path}: {error}") from None
    header: str = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization") or ""
    return header.removeprefix("Bearer ")
