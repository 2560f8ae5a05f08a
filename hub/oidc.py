"""Asks an identity provider for its keys, and tells by them whether a token is the provider's.

Keys are fetched when the first token comes, and again once a token names one that is not known (they were exchanged), but
not more often than every few seconds: a flood of nonsense costs the provider nothing. While it does not answer, the keys
that are known go on counting for a day.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import structlog

from argosy.errors import Forbidden, Unavailable
from hub.core.access import oidc
from hub.core.access.access import User
from hub.core.access.oidc import Provider

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Of public keys alone: what can be made of a public key, or of nothing, is no signature."""
LONGEST = 16 * 1024
"""Bytes of a token."""
_DOCUMENT = 512 * 1024
_SECONDS = 5.0
_AGAIN = 10.0
"""Seconds between two attempts to get keys."""
_FRESH, _STALE = 3600.0, 86400.0
"""Seconds for which keys count without asking, and at all."""

log = structlog.get_logger("oidc")


def is_jwt(token: str) -> bool:
    """Whether a bearer token looks like a provider's: the hub's own have no dots."""
    return token.count(".") == 2


class Identity:
    """One provider, or none. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._provider: Provider | None = None
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()
        self.fetches = 0
        """How often keys were asked for since the start."""

    def use(self, provider: Provider | None) -> None:
        """Takes up another provider; nothing that was known of the one before counts any more."""
        if provider != self._provider:
            self._provider, self._keys = provider, None
            self._fetched = self._tried = float("-inf")

    async def user(self, token: str) -> tuple[User, float]:
        """(whom a token stands for, until when). Raises `Forbidden` for one that is not good, `Unavailable` where the
        provider's keys cannot be had.
        """
        provider = self._provider
        if provider is None:
            raise Forbidden("this hub knows no identity provider")
        if len(token) > LONGEST:
            raise Forbidden("the token is too long")
        claims = await self._claims(token, provider)
        return oidc.user_of(claims, provider, self._clock()), oidc.expires(claims)

    async def _claims(self, token: str, provider: Provider) -> Mapping[str, Any]:
        # Late, and beside everything else: only a hub with a provider pays for the library.
        await asyncio.to_thread(importlib.import_module, "joserfc.jwt")
        from joserfc import jwt
        from joserfc.errors import JoseError

        keys = await self._known(provider)
        for _ in range(2):
            try:
                decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
                return dict(decoded.claims)
            except (JoseError, ValueError, TypeError, KeyError) as error:
                before, keys = keys, await self._newer(provider, keys)
                if keys is before:
                    raise Forbidden(
                        f"the token's signature is not the provider's: {type(error).__name__}"
                    ) from None
        raise Forbidden("the token's signature is not the provider's")

    async def _known(self, provider: Provider) -> KeySet:
        now = self._clock()
        if self._keys is None or now - self._fetched >= _FRESH:
            await self._fetch(provider)
        if self._keys is None or now - self._fetched >= _STALE:
            raise Unavailable(f"the keys of {provider.issuer} cannot be had")
        return self._keys

    async def _newer(self, provider: Provider, keys: KeySet) -> KeySet:
        """Keys that came since, or come now; the same where there are none."""
        if self._keys is keys:
            await self._fetch(provider)
        return self._keys or keys

    async def _fetch(self, provider: Provider) -> None:
        """One attempt for all who wait. A failure leaves what is known, and is told in the log."""
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        async with self._lock:
            if self._clock() - self._tried < _AGAIN or provider != self._provider:
                return
            self._tried = self._clock()
            self.fetches += 1
            try:
                found = KeySet.import_key_set(await _key_set(provider))
            except (
                aiohttp.ClientError,
                TimeoutError,
                OSError,
                ValueError,
                JoseError,
                TypeError,
                KeyError,
            ) as error:
                log.warning(
                    "keys not fetched", issuer=provider.issuer, error=str(error) or type(error).__name__
                )
                return
            if provider == self._provider:
                self._keys, self._fetched = found, self._clock()


async def _key_set(provider: Provider) -> Any:
    """The provider's public keys, in JSON's form. Raises what its libraries raise, and `ValueError`."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    context = ssl.create_default_context(cadata=provider.ca or None)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        about = await _json(session, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if about.get("issuer") != provider.issuer:
            raise ValueError(f"it says that it is {about.get('issuer')!r}")
        address = str(about.get("jwks_uri") or "")
        if provider.issuer.startswith("https:") and not address.startswith("https:"):
            raise ValueError(f"its keys are not behind https: {address!r}")
        found = await _json(session, address)
    # Keys for anything but signatures, and secrets, are none of ours.
    keys = [key for key in found.get("keys") or () if _public(key)]
    if not keys:
        raise ValueError("it has no keys for signatures")
    return {"keys": keys}


def _public(key: Any) -> bool:
    return isinstance(key, dict) and key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"


async def _json(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(address, allow_redirects=False) as answer:
        if answer.status != 200:
            raise ValueError(f"{address}: HTTP {answer.status}")
        raw = await answer.content.read(_DOCUMENT + 1)
        while len(raw) <= _DOCUMENT and (more := await answer.content.read(_DOCUMENT)):
            raw += more
    if len(raw) > _DOCUMENT:
        raise ValueError(f"{address}: more than {_DOCUMENT} bytes")
    value = orjson.loads(raw)
    if not isinstance(value, dict):
        raise ValueError(f"{address}: no JSON object")
    return value
