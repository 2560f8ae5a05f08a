"""Light agents that fetch a bundle, whole or as the difference to one they have, all at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from argosy import bundle
from argosy.v1 import link_pb2 as pb
from bench.roles import fleet, talk
from bench.roles.fleet import Agent


class Fetchers(fleet.Fleet):
    """`has` are the blobs that came, by digest: one copy stands for all agents."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.has: dict[str, bytes] = {}

    async def fetch(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Every agent brings `digest`; `base` "" for the whole. `wire` are the bytes of the messages, for each agent."""
        digest, base = asked["digest"], asked.get("base", "")
        request = pb.FetchRequest(digest=digest, base=base).SerializeToString()
        began = time.monotonic()
        found = await asyncio.gather(*(self._fetch(agent, request) for agent in self.agents))
        seconds = time.monotonic() - began
        blobs, wire = {blob for blob, _ in found}, sum(size for _, size in found)
        if asked.get("check", True):
            (blob,) = blobs
            if base:
                raw = bundle.raw_of(self.has[base], base)
                blob = bundle.patched(raw, blob, digest)
            bundle.unpack(blob, digest)
            self.has[digest] = blob
        return {"seconds": seconds, "wire": wire / len(self.agents)}

    async def _fetch(self, agent: Agent, request: bytes) -> tuple[bytes, int]:
        assert agent.channel is not None
        call: Any = agent.channel.unary_stream("/argosy.v1.LinkService/Fetch")(request)
        parts, size = [], 0
        async for message in call:
            size += len(message)
            parts.append(pb.FetchResponse.FromString(message).data)
        return b"".join(parts), size


async def main(*, folder: str) -> None:
    fetchers = Fetchers(Path(folder))
    await talk.answer({"connect": fetchers.connect, "fetch": fetchers.fetch})
