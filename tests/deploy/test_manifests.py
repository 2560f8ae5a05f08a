"""The kustomize bases: what they promise, read from their output, and what a real API server says to them."""

from __future__ import annotations

import copy
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testbed import controlplane

from agent.core import localpolicy
from argosy import yamlio

ROOT = Path(__file__).parents[2]
BASES = ("hub", "agent/full", "agent/observer")
READ = {"get", "list", "watch"}
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"

Manifest = dict[str, Any]


def built(kubectl: Path, base: str) -> list[Manifest]:
    command = [str(kubectl), "kustomize", str(ROOT / "deploy" / base)]
    output = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    return list(yaml.safe_load_all(output))


@pytest.fixture(scope="module", params=BASES)
def base(request: pytest.FixtureRequest, kubectl: Path) -> list[Manifest]:
    return built(kubectl, request.param)


def the(kind: str, manifests: list[Manifest]) -> Manifest:
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def pod(manifests: list[Manifest]) -> Manifest:
    template: Manifest = the("Deployment", manifests)["spec"]["template"]
    return template


def test_everything_is_in_the_namespace_argosy(base: list[Manifest]) -> None:
    for manifest in base:
        if manifest["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
            assert manifest["metadata"]["namespace"] == "argosy", manifest["kind"]
    assert the("Namespace", base)["metadata"]["name"] == "argosy"


def test_the_image_is_of_this_version(base: list[Manifest]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for container in pod(base)["spec"]["containers"]:
        assert container["image"].partition(":")[2] == version


def test_containers_are_probed_and_bounded(base: list[Manifest]) -> None:
    for container in pod(base)["spec"]["containers"]:
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_selectors_find_the_pods(base: list[Manifest]) -> None:
    labels = pod(base)["metadata"]["labels"].items()
    selected = [
        the("Deployment", base)["spec"]["selector"]["matchLabels"],
        the("NetworkPolicy", base)["spec"]["podSelector"]["matchLabels"],
        *(manifest["spec"]["selector"] for manifest in base if manifest["kind"] == "Service"),
    ]
    for selector in selected:
        assert selector
        assert selector.items() <= labels


def test_the_hub_has_no_credential_of_its_cluster(kubectl: Path) -> None:
    hub = built(kubectl, "hub")
    assert pod(hub)["spec"]["automountServiceAccountToken"] is False
    assert not {manifest["kind"] for manifest in hub} & {"ClusterRole", "ClusterRoleBinding", "RoleBinding"}


def test_the_observer_may_only_read(kubectl: Path) -> None:
    rules = the("ClusterRole", built(kubectl, "agent/observer"))["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == READ


def test_the_variants_differ_in_rights_and_policy_only(kubectl: Path) -> None:
    full, observer = built(kubectl, "agent/full"), built(kubectl, "agent/observer")
    theirs = ("ClusterRole", "ConfigMap")
    assert [each for each in full if each["kind"] not in theirs] == [
        each for each in observer if each["kind"] not in theirs
    ]


@pytest.mark.parametrize(("base", "mode"), [("agent/full", "manage"), ("agent/observer", "observe")])
def test_the_policy_that_is_shipped_is_one(kubectl: Path, base: str, mode: str) -> None:
    text = the("ConfigMap", built(kubectl, base))["data"]["policy.yaml"]
    policy = localpolicy.parse(yamlio.load_all(text, source="policy.yaml"), "policy.yaml")
    assert policy.mode == mode
    if mode == "manage":
        assert policy.account_refusal("kube-system:generic-garbage-collector")
        assert not policy.account_refusal("team-a:deployer")


def test_hub_and_agent_agree_on_their_common_namespace(kubectl: Path) -> None:
    """Else the second of them to be applied conflicts with the first."""
    first, *others = (the("Namespace", built(kubectl, name)) for name in BASES)
    assert all(other == first for other in others)


@pytest.fixture
def plane(
    control_planes: list[controlplane.ControlPlane], kubectl: Path
) -> Iterator[controlplane.ControlPlane]:
    """A cluster with the namespace argosy as the bases want it; what tests bind there is taken away again."""
    cluster = control_planes[0]
    namespace = the("Namespace", built(kubectl, "hub"))
    assert cluster.apply("/api/v1/namespaces/argosy", namespace).status in (200, 201)
    yield cluster
    for path in (f"{ROLES}/argosy-agent", f"{BINDINGS}/argosy-agent"):
        cluster.request("DELETE", path)


def dry_run(
    kubectl: Path, plane: controlplane.ControlPlane, manifests: list[Manifest]
) -> subprocess.CompletedProcess[str]:
    flags = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]
    return subprocess.run(
        [str(kubectl), "--kubeconfig", str(plane.kubeconfig()), *flags],
        input=yaml.safe_dump_all(manifests),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_real_api_server_accepts_every_object(
    base: list[Manifest], plane: controlplane.ControlPlane, kubectl: Path
) -> None:
    outcome = dry_run(kubectl, plane, base)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count("(server dry run)") == len(base)
    assert outcome.stderr == "", "a warning is a mistake, too"


def test_a_misspelt_field_is_refused(
    base: list[Manifest], plane: controlplane.ControlPlane, kubectl: Path
) -> None:
    broken = copy.deepcopy(base)
    pod(broken)["spec"]["containers"][0]["resource"] = {}
    outcome = dry_run(kubectl, plane, broken)
    assert outcome.returncode == 1
    assert "resource" in outcome.stderr


def test_the_pods_pass_the_restricted_level(base: list[Manifest], plane: controlplane.ControlPlane) -> None:
    made: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": pod(base)["spec"],
    }
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    accepted = plane.request("POST", "/api/v1/namespaces/argosy/pods", made, query=query)
    assert accepted.status == 201, accepted.body

    weaker = copy.deepcopy(made)
    weaker["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = plane.request("POST", "/api/v1/namespaces/argosy/pods", weaker, query=query)
    assert refused.status == 403
    assert "PodSecurity" in refused.json()["message"]


@pytest.mark.parametrize(("variant", "writes"), [("full", True), ("observer", False)])
def test_the_bound_rights_are_the_variants(
    variant: str, writes: bool, plane: controlplane.ControlPlane, kubectl: Path
) -> None:
    manifests = built(kubectl, f"agent/{variant}")
    assert plane.apply(f"{ROLES}/argosy-agent", the("ClusterRole", manifests)).status == 201
    assert plane.apply(f"{BINDINGS}/argosy-agent", the("ClusterRoleBinding", manifests)).status == 201

    def may(verb: str, resource: str, group: str = "") -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "system:serviceaccount:argosy:argosy-agent",
                "resourceAttributes": {
                    "verb": verb,
                    "resource": resource,
                    "group": group,
                    "namespace": "default",
                },
            },
        }
        answer = plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        assert answer.status == 201, answer.body
        return bool(answer.json()["status"]["allowed"])

    # The authorizer learns of new bindings by its own watch.
    controlplane.wait_until(lambda: may("list", "secrets"), "the binding is not in force")
    for verb in ("create", "patch", "delete"):
        assert may(verb, "deployments", "apps") is writes
    assert may("impersonate", "serviceaccounts") is writes
    assert may("escalate", "clusterroles", "rbac.authorization.k8s.io") is writes
