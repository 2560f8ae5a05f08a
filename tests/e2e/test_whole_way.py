"""A commit reaches real API servers through a hub and agents that run as processes, and faults lose nothing."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import fleet as fleets
import hubs
import pytest
from fleet import Fleet, application, wait
from hubs import Repo, config_map
from testbed import credentials
from testbed.controlplane import ControlPlane

NAMES = ("red", "blue")

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: boats.harbour.test
spec:
  group: harbour.test
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {oars: {type: integer}}
"""
BOAT = "apiVersion: harbour.test/v1\nkind: Boat\nmetadata: {name: dinghy}\nspec: {oars: 2}\n"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit({"README": "nothing yet\n"})
        yield repo


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, control_planes: list[ControlPlane]) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        for name, plane in zip(NAMES, control_planes, strict=True):
            fleet.join(name, "--kubeconfig", str(plane.kubeconfig(credentials.ADMIN)), env="real")
        fleet.ready(*NAMES)
        yield fleet


@pytest.fixture
def red(control_planes: list[ControlPlane]) -> ControlPlane:
    return control_planes[0]


def value(plane: ControlPlane, namespace: str, name: str) -> str | None:
    """`data.value` of a ConfigMap, None where it is not there."""
    answer = plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return answer.json()["data"]["value"] if answer.status == 200 else None


def test_a_commit_reaches_every_matching_cluster_and_a_deleted_file_takes_exactly_its_object(
    fleet: Fleet, repo: Repo, control_planes: list[ControlPlane]
) -> None:
    first = repo.commit({f"apps/way/{name}.yaml": config_map(name) for name in ("keep", "gone")})
    appset = hubs.appset(repo, "way", path="apps/way")
    elements = appset["spec"]["generators"][0]["matrix"]["generators"]
    elements[0]["clusters"]["selector"]["matchLabels"] = {"env": "real"}
    template = appset["spec"]["template"]["spec"]
    template["destination"]["namespace"] = "way"
    template["syncPolicy"]["syncOptions"] = ["CreateNamespace=true"]
    fleet.apply(appset)
    wait(
        lambda: "way-blue" in fleet.kubectl("get", "apps", "-n", "argocd", "-o", "name"),
        "the set's applications",
    )
    for name in NAMES:
        fleet.settled(f"way-{name}", first)
    before = [
        plane.request("GET", "/api/v1/namespaces/way/configmaps/keep").json()["metadata"]
        for plane in control_planes
    ]
    second = repo.commit({"apps/way/gone.yaml": None})
    fleet.push(repo)
    for name in NAMES:
        fleet.settled(f"way-{name}", second)
    for plane, old in zip(control_planes, before, strict=True):
        assert value(plane, "way", "gone") is None
        kept = plane.request("GET", "/api/v1/namespaces/way/configmaps/keep").json()["metadata"]
        assert (kept["uid"], kept["resourceVersion"]) == (old["uid"], old["resourceVersion"])
    where = fleet.argosy("where", second)
    assert all(name in where for name in NAMES)


def test_a_definition_and_its_object_come_in_one_application(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    commit = repo.commit({"apps/boats/crd.yaml": CRD, "apps/boats/boat.yaml": BOAT})
    fleet.apply(application(repo, "boats", "red", "apps/boats", "boats"))
    fleet.settled("boats", commit)
    boat = red.request("GET", "/apis/harbour.test/v1/namespaces/boats/boats/dinghy")
    assert boat.json()["spec"] == {"oars": 2}


def test_drift_is_healed(fleet: Fleet, repo: Repo, red: ControlPlane) -> None:
    commit = repo.commit({"apps/drift/cm.yaml": config_map("drift", "right")})
    fleet.apply(application(repo, "drift", "red", "apps/drift", "drift"))
    fleet.settled("drift", commit)
    path = "/api/v1/namespaces/drift/configmaps/drift"
    edited = red.request("PATCH", path, {"data": {"value": "wrong"}}, media="application/merge-patch+json")
    assert edited.status == 200
    wait(lambda: value(red, "drift", "drift") == "right", "the edit is corrected")
    assert red.request("DELETE", path).status == 200
    wait(lambda: value(red, "drift", "drift") == "right", "the deleted object is back")


def test_a_conflict_names_the_other_manager_and_the_rest_goes_on(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    assert red.request("POST", "/api/v1/namespaces", {"metadata": {"name": "clash"}}).status == 201
    taken = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "taken"},
        "data": {"value": "theirs"},
    }
    path = "/api/v1/namespaces/clash/configmaps/taken"
    assert red.apply(path, taken, manager="harbourmaster").status == 201
    repo.commit({"apps/clash/a.yaml": config_map("taken", "ours"), "apps/clash/b.yaml": config_map("free")})
    fleet.apply(application(repo, "clash", "red", "apps/clash", "clash"))
    wait(lambda: value(red, "clash", "free") == "1", "the object without a conflict")
    wait(
        lambda: "harbourmaster" in str(fleet.get("application", "clash")["status"]),
        "the other manager's name",
    )
    assert value(red, "clash", "taken") == "theirs"
    fleet.kubectl("delete", "application", "clash", "-n", "argocd", "--wait=false")


