from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.render.rendering import Rendering
from hub.render.sandbox import Limits, Sandbox


@pytest.fixture
async def rendering() -> AsyncIterator[Rendering]:
    rendering = Rendering(Sandbox(Limits(seconds=60, cpu_seconds=5, memory_bytes=2 * 1024**3)))
    yield rendering
    rendering.sandbox.close()
