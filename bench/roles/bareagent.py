"""The bare peer of an agent's memory: a grpc.aio client with one open stream and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import orjson

from bench.roles import talk


async def main(*, folder: str, port: int) -> None:
    value = orjson.loads((Path(folder) / "identities.json").read_bytes())
    key, certificate = (text.encode() for text in value["pairs"][0])
    credentials = grpc.ssl_channel_credentials(value["ca"].encode(), key, certificate)
    channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials)
    call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
    await call.write(b"hello")
    await call.read()
    reading = asyncio.ensure_future(call.read())
    await talk.answer({})
    reading.cancel()
