"""Reads aggregated discovery (`apidiscovery.k8s.io`, v2 and v2beta1) into kinds. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from argosy.kinds import ApiKind, Gvk

ACCEPT = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)


def kinds_of(answer: Mapping[str, Any]) -> Iterator[ApiKind]:
    """All kinds of one discovery document, a group's preferred version first. Subresources are left out."""
    for group in answer.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            for resource in version.get("resources") or ():
                found = resource.get("responseKind") or {}
                gvk = Gvk(name, version["version"], found.get("kind") or "")
                if gvk.kind:
                    namespaced = resource.get("scope") == "Namespaced"
                    yield ApiKind(
                        gvk, resource["resource"], namespaced, frozenset(resource.get("verbs") or ())
                    )
