"""Bearer tokens of an identity provider (OpenID Connect): which are for this hub, and whom they stand for.

Set up by Argo CD's keys (3.6): `oidc.config` in `argocd-cm` with `issuer`, `clientID`, `allowedAudiences`, `rootCA`; the
claims that are groups are `scopes` in `argocd-rbac-cm`. Whether the signature is good is found out elsewhere, before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from argosy import yamlio
from argosy.errors import Forbidden, Invalid
from hub.core.access import access
from hub.core.access.access import User

KEY = "oidc.config"
SCOPES = "scopes"
EARLY = 300.0
"""Seconds that a token may be from the future, as in Argo CD's library: clocks differ."""
_GROUPS = ("groups",)
_RESERVED = ("argosy:", "system:", "role:", "proj:")
"""What begins so is given here or by policies, and by no provider."""
_MOST_GROUPS = 500
_LAST = 1e11
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Provider:
    """Who issues tokens. `audiences` are those meant for this hub, `groups` the claims that name groups, `ca` the PEM of
    the CA that the provider's own certificate is signed by ("" for the system's).
    """

    issuer: str
    audiences: tuple[str, ...]
    groups: tuple[str, ...] = _GROUPS
    ca: str = ""


def of(settings: Mapping[str, Any], policy: Mapping[str, Any]) -> Provider | None:
    """The provider by `argocd-cm` and `argocd-rbac-cm`, None where there is none. Raises `Invalid`."""
    text = settings.get(KEY)
    if not text:
        return None
    said = yamlio.load_first(str(text), source=KEY)
    if not isinstance(said, dict):
        raise Invalid(f"{KEY}: a mapping is expected")
    issuer, client = str(said.get("issuer") or ""), str(said.get("clientID") or "")
    parts = urlsplit(issuer)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(f"{KEY}.issuer: found {issuer!r}, expected the provider's https address")
    allowed = said.get("allowedAudiences") or ([client] if client else [])
    if not isinstance(allowed, list) or not allowed:
        raise Invalid(f"{KEY}: expected clientID or a list allowedAudiences: else any token would do")
    return Provider(issuer, tuple(map(str, allowed)), _scopes(policy), str(said.get("rootCA") or ""))


def user_of(claims: Mapping[str, Any], provider: Provider, now: float) -> User:
    """Whom a token with a good signature stands for. Raises `Forbidden` where it does not count here and now."""
    if claims.get("iss") != provider.issuer:
        raise Forbidden("the token is of another issuer")
    audience = claims.get("aud")
    if not set(provider.audiences) & set(_texts(audience)):
        raise Forbidden("the token is for another audience")
    if (expires := _time(claims, "exp")) is None or expires <= now:
        raise Forbidden("the token has expired")
    if any((_time(claims, name) or 0.0) > now + EARLY for name in ("nbf", "iat")):
        raise Forbidden("the token does not count yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or subject.startswith(_RESERVED):
        raise Forbidden("the token names nobody who may be known here by that name")
    groups = [group for name in provider.groups for group in _texts(claims.get(name))]
    known = [group for group in groups if not group.startswith(_RESERVED)]
    return access.user(subject, known[:_MOST_GROUPS])


def expires(claims: Mapping[str, Any]) -> float:
    """When a token ends, Unix seconds."""
    return _time(claims, "exp") or 0.0


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """Raises `Forbidden` for a time that is none."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST:
        raise Forbidden(f"the token's {name} is no time")
    return float(value)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else ()


def _scopes(policy: Mapping[str, Any]) -> tuple[str, ...]:
    """`scopes: '[groups, email]'`. Raises `Invalid`."""
    text = policy.get(SCOPES)
    if not text:
        return _GROUPS
    said = yamlio.load_first(str(text), source=SCOPES)
    if not isinstance(said, list) or not all(isinstance(item, str) for item in said):
        raise Invalid(f"{SCOPES}: found {text!r}, expected a list of claims")
    return tuple(said)
