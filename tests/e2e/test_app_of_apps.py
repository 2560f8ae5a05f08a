"""One Application brings everything else: from Git through the hub's own API, served by an agent like any other.

The tests tell one story on one hub, in this order.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from fleet import Fleet, wait
from hubs import Repo, config_map

from argosy import yamlio


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        yield repo


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub("--in-cluster")
        fleet.ready("in-cluster")
        yield fleet


def argo(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": spec,
    }


def app_spec(repo: Repo, path: str, project: str = "default") -> dict[str, Any]:
    return {
        "project": project,
        "source": {"repoURL": repo.url, "targetRevision": "main", "path": path},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }


def leaves(repo: Repo, *names: str, called: str = "leaves") -> str:
    """A project, a set in it that makes `leaf-NAME`, and a single Application, as one file."""
    generators = [{"list": {"elements": [{"name": name} for name in names]}}]
    template = {"metadata": {"name": "leaf-{{name}}"}, "spec": app_spec(repo, "maps/{{name}}", "team")}
    project = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
    return "---\n".join(
        yamlio.dump(item)
        for item in (
            argo("ApplicationSet", called, {"generators": generators, "template": template}),
            argo("AppProject", "team", project),
            argo("Application", "single", app_spec(repo, "maps/single", "team")),
        )
    )


def names(fleet: Fleet, kind: str) -> set[str]:
    found = json.loads(fleet.kubectl("get", kind, "-n", "argocd", "-o", "json"))
    return {item["metadata"]["name"] for item in found["items"]}


def test_a_root_brings_projects_sets_and_applications_and_takes_them_away(fleet: Fleet, repo: Repo) -> None:
    maps = {f"maps/{name}/cm.yaml": config_map(name, name) for name in ("one", "two", "single")}
    commit = repo.commit({"root/all.yaml": leaves(repo, "one", "two"), **maps})
    fleet.apply(argo("Application", "root", app_spec(repo, "root")))
    for name in ("root", "single", "leaf-one", "leaf-two"):
        wait(lambda name=name: name in names(fleet, "applications"), f"{name} is there")  # type: ignore[misc]
        fleet.settled(name, commit)
    assert "team" in names(fleet, "appprojects")
    assert {"one", "two", "single"} <= names(fleet, "configmaps")

    commit = repo.commit({"root/all.yaml": leaves(repo, "one")})
    fleet.push(repo)
    fleet.settled("root", commit)
    gone = {"leaf-two"}
    wait(lambda: not gone & names(fleet, "applications"), "what the set no longer makes is gone")
    wait(lambda: "two" not in names(fleet, "configmaps"), "and so is what it had brought")
    assert {"root", "single", "leaf-one"} <= names(fleet, "applications")


def uids(fleet: Fleet, kind: str, *names: str) -> list[str]:
    return fleet.kubectl(
        "get", kind, *names, "-n", "argocd", "-o", "jsonpath={.items[*].metadata.uid}"
    ).split()


def test_one_commit_that_gives_a_set_another_name_replaces_nothing(fleet: Fleet, repo: Repo) -> None:
    maps = {f"maps/{name}/cm.yaml": config_map(name, name) for name in ("one", "two")}
    commit = repo.commit({"root/all.yaml": leaves(repo, "one", "two"), **maps})
    fleet.push(repo)
    for name in ("root", "leaf-one", "leaf-two"):
        wait(lambda name=name: name in names(fleet, "applications"), f"{name} is there")  # type: ignore[misc]
        fleet.settled(name, commit)
    apps, objects = (
        uids(fleet, "applications", "leaf-one", "leaf-two"),
        uids(fleet, "configmaps", "one", "two"),
    )
    commit = repo.commit({"root/all.yaml": leaves(repo, "one", "two", called="other")})
    fleet.push(repo)
    wait(lambda: names(fleet, "applicationsets") == {"other"}, "the set has its new name")
    fleet.settled("root", commit)
    assert uids(fleet, "applications", "leaf-one", "leaf-two") == apps
    assert uids(fleet, "configmaps", "one", "two") == objects


def test_one_commit_renames_a_set_and_drops_a_member(fleet: Fleet, repo: Repo) -> None:
    """The member that stays keeps its Application and its objects."""
    stays = uids(fleet, "applications", "leaf-one"), uids(fleet, "configmaps", "one")
    commit = repo.commit({"root/all.yaml": leaves(repo, "one")})
    fleet.push(repo)
    wait(lambda: names(fleet, "applicationsets") == {"leaves"}, "the set has its former name")
    fleet.settled("root", commit)
    fleet.settled("leaf-one", commit)
    wait(lambda: "leaf-two" not in names(fleet, "applications"), "what the set no longer makes is gone")
    wait(lambda: "two" not in names(fleet, "configmaps"), "and so is what it had brought")
    assert (uids(fleet, "applications", "leaf-one"), uids(fleet, "configmaps", "one")) == stays


def test_the_hub_and_its_own_agent_come_back_together(fleet: Fleet, repo: Repo) -> None:
    assert fleet.hub is not None
    fleet.hub.stop()
    fleet.start_hub("--in-cluster")
    fleet.ready("in-cluster")
    commit = repo.commit({"maps/one/cm.yaml": config_map("one", "again")})
    fleet.push(repo)
    fleet.settled("leaf-one", commit)
    assert fleet.kubectl("get", "clusters", "-o", "name").split() == ["cluster.argosy.dev/in-cluster"]


def test_a_killed_hub_takes_its_own_agent_along(fleet: Fleet) -> None:
    assert fleet.hub is not None
    (agent,) = agents_of(fleet.hub.pid)
    fleet.hub.kill()
    wait(lambda: not Path(f"/proc/{agent}").exists(), "the agent ends with its hub")
    fleet.start_hub("--in-cluster")
    fleet.ready("in-cluster")


def agents_of(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [child for task in tasks for child in task.read_text().split()]
    return [child for child in children if b"argosy-agent" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_destination_that_is_this_hub_says_how_it_would_be_one(tmp_path: Path, repo: Repo) -> None:
    plain = Fleet(tmp_path)
    with contextlib.closing(plain):
        plain.start_hub()
        plain.apply(argo("Application", "root", app_spec(repo, "root")))

        def told() -> str:
            return json.dumps((plain.get("application", "root").get("status") or {}).get("conditions") or [])

        wait(lambda: "argosy-hub serve --in-cluster" in told(), "the condition names the option")
