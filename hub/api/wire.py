"""Small pieces of HTTP that all parts of the API share: answers, failures as `Status`, compression."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from argosy import errors
from argosy.machinery import failure
from argosy.machinery.failure import ApiFailure

JSON = "application/json"
GZIP_FROM = 128 * 1024
"""Bytes from which an answer is compressed when the client takes it (as kube-apiserver)."""

_BY_CODE = {
    errors.Unavailable.code: failure.unavailable,
    errors.Internal.code: failure.internal,
    errors.Invalid.code: failure.bad_request,
}


def json_bytes(value: Any) -> bytes:
    """JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def json_answer(
    value: Any, status: int = 200, *, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """A value, or JSON that is there already, as an answer."""
    body = value if isinstance(value, bytes) else json_bytes(value)
    return Response(body, status, dict(headers or {}), media_type)


def done(message: str = "") -> Response:
    """That something was done which leaves no object to show: a `Status`, with what there is to say of it."""
    status = {**failure.success(), "code": 200}
    return json_answer({**status, "message": message} if message else status)


def as_failure(error: Exception) -> ApiFailure:
    """Any error as what the client is told. Unknown ones tell nothing but that they happened."""
    if isinstance(error, ApiFailure):
        return error
    if isinstance(error, errors.NotFound):
        return ApiFailure(404, "NotFound", error.message)
    if isinstance(error, errors.Conflict):
        return ApiFailure(409, "Conflict", error.message)
    if isinstance(error, errors.Forbidden):
        return ApiFailure(403, "Forbidden", error.message)
    if isinstance(error, errors.ArgosyError):
        return _BY_CODE.get(error.code, failure.internal)(error.message)
    return failure.internal(type(error).__name__)


def failed(error: ApiFailure) -> Response:
    """A failure as its `Status`."""
    headers = {"Cache-Control": "no-cache, private"}
    if error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    if error.code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="argosy"'
    return json_answer(error.to_status(), error.code, headers=headers)


def with_warnings(response: Response, warnings: tuple[str, ...]) -> Response:
    """The answer with a `Warning` header for each text."""
    for text in dict.fromkeys(warnings):
        clean = "".join(c if c.isprintable() and c.isascii() else " " for c in text)[:1024]
        quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.append("Warning", f'299 - "{quoted}"')
    return response


def compresses(request: Request, body: bytes | memoryview) -> bool:
    """Whether an answer is so large that it is compressed, and the client takes it so."""
    return len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", "")


async def compressed(request: Request, response: Response) -> Response:
    """The answer, compressed where it is large and the client takes it."""
    if "content-encoding" in response.headers or not compresses(request, response.body):
        return response
    return with_packed(response, await asyncio.to_thread(gzip.compress, bytes(response.body), 1))


def with_packed(response: Response, packed: bytes) -> Response:
    """The answer with its body compressed already."""
    response.body = packed
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(packed))
    response.headers.append("Vary", "Accept-Encoding")
    return response


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter; like Kubernetes, there and not false means true."""
    value = request.query_params.get(name)
    return value is not None and value.lower() not in ("false", "0")


def whole(request: Request, name: str) -> int:
    """A query parameter that is a number, 0 where it is not given. Raises `ApiFailure` 400."""
    value = request.query_params.get(name) or "0"
    try:
        return int(value)
    except ValueError:
        raise failure.bad_request(f"invalid {name}: {value!r} is not a number") from None
