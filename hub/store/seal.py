"""Encryption of Secrets at rest: AES-256-GCM with one key in a file beside the database.

A sealed body is a version byte, a nonce of 12 bytes and the ciphertext; the object's uid is authenticated
with it, so one body cannot be put in the place of another.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from argosy import tls
from argosy.errors import Invalid

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens bodies with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, body: bytes, uid: str) -> bytes:
        """The body encrypted for the object with this uid."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, body, uid.encode())

    def open(self, sealed: bytes, uid: str) -> bytes:
        """The inverse of `seal`. Raises `Invalid` where the key, the uid or the bytes are not those it was
        sealed with.
        """
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, rest, uid.encode())
        except (InvalidTag, ValueError):
            raise Invalid(
                f"the stored Secret {uid} cannot be opened: it was sealed with another key"
            ) from None


def open_sealer(path: Path) -> Sealer:
    """The sealer with the key of a file, which is made on first use. Raises `Invalid` for a file that is no
    key.
    """
    if not path.exists():
        tls.write_private(path, os.urandom(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Invalid(f"{path}: expected {KEY_BYTES} bytes of key, found {len(key)}")
    return Sealer(key)
