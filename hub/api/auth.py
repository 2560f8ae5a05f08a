"""Who is asking: a client certificate of the hub's CA, or a bearer token; and whom they speak for.

TLS has checked the certificate's chain before a request is seen; an agent's certificate (it has a SPIFFE
name) is no identity here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from argosy.machinery import failure
from hub.core import access
from hub.core.access import User
from hub.store import accounts, issuing
from hub.store.base import Store, Tx

CACHE_SECONDS = 5.0
"""How long a token is believed without looking it up again: the bound on how long a revoked one works."""
_CACHED = 1024
PEER = "argosy.peer"
"""Where the connection's certificate is kept in an ASGI scope's extensions."""


class Authenticator:
    """Finds the user of a request. `clock` gives Unix seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[User, float]] = {}

    async def user(self, request: Request) -> User | None:
        """The user, None for nobody. Raises `ApiFailure` 401 for a token that is not good, 403 for a wrong
        impersonation.
        """
        found = await self._bearer(request) or _certified(request)
        if found is None:
            return None
        return _impersonated(request, found)

    async def _bearer(self, request: Request) -> User | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return None
        secret, now = secret.strip(), self._clock()
        cached = self._known.get(secret)
        if cached is not None and cached[1] > now:
            return cached[0]
        account = await self._store.read(lambda tx: _holder(tx, secret, now))
        if account is None:
            self._known.pop(secret, None)
            raise failure.unauthorized()
        found = access.user(account.username, account.groups)
        if len(self._known) >= _CACHED:
            self._known.clear()
        until = now + CACHE_SECONDS
        self._known[secret] = (found, min(until, account.expires) if account.expires else until)
        return found


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
    return access.user(name, groups)
