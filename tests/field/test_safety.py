"""What users of other systems suffered, done to this one: removals, renames, stop buttons, dead clusters.

Each test names the public threads that told of it; `test_every_thread.py` has the whole list.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from hubs import Clock, Repo
from spokes import Spoke, System, merged

from argosy.objects import Manifest
from hub.core.removals import removals
from hub.core.served import table
from hub.store import agents, desired, reports

FIRST = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}


def pinned(repo: Repo, name: str, pattern: str, label: str) -> Manifest:
    """A set that puts the folder `apps/web` on the clusters with `track=label`."""
    made = hubs.appset(repo, name)
    (clusters,) = made["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {"track": label}}}}]
    assert clusters
    template = made["spec"]["template"]
    template["metadata"]["name"] = pattern
    template["spec"]["source"]["path"] = "apps/web"
    return made


def uids(spoke: Spoke) -> dict[str, str]:
    return {name: uid for name, (uid, _) in spoke.versions().items()}


async def approve(system: System) -> None:
    """Approves the removal that waits, as a person would."""

    async def waiting() -> Manifest | None:
        found = await hubs.listed(system.hub, table.REMOVAL)
        return next((one for one in found.values() if one["status"]["phase"] == removals.WAITING), None)

    plan = await hubs.until(waiting, "a removal waits")
    from hub.store import plans

    name, now = plan["metadata"]["name"], system.clock()
    wrong = await system.hub.store.write(
        lambda tx: plans.decide(tx, system.hub.resources, name, "ada", plan["spec"]["digest"], now, yes=True)
    )
    assert not wrong


async def carried(system: System, spoke: Spoke, app: str) -> None:
    """Waits until exactly this application is on the cluster, and no removal is open."""

    async def so() -> bool:
        tx_apps = await system.read(lambda tx: [one.app for one in desired.assignments(tx, spoke.uid)])
        return tx_apps == [app] and await system.removals() == 0

    await hubs.until(so, f"{app} alone on {spoke.name}")


async def test_moving_a_cluster_from_one_set_to_another_restarts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """projectsveltos/sveltos PR #787, argoproj/applicationset#254, rancher/rancher#41333: a label moves from v1 to v2."""
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, {"web": {"web-a": "1", "web-b": "1"}})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.patch(system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"track": "v1"}}}, "")
            for name in ("v1", "v2"):
                await hubs.add(
                    system.hub, table.APPLICATION_SET, pinned(repo, name, f"{name}-{{{{.name}}}}", name)
                )
            await carried(system, spoke, "v1-one")
            await hubs.until(lambda: set(spoke.ours()) == {"web-a", "web-b"}, "applied")
            before = uids(spoke)
            await hubs.patch(system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"track": "v2"}}}, "")
            # A set without any cluster left generates nothing, and that is asked about.
            await approve(system)
            await carried(system, spoke, "v2-one")
            assert uids(spoke) == before, "the same objects, not new ones of the same name"
            assert not set(spoke.deleted) & set(before)


async def test_renaming_what_a_template_makes_restarts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """argoproj/argo-cd#12958, #16882: another name for the same thing is no uninstall."""
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, {"web": {"web-a": "1"}})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.patch(system.hub, table.CLUSTER, "one", {"metadata": {"labels": {"track": "v1"}}}, "")
            await hubs.add(system.hub, table.APPLICATION_SET, pinned(repo, "shop", "old-{{.name}}", "v1"))
            await carried(system, spoke, "old-one")
            await hubs.until(lambda: set(spoke.ours()) == {"web-a"}, "applied")
            before = uids(spoke)
            change = {"spec": {"template": {"metadata": {"name": "new-{{.name}}"}}}}
            await hubs.patch(system.hub, table.APPLICATION_SET, "shop", change)
            await carried(system, spoke, "new-one")
            assert uids(spoke) == before
            assert "web-a" not in spoke.deleted


