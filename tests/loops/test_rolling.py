"""From Applications to what clusters are assigned: releases, generations, written removals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from hubs import Repo, config_map

from argosy.bundle import Removal
from hub.assembly import Hub
from hub.core.served import table
from hub.store import apps, desired


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit(
            {
                "a/one.yaml": config_map("one"),
                "a/two.yaml": config_map("two"),
                "b/three.yaml": config_map("three"),
            }
        )
        yield repo


def app(repo: Repo, name: str, path: str, cluster: str = "red", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": path},
            "destination": {"name": cluster, "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True}},
            **spec,
        },
    }


async def head(hub: Hub, cluster: str) -> desired.Head:
    return await hub.store.read(lambda tx: desired.head(tx, cluster))


async def removals(hub: Hub, cluster: str) -> list[Removal]:
    return await hub.store.read(lambda tx: desired.removals(tx, cluster))


@pytest.fixture
async def red(hub: Hub) -> str:
    """The id of a cluster."""
    uid: str = (await hubs.add_cluster(hub, "red"))["metadata"]["uid"]
    return uid


async def test_equal_content_is_no_new_generation_but_the_newest_commit_is_shown(
    hub: Hub, repo: Repo, red: str
) -> None:
    made = await hubs.add(hub, table.APPLICATION, app(repo, "first", "a"))
    await hubs.pushed(hub)
    before = await head(hub, red)
    assert before.generation == 1
    commit = repo.commit({"b/three.yaml": config_map("three", "2"), "README": "words"})
    await hubs.pushed(hub)
    assert await head(hub, red) == before
    state = await hub.store.read(lambda tx: apps.get(tx, made["metadata"]["uid"]))
    confirmed = await hub.store.read(apps.confirmed)
    assert state is not None
    assert state.revision != commit
    assert confirmed[state.repo, state.target] == commit


async def test_a_release_names_what_it_changed_and_only_that(hub: Hub, repo: Repo, red: str) -> None:
    for name, path in (("first", "a"), ("second", "b")):
        await hubs.add(hub, table.APPLICATION, app(repo, name, path))
    await hubs.pushed(hub)
    commit = repo.commit({"b/three.yaml": config_map("three", "2")})
    await hubs.pushed(hub)
    found = await hubs.listed(hub, table.RELEASE)
    assert sorted(found) == ["first-1", "second-1", "second-2"]
    spec = found["second-2"]["spec"]
    assert [item["name"] for item in spec["applications"]] == ["second"]
    assert [item["commit"] for item in spec["commits"]] == [commit]
    assert spec["previous"] == "second-1"


async def test_a_deleted_file_is_a_written_removal_that_is_withdrawn_when_it_comes_back(
    hub: Hub, repo: Repo, red: str
) -> None:
    made = await hubs.add(hub, table.APPLICATION, app(repo, "first", "a"))
    await hubs.pushed(hub)
    repo.commit({"a/two.yaml": None})
    await hubs.pushed(hub)
    (written,) = await removals(hub, red)
    assert (written.assignment, written.key) == (made["metadata"]["uid"], "/ConfigMap/default/two")
    assert written.expires > written.created
    repo.commit({"a/two.yaml": config_map("two")})
    await hubs.pushed(hub)
    assert await removals(hub, red) == []


async def test_an_object_that_moves_to_another_application_is_handed_over(
    hub: Hub, repo: Repo, red: str
) -> None:
    for name, path in (("first", "a"), ("second", "b")):
        await hubs.add(hub, table.APPLICATION, app(repo, name, path))
    await hubs.pushed(hub)
    repo.commit({"a/two.yaml": None, "b/two.yaml": config_map("two")})
    await hubs.pushed(hub)
    assert await removals(hub, red) == []


async def test_an_application_that_moves_leaves_its_objects_where_they_were(
    hub: Hub, repo: Repo, red: str
) -> None:
    blue = (await hubs.add_cluster(hub, "blue"))["metadata"]["uid"]
    await hubs.add(hub, table.APPLICATION, app(repo, "first", "a"))
    await hubs.pushed(hub)
    await hubs.patch(hub, table.APPLICATION, "first", {"spec": {"destination": {"name": "blue"}}})
    await hubs.pushed(hub)
    (written,) = await removals(hub, red)
    assert (written.key, written.cascade) == ("", False)
    assert [item.app for item in await hub.store.read(lambda tx: desired.assignments(tx, blue))] == ["first"]
    assert await hub.store.read(lambda tx: desired.assignments(tx, red)) == []


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"a/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n\tdata: {}\n"}, "a/one.yaml"),
        ({"a/one.yaml": "metadata: {name: x}\napiVersion: v1\nkind: ''\n"}, "kind"),
        (
            {
                "a/one.yaml": "a: &a [1,1,1,1,1,1,1,1,1]\n"
                + "".join(
                    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
                )
                + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
            },
            "a/one.yaml",
        ),
    ],
    ids=["no YAML", "no kind", "alias bomb"],
)
async def test_a_bad_file_keeps_the_last_good_state_and_harms_no_other_application(
    hub: Hub, repo: Repo, red: str, files: dict[str, str], text: str
) -> None:
    for name, path in (("first", "a"), ("second", "b")):
        await hubs.add(hub, table.APPLICATION, app(repo, name, path))
    await hubs.pushed(hub)
    before = await hub.store.read(lambda tx: {item.app: item.bundle for item in desired.assignments(tx, red)})
    repo.commit({**files, "b/three.yaml": config_map("three", "2")})
    await hubs.pushed(hub)
    after = await hub.store.read(lambda tx: {item.app: item.bundle for item in desired.assignments(tx, red)})
    assert after["first"] == before["first"]
    assert after["second"] != before["second"]
    shown = hubs.condition((await hubs.apps(hub))["first"], "ComparisonError")
    assert text in shown["message"]
    repo.commit({"a/one.yaml": config_map("one")})
    await hubs.pushed(hub)
    assert not hubs.condition((await hubs.apps(hub))["first"], "ComparisonError")


async def test_equal_recipes_are_rendered_once_and_never_again_after_a_restart(
    tmp_path: Path, repo: Repo
) -> None:
    async with hubs.running(tmp_path / "again") as hub:
        await hubs.add_cluster(hub, "red")
        await hubs.add(hub, table.APPLICATION, app(repo, "first", "a"))
        await hubs.pushed(hub)
        assert hub.renderer.rendered == 1
    async with hubs.running(tmp_path / "again") as hub:
        await hubs.pushed(hub)
        assert hub.renderer.rendered == 0
        assert hub.mirrors.counters.fetches == 0


async def test_a_destination_that_is_not_there_is_told_and_found_when_it_comes(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APPLICATION, app(repo, "first", "a", cluster="late"))
    await hubs.settled(hub)
    assert "late" in hubs.condition((await hubs.apps(hub))["first"], "InvalidSpecError")["message"]
    late = (await hubs.add_cluster(hub, "late"))["metadata"]["uid"]
    await hubs.settled(hub)
    await hubs.settled(hub)
    assert [item.app for item in await hub.store.read(lambda tx: desired.assignments(tx, late))] == ["first"]
    assert not hubs.condition((await hubs.apps(hub))["first"], "InvalidSpecError")
