"""HTTP for charts: bounded answers, a deadline, credentials for the host they were given for and no other."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson

from argosy.errors import NotFound, Unavailable

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_CHUNK = 64 * 1024
_SHOWN = 200
_TOKEN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 200, or 304 where the question named what is known already."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Client:
    """Questions to one repository or registry. `origin` is `https://host[:port]`: only it, and the token
    service it names, get the credentials, unless `passing`. `seconds` is for each question with everything
    that it leads to.
    """

    session: aiohttp.ClientSession
    origin: str
    username: str = ""
    password: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)
    tls: ssl.SSLContext | bool = True
    passing: bool = False
    seconds: float = 60.0
    _token: str = field(default="", repr=False)

    async def get(
        self, url: str, limit: int, *, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Answer:
        """Raises `NotFound` for 404, `Unavailable` for anything else that is no whole answer."""
        shown = url.partition("?")[0]
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self._once(method, url, limit, headers or {})
                if answer.status == 401 and await self._log_in(answer.headers.get("www-authenticate", "")):
                    answer = await self._once(method, url, limit, headers or {})
        except TimeoutError:
            raise Unavailable(f"{shown}: no answer within {self.seconds:g} s") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise Unavailable(f"{shown}: {error or type(error).__name__}") from None
        if answer.status == 404:
            raise NotFound(f"{shown}: 404 Not Found")
        if answer.status in (401, 403):
            raise Unavailable(f"{shown}: {answer.status}, the credentials (if any) are not accepted")
        if answer.status not in (200, 304):
            text = " ".join(answer.body[:_SHOWN].decode("utf-8", "replace").split())
            raise Unavailable(f"{shown}: {answer.status} {text}")
        return answer

    async def _once(self, method: str, url: str, limit: int, headers: Mapping[str, str]) -> Answer:
        sent = {"User-Agent": "argosy", **headers}
        if (given := self._authorization()) and (self.passing or url.startswith(f"{self.origin}/")):
            sent["Authorization"] = given
        # aiohttp takes Authorization off where a redirect leads to another origin.
        async with self.session.request(method, url, headers=sent, ssl=self.tls, max_redirects=5) as answer:
            body = await _body(answer, limit)
            found = {name.lower(): text for name, text in answer.headers.items()}
            return Answer(answer.status, body, found)

    def _authorization(self) -> str:
        if self._token or self.bearer:
            return f"Bearer {self._token or self.bearer}"
        return self._basic() if self.username or self.password else ""

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    async def _log_in(self, challenge: str) -> bool:
        """The token dance of registries; False where there is nothing to be had."""
        scheme, _, rest = challenge.partition(" ")
        facts = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in facts:
            return False
        realm = urlsplit(facts["realm"])
        if realm.scheme not in ("http", "https") or (
            realm.scheme == "http" and self.origin.startswith("https://")
        ):
            raise Unavailable(f"{self.origin}: asks to log in at {facts['realm']}, which is not safe")
        query = urlencode({key: facts[key] for key in ("service", "scope") if key in facts})
        url = f"{facts['realm']}{'&' if realm.query else '?'}{query}"
        headers = {"Authorization": self._basic()} if self.username else {}
        async with self.session.get(url, headers=headers, ssl=self.tls, max_redirects=0) as answer:
            body = await _body(answer, _TOKEN_BYTES)
            if answer.status != 200:
                raise Unavailable(f"{facts['realm']}: {answer.status}, the credentials are not accepted")
        found: Any = mapping(body, facts["realm"])
        self._token = str(found.get("token") or found.get("access_token") or "")
        return bool(self._token)


async def _body(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_chunked(_CHUNK):
        body += part
        if len(body) > limit:
            raise Unavailable(f"{answer.url.with_query(None)}: more than {limit} bytes")
    return bytes(body)


def mapping(body: bytes, what: str) -> dict[str, Any]:
    """Raises `Unavailable` for what is no JSON object: a page of HTML, half a document."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{what}: expected a JSON object")
    return found