async def test_a_stop_button_that_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """argoproj/argo-cd#4808, #3039, #19909, #17974, #16751, argoproj/applicationset#421, #345, karmada-io/karmada#6357.

    Nothing is written during a freeze: not by a commit, ten evaluations, a hub that restarts or is away, nor by healing.
    """
    clock = Clock()
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch, clock) as system:
            spoke = await system.join("one", clock=clock)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(FIRST)})
            await hubs.add(system.hub, table.FREEZE, frozen(duration="1h"))
            await hubs.until(lambda: known(spoke) == ["freeze/stop"], "the agent knows")
            before = spoke.versions()
            for number in range(10):
                spokes.commit(repo, {"web": {"web-a": str(number + 2)}})
                system.pull()
                await hubs.settled(system.hub)
            await system.stop_hub()
            await system.start_hub()
            spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
            await hubs.settled(system.hub)
            await system.stop_hub()
            assert spoke.versions() == before
            spoke.drift("web-b")
            await spoke.kill()
            await spoke.start()
            await hubs.until(lambda: known(spoke) == ["freeze/stop"], "it knows without its hub")
            assert spoke.ours()["web-b"] == "drift"
            clock.ahead = 3700.0
            assert spoke.program is not None
            assert spoke.program.applier is not None
            for name in list(spoke.program.applier._apps):
                spoke.program.applier.wake(name)
            await hubs.until(lambda: spoke.ours()["web-b"] == "1", "healed once the freeze is over")
            await system.start_hub()
            spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
            system.pull()
            await hubs.until(lambda: spoke.ours().get("web-a") == "11", "and the newest commit goes")


def frozen(name: str = "stop", **spec: Any) -> Manifest:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": name},
        "spec": {"fleet": True, "reason": "audit", **spec},
    }


def known(spoke: Spoke) -> list[str]:
    """The restraints that an agent has taken up."""
    program = spoke.program
    if program is None or program.ledger is None or program.ledger.desired.value is None:
        return []
    return [one.id for one in program.ledger.desired.value.restraints]


async def test_an_empty_hub_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """karmada-io/karmada#5406, #5150, #1717, open-cluster-management-io/ocm#123, argoproj-labs/argocd-agent#813, #660,
    argoproj/argo-cd#6046: the hub was installed anew and knows nothing.
    """
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(FIRST)})
            before = spoke.versions()
            await system.stop_hub()

            def forget(tx: Any) -> None:
                for name in ("objects", "assignments", "desired", "app_states", "reports", "drops"):
                    tx.run(
                        f"DELETE FROM {name} WHERE 1 = 1"
                        if name != "objects"
                        else "DELETE FROM objects WHERE resource IN ('argoproj.io/applicationsets', 'argoproj.io/applications')"
                    )
                tx.run("UPDATE meta SET value = 'another-life' WHERE key = 'epoch'")

            await empty(system, forget)
            await system.start_hub()
            spoke.line.retarget(("127.0.0.1", system.hub.link.link_port))
            await hubs.until(lambda: held(spoke) == "EpochUnknown", "the agent holds")
            spoke.drift("web-a")
            await hubs.until(lambda: spoke.ours().get("web-a") == "1", "and heals what it has")
            assert set(spoke.versions()) == set(before)
            assert spoke.deleted == []


async def empty(system: System, job: Any) -> None:
    from hub.store import sqlite

    connection = sqlite.connect(system.data / "hub.db")
    try:
        job(sqlite.SqliteTx(connection))
        connection.commit()
    finally:
        connection.close()


def held(spoke: Spoke) -> str:
    assert spoke.program is not None
    assert spoke.program.ledger is not None
    return spoke.program.ledger.held.reason


async def test_a_cluster_that_is_gone_is_forgotten_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """argoproj/argo-cd#4198, #5817, #19571, #27383, #9172, karmada-io/karmada#3740, #1847, Azure/fleet#881, #1036,
    kubefleet-dev/kubefleet#297, rancher/fleet#1674, #3437, open-cluster-management-io/ocm#632.
    """
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in ("one", "two", "three"):
                await system.join(name)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles(dict.fromkeys(("one", "two", "three"), merged(FIRST)))
            lost = system.spokes["two"]
            await lost.kill()
            began = time.monotonic()
            await hubs.delete(system.hub, table.CLUSTER, "two", "")

            async def forgotten() -> bool:
                rows = await system.read(
                    lambda tx: (
                        desired.assignments(tx, lost.uid),
                        reports.of_cluster(tx, lost.uid),
                        agents.get(tx, lost.uid),
                    )
                )
                found = await hubs.listed(system.hub, table.APPLICATION)
                return not any(rows) and not any(name.endswith("-two") for name in found)

            await hubs.until(forgotten, "no row of it is left")
            assert time.monotonic() - began < 30, "without waiting for anything that comes every now and then"
            assert set(lost.ours()) == set(merged(FIRST)), "what runs there is left alone"
            await system.settles(dict.fromkeys(("one", "three"), merged(FIRST)))
