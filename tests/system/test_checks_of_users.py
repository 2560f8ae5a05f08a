"""A check written into argocd-cm on the hub is what every agent judges by, and harms only its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import orjson
import pytest
import spokes
from spokes import System, merged

from argosy.health.user import EXPRESSIONS
from hub.core.served import table

FIRST = {"web": {"web-a": "good", "web-b": "good"}}
BAD = {"web": {"web-a": "bad", "web-b": "good"}}
SCRIPT = """
if obj.data.value == 'bad' then return {status = 'Degraded', message = 'the value is bad'} end
return {status = 'Healthy'}
"""
CEL = """
- {apiVersion: v1, kind: ConfigMap, current: data.value == 'good', failed: data.value == 'bad'}
"""
LUA = "resource.customizations.health.ConfigMap"


def argocd_cm(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": data,
    }


async def shows(system: System, expected: str) -> None:
    """Waits until every cluster says so of every application, and counts on what it says."""

    async def all_of_them() -> bool:
        told = [
            state for spoke in system.spokes.values() for state in (await system.reported(spoke)).values()
        ]
        good = (state.get("health") == expected and state.get("settled") for state in told)
        return len(told) == len(system.spokes) and all(good)

    await hubs.until(all_of_them, f"applications are {expected}")


async def test_a_check_on_the_hub_is_used_by_every_agent_present_and_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(FIRST)})
            await shows(system, "Healthy")

            spokes.commit(repo, BAD)
            system.pull()
            await system.settles({"one": merged(BAD)})
            await shows(system, "Healthy")
            await hubs.add(system.hub, table.CONFIG_MAP, argocd_cm(**{LUA: SCRIPT}))
            await shows(system, "Degraded")
            await system.join("two")
            await shows(system, "Degraded")

            change = {"data": {LUA: "while true do end"}}
            await hubs.patch(system.hub, table.CONFIG_MAP, "argocd-cm", change)
            await shows(system, "Unknown")
            await hubs.delete(system.hub, table.CONFIG_MAP, "argocd-cm")
            await hubs.add(system.hub, table.CONFIG_MAP, argocd_cm(**{EXPRESSIONS: CEL}))
            await shows(system, "Degraded")
            await hubs.delete(system.hub, table.CONFIG_MAP, "argocd-cm")
            await shows(system, "Healthy")


async def test_an_agent_that_starts_without_the_hub_judges_by_the_checks_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, BAD)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.CONFIG_MAP, argocd_cm(**{LUA: SCRIPT}))
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await shows(system, "Degraded")
            await spoke.kill()
            spoke.line.refuse = True
            spoke.drift("web-b")
            await spoke.start()

            def says() -> list[tuple[str, bool]]:
                program = spoke.program
                states = program.applier._outbox._states if program and program.applier else {}
                return [(state.health, orjson.loads(state.detail)["settled"]) for state in states.values()]

            await hubs.until(lambda: says() == [("Degraded", True)], "the check is used and counted on")
            assert spoke.ours() == merged(BAD), "and drift is healed meanwhile"
