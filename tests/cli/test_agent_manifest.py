"""The manifest of `argosy join`: what `deploy/agent` says, with the token in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from argosy import yamlio
from hub.cli import agent_manifest

ROOT = Path(__file__).parents[2]


def test_the_packaged_objects_are_those_of_deploy_agent() -> None:
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl to build the kustomization with")
    built = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "deploy/agent/full")], check=True, capture_output=True, text=True
    ).stdout
    packaged = (ROOT / "hub/cli/agent.yaml").read_text()
    assert packaged == built, "refresh it: kubectl kustomize deploy/agent/full > hub/cli/agent.yaml"


def test_token_and_image_are_in_the_manifest_and_everything_namespaced_is_in_one_place() -> None:
    objects = yamlio.load_all(agent_manifest.render("the-token", "registry/agent:1"), source="join")
    kinds = [item["kind"] for item in objects]
    assert kinds.index("Namespace") < kinds.index("Secret") < kinds.index("Deployment")
    secret = next(item for item in objects if item["kind"] == "Secret")
    assert secret["stringData"] == {"token": "the-token"}
    pod = next(item for item in objects if item["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == ["registry/agent:1"]
    reference = pod["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    assert (reference["name"], reference["key"]) == (secret["metadata"]["name"], "token")
    spaces = {item["metadata"]["namespace"] for item in objects if "namespace" in item["metadata"]}
    assert spaces == {agent_manifest.NAMESPACE}
