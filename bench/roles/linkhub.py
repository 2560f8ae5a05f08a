"""The real link server over a real store, in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from argosy import log
from bench import seed
from bench.roles import talk
from hub.ca.authority import open_authority
from hub.link.server import LinkConfig, LinkServer
from hub.store import desired
from hub.store.base import Tx
from hub.store.sqlite import open_store


async def main(*, folder: str, clusters: int, beat: int = 20) -> None:
    log.configure(level="warning")
    data = Path(folder)
    store = open_store(data / "hub.db")
    server = LinkServer(store, open_authority(data / "ca", time.time()), LinkConfig(beat=beat))
    await server.start()
    release = 0

    async def change(_: dict[str, Any]) -> dict[str, Any]:
        """A new release for every cluster. `decided` is when the change was made, just before its commit."""
        nonlocal release
        release += 1
        cpu = time.process_time()

        def job(tx: Tx) -> tuple[float, float]:
            for number in range(clusters):
                put = [seed.assignment(number, 0, release=f"release-{release}")]
                desired.change(tx, seed.cluster_id(number), put=put)
            return time.monotonic(), time.process_time()

        decided, spent = await store.write(job)
        return {"decided": decided, "cpu": spent, "deciding": spent - cpu}

    async def cpu(_: dict[str, Any]) -> dict[str, Any]:
        return {"cpu": time.process_time(), "streams": server.count}

    await talk.answer({"change": change, "cpu": cpu}, port=server.link_port)
    await server.stop(0.2)
    await store.close()
