"""A hub with a repository and a fleet of six obedient agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import rolling
from obedient import Obedient

from hub.assembly import Hub


@pytest.fixture
async def fleet(hub: Hub) -> AsyncIterator[Obedient]:
    fleet = Obedient(hub)
    for name, ring in rolling.RINGS.items():
        await fleet.join(name, env="prod", ring=ring)
    fleet.start()
    yield fleet
    await fleet.stop()
