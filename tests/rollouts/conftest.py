"""A hub with a repository and a fleet of six obedient agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import rolling
from hubs import Repo, config_map
from obedient import Obedient

from hub.assembly import Hub


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/web.yaml": config_map("web")})
        yield repo


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
async def fleet(hub: Hub) -> AsyncIterator[Obedient]:
    fleet = Obedient(hub)
    for name, ring in rolling.RINGS.items():
        await fleet.join(name, env="prod", ring=ring)
    fleet.start()
    yield fleet
    await fleet.stop()
