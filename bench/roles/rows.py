"""The bare peer of the store: `executemany` of the same rows into the same table, in batches, each made durable."""

from __future__ import annotations

import hashlib
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from argosy import convert
from bench import seed
from bench.roles import reporters, talk
from hub.store.sqlite import connect

BATCH = 1000
PUT = (
    "INSERT INTO reports (cluster, app, release, bundle, sync, health, removed, gone, digest, detail, rv, time) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cluster, app) DO UPDATE SET release = excluded.release, "
    "bundle = excluded.bundle, sync = excluded.sync, health = excluded.health, removed = excluded.removed, "
    "gone = excluded.gone, digest = excluded.digest, detail = excluded.detail, rv = excluded.rv, time = excluded.time"
)


def _rows(clusters: int, apps: int, version: int) -> list[tuple[Any, ...]]:
    rows = []
    for cluster in range(clusters):
        for app in range(apps):
            state = convert.state_of(reporters.status(cluster, app, version))
            digest = hashlib.sha256(state.detail).hexdigest()
            seen = (state.release, state.bundle, state.sync, state.health, "[]", 0)
            rows.append(
                (seed.cluster_id(cluster), state.assignment, *seen, digest, state.detail, version, 0.0)
            )
    return rows


async def main(*, folder: str, clusters: int, apps: int) -> None:
    connection = connect(Path(folder) / "hub.db")
    versions = [_rows(clusters, apps, version) for version in range(2)]

    async def write(asked: dict[str, Any]) -> dict[str, Any]:
        """Writes for `seconds`; answers with rows a second."""
        began, written = time.monotonic(), 0
        for rows in cycle(versions):
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(PUT, batch)
                connection.execute("COMMIT")
                written += len(batch)
                if time.monotonic() - began >= asked["seconds"]:
                    return {"rows": written / (time.monotonic() - began)}
        raise AssertionError("never ends by itself")

    turn = cycle(versions)

    async def once(_: dict[str, Any]) -> dict[str, Any]:
        """One commit of a row of each application."""
        rows = next(turn)
        began = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(PUT, rows)
        connection.execute("COMMIT")
        return {"seconds": time.monotonic() - began}

    await talk.answer({"write": write, "once": once})
    connection.close()
