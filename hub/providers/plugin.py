"""The plugin generator's service: one POST, an object with a list of objects back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from argosy.errors import Unavailable
from argosy.objects import canonical
from hub.providers.base import Client

_PATH = "api/v1/getparams.execute"


async def ask(
    session: aiohttp.ClientSession, question: Mapping[str, Any], token: str, deadline: float
) -> list[dict[str, Any]]:
    """The `output.parameters` of the answer. Raises `Unavailable` for anything else."""
    base = question["url"].rstrip("/") + "/"
    client = Client(session, base, deadline=deadline, headers={"Authorization": f"Bearer {token}"})
    sent = {"Content-Type": "application/json"}
    page = await client.ask("POST", _PATH, body=canonical(question["body"]), headers=sent)
    output = page.body.get("output") if isinstance(page.body, dict) else None
    if not isinstance(output, dict):
        raise Unavailable(f"{base}{_PATH}: the answer has no output")
    found = output.get("parameters") or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unavailable(f"{base}{_PATH}: output.parameters is no list of objects")
    return found
