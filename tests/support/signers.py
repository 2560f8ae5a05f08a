"""People with keys of GnuPG, made for one test."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """`id` has 16 digits."""

    fingerprint: str

    @property
    def id(self) -> str:
        return self.fingerprint[-16:]


@dataclass(frozen=True)
class Signers:
    """Keys of one folder, with which Git signs where it finds `GNUPGHOME`."""

    home: Path

    def key(self, name: str, *, subkey: bool = False, expires: str = "2d") -> Key:
        """A new key that signs by itself, or by a key of its own below it."""
        self._gpg("--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", expires)
        listed = self._gpg("--with-colons", "--list-keys", f"{name}@example.com")
        found = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        if subkey:
            self._gpg("--quick-add-key", found, "ed25519", "sign", "2d")
        return Key(found)

    def public(self, *keys: Key) -> str:
        """The armored public keys."""
        return self._gpg("--armor", "--export", *(key.fingerprint for key in keys))

    def revoke(self, key: Key) -> None:
        kept = (self.home / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_text()
        self._gpg("--import", given=kept.replace(":-----", "-----"))

    @contextlib.contextmanager
    def long_ago(self) -> Iterator[None]:
        """What is made here is made in 2020."""
        options = self.home / "gpg.conf"
        options.write_text("faked-system-time 20200601T000000\n")
        try:
            yield
        finally:
            options.unlink()

    def _gpg(self, *arguments: str, given: str = "") -> str:
        plain = ["gpg", "--batch", "--quiet", "--no-permission-warning", "--pinentry-mode", "loopback"]
        done = subprocess.run(
            [*plain, "--passphrase", "", *arguments],
            env={**os.environ, "GNUPGHOME": str(self.home)},
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@contextlib.contextmanager
def signers() -> Iterator[Signers]:
    """The folder's name is short, since GnuPG's agent listens there."""
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    try:
        yield Signers(home)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
