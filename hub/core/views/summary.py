"""What `status.summary` of an Application tells of its objects: their images, and where they are reached from outside.

Argo CD (3.6, `controller/cache/info.go`) reads both off live objects; here they are read once from what was rendered,
for all clusters that run it. Left out is what only a cluster knows: pods of other makers, addresses of load balancers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from argosy.objects import Manifest

MOST = 200
"""Entries of each list."""
LINK = "link.argocd.argoproj.io/"
NO_DEFAULT_LINKS = "argocd.argoproj.io/ignore-default-links"
_CONTAINERS = ("initContainers", "containers")
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
"""Go's `strconv.ParseBool`."""


def of(objects: Iterable[Manifest]) -> dict[str, list[str]]:
    """`images` and `externalURLs`, each sorted and without repetition; what is empty is left out."""
    images: set[str] = set()
    links: set[str] = set()
    for each in objects:
        images.update(_images(each))
        links.update(_links(each))
    found = {"externalURLs": sorted(links)[:MOST], "images": sorted(images)[:MOST]}
    return {name: texts for name, texts in found.items() if texts}


def _images(manifest: Manifest) -> Iterator[str]:
    """Of a pod, or of the pods that a workload makes from a template at any of the usual places."""
    spec = _mapping(manifest.get("spec"))
    job = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    pods = [_mapping(_mapping(one.get("template")).get("spec")) for one in (spec, job)]
    if manifest.get("kind") == "Pod":
        pods.append(spec)
    for pod in pods:
        for place in _CONTAINERS:
            for container in _list(pod.get(place)):
                image = _mapping(container).get("image")
                if isinstance(image, str) and image:
                    yield image


def _links(manifest: Manifest) -> Iterator[str]:
    annotations = _mapping(_mapping(manifest.get("metadata")).get("annotations"))
    for name, value in annotations.items():
        if name.startswith(LINK) and isinstance(value, str):
            _, _, address = value.rpartition("|")
            if address.startswith(("http://", "https://")):
                yield value
    group = str(manifest.get("apiVersion")).partition("/")[0]
    ingress = manifest.get("kind") == "Ingress" and group in ("networking.k8s.io", "extensions")
    if ingress and annotations.get(NO_DEFAULT_LINKS) not in _TRUE:
        yield from _reached(_mapping(manifest.get("spec")))


def _reached(spec: Mapping[str, Any]) -> Iterator[str]:
    """The addresses that an Ingress answers to, as far as it names hosts. One certificate makes all of them https."""
    secured = any(_mapping(entry).get("secretName") for entry in _list(spec.get("tls")))
    protocol = "https" if secured else "http"
    for rule in _list(spec.get("rules")):
        host = _mapping(rule).get("host")
        if not isinstance(host, str) or not host:
            continue
        for path in _list(_mapping(_mapping(rule).get("http")).get("paths")):
            below = _mapping(path).get("path")
            yield f"{protocol}://{host}{below.removesuffix('*') if isinstance(below, str) else ''}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
