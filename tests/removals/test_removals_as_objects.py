"""A removal is an object with numbers: it waits above the cap, is approved as exactly that, or rejected."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
import users
from hubs import Repo, config_map

from argosy.errors import ArgosyError
from argosy.machinery import write
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli.resources import APPS, APPSETS, REMOVALS
from hub.cli.resources import CLUSTERS as CLUSTER_PATHS
from hub.core.removals import removals
from hub.core.served import table
from hub.store import desired, evaluations, objects, plans
from hub.store.base import Tx

CLUSTERS = ("one", "two", "three")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit(
            {
                "apps/web/cm.yaml": config_map("web") + "---\n" + config_map("web-2"),
                "apps/queue/cm.yaml": config_map("queue"),
            }
        )
        yield repo


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        for name in CLUSTERS:
            await hubs.add_cluster(hub, name, env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.until(lambda: count(hub, 6), "all applications")
        await hubs.settled(hub)
        yield hub


async def count(hub: Hub, wanted: int) -> bool:
    return len(await hubs.apps(hub)) == wanted


async def planned(hub: Hub, phase: str = removals.WAITING) -> Manifest | None:
    found = await hubs.listed(hub, table.REMOVAL)
    return next((item for item in found.values() if (item.get("status") or {}).get("phase") == phase), None)


async def waits(hub: Hub, phase: str = removals.WAITING) -> Manifest:
    found: Manifest = await hubs.until(lambda: planned(hub, phase), f"a removal {phase}")
    return found


async def ask(hub: Hub, name: str, verb: str, **body: Any) -> Manifest:
    """As `argosy removal` does, over the API."""
    path = REMOVALS.path(name=name, subresource=verb)
    return await users.asks(hub, lambda user: user.create(path, body))


async def test_a_plan_names_applications_clusters_objects_and_their_kinds(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None})
    await hubs.pushed(hub)
    spec = (await waits(hub))["spec"]
    assert spec["owner"]["name"] == "fleet"
    assert spec["counts"] == {"applications": 3, "clusters": 3, "objects": 6, "deleted": 6}
    assert spec["kinds"] == {"ConfigMap": 6}
    assert [one["name"] for one in spec["applications"]] == ["web-one", "web-three", "web-two"]
    assert spec["cause"] == "the ApplicationSet generates them no more"
    assert spec["expiresAt"]
    assert await count(hub, 6)


async def test_approval_lets_exactly_the_plan_go_and_is_recorded(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None})
    await hubs.pushed(hub)
    plan = await waits(hub)
    said = await ask(hub, plan["metadata"]["name"], "approve", digest=plan["spec"]["digest"])
    assert "approved" in said["message"]
    await hubs.until(lambda: count(hub, 3), "the approved removal")
    going = await waits(hub, removals.REMOVING)
    assert (going["status"]["decidedBy"], going["status"]["left"]) == ("admin", 3)
    with pytest.raises(ArgosyError, match="it is Removing"):
        await ask(hub, plan["metadata"]["name"], "reject")


async def test_a_changed_plan_needs_a_new_approval(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None})
    await hubs.pushed(hub)
    first = await waits(hub)
    with pytest.raises(ArgosyError, match="look at it again"):
        await ask(hub, first["metadata"]["name"], "approve", digest="sha256:other")
    await hubs.add_cluster(hub, "four", env="prod")
    await hubs.settled(hub)
    repo.commit({"apps/web/cm.yaml": config_map("web")})
    await hubs.pushed(hub)
    await hubs.until(lambda: count(hub, 8), "nothing goes any more")
    await waits(hub, removals.WITHDRAWN)
    repo.commit({"apps/web/cm.yaml": None})
    await hubs.pushed(hub)
    second = await waits(hub)
    assert second["metadata"]["name"] != first["metadata"]["name"]
    with pytest.raises(ArgosyError, match="Withdrawn"):
        await ask(hub, first["metadata"]["name"], "approve")
    assert await count(hub, 8)


async def test_a_rejected_removal_leaves_the_applications_in_nobodys_hands(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None})
    await hubs.pushed(hub)
    name = (await waits(hub))["metadata"]["name"]
    await ask(hub, name, "reject")
    await hubs.pushed(hub)
    await hubs.pushed(hub)
    found = await hubs.apps(hub)
    assert len(found) == 6
    kept = found["web-one"]["metadata"]
    assert kept["annotations"][removals.KEPT_ANNOTATION] == name
    assert not kept["ownerReferences"] if "ownerReferences" in kept else True
    # The set wants it again: it takes it back.
    repo.commit({"apps/web/cm.yaml": config_map("web")})
    await hubs.pushed(hub)

    async def taken_back() -> bool:
        metadata = (await hubs.apps(hub))["web-one"]["metadata"]
        return bool(metadata.get("ownerReferences")) and removals.KEPT_ANNOTATION not in (
            metadata.get("annotations") or {}
        )

    await hubs.until(taken_back, "the set has its application again")


async def test_deleting_a_set_above_the_cap_is_accepted_and_waits_with_a_warning(hub: Hub) -> None:
    def delete(tx: Any) -> tuple[str, ...]:
        deletion = write.Deletion("2026-01-01T00:00:00Z")
        return hub.resources.remove(
            tx, table.APPLICATION_SET, "argocd", "fleet", deletion, now=time.time()
        ).warnings

    (warning,) = await hub.store.write(delete)
    plan = await waits(hub)
    assert plan["metadata"]["name"] in warning
    assert plan["spec"]["cause"] == "the ApplicationSet was deleted"
    assert plan["spec"]["counts"]["applications"] == 6
    await hubs.settled(hub)
    assert await count(hub, 6)
    await ask(hub, plan["metadata"]["name"], "approve")
    await hubs.until(lambda: count(hub, 0), "all applications going")
    for name in CLUSTERS:
        await hubs.delete(hub, table.CLUSTER, name, "")

    async def gone() -> bool:
        return not await hubs.listed(hub, table.APPLICATION_SET)

    await hubs.until(gone, "the set gone")


async def test_a_set_whose_removal_is_rejected_goes_without_its_applications(hub: Hub) -> None:
    await hubs.delete(hub, table.APPLICATION_SET, "fleet")
    name = (await waits(hub))["metadata"]["name"]
    await ask(hub, name, "reject")

    async def gone() -> bool:
        return not await hubs.listed(hub, table.APPLICATION_SET)

    await hubs.until(gone, "the set gone")
    assert await count(hub, 6)


async def test_what_is_within_the_cap_is_shown_and_goes_by_itself(hub: Hub) -> None:
    await hubs.patch(hub, table.CLUSTER, "one", {"metadata": {"labels": {"env": "x"}}}, "")
    await hubs.until(lambda: count(hub, 4), "one cluster's applications gone")
    going = await waits(hub, removals.REMOVING)
    assert going["status"]["left"] == 2
    # Nobody is left to be asked there.
    await hubs.delete(hub, table.CLUSTER, "one", "")
    done = await waits(hub, removals.DONE)
    assert done["spec"]["counts"]["clusters"] == 1
    assert done["status"]["left"] == 0


def test_a_plan_is_another_with_any_loss_of_another_size() -> None:
    loss = removals.Loss("a", "u", "c", cascade=True, kinds={"ConfigMap": 1})
    plan = removals.Plan("ApplicationSet", "s", "x", (loss,))
    for other in (
        removals.Loss("a", "u", "c", cascade=False, kinds={"ConfigMap": 1}),
        removals.Loss("a", "u", "c", cascade=True, kinds={"ConfigMap": 2}),
        removals.Loss("a", "u", "d", cascade=True, kinds={"ConfigMap": 1}),
    ):
        assert removals.Plan("ApplicationSet", "s", "x", (other,)).called != plan.called


async def test_a_removal_names_the_author_of_the_commit_that_made_it(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None}, author="Ada <ada@example.com>")
    await hubs.pushed(hub)
    assert (await waits(hub))["spec"]["by"] == "Ada <ada@example.com>"


async def written_by(hub: Hub) -> set[str]:
    """Who made go what clusters are told to remove as a whole."""

    def read(tx: Tx) -> set[str]:
        clusters = [row.uid for row in objects.page(tx, table.CLUSTER.resource, None)]
        return {one.by for uid in clusters for one in desired.removals(tx, uid) if not one.key}

    found: set[str] = await hub.store.read(read)
    return found


async def test_what_clusters_are_told_to_remove_names_who_made_it_go(hub: Hub, repo: Repo) -> None:
    repo.commit({"apps/web/cm.yaml": None}, author="Ada <ada@example.com>")
    await hubs.pushed(hub)
    plan = await waits(hub)
    await ask(hub, plan["metadata"]["name"], "approve", digest=plan["spec"]["digest"])
    await hubs.until(lambda: count(hub, 3), "the approved removal")
    await hubs.settled(hub)
    assert await written_by(hub) == {"Ada <ada@example.com>"}
    await users.asks(hub, lambda client: client.delete(APPS.path("argocd", "queue-one")))
    await hubs.settled(hub)
    assert "admin: delete" in await written_by(hub)


async def test_a_removal_names_who_edited_the_set(hub: Hub) -> None:
    selector = {"clusters": {"selector": {"matchLabels": {"env": "other"}}}}
    change = {"spec": {"generators": [selector]}}
    await users.asks(hub, lambda client: client.merge(APPSETS.path("argocd", "fleet"), change))
    await hubs.settled(hub)
    assert (await waits(hub))["spec"]["by"] == "admin: patch"


async def test_a_removal_names_who_relabelled_the_clusters(hub: Hub) -> None:
    change = {"metadata": {"labels": {"env": "other"}}}
    for name in ("one", "two"):
        await users.asks(hub, lambda client, name=name: client.merge(CLUSTER_PATHS.path(name=name), change))  # type: ignore[misc]
    await hubs.settled(hub)

    async def both() -> str:
        plan = await planned(hub)
        return plan["spec"]["by"] if plan is not None and plan["spec"]["counts"]["clusters"] == 2 else ""

    assert (
        await hubs.until(both, "a removal from both") == "admin: patch cluster one, admin: patch cluster two"
    )


async def test_a_removal_names_who_deleted_the_set(hub: Hub) -> None:
    await users.asks(hub, lambda client: client.delete(APPSETS.path("argocd", "fleet")))
    assert (await waits(hub))["spec"]["by"] == "admin: delete"
    await hubs.settled(hub)
    assert (await waits(hub))["spec"]["by"] == "admin: delete"


async def everything(hub: Hub, repo: Repo, what: str) -> None:
    """Makes two clusters lose something, as somebody does."""
    change = {"metadata": {"labels": {"env": "other"}}}
    match what:
        case "commit":
            repo.commit({"apps/web/cm.yaml": None}, author="Ada <ada@example.com>")
        case "edit":
            selector = {"clusters": {"selector": {"matchLabels": {"env": "other"}}}}
            edit = {"spec": {"generators": [selector]}}
            await users.asks(hub, lambda client: client.merge(APPSETS.path("argocd", "fleet"), edit))
        case "label":
            for name in ("one", "two"):
                await users.asks(
                    hub, lambda client, name=name: client.merge(CLUSTER_PATHS.path(name=name), change)
                )  # type: ignore[misc]
        case _:
            await users.asks(hub, lambda client: client.delete(APPSETS.path("argocd", "fleet")))


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("commit", "Ada <ada@example.com>"),
        ("edit", "admin: patch"),
        ("label", "admin: patch cluster one, admin: patch cluster two"),
        ("delete", "admin: delete"),
    ],
)
async def test_a_removal_names_who_made_it_before_the_hub_died(
    tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch, what: str, by: str
) -> None:
    """The hub dies before it looks at what was done, and is away for days."""
    clock = hubs.Clock()
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        for name in CLUSTERS:
            await hubs.add_cluster(hub, name, env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.until(lambda: count(hub, 6), "all applications")
        await hubs.settled(hub)
        monkeypatch.setattr(hub.expander, "_rests", lambda manifest: True)
        await everything(hub, repo, what)
    clock.ahead = 3 * 24 * 3600.0
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        hub.poller.ask(lambda url: True)

        async def named() -> bool:
            plan = await planned(hub)
            return plan is not None and plan["spec"]["counts"]["clusters"] >= 2 and plan["spec"]["by"] == by

        await hubs.until(named, f"a removal by {by}")


async def test_what_is_kept_of_a_set_goes_with_it(hub: Hub, repo: Repo) -> None:
    other = hubs.appset(repo, "other")
    other["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {"env": "none"}}}}]
    uid = (await hubs.add(hub, table.APPLICATION_SET, other))["metadata"]["uid"]

    async def kept() -> bool:
        return await hub.store.read(lambda tx: evaluations.looked(tx, uid)) is not None

    await hubs.until(kept, "what was looked at is kept")
    await hubs.delete(hub, table.APPLICATION_SET, "other")

    async def gone() -> bool:
        return "other" not in await hubs.listed(hub, table.APPLICATION_SET)

    await hubs.until(gone, "the set is gone")
    assert not await kept()


async def test_a_plan_that_waits_for_long_can_still_be_decided(tmp_path: Path, repo: Repo) -> None:
    clock = hubs.Clock()
    async with hubs.running(tmp_path / "hub", clock=clock) as hub:
        for name in CLUSTERS:
            await hubs.add_cluster(hub, name, env="prod")
        await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))
        await hubs.until(lambda: count(hub, 6), "all applications")
        await hubs.settled(hub)
        repo.commit({"apps/web/cm.yaml": None})
        hub.poller.ask(lambda url: True)
        await hubs.settled(hub)
        first = await waits(hub)
        clock.ahead = removals.PLAN_LIFE + 60.0
        await hubs.settled(hub)

        async def renewed() -> bool:
            plan = await planned(hub)
            return plan is not None and plan["spec"]["expiresAt"] > first["spec"]["expiresAt"]

        await hubs.until(renewed, "it goes on waiting")
        called = first["metadata"]["name"]
        # Whoever approves something that counts no more, before anybody looked again, approves it for now.
        clock.ahead += removals.PLAN_LIFE + 60.0

        def decide(tx: Tx) -> str:
            return plans.decide(tx, hub.resources, called, "eve", "", clock(), yes=True)

        assert await hub.store.write(decide) == ""
        await hubs.until(lambda: count(hub, 3), "what was approved goes")


def test_an_approval_counts_for_its_time_and_is_asked_for_again(tmp_path: Path) -> None:
    spec = {"expiresAt": "1970-01-01T00:01:40Z"}
    assert not plans._lapsed({"spec": spec}, 99.0)
    assert plans._lapsed({"spec": spec}, 100.0)
    assert plans._lapsed({"spec": {}}, 0.0)
