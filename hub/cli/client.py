"""The hub's API over the standard library's HTTP, which starts ten times faster than the asynchronous
clients.

One `Client` holds one connection and is for one thread. Errors of sockets, TLS and HTTP end here and become
ours.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from argosy.errors import ArgosyError, Conflict, Forbidden, Internal, Invalid, NotFound, Unavailable
from argosy.objects import Manifest
from hub.cli.kubeconfig import Access

PAGE = 500
"""Objects per request of a list: what kubectl asks for."""

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MANAGER = "argosy"

_ERRORS: dict[int, type[ArgosyError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    410: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
}

Query = Mapping[str, str]


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.ca.decode("ascii") if access.ca else None)
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        # The ssl module reads certificates from files only; this one is private and gone in an instant.
        descriptor, path = tempfile.mkstemp(prefix="argosy-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(access.certificate + b"\n" + access.key)
            context.load_cert_chain(path)
        finally:
            os.unlink(path)
    return context


class _Named(http.client.HTTPSConnection):
    """TLS that expects another name than the address (`tls-server-name`)."""

    def __init__(self, host: str, port: int, *, name: str, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Client:
    """Requests to one API as one identity. Methods raise `argosy.errors`; `timeout` is seconds of silence."""

    def __init__(self, access: Access, *, timeout: float = 30.0) -> None:
        self.access = access
        self._timeout = timeout
        self._url = urlsplit(access.server)
        try:
            self._tls = _context(access) if self._url.scheme == "https" else None
        except (ssl.SSLError, ValueError) as error:
            raise Invalid(f"the kubeconfig's certificates cannot be used: {error}") from None
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> Manifest:
        return self._call("GET", path, query, accept=accept)

    def items(self, path: str, query: Query | None = None) -> list[Manifest]:
        """Every object of a list, page by page."""
        return self.listing(path, query)["items"]  # type: ignore[no-any-return]

    def listing(
        self, path: str, query: Query | None = None, *, accept: str = "application/json", rows: str = "items"
    ) -> Manifest:
        """A whole list or Table (`rows` names where its entries are); its metadata are those of the last
        page."""
        found: list[Any] = []
        asked = {**(query or {}), "limit": str(PAGE)}
        while True:
            page = self.get(path, asked, accept=accept)
            found += page.get(rows) or []
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return {**page, rows: found}
            asked["continue"] = more

    def create(self, path: str, body: Manifest) -> Manifest:
        return self._call("POST", path, {"fieldManager": MANAGER}, body)

    def merge(self, path: str, patch: Manifest) -> Manifest:
        """A JSON merge patch (RFC 7386)."""
        return self._call(
            "PATCH", path, {"fieldManager": MANAGER}, patch, kind="application/merge-patch+json"
        )

    def apply(self, path: str, body: Manifest) -> Manifest:
        """Server-side apply; takes fields over from other managers."""
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        return self._call("PATCH", path, query, body, kind="application/apply-patch+yaml")

    def delete(self, path: str) -> Manifest:
        return self._call("DELETE", path)

    def text(self, path: str) -> str:
        """What a page such as /readyz says."""
        return self._said("GET", path, None, {"Accept": "*/*"})

    def notify(self, path: str, body: Manifest, headers: Mapping[str, str]) -> str:
        """Posts JSON to a page that is no API object, such as a webhook's; returns what it says."""
        return self._said("POST", path, body, {"Content-Type": "application/json", **headers})

    def _said(self, method: str, path: str, body: Manifest | None, headers: dict[str, str]) -> str:
        with self._guarded():
            answer = self._send(method, path, None, body, headers)
            data = answer.read()
        if answer.status >= 400:
            raise _failure(answer.status, data)
        return data.decode("utf-8", "replace")

    def watch(self, path: str, query: Query) -> Iterator[tuple[str, Manifest]]:
        """(verb, object) pairs until the server ends the watch. Raises `Conflict` where the version is too
        old."""
        with self._guarded():
            answer = self._send("GET", path, {**query, "watch": "true"}, None, {"Accept": "application/json"})
            if answer.status != 200:
                raise _failure(answer.status, answer.read())
            while line := answer.readline():
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise _failure(int(event["object"].get("code") or 500), orjson.dumps(event["object"]))
                yield event["type"], event["object"]
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Manifest | None = None,
        *,
        accept: str = "application/json",
        kind: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = kind
        with self._guarded():
            answer = self._send(method, path, query, body, headers)
            data = answer.read()
        if answer.status >= 400:
            raise _failure(answer.status, data)
        try:
            return orjson.loads(data)  # type: ignore[no-any-return]
        except orjson.JSONDecodeError:
            raise Unavailable(
                f"{self.access.server}: not an answer of a Kubernetes API: {data[:80]!r}"
            ) from None

    def _send(
        self, method: str, path: str, query: Query | None, body: Manifest | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token}"
        target = f"{self._url.path}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else orjson.dumps(body)
        kept = self._connection is not None
        try:
            return self._exchange(method, target, data, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A server may close an idle connection at any time; only then, and never twice, the request is
            # sent again.
            self.close()
            if not kept:
                raise
            return self._exchange(method, target, data, headers)

    def _exchange(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._open()
        self._connection.request(method, target, body=data, headers=headers)
        return self._connection.getresponse()

    def _open(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._tls is None:
            return http.client.HTTPConnection(host, self._url.port or 80, timeout=self._timeout)
        port = self._url.port or 443
        name = self.access.server_name or host
        return _Named(host, port, name=name, context=self._tls, timeout=self._timeout)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.access.server}: {_reason(error, self._timeout)}") from None


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return f"unknown host: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _failure(code: int, data: bytes) -> ArgosyError:
    try:
        status = orjson.loads(data)
        message = str(status.get("message") or status)
    except (orjson.JSONDecodeError, AttributeError):
        message = data[:200].decode("utf-8", "replace").strip()
    kind = _ERRORS.get(code, Unavailable if code in (502, 503, 504) else Internal)
    if code == 401:
        message = f"{message or 'Unauthorized'}: the kubeconfig's certificate or token is not accepted"
    return kind(message or f"HTTP status {code}")
