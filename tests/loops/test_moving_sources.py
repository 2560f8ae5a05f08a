"""Sources that move, or fail to be fetched, while the renderer is at work: the newest commit is never left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from githttp import Fault
from hubs import Repo, config_map

from hub.assembly import Hub
from hub.core.served import table
from hub.store import apps


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        await hubs.add_cluster(hub, "one", env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.until(lambda: rendered(hub), "the first render")
        await hubs.settled(hub)
        yield hub


async def rendered(hub: Hub) -> set[str]:
    """The commits that applications were rendered from."""
    states = await hub.store.read(apps.every)
    return {state.revision for state in states if state.bundle}


async def test_a_commit_that_arrives_during_a_render_is_rendered_next(
    hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, arrived = hub.kitchen.prepare, []

    async def slow(*args: Any) -> Any:
        dish = await prepare(*args)
        if not arrived:
            arrived.append(repo.commit({"apps/web/web.yaml": config_map("web", "3")}))
            await hub.trees.look(repo.url)
        return dish

    monkeypatch.setattr(hub.kitchen, "prepare", slow)
    repo.commit({"apps/web/web.yaml": config_map("web", "2")})
    hub.poller.ask(lambda url: True)

    async def newest() -> bool:
        return bool(arrived) and await rendered(hub) == set(arrived)

    await hubs.until(newest, "the commit that came in the middle")


async def test_a_commit_whose_fetch_failed_needs_no_other_to_be_noticed(hub: Hub, repo: Repo) -> None:
    commit = repo.commit({"apps/web/web.yaml": config_map("web", "2")})
    # A listing is two requests, the second to the fetching service; what follows is the fetch.
    repo.server.fail(Fault.CUT, service="fetch", after=1)
    hub.poller.ask(lambda url: True)
    await hubs.until(lambda: repo.server.injected >= 1, "the fetch broken off")
    await hubs.settled(hub)
    repo.server.heal()
    hub.poller.ask(lambda url: True)

    async def there() -> bool:
        return await rendered(hub) == {commit}

    await hubs.until(there, "the commit at the next listing")
