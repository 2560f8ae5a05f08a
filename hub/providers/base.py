"""Asking hosting services over HTTP, so that what comes back is a whole answer or a clear reason why not.

One `Client` per request: paging, rate limits (429, 403 with nothing left, Retry-After), a deadline for
everything together, and answers that must be the JSON that was asked for: an empty body, a page of HTML,
half a document or an error inside a 200 raise `Unavailable`, never "nothing there".
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from argosy.errors import NotFound, Unavailable

MAX_BYTES = 50 * 1024 * 1024
MAX_PAGES = 1000
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A provider's configuration as users write it, the texts of the Secrets it refers to, and filters."""

    config: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    filters: Sequence[Mapping[str, Any]] = ()
    clone_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """What an SCM provider says of one repository at one branch. `sha` is "" until branches are listed."""

    organization: str
    repository: str
    repository_id: Any
    url: str
    branch: str
    labels: tuple[str, ...] = ()
    sha: str = ""


class Scm(Protocol):
    """A hosting service's repositories."""

    async def repositories(self) -> list[Repository]: ...

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        """(name, sha) of the default branch, or of all where asked for; none where it does not exist."""
        ...

    async def has_path(self, repository: Repository, path: str) -> bool: ...


class Pulls(Protocol):
    """A hosting service's pull requests."""

    async def pull_requests(self) -> list[dict[str, Any]]:
        """number, title, branch, target_branch, head_sha, author, labels of each. Raises `NotFound` for no
        such repository.
        """
        ...


