"""Objects encrypted with SOPS as they travel: how one is known, and what the hub puts beside it for the agent.

Pure, and shared by both sides. Nothing here can open anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest

FIELD = "sops"
CARRIED = "argosy"
"""Key in the object's `sops` mapping under which the hub puts the file."""


DECRYPT = "kustomize.toolkit.fluxcd.io/decrypt"
_LEAF = b"ENC[AES256_GCM,"
_MARKS = (b"mac: ENC[", b'"mac": "ENC[', b'"mac":"ENC[', b"sops_mac=ENC[", b"[sops]")
"""What gives a file of SOPS away in each of its formats."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Where an encrypted object comes from. `text` is the whole file; "" where another object of it has it."""

    file: str
    text: str


def is_sealed(manifest: Any) -> bool:
    """Whether an object is encrypted: it has a top-level `sops` mapping as SOPS writes one."""
    found = manifest.get(FIELD) if isinstance(manifest, dict) else None
    return isinstance(found, dict) and ("mac" in found or "lastmodified" in found)


def files_in(manifest: Any) -> Iterator[tuple[str, str, bytes]]:
    """(field, name, content) of the values of a Secret that are whole files of SOPS, as a kustomize generator puts them there
    (Flux: kustomize-controller, decryption after the build). None where the object says `kustomize.toolkit.fluxcd.io/decrypt:
    disabled`.
    """
    if not isinstance(manifest, dict) or (manifest.get("apiVersion"), manifest.get("kind")) != (
        "v1",
        "Secret",
    ):
        return
    notes = (manifest.get("metadata") or {}).get("annotations") or {}
    if str(notes.get(DECRYPT)).lower() == "disabled":
        return
    for field in ("data", "stringData"):
        values = manifest.get(field)
        for name, value in values.items() if isinstance(values, dict) else ():
            content = _bytes(value, encoded=field == "data") if isinstance(value, str) else b""
            if _LEAF in content and any(mark in content for mark in _MARKS):
                yield field, name, content


def needs_opening(manifest: Any) -> bool:
    """Whether an object, or a file in it, is encrypted."""
    return is_sealed(manifest) or next(files_in(manifest), None) is not None


def _bytes(value: str, *, encoded: bool) -> bytes:
    try:
        return base64.b64decode(value) if encoded else value.encode()
    except (binascii.Error, ValueError):
        return b""


def mac_of(manifest: Manifest) -> str:
    """The MAC as it is written in an encrypted object, "" where there is none: it tells the files apart."""
    found = manifest[FIELD].get("mac")
    return found if isinstance(found, str) else ""


def carried(manifest: Manifest) -> Carried | None:
    """What the hub put beside an encrypted object, None where it put nothing."""
    if not is_sealed(manifest):
        return None
    found = manifest[FIELD].get(CARRIED)
    if not isinstance(found, dict) or not isinstance(found.get("file"), str):
        return None
    text = found.get("text")
    return Carried(found["file"], text if isinstance(text, str) else "")


def carrying(manifest: Manifest, file: str, text: str) -> Manifest:
    """The encrypted object with its file beside it."""
    value = {"file": file, **({"text": text} if text else {})}
    return {**manifest, FIELD: {**manifest[FIELD], CARRIED: value}}
