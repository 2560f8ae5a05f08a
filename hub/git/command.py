"""Runs one Git command that talks to a remote: guarded, without prompts, hooks or the machine's
configuration.

Credentials reach Git through its environment and through files of one private folder that is gone afterwards;
they are never part of a command line, an error or a log.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from argosy.errors import Invalid, Unavailable
from hub import process
from hub.core import repos
from hub.git.credentials import Access

_PROTOCOLS = ("https", "http", "ssh")
_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Settings:
    """What talking to a remote may cost. Times are wall seconds, sizes bytes.

    `allow_file` lets repositories of this machine's file system be used: for tests and the demo only, since
    with it whoever may write an Application reads any repository that the hub's user can.
    """

    allow_file: bool = False
    list_seconds: float = 30.0
    fetch_seconds: float = 600.0
    silence_seconds: int = 20
    listing_bytes: int = 64 * 1024 * 1024
    pack_bytes: int = 4 * 1024 * 1024 * 1024
    object_bytes: int = 50 * 1024 * 1024


def check(url: str, settings: Settings) -> repos.Address:
    """The parts of an address whose protocol may be used. Raises `Invalid` for any other."""
    address = repos.parse(url)
    allowed = (*_PROTOCOLS, "file") if settings.allow_file else _PROTOCOLS
    if address.protocol not in allowed:
        raise Invalid(
            f"repository {repos.redacted(url)}: protocol {address.protocol!r} is not allowed, "
            f"only {', '.join(allowed)}"
        )
    return address


async def run(
    args: Sequence[str], url: str, access: Access, settings: Settings, *, seconds: float, output: int = 65536
) -> bytes:
    """Standard output of `git ARGS`. Raises `Unavailable`, naming the repository and Git's own words."""
    shown = repos.redacted(url)
    bounds = process.Bounds(seconds, output, file_size=settings.pack_bytes, grace=2.0)
    with private_folder() as folder:
        env = environment(url, access, settings, folder)
        try:
            outcome = await process.run(["git", *args], env=env, bounds=bounds, cwd=folder)
        except process.Stopped as stopped:
            raise Unavailable(f"repository {shown}: git was stopped: {stopped}") from None
        except FileNotFoundError:
            raise Unavailable("git is not installed") from None
    if outcome.code:
        raise Unavailable(f"repository {shown}: {_reason(outcome, access)}")
    return outcome.out


async def local(args: Sequence[str], settings: Settings) -> None:
    """A Git command on files of our own. Raises `Unavailable` where it fails."""
    outcome = await ask(args, settings, 65536)
    if outcome.code:
        raise Unavailable(outcome.err.decode("utf-8", "replace").strip()[:_SHOWN])


async def ask(
    args: Sequence[str],
    settings: Settings,
    output: int,
    *,
    stdin: bytes = b"",
    config: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> process.Outcome:
    """A question to files of our own, whose exit code says something, with further settings of Git's (`config`) and
    variables (`extra`). Raises `Unavailable` where it had to be stopped.
    """
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **_config(config or {}),
        **(extra or {}),
    }
    bounds = process.Bounds(settings.fetch_seconds, output)
    try:
        return await process.run(["git", *args], env=env, bounds=bounds, stdin=stdin)
    except process.Stopped as stopped:
        raise Unavailable(f"git was stopped: {stopped}") from None


def environment(url: str, access: Access, settings: Settings, folder: str) -> dict[str, str]:
    """Exactly what Git sees. `folder` is private to this command; key and certificate files are written
    there.
    """
    address = check(url, settings)
    variables, config = access.prepare(address, folder)
    allowed = (*_PROTOCOLS, "file") if settings.allow_file else _PROTOCOLS
    config = {
        "core.hooksPath": os.devnull,
        "gc.auto": "0",
        "maintenance.auto": "false",
        "fetch.recurseSubmodules": "false",
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(settings.silence_seconds),
        "credential.helper": "",
        **({"safe.directory": "*"} if settings.allow_file else {}),
        **config,
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": folder,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": ":".join(allowed),
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        **_config(config),
        **variables,
    }


def _config(values: Mapping[str, str]) -> dict[str, str]:
    found = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (key, value) in enumerate(values.items()):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """A folder for this command alone, in memory where the system has such a place."""
    memory = "/dev/shm"  # noqa: S108 - mkdtemp makes the folder with mode 0700 and an unpredictable name
    folder = tempfile.mkdtemp(prefix="argosy-git-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reason(outcome: process.Outcome, access: Access) -> str:
    """Git's complaint without secrets and progress, the line that says most first."""
    text = access.hide(outcome.err.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    if "could not read Username" in text or "could not read Password" in text:
        return "the server asks for credentials, and no repository Secret has any for it"
    told = [
        line for line in lines if line.startswith(("fatal:", "error:", "remote: ", "ssh:", "Host key"))
    ] or lines
    return "; ".join(dict.fromkeys(told))[:_SHOWN] or f"git ended with code {outcome.code}"
