"""A project that asks for orphans hears of them on its Applications, and which they are from the cluster itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import pytest
import rolling
import spokes
from spokes import System, merged

from argosy.objects import Manifest
from argosy.questions import Kind
from hub.core.served import table
from hub.planning.live import Live

APPS = {"web": {"web-a": "1"}}


def loose(name: str) -> Manifest:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "b"}}


async def says(system: System, expected: str) -> None:
    async def told() -> bool:
        shown = await rolling.shown(system.hub, table.APPLICATION, "web-one")
        return str(hubs.condition(shown, "OrphanedResourceWarning").get("message") or "") == expected

    await hubs.until(told, f"the application says {expected!r}")


async def ask(system: System, orphaned: dict[str, Any] | None) -> None:
    await hubs.patch(system.hub, table.APP_PROJECT, "default", {"spec": {"orphanedResources": orphaned}})


async def test_an_application_is_warned_of_what_nobody_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            # Beside these there is the bystander, which every cluster of the tests has.
            for name in ("by-hand", "by-another"):
                spoke.cluster.put(loose(name))
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(APPS)})
            await says(system, "")
            await ask(system, {"warn": True})
            await says(system, "Application has 3 orphaned resources")
            await ask(system, {"warn": True, "ignore": [{"kind": "Secret", "name": "*-another"}]})
            await says(system, "Application has 2 orphaned resources")
            found = await Live(system.hub.store, system.hub._ask).of_app(Kind.TREE, "argocd", "web-one", 30)
            assert [node["name"] for node in found["orphanedNodes"]] == ["bystander-one", "by-hand"]
            await ask(system, None)
            await says(system, "")
            assert set(spoke.ours()) == {"web-a"}, "nobody touches what nobody brought"
