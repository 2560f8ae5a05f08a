"""What has to be applied in a cluster so that its agent runs there: namespace, rights, join token,
Deployment.

The objects are those of `deploy/agent/base`, which the wheel carries too; here the token and the image are
put in.
"""

from __future__ import annotations

import importlib.resources
from importlib.resources.abc import Traversable
from pathlib import Path

from argosy import yamlio
from argosy.errors import Internal
from argosy.objects import Manifest

IMAGE = "argosy-agent:latest"
CHECKOUT = Path(__file__).parents[2] / "deploy" / "agent" / "base"


def render(token: str, image: str) -> str:
    """The manifest as YAML, ready for `kubectl apply -f -`."""
    found = [_filled(item, token, image) for item in objects()]
    if not any(item["kind"] == "Secret" for item in found):
        raise Internal("the agent's manifests have no Secret to put the join token in")
    return yamlio.dump_all(found)


def objects() -> list[Manifest]:
    """The objects of the agent's base, in the order of its kustomization."""
    base: Traversable = CHECKOUT
    if not base.is_dir():
        base = importlib.resources.files("hub.cli") / "agent_base"
    files = _document(base / "kustomization.yaml")["resources"]
    return [item for name in files for item in yamlio.load_all((base / name).read_bytes(), source=name)]


def _document(file: Traversable) -> Manifest:
    return dict(yamlio.load_first(file.read_bytes(), source=str(file)))


def _filled(item: Manifest, token: str, image: str) -> Manifest:
    if item["kind"] == "Secret":
        return {**item, "stringData": {"token": token}}
    if item["kind"] == "Deployment":
        pod = item["spec"]["template"]["spec"]
        pod["containers"] = [{**container, "image": image} for container in pod["containers"]]
    return item
