"""Lists the refs of a repository over smart HTTP with one request on a kept connection, without a process.

The question is the oldest that Git servers answer: `GET …/info/refs?service=git-upload-pack`, whose answer names every
ref (gitprotocol-http, gitprotocol-pack: "Reference Discovery"). Whatever is not a whole, plain answer of that form is
left to Git itself, which knows more ways and whose words people know.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Mapping

import aiohttp

from argosy.errors import Invalid, Unavailable
from hub.core import repos
from hub.git.command import Settings
from hub.git.credentials import Access

_SERVICE = "git-upload-pack"
_ANSWER = f"application/x-{_SERVICE}-advertisement"
_HEADERS = {
    # Servers tell Git's questions from a browser's by the name.
    "User-Agent": "git/2.0 (argosy)",
    "Accept": "*/*",
    "Pragma": "no-cache",
}
_AWAY_SECONDS = 600.0
"""How long a repository is left to Git after an answer that we do not understand."""
_KEPT_SECONDS = 60.0
_CHUNK = 64 * 1024
_HEX = re.compile("[0-9a-fA-F]*")


class Lister:
    """For one event loop; `close` ends its connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._away: dict[str, float] = {}

    async def refs(self, url: str, access: Access) -> Mapping[str, str] | None:
        """ref -> commit id, HEAD included, tags peeled. None where Git has to be asked. Raises `Unavailable` where the
        server keeps silent or breaks off.
        """
        held = access.credentials
        if repos.parse(url).protocol not in ("http", "https"):
            return None
        if held.refused or held.tls_client_cert or held.proxy:
            return None
        if self._away.get(url, 0.0) > time.monotonic():
            return None
        try:
            async with asyncio.timeout(self._settings.list_seconds):
                body = await self._asked(url, access)
        except aiohttp.ServerTimeoutError:
            silence = self._settings.silence_seconds
            raise Unavailable(f"repository {repos.redacted(url)}: no answer for {silence} s") from None
        except TimeoutError:
            seconds = self._settings.list_seconds
            raise Unavailable(
                f"repository {repos.redacted(url)}: the listing did not end within {seconds:g} s"
            ) from None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                return None
            raise Unavailable(f"repository {repos.redacted(url)}: the answer broke off") from None
        except (aiohttp.ClientError, OSError, ValueError):
            return None
        found = None if body is None else parse(body)
        if found is None:
            self._away[url] = time.monotonic() + _AWAY_SECONDS
        return found

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _asked(self, url: str, access: Access) -> bytes | None:
        """The answer's body; None for anything else than an answer of this protocol. A redirect is not followed: the
        credentials are for this address.
        """
        question = f"{repos.bare(url).rstrip('/')}/info/refs?service={_SERVICE}"
        headers = {**_HEADERS, **_authorization(url, access)}
        session = self._opened()
        async with session.get(
            question, headers=headers, ssl=self._tls(access), allow_redirects=False
        ) as answer:
            if answer.status != 200 or answer.content_type != _ANSWER:
                answer.close()
                return None
            body = bytearray()
            async for part in answer.content.iter_chunked(_CHUNK):
                body += part
                if len(body) > self._settings.listing_bytes:
                    answer.close()
                    return None
            return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            quiet = float(self._settings.silence_seconds)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEPT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=quiet, sock_read=quiet),
            )
        return self._session

    def _tls(self, access: Access) -> ssl.SSLContext | bool:
        if access.credentials.insecure:
            return False
        if not access.authority:
            return True
        context = self._contexts.get(access.authority)
        if context is None:
            context = ssl.create_default_context(cadata=access.authority)
            self._contexts = {access.authority: context, **dict(list(self._contexts.items())[:63])}
        return context


def _authorization(url: str, access: Access) -> dict[str, str]:
    held, address = access.credentials, repos.parse(url)
    if held.bearer_token:
        return {"Authorization": f"Bearer {held.bearer_token}"}
    username, password = held.username or address.user, held.password or address.password
    if not username and not password:
        return {}
    both = f"{username or 'x-access-token'}:{password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}


def parse(body: bytes) -> dict[str, str] | None:
    """The refs of a whole answer; None for one that is cut, refused or of another form."""
    try:
        lines = _lines(body)
    except Invalid:
        return None
    if lines[0] != f"# service={_SERVICE}":
        return None
    refs: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in lines[1:]:
        text = line.partition("\0")[0]
        commit, blank, ref = text.partition(" ")
        if not text or commit == "shallow" or ref == "capabilities^{}":
            continue
        if not blank or len(commit) not in (40, 64) or not _is_hex(commit):
            return None
        if ref.endswith("^{}"):
            peeled[ref[:-3]] = commit
        else:
            refs[ref] = commit
    return {**refs, **peeled}


def _lines(body: bytes) -> list[str]:
    """The pkt-lines without their line feeds, "" for each flush. Raises `Invalid` where the last is no flush."""
    found: list[str] = []
    at = 0
    while at < len(body):
        head = body[at : at + 4]
        if len(head) < 4 or not _is_hex(head.decode("latin-1")):
            raise Invalid("no pkt-line")
        size = int(head, 16)
        if size == 0:
            found.append("")
            at += 4
            continue
        if size < 4 or at + size > len(body):
            raise Invalid("a pkt-line is cut")
        found.append(body[at + 4 : at + size].decode("utf-8", "surrogateescape").removesuffix("\n"))
        at += size
    # One flush after the service's name, one after the last ref.
    if len(found) < 3 or found[1] != "" or found[-1] != "" or found.count("") != 2:
        raise Invalid("the answer is cut")
    return found


def _is_hex(text: str) -> bool:
    return _HEX.fullmatch(text) is not None
