"""What a bundle is apart from the images that its containers run: two bundles of one shape differ in images alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argosy import objects
from argosy.objects import Manifest

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PODS = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
"""Where workloads have their pods: Deployments and all that are like them, CronJobs."""


def shape(found: Sequence[Manifest]) -> str:
    """The digest of the objects without images; "" where no container has one."""
    blank = [_blanked(item) for item in found]
    if all(one is item for one, item in zip(blank, found, strict=True)):
        return ""
    return objects.digest(objects.canonical(blank))


def _blanked(item: Manifest) -> Manifest:
    for path in (("spec",),) if item.get("kind") == "Pod" else _PODS:
        out: Manifest = _without(item, path)
        if out is not item:
            return out
    return item


def _without(value: Any, path: tuple[str, ...]) -> Any:
    """`value` with the images blanked of the pod at `path`; itself where there is none."""
    if not isinstance(value, dict):
        return value
    if path:
        below = value.get(path[0])
        out = _without(below, path[1:])
        return value if out is below else {**value, path[0]: out}
    changed = {name: _imageless(value[name]) for name in _CONTAINERS if isinstance(value.get(name), list)}
    changed = {name: found for name, found in changed.items() if found is not value[name]}
    return {**value, **changed} if changed else value


def _imageless(containers: list[Any]) -> list[Any]:
    if not any(isinstance(one, dict) and "image" in one for one in containers):
        return containers
    return [{**one, "image": None} if isinstance(one, dict) and "image" in one else one for one in containers]
