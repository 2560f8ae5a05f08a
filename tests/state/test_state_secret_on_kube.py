"""The same on a real kube-apiserver, with the rights that are shipped and no more: an agent that may only read."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import linkbed
import pytest
import yaml
from linkbed import Hub, until
from testbed import controlplane, credentials

from agent.config import Config
from agent.program import Program
from agent.state import identity
from argosy.errors import Invalid

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
SECRET = "/api/v1/namespaces/argosy/secrets/argosy-agent-state"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def shipped(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """`deploy/agent/observer` with the component, as an overlay of a user's would make it."""
    folder = tmp_path_factory.mktemp("overlay")
    link = folder / "agent"
    link.mkdir()
    for name in ("base", "observer", "state-secret"):
        target = link / name
        target.mkdir()
        for file in (ROOT / "deploy/agent" / name).iterdir():
            (target / file.name).write_bytes(file.read_bytes())
    (folder / "kustomization.yaml").write_text(
        "resources: [agent/observer]\ncomponents: [agent/state-secret]\n"
    )
    done = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], check=True, capture_output=True, timeout=30
    )
    return list(yaml.safe_load_all(done.stdout))


def the(kind: str, manifests: list[Manifest], name: str = "") -> Manifest:
    (found,) = (each for each in manifests if each["kind"] == kind and name in ("", each["metadata"]["name"]))
    return found


@pytest.fixture
def plane(
    control_planes: list[controlplane.ControlPlane], shipped: list[Manifest]
) -> Iterator[controlplane.ControlPlane]:
    """A cluster where the user `agent` has the shipped rights, in the ServiceAccount's place."""
    cluster = control_planes[1]
    subjects = [{"kind": "User", "name": credentials.AGENT.name, "apiGroup": "rbac.authorization.k8s.io"}]
    space = f"{RBAC}/namespaces/argosy"
    put = {
        "/api/v1/namespaces/argosy": the("Namespace", shipped),
        SECRET: the("Secret", shipped),
        f"{RBAC}/clusterroles/argosy-agent": the("ClusterRole", shipped),
        f"{RBAC}/clusterrolebindings/argosy-agent": {
            **the("ClusterRoleBinding", shipped),
            "subjects": subjects,
        },
        f"{space}/roles/argosy-agent-state": the("Role", shipped),
        f"{space}/rolebindings/argosy-agent-state": {**the("RoleBinding", shipped), "subjects": subjects},
    }
    for path, manifest in put.items():
        assert cluster.apply(path, manifest).status in (200, 201), path
    controlplane.wait_until(lambda: may(cluster, "GET", SECRET), "the rights are not in force")
    controlplane.wait_until(lambda: may(cluster, "GET", "/api/v1/configmaps"), "the rights are not in force")
    yield cluster
    for path in tuple(put)[1:]:
        cluster.request("DELETE", path)


def may(cluster: controlplane.ControlPlane, method: str, path: str) -> bool:
    return cluster.request(method, path, user=credentials.AGENT).status == 200


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    found = await linkbed.open_hub(tmp_path / "hub")
    yield found
    await found.close()


@contextlib.asynccontextmanager
async def running(settings: Config) -> AsyncIterator[Program]:
    program = Program(settings, "test")
    task = asyncio.create_task(program.run())
    try:
        yield program
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await program.close()


def test_the_component_takes_the_volume_away_and_gives_two_verbs_on_one_secret(
    shipped: list[Manifest],
) -> None:
    assert not [each for each in shipped if each["kind"] == "PersistentVolumeClaim"]
    pod = the("Deployment", shipped)["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["state"] == {"name": "state", "emptyDir": {"sizeLimit": "2Gi"}}
    assert pod["containers"][0]["args"][-2:] == ["--state-secret", "argosy/argosy-agent-state"]
    assert the("Role", shipped)["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["argosy-agent-state"],
            "verbs": ["get", "update"],
        }
    ]


async def test_an_agent_that_may_only_read_comes_back_from_its_secret(
    hub: Hub, plane: controlplane.ControlPlane, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: argosy.dev/v1alpha1\nkind: AgentPolicy\nspec: {mode: observe}\n")
    shared = {"kubeconfig": plane.kubeconfig(credentials.AGENT), "policy": policy}
    name = "argosy/argosy-agent-state"
    token = await hub.offer(await hub.cluster("one"))
    async with running(Config(tmp_path / "pod-1", join=token, state_secret=name, **shared)) as program:
        await until(lambda: program.link is not None and program.link.state.connected, "joined", PATIENCE)
        await hub.assign("id-one", "a")
        await until(
            lambda: program.ledger is not None and program.ledger.held.generation == 1, "a set", PATIENCE
        )
    found = plane.request("GET", SECRET).json()["data"]
    assert base64.b64decode(found[identity.KEY]) == identity.key_in(tmp_path / "pod-1")
    assert found.keys() >= {"key.pem", "identity.json", "runs.json", "state.json"}

    async with running(Config(tmp_path / "pod-2", state_secret=name, **shared)) as again:
        await until(lambda: again.link is not None and again.link.state.connected, "it is back", PATIENCE)
        assert again.ledger is not None
        assert again.ledger.held.generation == 1
        assert again.standing is not None
        assert again.standing.second.value == ""
    assert plane.request("GET", "/api/v1/namespaces/default/configmaps/a").status == 404, "it only reads"

    # Neither another Secret, nor one that is not there.
    other = Program(Config(tmp_path / "pod-3", state_secret="argosy/another", **shared), "test")
    with pytest.raises(
        Invalid, match=r"Secret argosy/another, where the agent's state is to be kept: .*forbidden"
    ):
        await other.run()
    await other.close()
