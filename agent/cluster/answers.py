"""How a Kubernetes API server says no, sorted into the errors of the contract.

The wire is less regular than the API conventions promise: a missing kind is plain text, so is 429; an apply
of a wrong type is a 500 that no retry heals. Measured on 1.35 and 1.37. Knows bytes and status codes, no HTTP
library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from agent.cluster.base import (
    ApplyConflict,
    Cause,
    Changed,
    Expired,
    KindMissing,
    NamespaceMissing,
    Refused,
    TryLater,
)
from argosy import errors

_MANAGER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')
_MANAGERS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNTYPED = ("failed to create typed patch", "failed to create manager for", "field not declared in schema")
_WAITING = frozenset({429, 503, 504})
_FINAL = frozenset({400, 405, 413, 415, 422})


def error(code: int, headers: Mapping[str, str], body: bytes) -> errors.ArgosyError:
    """The error for an answer that is no success. `headers` needs `retry-after` only, in whatever case."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict) or parsed.get("kind") != "Status":
        return _plain(code, headers, body.decode(errors="replace").strip()[:500])
    return from_status(parsed, code, headers)


def from_status(
    status: Mapping[str, Any], code: int = 0, headers: Mapping[str, str] | None = None
) -> errors.ArgosyError:
    """The error for a `Status` object; its own code counts where none is given (errors inside a watch)."""
    code = code or int(status.get("code") or 500)
    message = str(status.get("message") or status.get("reason") or f"HTTP {code}")
    reason = str(status.get("reason") or "")
    details: Mapping[str, Any] = status.get("details") or {}
    if code == 404:
        if details.get("kind") == "namespaces":
            return NamespaceMissing(message)
        return errors.NotFound(message) if details.get("name") else KindMissing(message)
    if code == 409:
        return _conflict(message, details)
    if code == 410:
        return Expired(message)
    if code in _FINAL or any(text in message for text in _UNTYPED):
        return Refused(message, reason)
    if code == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(details)):
        return TryLater(message)
    return _other(code, message, headers or {}, details.get("retryAfterSeconds"))


def _plain(code: int, headers: Mapping[str, str], text: str) -> errors.ArgosyError:
    message = text or f"HTTP {code}"
    if code == 404:
        return KindMissing(message)
    if code == 410:
        return Expired(message)
    return Refused(message) if code in _FINAL else _other(code, message, headers, None)


def _other(code: int, message: str, headers: Mapping[str, str], seconds: Any) -> errors.ArgosyError:
    if code in _WAITING:
        text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
        return TryLater(message, float(seconds or (text if text.isdigit() else 0)))
    if code in (401, 403):
        return errors.Forbidden(message)
    return errors.Unavailable(f"the API server answered {code}: {message}")


def _causes(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(details.get("causes") or ())


def _conflict(message: str, details: Mapping[str, Any]) -> errors.ArgosyError:
    causes = [
        Cause(manager, str(cause.get("field") or ""))
        for cause in _causes(details)
        if cause.get("reason") == "FieldManagerConflict"
        for manager in _managers(str(cause.get("message") or ""))
    ]
    return ApplyConflict(message, causes) if causes else Changed(message)


def _managers(message: str) -> list[str]:
    """`conflict with "other"`, or `conflicts with "a", "b" using v1`, possibly with subresource and time."""
    single = _MANAGER.search(message)
    return [single.group(1)] if single else _MANAGERS.findall(message)[:1] or ["unknown"]
