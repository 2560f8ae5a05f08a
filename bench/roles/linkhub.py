"""The real link server over a real store, in a process of its own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from argosy import bundle, interpreter, log, token
from argosy.token import JoinToken
from bench import estate, seed
from bench.roles import talk
from hub import main as program
from hub.ca.authority import Authority, open_authority
from hub.link.server import LinkConfig, LinkServer
from hub.store import bundles, desired, grants, history, reports
from hub.store.base import Tx
from hub.store.sqlite import SqliteStore, open_store


async def main(*, folder: str, clusters: int, beat: int = 20) -> None:
    log.configure(level="warning")
    data = Path(folder)
    store = open_store(data / "hub.db")
    ca = open_authority(data / "ca", time.time())
    server = LinkServer(store, ca, LinkConfig(beat=beat))
    await server.start()
    interpreter.settle(program.YOUNG)
    hub = LinkHub(store, ca, server, clusters)
    commands = {
        "change": hub.change,
        "cpu": hub.cpu,
        "offer": hub.offer,
        "assign": hub.assign,
        "reported": hub.reported,
        "stock": hub.stock,
    }
    await talk.answer(commands, port=server.link_port)
    await server.stop(0.2)
    await store.close()


class LinkHub:
    """What the bench asks of it. Its methods take the asked values, and answer with measured ones: seconds, bytes."""

    def __init__(self, store: SqliteStore, ca: Authority, server: LinkServer, clusters: int) -> None:
        self._store = store
        self._ca = ca
        self._server = server
        self._clusters = clusters
        self._release = 0
        self._changed = asyncio.Event()
        store.on_touch("report:", lambda _: self._changed.set())

    async def change(self, _: dict[str, Any]) -> dict[str, Any]:
        """A new release for every cluster. `decided` is when the change was made, just before its commit."""
        self._release += 1
        cpu = time.process_time()

        def job(tx: Tx) -> tuple[float, float]:
            for number in range(self._clusters):
                put = [seed.assignment(number, 0, release=f"release-{self._release}")]
                desired.change(tx, seed.cluster_id(number), put=put)
            return time.monotonic(), time.process_time()

        decided, spent = await self._store.write(job)
        return {"decided": decided, "cpu": spent, "deciding": spent - cpu}

    async def cpu(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"cpu": time.process_time(), "streams": self._server.count}

    async def offer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A join token for the first cluster, to connect through `port` where it is given."""
        secret, now = token.new_secret(), time.time()
        await self._store.write(lambda tx: grants.offer(tx, secret, seed.cluster_id(0), now, lifetime=600.0))
        port = asked.get("port", self._server.link_port)
        addresses = (f"127.0.0.1:{self._server.enroll_port}", f"127.0.0.1:{port}")
        return {"token": token.encode(JoinToken(*addresses, self._ca.fingerprint, secret))}

    async def assign(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Assigns one application of these objects to the first cluster. `decided` is when it was durable."""
        digest, blob = bundle.pack(asked["objects"])
        item = replace(seed.assignment(0, 0, release=asked["release"]), bundle=digest)

        def job(tx: Tx) -> None:
            bundles.put(tx, digest, blob, time.time())
            desired.change(tx, seed.cluster_id(0), put=[item])

        await self._store.write(job)
        return {"decided": time.monotonic()}

    async def stock(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A release of one bundle for every cluster; object `changed` of it is not as it was."""
        self._release += 1
        name, number = f"stock-{self._release}", self._release
        found = estate.deployments(asked["objects"], asked["changed"])
        digest, blob = bundle.pack(found)

        def job(tx: Tx) -> None:
            bundles.put(tx, digest, blob, time.time())
            changed = []
            for cluster in range(self._clusters):
                item = replace(seed.assignment(cluster, 0, release=name), bundle=digest)
                desired.change(tx, seed.cluster_id(cluster), put=[item])
                changed.append(history.Changed(item.id, item.app, seed.cluster_id(cluster), digest, ""))
            history.add(tx, history.Release(name, "stock", number, "argocd", name, time.time()), changed)

        await self._store.write(job)
        return {"digest": digest, "size": len(blob), "raw": len(bundle.raw_of(blob, digest))}

    async def reported(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Waits until the agent reports a release as Synced and Healthy. `at` is when that was durable."""
        row = None
        try:
            async with asyncio.timeout(asked["patience"]):
                while True:
                    self._changed.clear()
                    row = await self._store.read(
                        lambda tx: reports.get(tx, seed.cluster_id(0), seed.app_id(0, 0))
                    )
                    if row and (row.release, row.sync, row.health) == (asked["release"], "Synced", "Healthy"):
                        return {"at": time.monotonic()}
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the last report: {row and row.detail[:2000]!r}") from None
