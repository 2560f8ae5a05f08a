"""From sets to Applications in a running hub: what is evaluated when, and what may go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hubs
import pytest
from githttp import Fault
from hubs import Repo, config_map

from hub.assembly import Hub
from hub.core.served import table
from hub.loops import expander


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({f"apps/{app}/cm.yaml": config_map(app) for app in ("web", "queue")})
        yield repo


async def names(hub: Hub) -> set[str]:
    return set(await hubs.apps(hub))


async def test_a_set_becomes_one_application_for_each_cluster_and_folder(hub: Hub, repo: Repo) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add_cluster(hub, "two", env="test")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: names_are(hub, {"web-one", "queue-one"}), "the set's applications")
    await hubs.patch(hub, table.CLUSTER, "two", {"metadata": {"labels": {"env": "prod"}}}, namespace="")
    await hubs.until(
        lambda: names_are(hub, {"web-one", "queue-one", "web-two", "queue-two"}), "the second cluster's"
    )


async def names_are(hub: Hub, wanted: set[str]) -> bool:
    return await names(hub) == wanted


async def test_many_sets_share_one_listing_and_one_fetch_and_nothing_happens_without_a_change(
    hub: Hub, repo: Repo
) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    for number in range(10):
        manifest = hubs.appset(repo, f"set-{number}")
        manifest["spec"]["template"]["metadata"]["name"] = f"{{{{.path.basename}}}}-{number}"
        await hubs.add(hub, table.APPLICATION_SET, manifest)
    await hubs.until(lambda: count_is(hub, 20), "all applications")
    await hubs.settled(hub)
    assert hub.mirrors.counters.fetches == 1
    before = (hub.expander.evaluated, hub.renderer.rendered, dict(repo.server.requests))
    await hubs.settled(hub)
    assert (hub.expander.evaluated, hub.renderer.rendered, dict(repo.server.requests)) == before

    repo.commit({"apps/web/cm.yaml": config_map("web", "2")})
    hub.poller.ask(lambda url: True)
    await hubs.settled(hub)
    await hubs.settled(hub)
    assert hub.mirrors.counters.fetches == 2
    assert hub.renderer.rendered - before[1] == 10, "only the touched folder's applications are rendered"


async def count_is(hub: Hub, wanted: int) -> bool:
    return len(await names(hub)) == wanted


async def test_a_folder_that_goes_takes_its_application_after_a_second_look(hub: Hub, repo: Repo) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "both applications")
    repo.commit({"apps/web/cm.yaml": None})
    hub.poller.ask(lambda url: True)
    listings = repo.server.requests["listing"]
    await hubs.until(lambda: names_are(hub, {"queue-one"}), "the folder's application gone")
    assert repo.server.requests["listing"] - listings >= 2, "the confirming evaluation reads again"


async def test_more_clusters_than_the_cap_wait_for_an_approval(hub: Hub, repo: Repo) -> None:
    for name in ("one", "two", "three"):
        await hubs.add_cluster(hub, name, env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 6), "all applications")
    repo.commit({"apps/web/cm.yaml": None})
    hub.poller.ask(lambda url: True)
    held = await hubs.until(lambda: removal_held(hub), "the removal is held")
    assert await count_is(hub, 6)
    approval = held.rpartition("argosy.dev/approve-removal=")[2]
    change = {"metadata": {"annotations": {"argosy.dev/approve-removal": approval}}}
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", change)
    await hubs.until(lambda: count_is(hub, 3), "the approved removal")
    assert not await removal_held(hub)


async def test_sets_that_lose_clusters_one_after_another_do_not_wait_for_each_other(
    hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them waits to hear what the others want of what it lets go; all of them had something new to say."""
    monkeypatch.setattr(expander, "PATIENCE", 1e6)
    monkeypatch.setattr(expander, "CONFIRM_AFTER", 3.0)
    for name in ("one", "two"):
        await hubs.add_cluster(hub, name, env="prod")
    for name in ("fleet", "second"):
        made = hubs.appset(repo, name)
        made["spec"]["template"]["metadata"]["name"] = f"{name}-{{{{.path.basename}}}}-{{{{.name}}}}"
        await hubs.add(hub, table.APPLICATION_SET, made)
    await hubs.until(lambda: count_is(hub, 8), "all applications")
    await hubs.settled(hub)
    evaluated = hub.expander.evaluated
    unlabelled = {"metadata": {"labels": {"env": None}}}
    await hubs.patch(hub, table.CLUSTER, "one", unlabelled, "")
    await hubs.until(lambda: hub.expander.evaluated >= evaluated + 2, "both sets miss the first cluster")
    await hubs.patch(hub, table.CLUSTER, "two", unlabelled, "")
    for name in ("fleet", "second"):
        await hubs.until(lambda name=name: removal_held(hub, name), f"the removals of {name} are held")


