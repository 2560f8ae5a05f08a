"""An agent on a cluster whose workloads come to life: health, waves, hooks, claims and autoscalers for real."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import hubs
import pytest
from fleet import Fleet, application, wait
from hubs import Repo, config_map
from testbed import credentials
from testbed.controlplane import ControlPlane

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, annotations: {annotations}}}
spec:
  {replicas}
  progressDeadlineSeconds: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      nodeSelector: {selector}
      containers: [{{name: web, image: {image}}}]
"""
JOB = """apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: HookSucceeded
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: migrate:1}]}
"""
CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def deployment(
    image: str = "web:1", *, replicas: int | None = 2, node: str = "{}", annotations: str = "{}"
) -> str:
    count = f"replicas: {replicas}" if replicas is not None else ""
    return DEPLOYMENT.format(image=image, replicas=count, selector=node, annotations=annotations)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit({"README": "nothing yet\n"})
        yield repo


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, living_control_plane: ControlPlane) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        fleet.join("living", "--kubeconfig", str(living_control_plane.kubeconfig(credentials.ADMIN)))
        fleet.ready("living")
        yield fleet


def deploy(fleet: Fleet, repo: Repo, name: str, **files: str) -> str:
    """An Application of its own namespace from the files of one commit."""
    commit = repo.commit({f"apps/{name}/{file}.yaml": text for file, text in files.items()})
    fleet.apply(application(repo, name, "living", f"apps/{name}", name))
    return commit


def change(fleet: Fleet, repo: Repo, name: str, **files: str | None) -> str:
    commit = repo.commit({f"apps/{name}/{file}.yaml": text for file, text in files.items()})
    fleet.push(repo)
    return commit


def health(fleet: Fleet, name: str) -> str:
    found: str = fleet.get("application", name).get("status", {}).get("health", {}).get("status", "")
    return found


def found(plane: ControlPlane, path: str) -> dict[str, Any]:
    """An object, {} where it is not there."""
    answer = plane.request("GET", path)
    body: dict[str, Any] = answer.json()
    return body if answer.status == 200 else {}


def web(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


def test_a_rollout_becomes_healthy_and_a_stuck_one_degraded_until_it_is_mended(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane
) -> None:
    fleet.settled("alive", deploy(fleet, repo, "alive", web=deployment()))
    assert health(fleet, "alive") == "Healthy"
    assert found(living_control_plane, web("alive"))["status"]["readyReplicas"] == 2
    change(fleet, repo, "alive", web=deployment("web:2", node="{nowhere: 'true'}"))
    wait(lambda: health(fleet, "alive") == "Degraded", "the rollout that nothing can run")
    fleet.settled("alive", change(fleet, repo, "alive", web=deployment("web:3")))
    assert health(fleet, "alive") == "Healthy"


def test_a_job_runs_before_the_sync_and_is_cleaned_away(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane
) -> None:
    commit = deploy(fleet, repo, "hook", job=JOB, cm=config_map("after"))
    fleet.settled("hook", commit)
    after = found(living_control_plane, "/api/v1/namespaces/hook/configmaps/after")
    assert after["data"]["value"] == "1"
    job = "/apis/batch/v1/namespaces/hook/jobs/migrate"
    wait(lambda: not found(living_control_plane, job), "the hook is cleaned away")
    operation = fleet.get("application", "hook")["status"]["operationState"]
    assert operation["phase"] == "Succeeded"


def test_a_wave_waits_until_the_one_before_is_really_healthy(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane
) -> None:
    late = config_map("late", annotations={"argocd.argoproj.io/sync-wave": "1"})
    deploy(fleet, repo, "waves", web=deployment(node="{nowhere: 'true'}"), late=late)
    wait(lambda: found(living_control_plane, web("waves")).get("status"), "the first wave")
    wait(lambda: health(fleet, "waves") in ("Progressing", "Degraded"), "the first wave is not healthy")
    path = "/api/v1/namespaces/waves/configmaps/late"
    assert not found(living_control_plane, path)
    commit = change(fleet, repo, "waves", web=deployment())
    fleet.settled("waves", commit)
    made = found(living_control_plane, path)["metadata"]["creationTimestamp"]
    available = next(
        one
        for one in found(living_control_plane, web("waves"))["status"]["conditions"]
        if one["type"] == "Available"
    )
    assert made >= available["lastTransitionTime"]


def test_a_claim_outlives_its_file_and_its_application(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane
) -> None:
    claim = "/api/v1/namespaces/claims/persistentvolumeclaims/data"
    fleet.settled("claims", deploy(fleet, repo, "claims", claim=CLAIM, cm=config_map("cm")))
    assert found(living_control_plane, claim)["status"]["phase"] == "Bound"
    uid = found(living_control_plane, claim)["metadata"]["uid"]
    change(fleet, repo, "claims", claim=None, cm=config_map("cm", "2"))
    cm = "/api/v1/namespaces/claims/configmaps/cm"
    wait(lambda: found(living_control_plane, cm)["data"]["value"] == "2", "the commit without the claim")
    fleet.kubectl("delete", "application", "claims", "-n", "argocd", "--timeout=60s")
    assert not found(living_control_plane, cm)
    kept = found(living_control_plane, claim)["metadata"]
    assert (kept["uid"], kept.get("deletionTimestamp")) == (uid, None)


def test_what_somebody_edits_is_healed_and_what_an_autoscaler_owns_is_left_alone(
    fleet: Fleet, repo: Repo, living_control_plane: ControlPlane
) -> None:
    fleet.settled("scaled", deploy(fleet, repo, "scaled", web=deployment(replicas=None)))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 4}}
    path = web("scaled")
    patch = "application/merge-patch+json"
    plane = living_control_plane
    assert plane.request("PATCH", f"{path}/scale", scale, media=patch).status == 200
    edited = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "hacked"}]}}}}
    strategic = "application/strategic-merge-patch+json"
    assert plane.request("PATCH", path, edited, media=strategic).status == 200

    def image() -> str:
        text: str = found(plane, path)["spec"]["template"]["spec"]["containers"][0]["image"]
        return text

    wait(lambda: image() == "web:1", "the edit is healed")
    wait(lambda: found(plane, path)["status"].get("readyReplicas") == 4, "the autoscaler's count")
    wait(lambda: fleet.app("scaled")[:2] == ("Synced", "Healthy"), "no drift is reported")
