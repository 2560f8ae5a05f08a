"""Clocks that are an hour off or jump: joins, certificates and removals bear it, and what is refused says why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from spokes import merged

from agent.link import join
from agent.link.join import Self
from argosy.errors import Forbidden, Invalid
from hub.core.served import table

APPS = {"web": {"web-a": "1", "web-b": "1"}}
FEWER = {"web": {"web-a": "2"}}
HOUR, DAY = 3600.0, 86400.0


class Clock:
    """The machine's clock, `off` by so many seconds."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return time.time() + self.off


@pytest.mark.parametrize(
    ("hub_off", "agent_off"),
    [(HOUR, 0.0), (-HOUR, 0.0), (0.0, HOUR), (0.0, -HOUR), (HOUR, -HOUR)],
    ids=["hub-fast", "hub-slow", "agent-fast", "agent-slow", "both"],
)
async def test_an_hour_more_or_less_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub_off: float, agent_off: float
) -> None:
    hub_clock, agent_clock = Clock(hub_off), Clock(agent_off)
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch, hub_clock) as system:
            spoke = await system.join("one", clock=agent_clock)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(APPS)})
            assert spoke.program is not None
            assert spoke.program.link is not None
            await spoke.program.link.renew()
            spokes.commit(repo, FEWER)
            system.pull()
            await system.settles({"one": merged(FEWER)})
            assert spoke.deleted == ["web-b"], "a removal is neither early nor expired"
    assert hub_clock.asked >= 10
    assert agent_clock.asked >= 3


async def test_clocks_that_jump_to_and_fro_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    jumps = 0
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch, clock) as system:
            spoke = await system.join("one", clock=clock)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(APPS)})
            for off in (HOUR, -HOUR, 0.0, HOUR):
                clock.off = off
                jumps += 1
                apps = {"web": {"web-a": str(jumps), f"jump-{jumps}": "1"}}
                spokes.commit(repo, apps)
                system.pull()
                await system.settles({"one": merged(apps)})
            assert sorted(spoke.deleted) == ["jump-1", "jump-2", "jump-3", "web-b"]
    assert jumps >= 4


async def test_a_removal_that_expired_by_the_agents_clock_is_refused_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one", clock=clock)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(APPS)})
            clock.off = 31 * DAY
            spokes.commit(repo, FEWER)
            system.pull()
            await hubs.until(lambda: spoke.ours().get("web-a") == "2", "what is to be applied is applied")

            async def told() -> bool:
                return "expired" in str(await system.reported(spoke))

            await hubs.until(told, "the report says that the removal expired")
            assert spoke.deleted == []
            assert set(spoke.ours()) == {"web-a", "web-b"}
            clock.off = 0.0
            await spoke.stop()
            await spoke.start()
            await system.settles({"one": merged(FEWER)})
            assert spoke.deleted == ["web-b"]


async def test_tokens_used_again_expired_or_of_another_hub_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    refused: list[str] = []
    async with (
        spokes.system(tmp_path / "a", monkeypatch, clock) as system,
        hubs.running(tmp_path / "b") as other,
    ):
        for name in ("one", "two"):
            await hubs.add_cluster(system.hub, name)
        await hubs.add_cluster(other, "one")
        text = await system.offer("one")
        await join.join(tmp_path / "first", text, Self("uid-1", "test"), clock=time.time)

        refused.append(await _refusal(tmp_path / "second", text, "uid-2"))
        assert "used" in refused[-1]

        late = await system.offer("two", seconds=60)
        clock.off = HOUR
        refused.append(await _refusal(tmp_path / "third", late, "uid-3"))
        assert "expired" in refused[-1]

        foreign = await hubs.add(other, table.JOIN_TOKEN, _join_token("one"))
        mixed = spokes.readdressed(foreign["status"]["token"], text)
        refused.append(await _refusal(tmp_path / "fourth", mixed, "uid-4"))
        assert "fingerprint" in refused[-1] or "CA" in refused[-1]
    assert len(refused) == 3


def _join_token(cluster: str) -> dict[str, Any]:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "JoinToken",
        "metadata": {"generateName": "t-"},
        "spec": {"cluster": cluster, "ttlSeconds": 600},
    }


async def _refusal(folder: Path, text: str, uid: str) -> str:
    with pytest.raises((Forbidden, Invalid)) as caught:
        await join.join(folder, text, Self(uid, "test"), clock=time.time)
    return caught.value.message
