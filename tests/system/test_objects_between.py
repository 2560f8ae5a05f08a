"""An object that moves from one Application to another that may not change yet: it stays, and goes only if nobody gets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System

from argosy.objects import Manifest
from hub.core.served import table
from hub.store import handing, holds

FIRST = {"a": {"moving": "1", "a-own": "1"}, "b": {"b-own": "1"}}
MOVED = {"a": {"a-own": "2"}, "b": {"moving": "2", "b-own": "2"}}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, FIRST)
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """The lone Applications `a` and `b` on one cluster; `b` is frozen once it runs."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        await system.join("one")
        for name in ("a", "b"):
            await hubs.add(system.hub, table.APPLICATION, app(repo, name))
        await system.settles({"one": spokes.merged(FIRST)})
        await hubs.settled(system.hub)
        await hubs.add(system.hub, table.FREEZE, freeze("b"))
        yield system


def app(repo: Repo, name: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": f"apps/{name}"},
            "destination": {"name": "one", "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def freeze(app: str) -> Manifest:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "still"},
        "spec": {"applications": [app], "reason": "not now", "duration": "1h"},
    }


async def pull(system: System, repo: Repo, files: dict[str, dict[str, str]]) -> None:
    spokes.commit(repo, files)
    system.pull()


async def thaw(system: System) -> None:
    await hubs.delete(system.hub, table.FREEZE, "still", "")


def uid(system: System, name: str = "moving") -> str:
    return system.spokes["one"].versions()[name][0]


async def runs(system: System, files: dict[str, str]) -> None:
    await hubs.until(lambda: system.spokes["one"].ours() == files, f"the cluster runs {files}")
    await hubs.settled(system.hub)
    assert system.spokes["one"].ours() == files


async def between(system: System) -> list[str]:
    cluster = system.spokes["one"].uid
    return [
        row.key.rpartition("/")[2] for row in await system.read(lambda tx: handing.of_cluster(tx, cluster))
    ]


async def test_it_waits_for_whoever_is_to_get_it(system: System, repo: Repo) -> None:
    before = uid(system)
    await pull(system, repo, MOVED)
    await runs(system, {"moving": "1", "a-own": "2", "b-own": "1"})
    assert await between(system) == ["moving"]
    await thaw(system)
    await runs(system, spokes.merged(MOVED))
    # The next pass over the one that had it does it no harm.
    system.spokes["one"].drift("a-own")
    await runs(system, spokes.merged(MOVED))
    assert (uid(system), system.spokes["one"].deleted) == (before, [])
    assert await between(system) == []


async def test_it_comes_back_to_whoever_had_it(system: System, repo: Repo) -> None:
    before = uid(system)
    await pull(system, repo, MOVED)
    await runs(system, {"moving": "1", "a-own": "2", "b-own": "1"})
    await pull(system, repo, {"a": {"moving": "3", "a-own": "3"}, "b": {"b-own": "1"}})
    await system.settles({"one": {"moving": "3", "a-own": "3", "b-own": "1"}})
    assert (uid(system), system.spokes["one"].deleted) == (before, [])
    assert await between(system) == []


async def test_it_goes_where_the_other_one_wants_it_no_more(system: System, repo: Repo) -> None:
    await pull(system, repo, MOVED)
    await runs(system, {"moving": "1", "a-own": "2", "b-own": "1"})
    await pull(system, repo, {"a": {"a-own": "2"}, "b": {"b-own": "2"}})
    await runs(system, {"a-own": "2", "b-own": "1"})
    assert system.spokes["one"].deleted == ["moving"]
    assert await between(system) == []


async def test_it_goes_where_the_other_one_is_deleted(system: System, repo: Repo) -> None:
    await pull(system, repo, MOVED)
    await runs(system, {"moving": "1", "a-own": "2", "b-own": "1"})
    await hubs.delete(system.hub, table.APPLICATION, "b")
    await thaw(system)
    await runs(system, {"a-own": "2"})
    assert await between(system) == []


async def test_an_application_that_is_merged_into_another_one_waits_for_that(
    system: System, repo: Repo
) -> None:
    before = uid(system)
    await pull(system, repo, {"a": FIRST["a"], "b": {**FIRST["a"], "b-own": "2"}})
    await hubs.settled(system.hub)
    await hubs.delete(system.hub, table.APPLICATION, "a")
    name = (await hubs.listed(system.hub, table.APPLICATION))["a"]["metadata"]["uid"]

    async def told() -> bool:
        held = await system.read(lambda tx: holds.get(tx, name))
        return held is not None and "its objects go to b, which is not assigned" in held.reason

    await hubs.until(told, "what goes says what it waits for")
    await thaw(system)
    await system.settles({"one": {**FIRST["a"], "b-own": "2"}})
    assert (uid(system), system.spokes["one"].deleted) == (before, [])
