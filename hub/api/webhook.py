"""`/api/webhook`: a Git host says that something was pushed. Who may say so is checked by the signature, not
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from argosy.machinery import failure
from hub.api import bodies, wire

LIMIT = 5 * 1024 * 1024

OnPush = Callable[[Mapping[str, str], bytes], None]
"""(headers with lower-case names, body). Raises `argosy.errors` for a signature or body that is not good."""


class Webhook:
    """Hands pushes on."""

    def __init__(self, on_push: OnPush | None) -> None:
        self._on_push = on_push

    async def push(self, request: Request) -> Response:
        """POST. Answers 200 once the push is understood; the work it causes happens later."""
        if self._on_push is None:
            raise failure.no_such_path()
        body = await bodies.read(request, LIMIT)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._on_push(headers, body)
        return wire.json_answer({"accepted": True})
