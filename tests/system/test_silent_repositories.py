"""A Git server that says nothing holds up those who use it, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hubs
import pytest
from githttp import Fault
from hubs import Repo

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.loops.repos import trees
from hub.store.base import Tx

FOREVER = 3600.0


def named(repo: Repo, name: str) -> Manifest:
    """A set whose applications bear its name."""
    made = hubs.appset(repo, name)
    made["spec"]["template"]["metadata"]["name"] = f"{name}-{{{{.name}}}}"
    return made


async def are(hub: Hub, *names: str) -> None:
    async def there() -> bool:
        return sorted(await hubs.apps(hub)) == sorted(names)

    await hubs.until(there, f"the applications are {names}")


async def follows(hub: Hub, name: str, commit: str) -> None:
    """Waits until an application is rendered from a commit."""
    uid = (await hubs.apps(hub))[name]["metadata"]["uid"]

    def read(tx: Tx) -> bool:
        return bool(tx.all("SELECT 1 FROM app_states WHERE app = ? AND revision = ?", (uid, commit)))

    await hubs.until(lambda: hub.store.read(read), f"{name} follows {commit}")


@pytest.mark.parametrize("service", ["listing", "fetch"])
@pytest.mark.parametrize("when", ["at first", "later"])
async def test_others_go_on_while_one_repository_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str, when: str
) -> None:
    monkeypatch.setattr(trees, "PATIENCE", 1.0)
    with hubs.repository(tmp_path, "good") as good, hubs.repository(tmp_path, "mute") as mute:
        for repo in (good, mute):
            repo.commit({"apps/web/web.yaml": hubs.config_map("web")})
        patience = {"git_list": FOREVER, "git_fetch": FOREVER}
        async with hubs.running(tmp_path / "hub", **patience) as hub:
            await hubs.add_cluster(hub, "one", env="prod")
            await hubs.add(hub, table.APPLICATION_SET, named(good, "good"))
            await are(hub, "good-one")
            silence = _silence(mute, service)
            if when == "at first":
                silence()
                await hubs.add(hub, table.APPLICATION_SET, named(mute, "mute"))
            else:
                await hubs.add(hub, table.APPLICATION_SET, named(mute, "mute"))
                await are(hub, "good-one", "mute-one")
                mute.commit({"apps/web/web.yaml": hubs.config_map("web", "2")})
                silence()
                hub.poller.ask(lambda url: True)
            await hubs.until(lambda: mute.server.injected, "it says nothing")

            commit = good.commit({"apps/web/web.yaml": hubs.config_map("web", "2")})
            hub.poller.ask(lambda url: True)
            await follows(hub, "good-one", commit)
            await hubs.add(hub, table.APPLICATION_SET, named(good, "late"))
            found = ["good-one", "late-one"] + (["mute-one"] if when == "later" else [])
            await are(hub, *found)
            stale = "no answer yet, still waiting for one"
            await hubs.until(lambda: _says(hub, "mute", stale), "the set says what it waits for")

            newest = mute.commit({"apps/web/web.yaml": hubs.config_map("web", "3")})
            mute.server.heal()
            hub.poller.ask(lambda url: True)
            await are(hub, "good-one", "late-one", "mute-one")
            await follows(hub, "mute-one", newest)


def _silence(repo: Repo, service: str) -> Callable[[], None]:
    return lambda: repo.server.fail(Fault.HANG, service=service)


async def _says(hub: Hub, appset: str, text: str) -> bool:
    found = (await hubs.listed(hub, table.APPLICATION_SET))[appset]
    return any(text in one["message"] for one in (found.get("status") or {}).get("conditions") or [])
