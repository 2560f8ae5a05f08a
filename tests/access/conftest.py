"""A hub's clock that a test moves on."""

from __future__ import annotations

import pytest
from hubs import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
