"""Objects encrypted with SOPS as they travel: how one is known, and what the hub puts beside it for the agent.

Pure, and shared by both sides. Nothing here can open anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest

FIELD = "sops"
CARRIED = "argosy"
"""Key in the object's `sops` mapping under which the hub puts the file."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Where an encrypted object comes from. `text` is the whole file; "" where another object of it has it."""

    file: str
    text: str


def is_sealed(manifest: Any) -> bool:
    """Whether an object is encrypted: it has a top-level `sops` mapping as SOPS writes one."""
    found = manifest.get(FIELD) if isinstance(manifest, dict) else None
    return isinstance(found, dict) and ("mac" in found or "lastmodified" in found)


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
