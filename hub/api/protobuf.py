"""The few request bodies that kubectl sends as protobuf, whatever the server prefers.

`auth can-i`, `auth whoami`, `create namespace`, `create configmap` and `create secret` do not fall back to
JSON. A body is the four bytes `k8s\\0`, then an envelope (`runtime.Unknown`) around the message. Field
numbers are those of Kubernetes' published .proto files; what is not in the tables is passed over.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from argosy.machinery import failure

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field is read: `kind` is text, bytes (shown in base64), number, flag, time, message, text_map,
    bytes_map.
    """

    name: str
    kind: str = "text"
    many: bool = False
    message: str = ""


_META = {
    1: _Field("name"),
    2: _Field("generateName"),
    3: _Field("namespace"),
    5: _Field("uid"),
    6: _Field("resourceVersion"),
    8: _Field("creationTimestamp", "time"),
    11: _Field("labels", "text_map"),
    12: _Field("annotations", "text_map"),
    13: _Field("ownerReferences", "message", many=True, message="OwnerReference"),
    14: _Field("finalizers", many=True),
}
_MESSAGES: dict[str, dict[int, _Field]] = {
    "ObjectMeta": _META,
    "OwnerReference": {
        1: _Field("kind"),
        3: _Field("name"),
        4: _Field("uid"),
        5: _Field("apiVersion"),
        6: _Field("controller", "flag"),
        7: _Field("blockOwnerDeletion", "flag"),
    },
    "Namespace": {
        1: _Field("metadata", "message", message="ObjectMeta"),
        2: _Field("spec", "message", message="NamespaceSpec"),
    },
    "NamespaceSpec": {1: _Field("finalizers", many=True)},
    "ConfigMap": {
        1: _Field("metadata", "message", message="ObjectMeta"),
        2: _Field("data", "text_map"),
        3: _Field("binaryData", "bytes_map"),
        4: _Field("immutable", "flag"),
    },
    "Secret": {
        1: _Field("metadata", "message", message="ObjectMeta"),
        2: _Field("data", "bytes_map"),
        3: _Field("type"),
        4: _Field("stringData", "text_map"),
        5: _Field("immutable", "flag"),
    },
    "SelfSubjectAccessReview": {
        1: _Field("metadata", "message", message="ObjectMeta"),
        2: _Field("spec", "message", message="SelfSubjectAccessReviewSpec"),
    },
    "SelfSubjectAccessReviewSpec": {
        1: _Field("resourceAttributes", "message", message="ResourceAttributes"),
        2: _Field("nonResourceAttributes", "message", message="NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: _Field("namespace"),
        2: _Field("verb"),
        3: _Field("group"),
        4: _Field("version"),
        5: _Field("resource"),
        6: _Field("subresource"),
        7: _Field("name"),
    },
    "NonResourceAttributes": {1: _Field("path"), 2: _Field("verb")},
    "SelfSubjectRulesReview": {
        1: _Field("metadata", "message", message="ObjectMeta"),
        2: _Field("spec", "message", message="SelfSubjectRulesReviewSpec"),
    },
    "SelfSubjectRulesReviewSpec": {1: _Field("namespace")},
    "SelfSubjectReview": {1: _Field("metadata", "message", message="ObjectMeta")},
    "DeleteOptions": {
        1: _Field("gracePeriodSeconds", "number"),
        2: _Field("preconditions", "message", message="Preconditions"),
        3: _Field("orphanDependents", "flag"),
        4: _Field("propagationPolicy"),
        5: _Field("dryRun", many=True),
    },
    "Preconditions": {1: _Field("uid"), 2: _Field("resourceVersion")},
}


def decode(body: bytes) -> dict[str, Any]:
    """The object of a protobuf body. Raises `ApiFailure` 400 for broken bytes, 415 for a kind that is not in
    the table.
    """
    if body[:4] != _MAGIC:
        raise failure.bad_request("the body is not Kubernetes' protobuf: it does not begin with k8s\\0")
    try:
        envelope = dict(_fields(body[4:]))
        meta = {number: _text(value) for number, value in _fields(_chunk(envelope.get(1, b"")))}
        kind = meta.get(2, "")
        if kind not in _MESSAGES:
            raise failure.unsupported_media_type(["application/json", "application/yaml"])
        out = _message(_chunk(envelope.get(2, b"")), kind)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise failure.bad_request(f"the body is broken protobuf: {error}") from error
    return {"apiVersion": meta.get(1, ""), "kind": kind, **out}


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(field number, value): bytes for length-delimited fields, numbers for the others."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: bytes | int
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field is cut off")
            value, at = data[at : at + size], at + size
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise ValueError(f"wire type {wire} is not known")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    out = shift = 0
    while True:
        byte = data[at]
        out |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return out, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _chunk(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: bytes | int) -> str:
    return _chunk(value).decode()


def _message(data: bytes, name: str) -> dict[str, Any]:
    known = _MESSAGES[name]
    out: dict[str, Any] = {}
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            continue
        if field.kind in ("text_map", "bytes_map"):
            entry = dict(_fields(_chunk(value)))
            content = _chunk(entry.get(2, b""))
            shown = content.decode() if field.kind == "text_map" else base64.b64encode(content).decode()
            out.setdefault(field.name, {})[_text(entry.get(1, b""))] = shown
            continue
        read = _value(value, field)
        if field.many:
            out.setdefault(field.name, []).append(read)
        elif read is not None and read != "":
            out[field.name] = read
    return out


def _value(value: bytes | int, field: _Field) -> Any:
    if field.kind == "message":
        return _message(_chunk(value), field.message)
    if field.kind == "flag":
        return bool(value)
    if field.kind == "number":
        return int(value)
    if field.kind == "time":
        seconds = dict(_fields(_chunk(value))).get(1, 0)
        if not isinstance(seconds, int) or not seconds or seconds >= 1 << 62:
            return None
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text(value)
