"""Where a commit is by whichever source it is of: second sources, `$values`, charts and artifacts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hubs
import pytest
from chart_case import archive
from chartserver import OciRegistry
from commands import argosy, said
from hubs import Repo, config_map
from obedient import Obedient, well

from argosy.errors import ArgosyError, Invalid
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.core.views.where import App, Cluster, History, Place, account, newer

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def view(target: str, commit: str) -> App:
    """One source of the application `web`, which runs what it wants."""
    return App(
        "web",
        "one",
        "b",
        commit,
        commit,
        target,
        "",
        "b",
        commit,
        "b",
        commit,
        "Synced",
        "Healthy",
        "Succeeded",
        uid="u",
    )


@pytest.mark.parametrize(
    ("tips", "expected"),
    [
        ({"main": True, "stable": False}, Place.RUNNING),
        ({"main": False, "stable": True}, Place.WAITING),
        ({"main": True, "stable": True}, Place.WAITING),
        ({"main": False, "stable": False}, Place.RUNNING),
    ],
)
def test_of_several_sources_those_count_that_follow_the_commit(
    tips: dict[str, bool], expected: Place
) -> None:
    views = [view("main", "c2"), view("stable", "c1")]
    if not any(tips.values()):
        views = [view("main", "c2"), view("stable", "c2")]
    (row,) = account([Cluster("one", "one", connected=True)], views, History("c2", frozenset(), tips))
    assert row.place is expected
    assert row.apps == 1


def test_newer_versions_are_those_above_and_digests_have_none() -> None:
    every = ["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "v2.0.0", "sha256:abcd"]
    assert newer("1.9.0", every) == {"1.10.0", "2.0.0-rc.1", "v2.0.0"}
    assert newer("sha256:abcd", every) == frozenset()


# --- in a hub -------------------------------------------------------------------------------------------------------


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/web.yaml": config_map("web"), "more/more.yaml": config_map("more")})
        yield repo


@pytest.fixture
async def fleet(hub: Hub) -> AsyncIterator[Obedient]:
    fleet = Obedient(hub)
    for name in ("one", "two"):
        await fleet.join(name, env="prod")
    await fleet.join("other", env="test")
    fleet.start()
    yield fleet
    await fleet.stop()


async def become(hub: Hub, commit: str, wanted: dict[str, Place], repo: str = "") -> None:
    last: object = None

    async def so() -> bool:
        nonlocal last
        try:
            found = await hub.locator.where(commit, repo)
        except ArgosyError as error:
            last = error.message
            return False
        last = [row.document() for row in found.rows]
        return {row.cluster: row.place for row in found.rows} == wanted

    try:
        await hubs.until(so, "everybody is where he should be")
    except AssertionError:
        raise AssertionError(f"{commit}: expected {wanted}, found {last}") from None


def everywhere(place: Place) -> dict[str, Place]:
    return {"one": place, "two": place, "other": Place.NOT_TARGETED}


def of_two(repo: Repo, second: Manifest) -> Manifest:
    made = hubs.appset(repo)
    spec = made["spec"]["template"]["spec"]
    spec["sources"] = [{**spec.pop("source"), "targetRevision": "stable"}, second]
    return made


async def test_a_commit_of_a_second_source(hub: Hub, repo: Repo, fleet: Obedient, tmp_path: Path) -> None:
    """The second source is of another repository, so its commits are nobody's first source."""
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/heads/stable")
    with hubs.repository(tmp_path / "values", "values") as values:
        first = values.commit({"more/more.yaml": config_map("more")})
        made = of_two(repo, {"repoURL": values.url, "targetRevision": "main", "path": "more"})
        await hubs.add(hub, table.APPLICATION_SET, made)
        await become(hub, first, everywhere(Place.RUNNING))
        fleet.behaviour = lambda cluster, given: None if cluster == "two" else well(cluster, given)
        second = values.commit({"more/more.yaml": config_map("more", "2")})
        hub.poller.ask(lambda url: True)
        await become(
            hub, second, {"one": Place.RUNNING, "two": Place.IN_PROGRESS, "other": Place.NOT_TARGETED}
        )
        await become(hub, first, {"one": Place.NEWER, "two": Place.RUNNING, "other": Place.NOT_TARGETED})
        fleet.behaviour = well
        fleet.speak()
        await become(hub, second, everywhere(Place.RUNNING))
        third = values.commit({"README.md": "words\n"})
        hub.poller.ask(lambda url: True)
        await become(hub, third, everywhere(Place.RUNNING))
        # What is taken back was made from older commits of its sources, though they say the same.
        fourth = values.commit({"more/more.yaml": config_map("more")})
        hub.poller.ask(lambda url: True)
        await become(hub, fourth, everywhere(Place.RUNNING))
        await become(hub, second, everywhere(Place.NEWER))


@pytest.mark.usefixtures("helm")
async def test_a_commit_of_values_that_a_chart_is_given(
    hub: Hub, repo: Repo, fleet: Obedient, tmp_path: Path
) -> None:
    chart = {
        "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "chart/templates/cm.yaml": config_map("web", "{{ .Values.word }}"),
    }
    repo.commit({**chart, "apps/web/web.yaml": config_map("unused")})
    with hubs.repository(tmp_path / "values", "values") as values:
        first = values.commit({"words.yaml": "word: one\n"})
        made = hubs.appset(repo)
        spec = made["spec"]["template"]["spec"]
        helm = {"valueFiles": ["$values/words.yaml"]}
        spec["sources"] = [
            {**spec.pop("source"), "path": "chart", "helm": helm},
            {"repoURL": values.url, "targetRevision": "main", "ref": "values"},
        ]
        await hubs.add(hub, table.APPLICATION_SET, made)
        await become(hub, first, everywhere(Place.RUNNING))
        second = values.commit({"words.yaml": "word: two\n"})
        hub.poller.ask(lambda url: True)
        await become(hub, second, everywhere(Place.RUNNING))
        await become(hub, first, everywhere(Place.NEWER))


async def test_an_artifact_beside_a_repository(
    hub: Hub, repo: Repo, fleet: Obedient, registry: OciRegistry
) -> None:
    name, password = registry.user
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "registry",
            "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {
            "type": "oci",
            "url": f"oci://{registry.host}/team",
            "username": name,
            "password": password,
            "insecureOCIForceHttp": "true",
        },
    }
    await hubs.add(hub, table.SECRET, secret)
    await hubs.settled(hub)

    def push(value: str) -> str:
        return registry.push(
            "team/more", "latest", archive({"more/more.yaml": config_map("more", value)}), LAYER
        )

    first = push("1")
    commit = repo.git("rev-parse", "HEAD").strip()
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/heads/stable")
    address = f"oci://{registry.host}/team/more"
    made = of_two(repo, {"repoURL": address, "targetRevision": "latest", "path": "more"})
    await hubs.add(hub, table.APPLICATION_SET, made)
    await become(hub, first, everywhere(Place.RUNNING))
    await become(hub, commit, everywhere(Place.RUNNING))
    second = push("2")
    hub.poller.ask(lambda url: True)
    await become(hub, second[:20], everywhere(Place.RUNNING), address)
    found = json.loads(await said(hub, "where", second, "-o", "json"))
    assert (found["repo"], found["commit"], found["counts"]["running"]) == (address, second, 2)
    assert (await argosy(hub, "where", "9.9.9")).returncode == 1
    with pytest.raises(Invalid, match="expected at least 4"):
        await hub.locator.where("main")