async def removal_held(hub: Hub, name: str = "fleet") -> str:
    found = (await hubs.listed(hub, table.APPLICATION_SET))[name]
    return str(hubs.condition(found, "RemovalHeld").get("message", ""))


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.BROKEN, Fault.NONSENSE, Fault.TRUNCATE, Fault.CUT])
async def test_a_git_server_in_trouble_removes_nothing_and_is_told(
    hub: Hub, repo: Repo, fault: Fault
) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "both applications")
    repo.commit({"apps/web/cm.yaml": None})
    repo.server.fail(fault)
    for _ in range(3):
        hub.poller.ask(lambda url: True)
        await hubs.settled(hub)
    assert repo.server.injected >= 3
    assert await count_is(hub, 2)
    found = (await hubs.listed(hub, table.APPLICATION_SET))["fleet"]
    stale = hubs.condition(found, "Stale")
    assert stale["status"] == "True"
    assert "since" in stale["message"] or "not" in stale["message"]
    repo.server.heal()
    hub.poller.ask(lambda url: True)
    await hubs.until(lambda: names_are(hub, {"queue-one"}), "after the trouble, what Git says")
    found = (await hubs.listed(hub, table.APPLICATION_SET))["fleet"]
    assert not hubs.condition(found, "Stale")


async def test_a_complete_but_empty_set_keeps_everything(hub: Hub, repo: Repo) -> None:
    cluster = await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "both applications")
    await hubs.patch(
        hub, table.CLUSTER, cluster["metadata"]["name"], {"metadata": {"labels": {"env": "x"}}}, ""
    )
    held = await hubs.until(lambda: removal_held(hub), "the empty result is told")
    assert "argosy.dev/allow-empty" in held
    assert await count_is(hub, 2)


async def test_what_somebody_changes_by_hand_is_set_right(hub: Hub, repo: Repo) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "both applications")
    await hubs.patch(hub, table.APPLICATION, "web-one", {"spec": {"destination": {"namespace": "elsewhere"}}})

    async def right() -> bool:
        return bool((await hubs.apps(hub))["web-one"]["spec"]["destination"]["namespace"] == "default")

    await hubs.until(right, "the generated destination")


async def test_a_deleted_set_takes_its_applications_within_the_cap(hub: Hub, repo: Repo) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "both applications")
    await hubs.settled(hub)
    await hubs.delete(hub, table.APPLICATION_SET, "fleet")
    await hubs.until(lambda: names_are(hub, set()), "its applications on their way out")
    # The cluster goes with whatever it runs, so that nobody has to be waited for.
    await hubs.delete(hub, table.CLUSTER, "one", "")

    async def gone() -> bool:
        return not await hubs.listed(hub, table.APPLICATION) and not await hubs.listed(
            hub, table.APPLICATION_SET
        )

    await hubs.until(gone, "the set and its applications gone")


async def test_a_set_that_is_refused_says_why_and_stops_no_other(hub: Hub, repo: Repo) -> None:
    await hubs.add_cluster(hub, "one", env="prod")
    broken = hubs.appset(repo, "broken")
    broken["spec"]["template"]["metadata"]["name"] = "{{.nothing}}"
    await hubs.add(hub, table.APPLICATION_SET, broken)
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
    await hubs.until(lambda: count_is(hub, 2), "the good set's applications")

    async def told() -> bool:
        found = (await hubs.listed(hub, table.APPLICATION_SET))["broken"]
        return hubs.condition(found, "ErrorOccurred").get("status") == "True"

    await hubs.until(told, "the bad set's condition")
    found = (await hubs.listed(hub, table.APPLICATION_SET))["broken"]
    assert "nothing" in hubs.condition(found, "ErrorOccurred")["message"]
