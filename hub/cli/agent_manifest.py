"""What has to be applied in a cluster so that its agent runs there: namespace, rights, join token,
Deployment.

The objects in `agent.yaml` are what `kubectl kustomize deploy/agent/full` makes (a test compares them); here
the token and the image are put in.
"""

from __future__ import annotations

import importlib.resources
from importlib.metadata import version

from argosy import yamlio
from argosy.objects import Manifest

NAMESPACE, SECRET = "argosy", "argosy-join"


def default_image() -> str:
    """The agent's image of this version."""
    return f"argosy-agent:{version('argosy')}"


def render(token: str, image: str) -> str:
    """The manifest as YAML, ready for `kubectl apply -f -`."""
    data = (importlib.resources.files("hub.cli") / "agent.yaml").read_bytes()
    objects = [_with_image(item, image) for item in yamlio.load_all(data, source="agent.yaml")]
    # The namespace comes first, so that the Secret finds it; the Deployment, after the Secret, starts with
    # it.
    first = next(index for index, item in enumerate(objects) if item["kind"] == "Namespace") + 1
    return yamlio.dump_all([*objects[:first], _secret(token), *objects[first:]])


def _secret(token: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "stringData": {"token": token},
    }


def _with_image(item: Manifest, image: str) -> Manifest:
    if item["kind"] == "Deployment":
        pod = item["spec"]["template"]["spec"]
        pod["containers"] = [{**container, "image": image} for container in pod["containers"]]
    return item
