"""A repository address as Argo CD compares it with a project's patterns (`util/git.NormalizeGitURL`, 3.6).

The address and the pattern both go through Go's `net/url`, which has its own mind about wildcards: `*` and `[a]`
stay, but a path with `{` or `|` is percent-encoded as a whole, its stars included. Who must judge as Argo CD does
has to read and write addresses as Go does; for everything else there is `hub.core.repos`.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import string

_ALWAYS = frozenset(string.ascii_letters + string.digits + "-_.~")
_PATH = _ALWAYS | frozenset("$&+,/:;=@")
_USER = _ALWAYS | frozenset("$&+,;=")
_HOST = _ALWAYS | frozenset("!$&'()*+,;=:[]<>\"")
_FRAGMENT = _ALWAYS | frozenset("$&+,/:;=?@!()*")
_MAY_STAY = frozenset("!$&'()*+,;=:@[]%")
_USERINFO = _ALWAYS | frozenset(":!$&'()*+,;=%@")

_SSH = re.compile(r"(?:ssh://)?[^/:]*?@[^@]+\Z", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_PERCENT = re.compile(r"%(..)?", re.DOTALL)
_PORT = re.compile(r"(?::[0-9]*)?\Z")


class _Unreadable(Exception):
    """Go's parser refuses the address."""


@functools.lru_cache(maxsize=4096)
def normalized(repo: str) -> str:
    """The address or pattern in the form that is compared; "" for one that Go cannot read."""
    text = repo.strip().lower()
    if _SSH.match(text) and not text.startswith("ssh://"):
        text = "ssh://" + text.replace(":", "/", 1)
    # Go works on bytes: one character each, from here on.
    raw = text.removesuffix(".git").encode(errors="surrogatepass").decode("latin-1")
    try:
        written = _rewritten(raw)
    except _Unreadable:
        return ""
    return written.encode("latin-1").decode(errors="surrogateescape").removeprefix("ssh://")


def _rewritten(raw: str) -> str:
    """`url.Parse(raw)` and then `String()`."""
    rest, _, fragment = raw.partition("#")
    if any(sign < " " or sign == "\x7f" for sign in rest):
        raise _Unreadable
    shown = _kept(fragment, _FRAGMENT)
    tail = f"#{shown}" if shown else ""
    if rest == "*":
        return "*" + tail
    scheme, rest = _scheme(rest)
    if rest.endswith("?") and rest.count("?") == 1:
        rest, query = rest[:-1], "?"
    else:
        rest, _, query = rest.partition("?")
        query = f"?{query}" if query else ""
    head = f"{scheme}:" if scheme else ""
    if scheme and not rest.startswith("/"):
        return head + rest + query + tail
    if not scheme and ":" in rest.partition("/")[0]:
        raise _Unreadable
    return head + _hierarchical(scheme, rest, bool(scheme)) + query + tail


def _scheme(raw: str) -> tuple[str, str]:
    if raw.startswith(":"):
        raise _Unreadable
    found = _SCHEME.match(raw)
    return (found[1].lower(), raw[found.end() :]) if found else ("", raw)


def _hierarchical(scheme: str, rest: str, absolute: bool) -> str:
    """Authority and path."""
    if not rest.startswith("//") or (not absolute and rest.startswith("///")):
        return _first_segment(_kept(rest, _PATH), absolute)
    authority, slash, path = rest[2:].partition("/")
    user, host = _authority(scheme, authority)
    path = _kept(slash + path, _PATH)
    if not (absolute or host or user is not None):
        return _first_segment(path, absolute)
    marks = "//" if host or path or user is not None else ""
    return marks + (f"{user}@" if user is not None else "") + _escaped(host, _HOST) + path


def _first_segment(path: str, absolute: bool) -> str:
    return f"./{path}" if not absolute and ":" in path.partition("/")[0] else path


def _authority(scheme: str, authority: str) -> tuple[str | None, str]:
    info, at, rest = authority.rpartition("@")
    host = _host(scheme, rest)
    if not at:
        return None, host
    if not _USERINFO.issuperset(info):
        raise _Unreadable
    return ":".join(_escaped(_unescaped(part), _USER) for part in info.split(":", 1)), host


def _host(scheme: str, host: str) -> str:
    opening = host.rfind("[")
    if opening > 0:
        raise _Unreadable
    if opening == 0:
        return _literal(host)
    first, last = host.find(":"), host.rfind(":")
    if first >= 0 and not _PORT.match(host[first if scheme in ("http", "https") else last :]):
        raise _Unreadable
    return _unescaped(host, _HOST)


def _literal(host: str) -> str:
    """An IPv6 address in brackets, perhaps with a zone and a port."""
    closing = host.rfind("]")
    if closing < 0 or not _PORT.match(host[closing + 1 :]):
        raise _Unreadable
    name, mark, zone = host[1:closing].partition("%25")
    address = _unescaped(name, _HOST) + _unescaped(mark + zone)
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise _Unreadable from None
    return f"[{address}]{host[closing + 1 :]}"


def _kept(raw: str, allowed: frozenset[str]) -> str:
    """A path or fragment: as it was written where that is a valid encoding, else encoded anew."""
    plain = _unescaped(raw)
    valid = all(sign in _MAY_STAY or sign in allowed for sign in raw)
    return raw if valid or raw == "*" else _escaped(plain, allowed)


def _escaped(plain: str, allowed: frozenset[str]) -> str:
    return "".join(sign if sign in allowed else f"%{ord(sign):02X}" for sign in plain)


def _unescaped(raw: str, allowed: frozenset[str] | None = None) -> str:
    """Percent escapes resolved. In a host (`allowed`) they are for bytes outside ASCII only, and what is not allowed
    may not stand there unescaped."""

    def byte(found: re.Match[str]) -> str:
        digits = found[1] or ""
        if len(digits) != 2 or any(digit not in string.hexdigits for digit in digits):
            raise _Unreadable
        if allowed is not None and digits[0] in "01234567" and digits != "25":
            raise _Unreadable
        return chr(int(digits, 16))

    if allowed is not None and any(s < "\x80" and s != "%" and s not in allowed for s in raw):
        raise _Unreadable
    return _PERCENT.sub(byte, raw)
