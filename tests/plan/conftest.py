"""A world for whole passes: an in-memory cluster whose objects are well at once, or, where a test is marked `unsettled`,
as soon as the test makes them so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from passes import World

from agent.cluster.memory import MemoryCluster


@pytest.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made = World()
    if request.node.get_closest_marker("unsettled"):
        made.cluster = MemoryCluster(settled=False, clock=lambda: made.now)
        made.api.cluster = made.cluster
    yield made
    await made.syncer.close()
