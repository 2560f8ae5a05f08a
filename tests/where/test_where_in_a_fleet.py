"""Commits on their way through a whole fleet: hub, agents, and one that is away."""

from __future__ import annotations

from pathlib import Path

import hubs
import pytest
import spokes
from hubs import Repo, config_map
from spokes import System, merged

from argosy.errors import Invalid, NotFound
from hub.core.served import table
from hub.core.views import delivery
from hub.core.views.where import Place
from hub.store import deliveries

FIRST = {"web": {"web-a": "1"}, "db": {"db-a": "1"}}
SECOND = {"web": {"web-a": "2"}, "db": {"db-a": "1"}}


async def places(system: System, commit: str) -> dict[str, Place]:
    found = await system.hub.locator.where(commit)
    document = found.document()
    assert sum(document["counts"].values()) == document["clusters"] == len(found.rows)
    return {row.cluster: row.place for row in found.rows}


async def become(system: System, commit: str, wanted: dict[str, Place]) -> None:
    async def so() -> bool:
        try:
            return await places(system, commit) == wanted
        except NotFound:
            return False  # the hub has not looked at the repository yet

    try:
        await hubs.until(so, f"{commit} is {wanted}")
    except AssertionError:
        found = await system.hub.locator.where(commit)
        raise AssertionError([row.document() for row in found.rows]) from None


async def test_every_cluster_is_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hubs.repository(tmp_path) as repo:
        first = spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in ("one", "two"):
                await system.join(name)
            await system.join("other", env="test")
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({name: merged(FIRST) for name in ("one", "two")})
            there = {"one": Place.RUNNING, "two": Place.RUNNING, "other": Place.NOT_TARGETED}
            await become(system, first, there)
            await become(system, first[:7], there)

            await system.spokes["two"].kill()
            await hubs.until(lambda: "two" not in _connected(system), "two is away")
            second = spokes.commit(repo, SECOND)
            with pytest.raises(NotFound):
                await system.hub.locator.where(second)
            system.pull()
            await system.settles({"one": merged(SECOND)})
            away = {**there, "two": Place.OFFLINE}
            await become(system, second, away)
            (row,) = (row for row in (await system.hub.locator.where(second)).rows if row.cluster == "two")
            assert row.since > 0
            assert "not connected" in row.why
            await become(
                system, first, {"one": Place.NEWER, "two": Place.RUNNING, "other": Place.NOT_TARGETED}
            )

            # A commit that changes nothing of what runs is run by whoever has the content.
            third = repo.commit({"README.md": "words\n"})
            system.pull()
            await become(system, third, away)

            await _a_branch(system, repo, third)
            await system.spokes["two"].start()
            await system.settles({"two": merged(SECOND)})
            await become(system, second, there)
            await _figures(system)


def _connected(system: System) -> set[str]:
    return {name for name, spoke in system.spokes.items() if system.hub.link.connected(spoke.uid)}


async def _a_branch(system: System, repo: Repo, main: str) -> None:
    """A commit that nobody follows is nowhere, and says so."""
    repo.git("checkout", "--quiet", "-b", "feature")
    (repo.work / "apps/web/web-a.yaml").write_text(config_map("web-a", "9"))
    repo.git("commit", "--quiet", "--all", "--message", "feature")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "feature")
    feature = repo.git("rev-parse", "HEAD").strip()
    repo.git("checkout", "--quiet", "main")
    await system.hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "feature"}]})
    found = await places(system, feature)
    assert found == {"one": Place.OLDER, "two": Place.OLDER, "other": Place.NOT_TARGETED}
    row = (await system.hub.locator.where(feature)).rows[0]
    assert "follows main, which does not have the commit" in row.why
    for wrong in ("", "xyz", "123"):
        with pytest.raises(Invalid):
            await system.hub.locator.where(wrong)
    with pytest.raises(NotFound):
        await system.hub.locator.where("0123456789")
    assert main


async def _figures(system: System) -> None:
    """What was recorded on the way: every application got well with each release that changed it."""

    async def recorded() -> bool:
        found = await system.hub.store.read(lambda tx: deliveries.since(tx, 0))
        return len(found) == 6 and all(one.done and one.committed for one in found)

    await hubs.until(recorded, "six deliveries are done and dated")
    found = await system.hub.store.read(lambda tx: deliveries.since(tx, 0))
    assert {(one.release, one.name) for one in found if one.name.startswith("db")} == {
        (found[0].release, "db-one"),
        (found[0].release, "db-two"),
    }
    seen = delivery.figures(found, since=0, until=delivery.DAY * 30_000)
    assert (seen.deployments, seen.failed) == (2, 0)
    assert seen.lead is not None
    assert 0 < seen.lead < 120


async def test_waiting_says_for_what_and_since_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "careful", "namespace": "argocd"},
        "spec": {
            "stages": [
                {"name": "canary", "selector": {"matchLabels": {"ring": "canary"}}},
                {"name": "rest", "gates": {"before": [{"name": "go", "approval": {}}]}},
            ]
        },
    }
    with hubs.repository(tmp_path) as repo:
        first = spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in ("one", "two"):
                await system.join(name)
            await hubs.patch(
                system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"ring": "canary"}}}, namespace=""
            )
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({name: merged(FIRST) for name in ("one", "two")})
            await hubs.add(system.hub, table.ROLLOUT_POLICY, policy)
            naming = {"metadata": {"annotations": {"argosy.dev/rollout-policy": "careful"}}}
            await hubs.patch(system.hub, table.APPLICATION_SET, "fleet", naming)
            second = {"revisions": [{"repo": repo.url, "revision": "next"}]}
            (repo.work / "apps/web/web-a.yaml").write_text(config_map("web-a", "2"))
            repo.git("checkout", "--quiet", "-b", "next")
            repo.git("commit", "--quiet", "--all", "--message", "next")
            repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "next")
            plan = await system.hub.planner.plan(second)
            holds = {app.name: [hold.message for hold in app.holds] for app in plan.apps}
            assert holds["web-one"] == []
            assert holds["web-two"] == [
                "stage 2 of 2 (rest); after canary; gates: go (approval) before stage 2"
            ]

            commit = repo.commit({})
            system.pull()
            await system.settles({"one": merged(SECOND)})
            await become(system, commit, {"one": Place.RUNNING, "two": Place.WAITING})

            async def says_why() -> bool:
                rows = (await system.hub.locator.where(commit)).rows
                (row,) = (row for row in rows if row.cluster == "two")
                assert row.why.startswith("web-two: ")
                assert row.since > 0
                return "gate go" in row.why

            await hubs.until(says_why, "the gate is named")
            await become(system, first, {"one": Place.NEWER, "two": Place.RUNNING})
