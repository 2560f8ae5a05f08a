"""The contract of a gate that is asked, and the one way in which gates speak HTTP.

Who may write a RolloutPolicy makes the hub send requests, so these are bounded: no redirects, no addresses that only a
machine itself or its cloud answers, little is read, nothing of an answer's body is shown, and a Secret's token goes
nowhere but where the Secret itself says.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from argosy.errors import Invalid, Unavailable

SECONDS = 10.0
"""Within which a gate must have answered."""
LARGEST = 1024 * 1024
"""Bytes that are read of an answer."""
TOKEN, ONLY_TO = "token", "url"
"""Keys of a Secret for gates: what is sent, and the beginning of the URLs that it may be sent to."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An object on one cluster: its conditions, type -> status. `error` says why nobody could say."""

    found: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A gate's own part of the policy, and which rollout asks. `secret` is the data of the Secret that it names.

    `sights` is what the agents of the stage's clusters say of the object that it names, by cluster.
    """

    config: Mapping[str, Any]
    rollout: str = ""
    stage: str = ""
    sights: Mapping[str, Sight] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


class Answer(NamedTuple):
    """Whether the gate is good, and what to show of why."""

    good: bool
    said: str


class Ask(Protocol):
    """Asks once. Raises `Invalid` and `Unavailable`; both mean that it is not good."""

    async def __call__(self, question: Question) -> Answer: ...


class Page(NamedTuple):
    """An HTTP answer as far as it is read."""

    status: int
    body: bytes


async def fetch(question: Question, url: str, *, method: str = "GET") -> Page:
    """One request. Raises `Invalid` where the URL may not be asked, `Unavailable` where nothing comes back in time."""
    _check(url)
    headers = {
        "User-Agent": "argosy",
        "X-Argosy-Rollout": question.rollout,
        "X-Argosy-Stage": question.stage,
        **_authorization(question, url),
    }
    limits = aiohttp.ClientTimeout(total=SECONDS)
    connector = aiohttp.TCPConnector(resolver=_Resolver(), force_close=True)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limits, headers=headers) as session,
            session.request(method, url, allow_redirects=False) as answer,
        ):
            return Page(answer.status, await answer.content.read(LARGEST))
    except TimeoutError:
        raise Unavailable(f"no answer within {SECONDS:g} s") from None
    except aiohttp.ClientConnectorError as error:
        raise Unavailable(f"cannot connect: {error.os_error.strerror or error.os_error}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(f"no usable answer: {type(error).__name__}") from None


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"url: expected an http(s) URL with a host, found {url!r}")
    if parts.username or parts.password:
        raise Invalid("url: credentials belong into a Secret (secretRef), not into the URL")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    _permit(address)


def _authorization(question: Question, url: str) -> dict[str, str]:
    """The Secret's token, where the Secret itself says that it may go there."""
    if not question.secret:
        return {}
    only = question.secret.get(ONLY_TO, "")
    if not only or not _below(url, only):
        raise Invalid(f"secretRef: the Secret's key `{ONLY_TO}` does not permit its token to be sent there")
    return {"Authorization": f"Bearer {question.secret.get(TOKEN, '')}"}


def _below(url: str, root: str) -> bool:
    asked, allowed = urlsplit(url), urlsplit(root)
    same = (asked.scheme, asked.hostname, asked.port) == (allowed.scheme, allowed.hostname, allowed.port)
    return same and f"{asked.path}/".startswith(f"{allowed.path.rstrip('/')}/")


def _permit(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Raises `Invalid` for addresses behind which clouds keep credentials, and for those that are nobody's."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    found = mapped or address
    if found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA:
        raise Invalid(f"url: {found} may not be asked")


_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})


class _Resolver(AbstractResolver):
    """Names by the system; every address is checked, and the one that was checked is the one that is used."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, where in found:
            try:
                _permit(ipaddress.ip_address(str(where[0]).partition("%")[0]))
            except Invalid as error:
                raise OSError(error.message) from None
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(where[0]),
                    port=int(where[1]),
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """Holds nothing."""
