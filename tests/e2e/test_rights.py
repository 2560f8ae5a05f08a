"""Agents with exactly the rights of `deploy/agent` on a real API server: enough for what each variant is for."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
import yaml
from fleet import Fleet, application, wait
from hubs import Repo, config_map
from testbed.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
ACCOUNT = "/api/v1/namespaces/argosy/serviceaccounts/argosy-agent"
PATHS = {
    "Namespace": "/api/v1/namespaces/argosy",
    "ServiceAccount": ACCOUNT,
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles/argosy-agent",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/argosy-agent",
}
POWERFUL = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: powerful}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: powerful}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: powerful}
subjects: [{kind: ServiceAccount, name: somebody, namespace: rights}]
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: oars.harbour.test}
spec:
  group: harbour.test
  scope: Namespaced
  names: {plural: oars, singular: oar, kind: Oar}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
---
apiVersion: harbour.test/v1
kind: Oar
metadata: {name: left}
"""


TOLD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: told}
data:
  value: {{ .Capabilities.KubeVersion.Version | quote }}
  deployments: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  oars: {{ .Capabilities.APIVersions.Has "harbour.test/v1/Oar" | quote }}
  none: {{ .Capabilities.APIVersions.Has "harbour.test/v2" | quote }}
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit(
            {
                "apps/rights/cm.yaml": config_map("cm"),
                "apps/rights/powerful.yaml": POWERFUL,
                "apps/rights/oars.yaml": DEFINITION,
                "apps/seen/cm.yaml": config_map("seen", "right"),
                "apps/chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '>=1.30.0-0'\n",
                "apps/chart/templates/cm.yaml": TOLD,
            }
        )
        yield repo


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, helm: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        yield fleet


class Bound:
    """The ServiceAccount of a variant in a cluster: what its pod would run with."""

    def __init__(self, plane: ControlPlane, kubectl: Path, variant: str, folder: Path) -> None:
        command = [str(kubectl), "kustomize", str(ROOT / "deploy/agent" / variant)]
        built = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
        manifests = {one["kind"]: one for one in yaml.safe_load_all(built)}
        self.plane = plane
        for kind, path in PATHS.items():
            answer = plane.apply(path, manifests[kind])
            assert answer.status in (200, 201), answer.body
        self.policy = folder / f"{variant}.yaml"
        self.policy.write_text(manifests["ConfigMap"]["data"]["policy.yaml"])
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        minted = plane.request("POST", f"{ACCOUNT}/token", request)
        assert minted.status == 201, minted.body
        self.kubeconfig = folder / f"{variant}.kubeconfig"
        self.kubeconfig.write_text(json.dumps(self._kubeconfig(minted.json()["status"]["token"])))
        self._wait(folder)

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        authority = base64.b64encode(self.plane.ca_file.read_bytes()).decode()
        cluster = {"server": self.plane.server, "certificate-authority-data": authority}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "agent", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "agent"}}],
            "current-context": "c",
        }

    def _wait(self, folder: Path) -> None:
        """The authorizer learns of new bindings by its own watch."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "system:serviceaccount:argosy:argosy-agent",
                "resourceAttributes": {"verb": "list", "resource": "secrets"},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        wait(
            lambda: self.plane.request("POST", path, review).json()["status"]["allowed"],
            "the binding is in force",
        )

    def close(self) -> None:
        """Takes the rights away: the cluster is shared with other tests."""
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            self.plane.request("DELETE", PATHS[kind])

    def options(self) -> tuple[str, ...]:
        return "--kubeconfig", str(self.kubeconfig), "--policy", str(self.policy)


@pytest.fixture
def full(control_planes: list[ControlPlane], kubectl: Path, tmp_path: Path) -> Iterator[Bound]:
    with contextlib.closing(Bound(control_planes[0], kubectl, "full", tmp_path)) as bound:
        yield bound


@pytest.fixture
def observer(control_planes: list[ControlPlane], kubectl: Path, tmp_path: Path) -> Iterator[Bound]:
    with contextlib.closing(Bound(control_planes[1], kubectl, "observer", tmp_path)) as bound:
        yield bound


def test_the_full_variant_installs_whatever_it_is_given(fleet: Fleet, repo: Repo, full: Bound) -> None:
    fleet.join("full", *full.options())
    fleet.ready("full")
    fleet.apply(application(repo, "rights", "full", "apps/rights", "rights"))
    fleet.settled("rights", repo.git("rev-parse", "HEAD").strip())
    for path in (
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/powerful",
        "/apis/harbour.test/v1/namespaces/rights/oars/left",
    ):
        assert full.plane.request("GET", path).status == 200, path
    fleet.apply(application(repo, "told", "full", "apps/chart", "rights"))
    told = "/api/v1/namespaces/rights/configmaps/told"
    version = full.plane.request("GET", "/version").json()["gitVersion"]
    served = {"value": version, "deployments": "true", "oars": "true", "none": "false"}

    def data() -> Any:
        answer = full.plane.request("GET", told)
        return answer.json()["data"] if answer.status == 200 else None

    wait(lambda: data() == served, "the chart is told what is served, the new kind among it", seconds=90)
    fleet.kubectl("delete", "application", "rights", "-n", "argocd", "--timeout=60s")
    wait(
        lambda: (
            full.plane.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/powerful").status
            == 404
        ),
        "what it installed goes with the Application",
    )


def test_the_observer_reports_and_its_rights_let_it_do_no_more(
    fleet: Fleet, repo: Repo, observer: Bound
) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "seen"}}
    assert observer.plane.apply("/api/v1/namespaces/seen", namespace).status in (200, 201)
    there = "/api/v1/namespaces/seen/configmaps/seen"
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}, "data": {"value": "other"}}
    assert observer.plane.apply(there, live).status in (200, 201)
    before = observer.plane.request("GET", there).json()

    fleet.join("observer", *observer.options())
    fleet.ready("observer")
    fleet.apply(application(repo, "seen", "observer", "apps/seen", "seen"))
    wait(
        lambda: fleet.app("seen")[:2] == ("OutOfSync", "Healthy"),
        f"what differs is seen: {fleet.app('seen')}",
    )
    (resource,) = fleet.get("application", "seen")["status"]["resources"]
    assert (resource["name"], resource["status"]) == ("seen", "OutOfSync")
    assert observer.plane.request("GET", there).json() == before
    assert fleet.agents["observer"].running
    log = (fleet.folder / "observer.log").read_text()
    assert "Traceback" not in log
