"""The world of `passes` on the second of the real control planes, which tests may fill."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import realworld
from realworld import RealWorld
from testbed import controlplane


@pytest.fixture
async def world(control_planes: list[controlplane.ControlPlane]) -> AsyncIterator[RealWorld]:
    async with realworld.real_world(control_planes[1].kubeconfig()) as made:
        yield made
