"""An identity provider with a certificate of its own CA, whose keys, claims and moods a test decides.

Tokens are put together by hand and not with the library that reads them.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hub.ca import authority

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@functools.cache
def key(name: str, kind: str = "RSA") -> Key:
    """A key of that name, made once."""
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int = 0) -> str:
    return _text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def published(name: str, of: Key) -> dict[str, str]:
    """The public key as a JWK."""
    if isinstance(of, rsa.RSAPrivateKey):
        numbers = of.public_key().public_numbers()
        parts = {"kty": "RSA", "alg": "RS256", "n": _number(numbers.n), "e": _number(numbers.e)}
    else:
        point = of.public_key().public_numbers()
        parts = {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    return {**parts, "kid": name, "use": "sig"}


def pem(of: Key) -> bytes:
    """The public key as people write it down."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return of.public_key().public_bytes(serialization.Encoding.PEM, form)


def token(
    claims: dict[str, Any], of: Key | bytes | None, *, kid: str | None = "one", alg: str = "", **header: Any
) -> str:
    """A token signed by a key; by a secret where that is bytes, by nobody where it is None."""
    named = {} if kid is None else {"kid": kid}
    usual = "none" if of is None else "HS256" if isinstance(of, bytes) else ""
    usual = usual or ("RS256" if isinstance(of, rsa.RSAPrivateKey) else "ES256")
    head = {"typ": "JWT", "alg": alg or usual, **named, **header}
    body = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
    return f"{body}.{_text(_signature(body.encode(), of))}"


def _signature(data: bytes, of: Key | bytes | None) -> bytes:
    if of is None:
        return b""
    if isinstance(of, bytes):
        return hmac.new(of, data, hashlib.sha256).digest()
    if isinstance(of, rsa.RSAPrivateKey):
        return of.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(of.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Issuer:
    """`keys` are those it publishes, by name; `asked` counts what was asked of it."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"one": key("one")}
        self.extra: list[Any] = []
        self.url = self.ca = ""
        self.says: dict[str, Any] = {}
        """What it says of itself otherwise."""
        self.status = 200
        self.padding = 0
        self.asked: list[str] = []

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a token that is good for a minute; None leaves one out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "argosy", "sub": "ann", "iat": now, "exp": now + 60}
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def config(self) -> str:
        """`oidc.config` for it."""
        said = {"name": "test", "issuer": self.url, "clientID": "argosy", "rootCA": self.ca}
        return json.dumps(said)

    async def _about(self, request: web.Request) -> web.Response:
        said = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.says}
        return self._answer(request, said)

    async def _keys(self, request: web.Request) -> web.Response:
        listed = [published(name, of) for name, of in self.keys.items()]
        return self._answer(request, {"keys": [*listed, *self.extra], "padding": "x" * self.padding})

    def _answer(self, request: web.Request, said: dict[str, Any]) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(said, status=self.status)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Issuer]:
    """A provider at a free port of loopback."""
    issuer = Issuer()
    ca = authority.open_authority(folder / "issuer-ca", time.time())
    pair = ca.server(["localhost", "127.0.0.1"], time.time(), lifetime=86400.0)
    for name, content in (("tls.crt", pair.certificate), ("tls.key", pair.key)):
        (folder / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer._about)
    app.router.add_get("/keys", issuer._keys)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    issuer.url, issuer.ca = f"https://localhost:{port}", ca.bundle.decode()
    try:
        yield issuer
    finally:
        await runner.cleanup()
