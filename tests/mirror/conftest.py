from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from githttp import FaultyGitServer, create

from hub.core.matching import semver
from hub.git.command import Settings
from hub.git.mirror import Mirrors

SETTINGS = Settings(list_seconds=5, fetch_seconds=5, silence_seconds=3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyGitServer]:
    (tmp_path / "server").mkdir()
    server = FaultyGitServer(tmp_path / "server")
    yield server
    server.close()


@pytest.fixture
def repo(server: FaultyGitServer) -> Path:
    return create(server.root, "app")


@pytest.fixture
async def mirrors(tmp_path: Path) -> AsyncIterator[Mirrors]:
    mirrors = Mirrors(tmp_path / "mirrors", highest=semver.highest, settings=SETTINGS)
    yield mirrors
    await mirrors.close()
