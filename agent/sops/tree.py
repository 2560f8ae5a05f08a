"""The leaves of an encrypted document: opened with the data key, and hashed for the MAC. Knows no key holders.

A leaf is bound to its place by the names on its way from the root (positions in lists count for nothing), the MAC
binds the values of all leaves to their order, and the time of the last change to the MAC (SOPS 3, `sops.go`,
`aes/cipher.go`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from argosy import gofloat
from argosy.errors import Invalid

FIELD = "sops"
"""Where an encrypted object keeps what it takes to open it."""
_LEAF = re.compile(r"ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]\Z", re.DOTALL)
_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})

_TEXTS = frozenset({"str", "bytes", "time"})

Leaf = tuple[str, str]
"""(place, text) of one encrypted leaf."""


def encrypted(value: Any) -> bool:
    """Whether a leaf is encrypted."""
    return isinstance(value, str) and value.startswith("ENC[AES256_GCM,")


def leaves(document: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(place, value) of all leaves in their order. The place is what SOPS authenticates with a leaf: `data:key:`."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, f"{place}{name}:")
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value, place)
    else:
        yield place, document


def content(document: dict[str, Any]) -> dict[str, Any]:
    """The document without what SOPS keeps in it for itself."""
    return {name: value for name, value in document.items() if name != FIELD}


def opened(document: Any, key: bytes, known: frozenset[Leaf], place: str = "") -> Any:
    """The document with all leaves in clear. `known` are the only encrypted leaves it may have.

    Raises `Invalid`, which names the place and never a value.
    """
    if isinstance(document, dict):
        return {name: opened(value, key, known, f"{place}{name}:") for name, value in document.items()}
    if isinstance(document, list):
        return [opened(value, key, known, place) for value in document]
    if not encrypted(document):
        return document
    if (place, document) not in known:
        raise Invalid(f"{_shown(place)} is not the value that was encrypted")
    return _open(document, key, place)


def verify(
    documents: Sequence[dict[str, Any]], key: bytes, mac: str, modified: str, *, only_encrypted: bool
) -> None:
    """Checks the MAC over all documents of a file. Raises `Invalid` where it does not fit."""
    hashed = hashlib.sha512(_ONLY_ENCRYPTED if only_encrypted else b"")
    for document in documents:
        for place, value in leaves(content(document)):
            if encrypted(value):
                hashed.update(_hashed(value, key, place))
            elif not only_encrypted and value is not None:
                hashed.update(_bytes(value))
    try:
        wanted = str(_open(mac, key, modified))
    except Invalid:
        raise Invalid("its MAC cannot be opened: it was changed after it was encrypted") from None
    if not hmac.compare_digest(hashed.hexdigest().upper(), wanted):
        raise Invalid("its MAC does not fit: it was changed after it was encrypted")


def raw(text: str, key: bytes, place: str) -> tuple[bytes, str]:
    """(bytes, type) of one encrypted leaf. Raises `Invalid`."""
    found = _LEAF.match(text)
    if found is None:
        raise Invalid(f"{_shown(place)} is no value that SOPS wrote")
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in found.groups()[:3])
        return AESGCM(key).decrypt(nonce, data + tag, place.encode()), found.group(4)
    except (binascii.Error, ValueError, InvalidTag):
        raise Invalid(f"{_shown(place)} cannot be opened: value, place or key differ") from None


def _open(text: str, key: bytes, place: str) -> Any:
    plain, kind = raw(text, key, place)
    try:
        return _typed(plain.decode(), kind, place)
    except UnicodeDecodeError:
        raise Invalid(f"{_shown(place)} is not UTF-8") from None


def _hashed(text: str, key: bytes, place: str) -> bytes:
    """An encrypted leaf as it goes into the MAC: text as it is, whatever its bytes."""
    plain, kind = raw(text, key, place)
    return plain if kind in _TEXTS else _bytes(_open(text, key, place))


def _typed(plain: str, kind: str, place: str) -> Any:
    try:
        if kind == "int":
            return int(plain)
        if kind == "float":
            return float(plain)
    except ValueError:
        raise Invalid(f"{_shown(place)} is no {kind}") from None
    if kind == "bool":
        return plain in _TRUE
    if kind in _TEXTS:
        return plain
    raise Invalid(f"{_shown(place)} is of the unknown type {kind[:20]}")


def _bytes(value: Any) -> bytes:
    """A leaf as it goes into the MAC: Go's words."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return gofloat.plain_form(value).encode()
    return str(value).encode()


def _shown(place: str) -> str:
    return place.rstrip(":").replace(":", ".") or "the document"
