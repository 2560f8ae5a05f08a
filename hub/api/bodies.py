"""Request bodies: read within a limit, decoded from JSON, YAML or protobuf, with what is strictly wrong
noted.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from argosy import errors, yamlio
from argosy.machinery import failure
from hub.api import protobuf

LIMIT = 3 * 1024 * 1024
"""Bytes of one body, as kube-apiserver's."""
MAX_DEPTH = 200
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_JSON, _YAML = ("application/json", "text/json"), ("application/yaml", "application/x-yaml", "text/yaml")
ACCEPTED = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)


async def read(request: Request, limit: int = LIMIT) -> bytes:
    """The body. Raises `ApiFailure` 413 as soon as it is known to be too long."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise failure.too_large(f"limit is {limit}")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise failure.too_large(f"limit is {limit}")
            parts.append(part)
    except ClientDisconnect:
        raise failure.bad_request("the client went away in the middle of the body") from None
    return b"".join(parts)


async def optional(request: Request, limit: int = LIMIT) -> Any:
    """The value of a body that may be left out: {} then. Raises `ApiFailure` as `read` and `decode`."""
    body = await read(request, limit)
    return decode(body, media_type(request))[0] if body.strip() else {}


def media_type(request: Request) -> str:
    """The body's media type without parameters; "" where none is said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def decode(body: bytes, media: str) -> tuple[Any, tuple[str, ...]]:
    """The value of a body, and the paths of keys that occur twice, as `duplicate field "x"`.

    A body without a media type is JSON or YAML. Raises `ApiFailure` 400, 415.
    """
    if media == protobuf.MEDIA_TYPE:
        return protobuf.decode(body), ()
    if media in _JSON:
        return parse_json(body)
    if media in _YAML or not media or media == "application/x-www-form-urlencoded":
        return parse_yaml(body)
    raise failure.unsupported_media_type(ACCEPTED)


def parse_json(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """As `decode`, for JSON."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise failure.bad_request(f"the body is not valid JSON: {error}") from None
    _check_depth(body)
    return value, _duplicates(body)


def _check_depth(body: bytes) -> None:
    """Refuses JSON that is nested deeper than can be written again; few bodies need more than the two
    counts.
    """
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(body):
        found = token[0]
        if found in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise failure.bad_request(f"the body is nested more than {MAX_DEPTH} levels deep")
        elif found in b"]}":
            depth -= 1


def parse_yaml(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """As `decode`, for YAML, of which JSON is a part."""
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
        else:
            _check_depth(body)
            return value, _duplicates(body)
    try:
        documents = [each for each in yamlio.load_all(body, source="body") if each is not None]
    except errors.Invalid as error:
        raise failure.bad_request(f"error decoding YAML: {error.message}") from None
    if len(documents) > 1:
        raise failure.bad_request("the body holds more than one YAML document")
    return (documents[0] if documents else None), ()


class _Repeated(dict[str, Any]):
    """A map in which keys occurred twice; `names` says which."""

    names: list[str]


def _duplicates(body: bytes) -> tuple[str, ...]:
    found = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        out = dict(items)
        if len(out) == len(items):
            return out
        found = True
        repeated = _Repeated(out)
        seen: set[str] = set()
        repeated.names = [name for name, _ in items if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        return repeated

    value = json.loads(body, object_pairs_hook=pairs)
    return tuple(_paths(value, "")) if found else ()


def _paths(value: Any, path: str) -> list[str]:
    out = []
    if isinstance(value, _Repeated):
        out += [f'duplicate field "{path}{name}"' for name in dict.fromkeys(value.names)]
    if isinstance(value, dict):
        for name, item in value.items():
            out += _paths(item, f"{path}{name}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            out += _paths(item, f"{path[:-1]}[{index}].")
    return out
