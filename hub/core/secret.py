"""What a Secret says, in clear, and by which label Argo CD tells what it is for."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from argosy.objects import Manifest

SECRET_TYPE = "argocd.argoproj.io/secret-type"  # noqa: S105 - a label
"""`repository`, `repo-creds`, `cluster` and others."""


def texts(secret: Manifest) -> dict[str, str]:
    """The fields of a Secret as text: `data` decoded, `stringData` over it. What is no text is left out."""
    found: dict[str, str] = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value or "", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError):
            continue
    for key, value in (secret.get("stringData") or {}).items():
        found[key] = value if isinstance(value, str) else _plain(value)
    return found


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
