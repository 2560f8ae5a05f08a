"""What moves from one application to another keeps its objects: shown on a real API server by UID and generation."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import hubs
import pytest
from fleet import Fleet, wait
from hubs import Repo
from testbed import credentials
from testbed.controlplane import ControlPlane

from argosy.objects import Manifest

STATEFUL = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers: [{name: store, image: registry.test/store:1}]
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers: [{name: shop, image: registry.test/shop:1}]
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit({"apps/hand/deployment.yaml": DEPLOYMENT, "apps/hand/stateful.yaml": STATEFUL})
        yield repo


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, control_planes: list[ControlPlane]) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        fleet.join("hand", "--kubeconfig", str(control_planes[0].kubeconfig(credentials.ADMIN)), track="v1")
        fleet.ready("hand")
        yield fleet


def pinned(repo: Repo, name: str) -> Manifest:
    """A set for the clusters with `track=NAME`."""
    made = hubs.appset(repo, name)
    made["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {"track": name}}}}]
    template = made["spec"]["template"]
    template["metadata"]["name"] = f"{name}-{{{{.name}}}}"
    template["spec"]["source"]["path"] = "apps/hand"
    template["spec"]["destination"]["namespace"] = "hand"
    template["spec"]["syncPolicy"]["syncOptions"] = ["CreateNamespace=true"]
    return made


def seen(plane: ControlPlane) -> list[object]:
    """What would restart pods if it changed. An annotation of a Deployment counts as a new generation of it, and the one
    by which Argo CD knows its application's objects changes with the name: there the pods' template is looked at.
    """
    out: list[object] = []
    for plural, name in (("deployments", "shop"), ("statefulsets", "store")):
        answer = plane.request("GET", f"/apis/apps/v1/namespaces/hand/{plural}/{name}")
        assert answer.status == 200
        found = answer.json()
        out += [found["metadata"]["uid"], found["spec"]]
        if plural == "statefulsets":
            out.append(found["metadata"]["generation"])
    return out


def tracked(plane: ControlPlane, app: str) -> bool:
    """Whether the objects say that they are this application's."""
    answer = plane.request("GET", "/apis/apps/v1/namespaces/hand/statefulsets/store")
    notes = answer.json()["metadata"]["annotations"] if answer.status == 200 else {}
    return bool(notes.get("argocd.argoproj.io/tracking-id") == f"{app}:apps/StatefulSet:hand/store")


def applications(fleet: Fleet) -> list[str]:
    return fleet.kubectl("get", "apps", "-n", "argocd", "-o", "name").split()


def approved(fleet: Fleet) -> bool:
    """Approves what waits, if anything does."""
    for item in json.loads(fleet.argosy("removal", "list", "-o", "json"))["items"]:
        if item["status"]["phase"] == "Waiting":
            assert "approved" in fleet.argosy("removal", "approve", item["metadata"]["name"])
            return True
    return False


def test_a_label_that_moves_and_a_renamed_template_restart_nothing(
    fleet: Fleet, repo: Repo, control_planes: list[ControlPlane]
) -> None:
    plane = control_planes[0]
    for name in ("v1", "v2"):
        fleet.apply(pinned(repo, name))
    wait(lambda: any("v1-hand" in name for name in applications(fleet)), "the first set's application")
    # There are no controllers here, so nothing of it becomes healthy; that its objects are there is enough.
    wait(lambda: tracked(plane, "v1-hand"), "applied")
    before = seen(plane)

    fleet.argosy("cluster", "label", "hand", "track=v2")
    wait(lambda: approved(fleet), "the removal waits")
    wait(
        lambda: [n.rpartition("/")[2] for n in applications(fleet)] == ["v2-hand"], "handed over", seconds=60
    )
    wait(lambda: tracked(plane, "v2-hand"), "taken over")
    assert seen(plane) == before

    made = pinned(repo, "v2")
    made["spec"]["template"]["metadata"]["name"] = "renamed-{{.name}}"
    fleet.apply(made)
    wait(
        lambda: [n.rpartition("/")[2] for n in applications(fleet)] == ["renamed-hand"], "renamed", seconds=60
    )
    wait(lambda: tracked(plane, "renamed-hand"), "taken over")
    assert seen(plane) == before


def test_a_set_under_another_name_restarts_nothing(
    fleet: Fleet, repo: Repo, control_planes: list[ControlPlane]
) -> None:
    """Both in one `kubectl apply`, then the old one deleted: the Application is the same, so that not even its marks change."""
    plane = control_planes[0]
    fleet.argosy("cluster", "label", "hand", "track=v3")
    wait(lambda: approved(fleet) or not applications(fleet), "nothing of the test before is left")
    wait(lambda: not applications(fleet), "nothing is left")
    fleet.apply(pinned(repo, "v3"))
    wait(lambda: tracked(plane, "v3-hand"), "applied")
    before, uid = whole(plane), fleet.kubectl("get", "app", "v3-hand", "-n", "argocd", "-o", UID)
    renamed = pinned(repo, "v3")
    renamed["metadata"]["name"] = "v3-again"
    fleet.apply(renamed)
    fleet.kubectl("delete", "appset", "v3", "-n", "argocd", "--timeout=60s")
    assert fleet.kubectl("get", "app", "v3-hand", "-n", "argocd", "-o", UID) == uid
    owner = fleet.kubectl(
        "get", "app", "v3-hand", "-n", "argocd", "-o", "jsonpath={.metadata.ownerReferences[*].name}"
    )
    assert owner == "v3-again"
    assert whole(plane) == before


UID = "jsonpath={.metadata.uid}"


def whole(plane: ControlPlane) -> list[object]:
    """UID, generation and resourceVersion: nobody wrote anything."""
    out: list[object] = []
    for plural, name in (("deployments", "shop"), ("statefulsets", "store")):
        metadata = plane.request("GET", f"/apis/apps/v1/namespaces/hand/{plural}/{name}").json()["metadata"]
        out += [metadata["uid"], metadata["generation"], metadata["resourceVersion"]]
    return out


def test_a_cluster_under_another_name_restarts_nothing(
    fleet: Fleet, repo: Repo, control_planes: list[ControlPlane]
) -> None:
    """The Application is called after the cluster: it is another one, and what it deploys is the same."""
    plane = control_planes[0]
    fleet.argosy("cluster", "label", "hand", "track=v4")
    fleet.apply(pinned(repo, "v4"))

    def alone() -> bool:
        # What a test before has left waits to be approved, whenever that is planned.
        approved(fleet)
        return [n.rpartition("/")[2] for n in applications(fleet)] == ["v4-hand"]

    wait(alone, "its application, and no other")
    wait(lambda: tracked(plane, "v4-hand"), "applied")
    before = seen(plane)
    assert "cluster/renamed now" in fleet.argosy("cluster", "rename", "hand", "renamed")
    wait(lambda: [n.rpartition("/")[2] for n in applications(fleet)] == ["v4-renamed"], "handed over")
    wait(lambda: tracked(plane, "v4-renamed"), "taken over")
    fleet.ready("renamed")
    assert seen(plane) == before
