"""What a URL of the Kubernetes API is about: group, version, namespace, resource, name, subresource, verb."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a resource URL. `group` is "" for the core group; `subresource` may hold slashes."""

    group: str
    version: str
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(path: str) -> Target | None:
    """The parts of a path; None for one that is no resource URL."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 2 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and not (not group and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    resource = rest[0] if rest else ""
    name = rest[1] if len(rest) > 1 else ""
    return Target(group, version, resource, namespace, name, "/".join(rest[2:]))


def verb(method: str, target: Target, *, watch: bool) -> str:
    """The verb of a request as access rules know it; "" for a method that means nothing here."""
    if method in ("GET", "HEAD"):
        return "watch" if watch else "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, "")
