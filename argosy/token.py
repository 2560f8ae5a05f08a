"""The text of a join token: where the hub is, which CA proves it, and a secret that works once.

The text is what a person copies, so it is one word without characters that a shell or YAML would read. It
knows nothing of how long it lives or whom it is for: the hub keeps that beside the secret's hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass

import orjson

from argosy import tls
from argosy.errors import Invalid

PREFIX = "argosy-join-"


@dataclass(frozen=True, slots=True)
class JoinToken:
    """`enroll` and `link` are HOST:PORT; `ca` is the SHA-256 of the hub's CA certificate as 64 hex digits."""

    enroll: str
    link: str
    ca: str
    secret: str


def new_secret() -> str:
    return secrets.token_urlsafe(24)


def secret_hash(secret: str) -> str:
    """What the hub keeps of a secret. 192 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def encode(token: JoinToken) -> str:
    fields = [token.enroll, token.link, token.ca, token.secret]
    return PREFIX + base64.urlsafe_b64encode(orjson.dumps(fields)).decode().rstrip("=")


def decode(text: str) -> JoinToken:
    """Raises `Invalid` for what is no join token, or one cut off while copying."""
    body = text.strip()
    if not body.startswith(PREFIX):
        raise Invalid(f"not a join token: it starts with {PREFIX!r}")
    body = body.removeprefix(PREFIX)
    try:
        fields = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        raise Invalid("the join token is damaged: was it copied whole?") from None
    if not isinstance(fields, list) or len(fields) != 4 or not all(isinstance(f, str) for f in fields):
        raise Invalid("the join token is damaged: expected two addresses, a fingerprint and a secret in it")
    token = JoinToken(*fields)
    tls.split_address(token.enroll)
    tls.split_address(token.link)
    if len(token.ca) != 64 or not token.secret:
        raise Invalid("the join token is damaged: its fingerprint or secret lacks")
    return token
