"""What no cluster ever had is deleted without a question: nothing can be lost with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System, merged

from argosy.bundle import Assignment, Policy
from argosy.objects import Manifest
from hub.core.removals import removals
from hub.core.removals.untouched import untouched
from hub.core.served import table

APPS = {"web": {"web-a": "1"}}
CLUSTERS = ("one", "two")
MANUAL = Policy(automated=False)
MISSING = {"bundle": "b", "phase": "", "resources": [{"name": "a", "health": "Missing"}]}


@pytest.mark.parametrize(
    ("policy", "told", "expected"),
    [
        (MANUAL, MISSING, True),
        (Policy(automated=True), MISSING, False),
        (Policy(automated=False, sync_request="op-1"), MISSING, False),
        (Policy(automated=False, mode="adopt"), MISSING, False),
        (MANUAL, {**MISSING, "bundle": "older"}, False),
        (MANUAL, {**MISSING, "phase": "Failed"}, False),
        (MANUAL, {**MISSING, "resources": [{"name": "a", "health": "Healthy"}]}, False),
        (MANUAL, {}, False),
    ],
)
def test_only_what_is_known_for_sure_counts(policy: Policy, told: Manifest, *, expected: bool) -> None:
    given = Assignment("id", "web", "argocd", "default", "default", "b", "r", "c", policy)
    assert untouched(given, told) is expected


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, APPS) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    async with spokes.system(tmp_path, monkeypatch) as system:
        for name in CLUSTERS:
            await system.join(name)
        yield system


def manual(repo: Repo, name: str, namespace: str) -> Manifest:
    made = hubs.appset(repo, name)
    made["spec"]["template"]["metadata"]["name"] = f"{name}-{{{{.name}}}}"
    made["spec"]["template"]["spec"]["destination"]["namespace"] = namespace
    made["spec"]["template"]["spec"].pop("syncPolicy")
    return made


def applied(system: System) -> bool:
    return all(spoke.ours() == merged(APPS) for spoke in system.spokes.values())


async def test_a_manual_set_that_was_never_synced_goes_at_once_and_a_synced_one_waits(
    system: System, repo: Repo
) -> None:
    hub = system.hub
    for name, namespace in (("synced", "default"), ("idle", "elsewhere")):
        await hubs.add(hub, table.APPLICATION_SET, manual(repo, name, namespace))
    names = {f"{kind}-{cluster}" for kind in ("synced", "idle") for cluster in CLUSTERS}

    async def seen() -> bool:
        rows = await hub.store.read(lambda tx: tx.all("SELECT app FROM reports WHERE health = 'Missing'"))
        return len(rows) == len(names)

    await hubs.until(seen, "agents told of all that nothing is there")
    for cluster in CLUSTERS:
        await hubs.patch(hub, table.APPLICATION, f"synced-{cluster}", {"operation": {"sync": {}}})
    await hubs.until(lambda: applied(system), "one set is synced")
    await hubs.settled(hub)
    for name in ("synced", "idle"):
        await hubs.delete(hub, table.APPLICATION_SET, name)

    async def gone() -> bool:
        return set(await hubs.listed(hub, table.APPLICATION_SET)) == {"synced"}

    await hubs.until(gone, "what was never synced is gone")

    async def waits() -> Manifest | None:
        found = (await hubs.listed(hub, table.REMOVAL)).values()
        return next((one for one in found if removals.phase(one) == removals.WAITING), None)

    plan = await hubs.until(waits, "what runs waits for a decision")
    assert plan["spec"]["owner"]["name"] == "synced"
    assert applied(system)
