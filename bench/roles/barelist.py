"""The bare peer of the API: Starlette on uvicorn with TLS, which writes a list of so many rows with orjson."""

from __future__ import annotations

import asyncio
import socket

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.roles import talk


async def main(*, certificate: str, key: str, rows: int, row_bytes: int) -> None:
    cells = ["Synced", "Healthy", "default", "3f2a9c1d4e5b6a7988776655443322110ffeeddc"]
    filled = max(0, row_bytes - len(orjson.dumps({"cells": [*cells, ""]})))
    values = [{"cells": [*cells, "x" * filled]} for _ in range(rows)]

    async def page(_: Request) -> Response:
        return Response(orjson.dumps({"kind": "Table", "rows": values}), media_type="application/json")

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=[Route("/{path:path}", page)]),
        log_level="critical",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    await talk.answer({}, port=listener.getsockname()[1])
    server.should_exit = True
    await serving
