"""The bare peer: a grpc.aio server with the same TLS and nothing behind it. It answers a stream's first message, and
writes one message to every stream when told to."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import grpc

from argosy import convert
from argosy.convert import Delta
from argosy.v1 import link_pb2 as pb
from bench import seed
from bench.roles import talk
from hub.ca.authority import open_authority

Context = Any


async def main(*, folder: str) -> None:
    ca = open_authority(Path(folder) / "ca", time.time())
    pair = ca.server(["localhost", "127.0.0.1"], time.time())
    streams: set[Context] = set()

    async def connect(_: object, context: Context) -> None:
        first = await context.read()
        await context.write(first)
        streams.add(context)
        try:
            while await context.read() is not grpc.aio.EOF:
                pass
        finally:
            streams.discard(context)

    async def fetch(_: object, context: Context) -> None:
        for start in range(0, len(blob), convert.PART):
            data = blob[start : start + convert.PART]
            await context.write(pb.FetchResponse(size=len(blob), offset=start, data=data).SerializeToString())

    async def stock(asked: dict[str, Any]) -> dict[str, Any]:
        nonlocal blob
        blob = os.urandom(asked["size"])
        return {}

    blob = b""
    method: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(connect)
    pieces: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(fetch)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("argosy.v1.LinkService", {"Connect": method, "Fetch": pieces}),)
    )
    credentials = grpc.ssl_server_credentials(
        [(pair.key, pair.certificate)], ca.bundle, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    number = 0

    async def change(_: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        number += 1
        item = seed.assignment(0, 0, release=f"release-{number}")
        delta = Delta("0" * 16, number, 0, (item,), (), (), "sha256:" + "0" * 64)
        (message,) = convert.delta_to(delta)
        began, spent = time.monotonic(), time.process_time()
        await asyncio.gather(*(context.write(message) for context in tuple(streams)))
        return {"decided": began, "cpu": spent, "deciding": 0.0}

    async def cpu(_: dict[str, Any]) -> dict[str, Any]:
        return {"cpu": time.process_time(), "streams": len(streams)}

    await talk.answer({"change": change, "cpu": cpu, "stock": stock}, port=port)
    await server.stop(0.2)
