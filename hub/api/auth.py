"""Who is asking: a client certificate of the hub's CA, or a bearer token, the hub's own or an identity provider's; and
whom they speak for.

TLS has checked the certificate's chain before a request is seen; an agent's certificate (it has a SPIFFE
name) is no identity here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from starlette.requests import Request

from argosy import token
from argosy.errors import Forbidden, Unavailable
from argosy.machinery import failure
from hub import oidc
from hub.core.access import access
from hub.core.access.access import User
from hub.oidc import Identity
from hub.store import accounts, issuing
from hub.store.base import Store, Tx

CACHE_SECONDS = 5.0
"""How long a token is believed without looking it up again: the bound on how long a revoked one works."""
_CACHED = 1024
log = structlog.get_logger("api")

PEER = "argosy.peer"
"""Where the connection's certificate is kept in an ASGI scope's extensions."""


class Authenticator:
    """Finds the user of a request. `clock` gives Unix seconds."""

    def __init__(
        self, store: Store, clock: Callable[[], float] = time.time, identity: Identity | None = None
    ) -> None:
        self._store = store
        self._identity = identity or Identity(clock)
        self._clock = clock
        self._known: dict[str, tuple[User, float, float]] = {}
        """By the hash of a token: (its user, until when that is believed, when the token ends)."""

    async def user(self, request: Request) -> User | None:
        """The user, None for nobody. Raises `ApiFailure` 401 for a token that is not good, 403 for a wrong
        impersonation.
        """
        found = await self._bearer(request) or _certified(request)
        if found is None:
            return None
        return _impersonated(request, found)

    def ends(self, request: Request) -> float:
        """When the token of a request whose user was found a moment ago ends, Unix seconds; 0 for never, or no token."""
        secret = _shown(request)
        return self._known[token.secret_hash(secret)][2] if secret else 0.0

    def forget(self) -> None:
        """Believes no token any more without looking it up."""
        self._known.clear()

    async def _bearer(self, request: Request) -> User | None:
        secret, now = _shown(request), self._clock()
        if not secret:
            return None
        name = token.secret_hash(secret)
        cached = self._known.get(name)
        if cached is not None and cached[1] > now:
            return cached[0]
        found, expires = await (self._provided(secret) if oidc.is_jwt(secret) else self._held(secret, now))
        if len(self._known) >= _CACHED:
            self._known.clear()
        until = now + CACHE_SECONDS
        self._known[name] = (found, min(until, expires) if expires else until, expires)
        return found

    async def _provided(self, secret: str) -> tuple[User, float]:
        """By an identity provider's token: (the user, until when)."""
        try:
            return await self._identity.user(secret)
        except Forbidden as error:
            log.info("token refused", reason=error.message)
            raise failure.unauthorized() from None
        except Unavailable as error:
            log.warning("token not verified", reason=error.message)
            raise failure.unavailable("the identity provider does not answer") from None

    async def _held(self, secret: str, now: float) -> tuple[User, float]:
        """By a token of the hub's own: (the user, until when; 0 for ever)."""
        account = await self._store.read(lambda tx: _holder(tx, secret, now))
        if account is None:
            raise failure.unauthorized()
        return access.user(account.username, account.groups), account.expires


def _shown(request: Request) -> str:
    """The bearer token of a request, "" where it has none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _holder(tx: Tx, secret: str, now: float) -> accounts.Account | None:
    """Whom a token stands for now: an account that was shut out, or a role that is gone, holds none."""
    found = accounts.find(tx, secret, now)
    if found is not None and found.token_id and issuing.problem(tx, found.username):
        return None
    return found


def _certified(request: Request) -> User | None:
    peer: dict[str, Any] | None = (request.scope.get("extensions") or {}).get(PEER)
    if not peer:
        return None
    if any(kind == "URI" for kind, _ in peer.get("subjectAltName") or ()):
        return None
    subject = [pair for part in peer.get("subject") or () for pair in part]
    name = next((value for key, value in subject if key == "commonName"), "")
    groups = [value for key, value in subject if key == "organizationName"]
    return access.user(name, groups) if name else None


def _impersonated(request: Request, found: User) -> User:
    name = request.headers.get("impersonate-user", "")
    groups = request.headers.getlist("impersonate-group")
    if not name:
        if groups:
            raise failure.bad_request("requested groups without impersonating a user")
        return found
    if access.ADMINS not in found.groups:
        raise failure.access_denied(found.name, "impersonate", "users", "", "", name)
    return replace(access.user(name, groups), by=found.name)
