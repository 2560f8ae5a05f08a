"""A hub that goes away after it said what it wants and before it gave it: agents go on healing what they have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import hubs
import pytest
import spokes
from spokes import merged

from agent.loops import applier
from hub.core.served import table

BEFORE = {f"app-{n}": {f"m-{n}": "1"} for n in range(applier.PASSES + 2)}
AFTER = {**{app: {**maps, f"new-{app}": "1"} for app, maps in BEFORE.items()}, "app-0": BEFORE["app-0"]}
"""Every app but the first has a new object."""


async def test_more_apps_than_workers_wait_for_bundles_and_all_are_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier, "FETCH_PATIENCE", 0.1)
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, BEFORE)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(BEFORE)})
            assert spoke.program is not None
            assert spoke.program.applier is not None
            hands, waiting, back = spoke.program.applier, set(), asyncio.Event()
            fetch = hands._fetch

            async def away(digest: str, base: object = None) -> bytes:
                waiting.add(digest)
                await back.wait()
                return await fetch(digest, base)

            monkeypatch.setattr(hands, "_fetch", away)
            spokes.commit(repo, AFTER)
            system.pull()
            await hubs.until(
                lambda: len(waiting) == len(BEFORE) - 1, "every changed app waits for its bundle"
            )
            for name in merged(BEFORE):
                spoke.drift(name)
            await hubs.until(lambda: spoke.ours() == merged(BEFORE), "all apps are healed meanwhile")
            assert spoke.deleted == []
            back.set()
            await system.settles({"one": merged(AFTER)})
            assert len(waiting) >= applier.PASSES + 1
