"""Writes SOPS files, for tests: what `sops encrypt` makes of documents, with keys that the test made a moment ago.

The reader under test shares no code with this. `Keys` has one age identity; PGP and split keys are added by `holders`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyrage
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MODIFIED = "2026-01-02T03:04:05Z"
Tree = dict[str, Any]


class Keys:
    """One age identity, and the folder an agent finds it in."""

    def __init__(self, folder: Path) -> None:
        self.identity = pyrage.x25519.Identity.generate()
        self.recipient = str(self.identity.to_public())
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fleet.agekey").write_text(f"# made by a test\n{self.identity}\n")

    def wrap(self, data_key: bytes) -> Tree:
        """An entry of `sops.age`."""
        return {"recipient": self.recipient, "enc": age(data_key, self.recipient)}


def age(data: bytes, recipient: str) -> str:
    public = pyrage.x25519.Recipient.from_str(recipient)
    return bytes(pyrage.encrypt(data, [public], armored=True)).decode()


def sealed(
    documents: Sequence[Tree],
    holders: Callable[[bytes], Mapping[str, Any]],
    *,
    regex: str = "^(data|stringData)$",
    mac_only_encrypted: bool = False,
    key: bytes = b"",
) -> list[Tree]:
    """The documents with every leaf below a key that matches `regex` encrypted, and the `sops` metadata in each.
    `holders(data_key)` are the entries of the metadata that wrap the key; `key` is a new one where none is given.
    """
    key = key or secrets.token_bytes(32)
    hashed = hashlib.sha512(hashlib.sha256(b"sops").digest() if mac_only_encrypted else b"")

    def walk(value: Any, place: tuple[str, ...], inside: bool) -> Any:
        if isinstance(value, dict):
            return {
                name: walk(each, (*place, name), inside or re.search(regex, name) is not None)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [walk(each, place, inside) for each in value]
        if value is None:
            return None
        text = {True: "True", False: "False"}[value] if isinstance(value, bool) else str(value)
        if inside or not mac_only_encrypted:
            hashed.update(text.encode())
        return (
            leaf(text, key, "".join(f"{name}:" for name in place), type(value).__name__)
            if inside and text
            else value
        )

    done = [walk(document, (), False) for document in documents]
    metadata = {
        **holders(key),
        "lastmodified": MODIFIED,
        "mac": leaf(hashed.hexdigest().upper(), key, MODIFIED, "str"),
        "encrypted_regex": regex,
        **({"mac_only_encrypted": True} if mac_only_encrypted else {}),
        "version": "3.13.3",
    }
    return [{**document, "sops": metadata} for document in done]


def binary(data: bytes, key: bytes, holders: Mapping[str, Any]) -> Tree:
    """A binary file: one leaf, whatever its bytes are."""
    mac = hashlib.sha512(data).hexdigest().upper()
    metadata = {
        **holders,
        "lastmodified": MODIFIED,
        "mac": leaf(mac, key, MODIFIED, "str"),
        "version": "3.13.3",
    }
    return {"data": leaf(data, key, "data:", "str"), "sops": metadata}


def leaf(text: str | bytes, key: bytes, place: str, kind: str) -> str:
    nonce = secrets.token_bytes(32)
    plain = text.encode() if isinstance(text, str) else text
    out = AESGCM(key).encrypt(nonce, plain, place.encode())
    data, tag = out[:-16], out[-16:]
    shown = [base64.b64encode(part).decode() for part in (data, nonce, tag)]
    return f"ENC[AES256_GCM,data:{shown[0]},iv:{shown[1]},tag:{shown[2]},type:{kind}]"


def text(documents: Sequence[Tree], *, form: str = "yaml") -> str:
    """As the file in Git: keys in the order they have."""
    if form == "json":
        return json.dumps(documents[0], indent=2)
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=4096)


def shares(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """Shamir's shares over GF(2^8), as SOPS makes them: the values of one polynomial per byte, then its x."""
    xs = secrets.SystemRandom().sample(range(1, 256), count)
    polynomials = [[byte, *secrets.token_bytes(threshold - 1)] for byte in secret]
    return [bytes([*(_value(each, x) for each in polynomials), x]) for x in xs]


def _value(polynomial: Sequence[int], x: int) -> int:
    out = 0
    for factor in reversed(polynomial):
        out = _LOG_TIMES(out, x) ^ factor
    return out


def _times_table() -> Callable[[int, int], int]:
    exponents, logs, value = [0] * 255, [0] * 256, 1
    for power in range(255):
        exponents[power], logs[value] = value, power
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)  # times three, which generates the field
        value &= 0xFF
    return lambda a, b: 0 if not a or not b else exponents[(logs[a] + logs[b]) % 255]


_LOG_TIMES = _times_table()
