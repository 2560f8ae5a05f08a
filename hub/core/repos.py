"""When two repository addresses mean the same repository.

People write one repository as `https://host/team/app`, `https://HOST/team/app.git/`, `git@host:team/app.git`
or `ssh://git@host/team/app`. Argo CD compares addresses after normalising them (`util/git.NormalizeGitURL`);
mirrors, credentials and webhooks all need that comparison. Nothing here talks to a repository.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from argosy.errors import Invalid

TLS_CERTIFICATES = "argocd-tls-certs-cm"
"""The ConfigMap of CAs by host, of repositories and of registries."""
_SCP = re.compile(r"(?:(?P<user>[^/:@\s]+)@)(?P<host>[^/:\s]+):(?!//)(?P<path>.+)\Z")
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a repository address. `host` is lower-case, `port` None for the protocol's own, `path`
    without the leading `/`, trailing `/` and `.git`. `password` is what stood in the address, "" where
    nothing did.
    """

    protocol: str
    user: str
    password: str
    host: str
    port: int | None
    path: str


@functools.lru_cache(maxsize=4096)
def parse(url: str) -> Address:
    """Reads an address in any form that Git knows. Raises `Invalid` for what is none."""
    text = url.strip()
    if not text or any(ord(sign) < 0x21 for sign in text) or text.startswith("-"):
        raise Invalid(f"{url!r} is not the address of a Git repository")
    if strays(text):
        raise Invalid(f"{redacted(url)}: '.' and '..' are no part of a repository's address")
    if text.startswith("/"):
        return Address("file", "", "", "", None, _trimmed(text))
    scp = _SCP.match(text)
    if scp and "://" not in text:
        return Address("ssh", scp["user"], "", scp["host"].lower(), None, _trimmed(scp["path"]))
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise Invalid(f"{redacted(url)!r} is not the address of a Git repository: {error}") from None
    try:
        port = parts.port
    except ValueError:
        raise Invalid(f"{redacted(url)}: the port is not a number") from None
    if not parts.scheme or "://" not in text or (not parts.hostname and parts.scheme != "file"):
        raise Invalid(f"{redacted(url)!r} is not the address of a Git repository")
    scheme = parts.scheme.lower()
    return Address(
        "ssh" if scheme == "git+ssh" else scheme,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        (parts.hostname or "").lower(),
        None if port == _DEFAULT_PORTS.get(scheme) else port,
        _trimmed(parts.path),
    )


@functools.lru_cache(maxsize=4096)
def identity(url: str) -> str:
    """Equal texts mean the same repository, reached in the same way. The case of the path is kept."""
    address = parse(url)
    if address.protocol == "ssh":
        user = f"{address.user}@" if address.user else ""
        return f"ssh://{user}{_place(address)}"
    return f"{address.protocol}://{_place(address)}"


def location(url: str) -> str:
    """Host and path alone, lower-case: what a webhook's payload and a source's address must agree on."""
    address = parse(url)
    return f"{address.host}/{address.path}".lower()


def bare(url: str) -> str:
    """The address without user and password where they came with HTTP: what may appear in a command line
    or a log.
    """
    text = url.strip()
    if "://" not in text or text.lower().startswith(("ssh://", "git+ssh://")):
        return text
    scheme, _, rest = text.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def strays(address: str) -> bool:
    """Whether an address leads on its way out of where it seems to: what takes out `..` (libcurl, many servers) comes to
    another place than the one that a project's patterns were asked about.
    """
    steps = unquote(address).replace("\\", "/").replace(":", "/").split("/")
    return "." in steps or ".." in steps


def begins(text: str, prefix: str) -> bool:
    """Whether an address begins with a prefix and is on the host that this names.

    Argo CD (3.6, `util/db`) compares texts alone. There a password for `https://host` goes to `https://host.elsewhere`, too.
    """
    if not text.startswith(prefix):
        return False
    host = prefix.rpartition("://")[2]
    return not host or "/" in host or text[len(prefix) :][:1] in ("", "/", ":")


def redacted(url: str) -> str:
    """Any text that was meant as an address, without the password it may hold."""
    return re.sub(r"(://[^/\s:@]*):[^/\s@]*@", r"\1:***@", url)


def _place(address: Address) -> str:
    port = f":{address.port}" if address.port else ""
    return f"{address.host}{port}/{address.path}"


def _trimmed(path: str) -> str:
    return path.strip("/").removesuffix(".git").rstrip("/")
