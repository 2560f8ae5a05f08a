from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import linkbed
import pytest


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[linkbed.Hub]:
    hub = await linkbed.open_hub(tmp_path / "hub")
    yield hub
    await hub.close()