def test_a_deleted_application_takes_its_objects_and_no_other(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    commit = repo.commit({"apps/leave/cm.yaml": config_map("leave")})
    fleet.apply(application(repo, "leave", "red", "apps/leave", "leave"))
    fleet.settled("leave", commit)
    other = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "other"},
        "data": {"value": "stays"},
    }
    assert red.request("POST", "/api/v1/namespaces/leave/configmaps", other).status == 201
    fleet.kubectl("delete", "application", "leave", "-n", "argocd", "--timeout=60s")
    assert value(red, "leave", "leave") is None
    assert value(red, "leave", "other") == "stays"


def test_a_killed_hub_comes_back_and_the_change_made_meanwhile_arrives(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    commit = repo.commit({"apps/hub/cm.yaml": config_map("hub")})
    fleet.apply(application(repo, "hub", "red", "apps/hub", "hub"))
    fleet.settled("hub", commit)
    assert fleet.hub is not None
    fleet.hub.kill()
    later = repo.commit({"apps/hub/cm.yaml": config_map("hub", "2")})
    fleet.start_hub()
    fleet.settled("hub", later)
    assert value(red, "hub", "hub") == "2"
    assert fleet.hub.stop() == 0
    fleet.start_hub()
    fleet.ready(*NAMES)


def test_an_agent_restarted_without_a_hub_heals_what_it_has(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    commit = repo.commit({"apps/alone/cm.yaml": config_map("alone", "right")})
    fleet.apply(application(repo, "alone", "red", "apps/alone", "alone"))
    fleet.settled("alone", commit)
    assert fleet.hub is not None
    fleet.hub.kill()
    fleet.agents["red"].kill()
    assert red.request("DELETE", "/api/v1/namespaces/alone/configmaps/alone").status == 200
    fleet.start_agent("red")
    wait(lambda: value(red, "alone", "alone") == "right", "healed without a hub")
    fleet.start_hub()
    fleet.ready(*NAMES)


def test_a_hub_restored_from_an_old_backup_deletes_nothing_until_it_is_confirmed(
    fleet: Fleet, repo: Repo, red: ControlPlane, tmp_path: Path
) -> None:
    commit = repo.commit({"apps/past/old.yaml": config_map("old")})
    fleet.apply(application(repo, "past", "red", "apps/past", "past"))
    fleet.settled("past", commit)
    backup = tmp_path / "backup"
    argosy_hub(fleet, "backup", str(backup))
    later = repo.commit(
        {"apps/future/new.yaml": config_map("new"), "apps/past/extra.yaml": config_map("extra")}
    )
    fleet.apply(application(repo, "future", "red", "apps/future", "future"))
    fleet.push(repo)
    fleet.settled("past", later)
    fleet.settled("future", later)
    assert fleet.hub is not None
    assert fleet.hub.stop() == 0
    argosy_hub(fleet, "restore", str(backup))
    fleet.start_hub()
    wait(lambda: fleet.condition("red", "Held").get("status") == "True", "the agent holds")
    assert fleet.condition("red", "Held")["reason"] == "EpochUnknown"
    # The restored hub works on: its poll finds the newest commit, and nobody loses what the backup had not seen.
    fleet.settled("past", later)
    time.sleep(2)
    assert [value(red, "past", "old"), value(red, "past", "extra"), value(red, "future", "new")] == [
        "1",
        "1",
        "1",
    ]
    for name in NAMES:
        fleet.argosy("cluster", "confirm", name)
    wait(lambda: fleet.condition("red", "Held").get("status") == "False", "the agent follows again")
    assert value(red, "future", "new") == "1"


def argosy_hub(fleet: Fleet, command: str, file: str) -> None:
    program = str(fleets.BIN / "argosy-hub")
    done = subprocess.run(
        [program, command, file, "--data", str(fleet.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