class Cache:
    """Answers by URL and credentials with their ETags, so that an unchanged page costs no quota."""

    def __init__(self, limit: int = 2000) -> None:
        self._pages: dict[tuple[str, str], tuple[str, Any, dict[str, str]]] = {}
        self._limit = limit

    def get(self, key: tuple[str, str]) -> tuple[str, Any, dict[str, str]] | None:
        return self._pages.get(key)

    def put(self, key: tuple[str, str], etag: str, body: Any, headers: dict[str, str]) -> None:
        self._pages.pop(key, None)
        self._pages[key] = (etag, body, headers)
        if len(self._pages) > self._limit:
            self._pages.pop(next(iter(self._pages)))


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its JSON and its headers (lower-case names)."""

    body: Any
    headers: Mapping[str, str]


class Client:
    """HTTP towards one service. `base` ends with "/". Give it `deadline`, a time of the running loop's
    clock.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        insecure: bool = False,
        ca: str = "",
        cache: Cache | None = None,
    ) -> None:
        self.base = base
        self._session = session
        self._deadline = deadline
        self._headers = {"Accept": "application/json", "User-Agent": "argosy", **(headers or {})}
        self._tls = _tls(insecure, ca)
        self._cache = cache

    async def get(self, place: str, **query: Any) -> Page:
        """`place` is relative to the base, or a whole address. Raises `NotFound` for 404, else
        `Unavailable`.
        """
        return await self.ask("GET", place, query)

    async def has(self, place: str, **query: Any) -> bool:
        """Whether there is something at the place. Raises `Unavailable`."""
        try:
            await self.get(place, **query)
        except NotFound:
            return False
        return True

    async def ask(
        self,
        method: str,
        place: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        url = place if place.startswith(("http://", "https://")) else self.base + place
        given = {key: _text(value) for key, value in (query or {}).items() if value is not None}
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    page, wait = await self._once(method, url, given, body, headers or {})
            except TimeoutError:
                raise Unavailable(f"{url}: no answer in time") from None
            except aiohttp.ClientError as error:
                raise Unavailable(f"{url}: {error or type(error).__name__}") from None
            if page is not None:
                return page
            if asyncio.get_running_loop().time() + wait >= self._deadline:
                raise Unavailable(f"{url}: rate limited, try again in {wait:.0f} s")
            await asyncio.sleep(wait)

    async def _once(
        self, method: str, url: str, query: dict[str, str], body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[Page | None, float]:
        from yarl import URL

        target = URL(url, encoded=True).update_query(query) if query else URL(url, encoded=True)
        key = (str(target), self._headers.get("Authorization") or self._headers.get("PRIVATE-TOKEN") or "")
        known = self._cache.get(key) if self._cache is not None and method == "GET" else None
        sent = {**self._headers, **headers, **({"If-None-Match": known[0]} if known else {})}
        async with self._session.request(method, target, headers=sent, data=body, ssl=self._tls) as answer:
            if answer.status == 304 and known:
                return Page(known[1], known[2]), 0.0
            raw = await whole(answer.content, MAX_BYTES)
            found = {name.lower(): text for name, text in answer.headers.items()}
            wait = _rate_limited(answer.status, found)
            if wait is not None:
                return None, wait
            parsed = _parsed(str(target), answer.status, found, raw, answer.reason or "")
            if self._cache is not None and method == "GET" and "etag" in found:
                self._cache.put(key, found["etag"], parsed, found)
            return Page(parsed, found), 0.0

    async def linked_pages(self, place: str, **query: Any) -> AsyncIterator[list[Any]]:
        """Lists paged by a `Link` header, `X-Next-Page`, or not at all."""
        page_number: str | None = None
        for _ in range(MAX_PAGES):
            page = await self.get(place, per_page=PAGE_SIZE, page=page_number, **query)
            if not isinstance(page.body, list):
                raise Unavailable(f"{self.base}{place}: expected a list, found {_short(page.body)}")
            yield page.body
            page_number = _next_page(page.headers)
            if not page_number:
                return
        raise Unavailable(f"{self.base}{place}: more than {MAX_PAGES} pages")


async def whole(content: aiohttp.StreamReader, limit: int) -> bytes:
    """An answer's body to its end, or one byte more than the limit."""
    raw = bytearray()
    async for part in content.iter_chunked(1 << 16):
        raw += part
        if len(raw) > limit:
            break
    return bytes(raw[: limit + 1])


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _tls(insecure: bool, ca: str) -> ssl.SSLContext | bool:
    if insecure:
        return False
    if not ca:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=ca)
    except ssl.SSLError as error:
        raise Unavailable(f"caRef: not a PEM certificate: {error.reason}") from None
    return context


def _rate_limited(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, None when the answer is no refusal for asking too often."""
    exhausted = status == 403 and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers)
    if status not in (429, 503) and not exhausted:
        return None
    text = headers.get("retry-after", "")
    if status == 503 and not text:
        return None
    return float(text) if text.isdigit() else (60.0 if exhausted else 1.0)


def _parsed(url: str, status: int, headers: Mapping[str, str], raw: bytes, reason: str) -> Any:
    if status == 404:
        raise NotFound(f"{url}: 404 {reason}")
    if status >= 300:
        detail = " ".join(raw[:200].decode("utf-8", "replace").split())
        raise Unavailable(f"{url}: {status} {reason}: {detail}")
    if len(raw) > MAX_BYTES:
        raise Unavailable(f"{url}: the answer has more than {MAX_BYTES} bytes")
    if status == 204:
        return None
    try:
        body = json.loads(raw)
    except ValueError:
        kind = headers.get("content-type", "no content type")
        what = (
            "an empty body"
            if not raw.strip()
            else f"{kind}: {' '.join(raw[:80].decode('utf-8', 'replace').split())}"
        )
        raise Unavailable(f"{url}: expected JSON, found {what}") from None
    if isinstance(body, dict) and (body.get("error") or body.get("errors")):
        raise Unavailable(f"{url}: {_short(body.get('error') or body.get('errors'))}")
    return body


def _next_page(headers: Mapping[str, str]) -> str | None:
    if headers.get("x-next-page"):
        return headers["x-next-page"]
    for part in headers.get("link", "").split(","):
        target, _, rest = part.partition(";")
        if 'rel="next"' in rest.replace(" ", ""):
            from yarl import URL

            return URL(target.strip().strip("<>"), encoded=False).query.get("page")
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


_PLAIN = "$&+=:@"
"""What Go's `url.PathEscape` leaves as it is besides letters, digits and `-_.~`."""


def segment(text: str) -> str:
    """One path segment, with `/` escaped too."""
    return quote(text, safe=_PLAIN)


def path(text: str) -> str:
    """A path whose `/` separate segments."""
    return quote(text, safe=_PLAIN + "/")


def field_of(value: Any, *names: str) -> Any:
    """A nested field. Raises `Unavailable` when the answer does not have it: it is not what we asked for."""
    for name in names:
        if not isinstance(value, Mapping) or value.get(name) is None:
            raise Unavailable(f"the answer has no {'.'.join(names)}: {_short(value)}")
        value = value[name]
    return value
