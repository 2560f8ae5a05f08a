from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chartserver import IndexRepository, OciRegistry

from hub.charts.charts import Charts


@pytest.fixture
def index() -> Iterator[IndexRepository]:
    server = IndexRepository()
    yield server
    server.close()


@pytest.fixture
def registry() -> Iterator[OciRegistry]:
    server = OciRegistry()
    yield server
    server.close()


@pytest.fixture
async def charts(tmp_path: Path) -> AsyncIterator[Charts]:
    charts = Charts(tmp_path / "charts", seconds=60)
    yield charts
    await charts.close()
