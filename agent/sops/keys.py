"""The private keys of this cluster, and a file's data key opened with them.

Keys are files of one folder, named as Flux names them: `*.agekey` holds age identities, `*.asc` armoured PGP keys.
The folder is read when something is to be opened, so a key that is added or taken away counts from then on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.sops import shamir
from argosy.errors import Invalid, Unavailable

GPG_SECONDS = 20.0
MAX_KEY_BYTES = 1024 * 1024
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory: no key of gpg's reaches a disk
_CLOUD = {
    "kms": "arn",
    "gcp_kms": "resource_id",
    "azure_kv": "vault_url",
    "hc_vault": "vault_address",
    "hckms": "key_id",
}
"""Key holders that are known by name only, and the field that says which key it is."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One key that a data key is wrapped for. `id` is public: a recipient, a fingerprint, an address."""

    kind: str
    id: str
    wrapped: str

    def __str__(self) -> str:
        supported = "" if self.kind in ("age", "pgp") else " (not supported: use age or PGP)"
        return f"{self.kind} {self.id}{supported}"


class KeyRing:
    """The keys in `folder`; None: there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def given(self) -> bool:
        """Whether the agent was given a folder for keys at all."""
        return self._folder is not None

    def data_key(self, metadata: Mapping[str, Any]) -> bytes:
        """The data key of a file, by its `sops` metadata. Raises `Invalid` naming the keys that would open it,
        `Unavailable` where a key file or gpg cannot be used.
        """
        groups = _groups(metadata)
        shares = [share for share in (self._share(group) for group in groups) if share is not None]
        threshold = len(groups)
        if len(groups) > 1:
            threshold = _number(metadata.get("shamir_threshold")) or len(groups)
        if not groups or len(shares) < threshold:
            raise Invalid(
                f"none of its keys is here: {_listed(groups)}" if self._folder else _NO_KEYS + _listed(groups)
            )
        key = shares[0] if len(groups) == 1 else shamir.combine(shares)
        if len(key) != 32:
            raise Invalid("its data key is damaged")
        return key

    def _share(self, group: Sequence[Holder]) -> bytes | None:
        for holder in sorted(group, key=lambda holder: _ORDER.get(holder.kind, len(_ORDER))):
            found = {"age": self._age, "pgp": self._pgp}.get(holder.kind, lambda _: None)(holder)
            if found is not None:
                return found
        return None

    def _age(self, holder: Holder) -> bytes | None:
        # Late: only a cluster that has encrypted manifests pays for it.
        import pyrage

        identities = [pyrage.x25519.Identity.from_str(line) for line in self._identities()]
        if not identities:
            return None
        try:
            opened: bytes = pyrage.decrypt(holder.wrapped.encode(), identities)
        except pyrage.DecryptError:
            return None
        return opened

    def _identities(self) -> Iterator[str]:
        for path, text in self._files(".agekey"):
            for number, line in enumerate(text.splitlines(), start=1):
                if line.startswith("AGE-SECRET-KEY-1"):
                    yield line.strip()
                elif line.strip() and not line.startswith("#"):
                    raise Invalid(f"{path}:{number}: an age identity (AGE-SECRET-KEY-1…) is expected")

    def _pgp(self, holder: Holder) -> bytes | None:
        armoured = [text for _, text in self._files(".asc")]
        return gpg_opened(holder.wrapped, armoured) if armoured else None

    def _files(self, suffix: str) -> Iterator[tuple[Path, str]]:
        if self._folder is None:
            return
        try:
            for path in sorted(self._folder.iterdir()):
                if path.suffix == suffix and path.is_file():
                    if path.stat().st_size > MAX_KEY_BYTES:
                        raise Invalid(f"{path}: larger than {MAX_KEY_BYTES} bytes")
                    yield path, path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"keys in {self._folder}: {error}") from None


_ORDER = {"age": 0, "pgp": 1}
_NO_KEYS = "this agent was given no keys (--keys); it is encrypted for "


def gpg_opened(wrapped: str, keys: Sequence[str]) -> bytes | None:
    """A PGP message opened by gpg in a home of its own, which is gone afterwards; None where no key fits.

    Raises `Unavailable` where gpg is not there or takes too long. It has no network and no agent that outlives it.
    """
    program = shutil.which("gpg")
    if program is None:
        raise Unavailable("gpg is not installed, and the manifest is encrypted for a PGP key")
    with tempfile.TemporaryDirectory(
        prefix="argosy-gpg-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    ) as home:
        base = [program, "--homedir", home, "--batch", "--quiet", "--no-tty", "--disable-dirmngr"]
        try:
            for key in keys:
                _gpg([*base, "--import"], key)
            done = _gpg([*base, "--pinentry-mode", "loopback", "--passphrase", "", "--decrypt"], wrapped)
        finally:
            killer = shutil.which("gpgconf")
            if killer is not None:
                subprocess.run([killer, "--homedir", home, "--kill", "all"], check=False, timeout=GPG_SECONDS)
    return done.stdout if done.returncode == 0 else None


def _gpg(command: Sequence[str], text: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            check=False,
            timeout=GPG_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"gpg did not answer within {GPG_SECONDS:.0f} s") from None
    except OSError as error:
        raise Unavailable(f"gpg cannot be run: {error.strerror}") from None


def _groups(metadata: Mapping[str, Any]) -> list[list[Holder]]:
    """The groups of key holders; flat lists are one group and win over `key_groups`, as in SOPS."""
    flat = list(_holders(metadata))
    if flat:
        return [flat]
    groups = metadata.get("key_groups")
    listed = groups if isinstance(groups, list) else []
    return [list(_holders(group)) for group in listed if isinstance(group, dict)]


def _holders(lists: Mapping[str, Any]) -> Iterator[Holder]:
    for kind, name in {"age": "recipient", "pgp": "fp", **_CLOUD}.items():
        entries = lists.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield Holder(kind, str(entry.get(name) or ""), str(entry.get("enc") or ""))


def _listed(groups: Sequence[Sequence[Holder]]) -> str:
    return ", ".join(str(holder) for group in groups for holder in group) or "nobody"


def _number(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        # In dotenv files everything is text.
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
