"""What many tests are given: a hub, a repository, a store, a registry, people who sign. A folder or a file may give others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
from chartserver import OciRegistry
from hubs import Repo, config_map
from signers import Signers, signers

from hub.assembly import Hub
from hub.store import bootstrap, seal
from hub.store.resources import Resources
from hub.store.sqlite import SqliteStore, open_store


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """One without clusters."""
    async with hubs.running(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    """One app, `web`, of one ConfigMap."""
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/web.yaml": config_map("web")})
        yield repo


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty one."""
    found = open_store(tmp_path / "hub.db")
    yield found
    await found.close()


@pytest.fixture
async def written(store: SqliteStore, tmp_path: Path) -> Resources:
    """The writes of that store, with what a hub has from its first start."""
    found = Resources(seal.open_sealer(tmp_path / "seal.key"))
    await store.write(lambda tx: bootstrap.first_objects(tx, found, time.time()))
    return found


@pytest.fixture
def registry() -> Iterator[OciRegistry]:
    """An empty one."""
    with contextlib.closing(OciRegistry()) as registry:
        yield registry


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[Signers]:
    """With their keys in the keyring that gpg and Git look at."""
    with signers() as people:
        monkeypatch.setenv("GNUPGHOME", str(people.home))
        yield people
