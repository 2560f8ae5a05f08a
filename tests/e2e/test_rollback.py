"""A bad image goes to the canary, is caught by its health there and rolls back by itself; nobody else ever sees it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import hubs
import pytest
import rolling
from fleet import Fleet, wait
from hubs import Repo
from testbed import credentials
from testbed.controlplane import ControlPlane

from argosy.objects import Manifest

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  progressDeadlineSeconds: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      nodeSelector: {selector}
      containers: [{{name: web, image: "{image}"}}]
"""
WEB = "/apis/apps/v1/namespaces/default/deployments/web"


@pytest.fixture
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit({"apps/web/web.yaml": DEPLOYMENT.format(image="web:1", selector="{}")})
        yield repo


@pytest.fixture
def fleet(
    tmp_path_factory: pytest.TempPathFactory,
    living_control_plane: ControlPlane,
    control_planes: list[ControlPlane],
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        for name, plane in (("canary", living_control_plane), ("main", control_planes[0])):
            where = ("--kubeconfig", str(plane.kubeconfig(credentials.ADMIN)))
            fleet.join(name, *where, env="prod", ring=name)
        fleet.ready("canary", "main")
        yield fleet


def deployment(plane: ControlPlane) -> dict[str, Any]:
    answer = plane.request("GET", WEB)
    body: dict[str, Any] = answer.json()
    return body if answer.status == 200 else {}


def image(plane: ControlPlane) -> str:
    found = deployment(plane)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""


@contextlib.contextmanager
def controller(plane: ControlPlane) -> Iterator[None]:
    """Plays what a deployment controller says on the cluster that has none: every generation is well."""
    ended = threading.Event()
    thread = threading.Thread(target=_control, args=(plane, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _control(plane: ControlPlane, ended: threading.Event) -> None:
    while not ended.wait(0.3):
        found = deployment(plane)
        generation = found.get("metadata", {}).get("generation")
        if not found or found.get("status", {}).get("observedGeneration") == generation:
            continue
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        found["status"] = {**counts, "observedGeneration": generation}
        plane.request("PUT", f"{WEB}/status", found)


def rollout(fleet: Fleet, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = fleet.get("rollout", name).get("status") or {}
    except AssertionError:
        return {}
    return found


@pytest.mark.timeout(900)
def test_a_bad_image_is_caught_by_the_canary_and_rolled_back_and_the_other_cluster_never_sees_it(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane, control_planes: list[ControlPlane]
) -> None:
    with controller(control_planes[0]):
        _caught(fleet, repo, living_control_plane, control_planes[0])


def _policy(deadline: str) -> Manifest:
    stages = (rolling.stage("canary", "canary", soak="2s", deadline=deadline), rolling.stage("rest"))
    return rolling.policy(*stages, onFailure="rollback")


def _caught(fleet: Fleet, repo: Repo, canary: ControlPlane, main: ControlPlane) -> None:
    # The good release may take its time.
    fleet.apply(_policy("10m"), rolling.appset(repo))
    wait(lambda: rollout(fleet, "fleet-1").get("phase") == "Completed", "the first release", seconds=200)
    fleet.apply(_policy("20s"))
    assert image(canary) == image(main) == "web:1"
    untouched = deployment(main)["metadata"]

    bad = DEPLOYMENT.format(image="web:broken", selector="{nowhere: 'true'}")
    commit = repo.commit({"apps/web/web.yaml": bad})
    fleet.push(repo)
    wait(lambda: image(canary) == "web:broken", "the canary gets the bad image")
    wait(lambda: rollout(fleet, "fleet-2").get("phase") == "RolledBack", "the rollback", seconds=200)

    over = rollout(fleet, "fleet-2")
    assert over["message"] == "stage canary: 1 failed, the failure budget is 0"
    wait(lambda: image(canary) == "web:1", "the canary has the good image again")
    # Nobody chooses the bad release again while Git still says so, not even after a refresh.
    fleet.kubectl(
        "annotate", "appset", "fleet", "-n", "argocd", "argocd.argoproj.io/application-set-refresh=true"
    )
    try:
        wait(
            lambda: fleet.get("application", "web-canary")["status"]["health"]["status"] == "Healthy",
            "the canary is healthy",
            seconds=200,
        )
    except AssertionError as error:
        raise AssertionError(f"{error}; its cluster has {deployment(canary)}") from None
    assert deployment(main)["metadata"]["uid"] == untouched["uid"]
    assert deployment(main)["metadata"]["generation"] == untouched["generation"]
    assert image(main) == "web:1"
    story = fleet.kubectl(
        "get", "events", "-n", "argocd", "-o", "jsonpath={range .items[*]}{.reason} {.message}{'\\n'}{end}"
    )
    assert "MemberFailed web-canary: not healthy within 20 s" in story
    assert "RolloutReverting fleet-2, stage canary: stage canary: 1 failed" in story
    assert "RolloutReverted fleet-2" in story
    assert commit[:7] not in fleet.kubectl(
        "get", "application", "web-main", "-n", "argocd", "-o", "jsonpath={.status.operationState}"
    )
