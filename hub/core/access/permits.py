"""What a request on the hub's API is in the words of Argo CD's policies: resource, action and object.

Argo CD's own kinds have its words (`applications, sync, project/name`); ours have the plural of the kind and the name of
the subresource (`rollouts, promote, name`; `overrides, create, name`; `removals, approve, name`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.core.access.access import Attributes
from hub.core.types import NAMESPACE

_ACTIONS = {
    "get": "get",
    "list": "get",
    "watch": "get",
    "create": "create",
    "update": "update",
    "patch": "update",
    "delete": "delete",
    "deletecollection": "delete",
}
_RESOURCES = {
    ("argoproj.io", "appprojects"): "projects",
    ("argosy.dev", "jointokens"): "clusters",
    ("argosy.dev", "apitokens"): "accounts",
}
_TOKENS = {"create": "update", "delete": "update", "deletecollection": "update"}
"""Argo CD's action for making and ending tokens of an account is `update`."""
_SUBRESOURCES = {
    ("applications", "sync"): "sync",
    ("applications", "terminate"): "sync",
    ("applications", "rollback"): "rollback",
}


def words(what: Attributes) -> tuple[str, str]:
    """(resource, action) of a request about a resource."""
    resource = _RESOURCES.get((what.group, what.resource), what.resource)
    part = what.subresource
    if part == "logs":
        return "logs", "get"
    if resource == "accounts" and what.verb in _TOKENS:
        return resource, _TOKENS[what.verb]
    if part in ("", "status") or what.verb in ("get", "list", "watch"):
        return resource, _ACTIONS.get(what.verb, what.verb)
    return resource, _SUBRESOURCES.get((resource, part), part)


def things(resource: str, manifest: Mapping[str, Any]) -> tuple[str, list[str]]:
    """(the project an object belongs to, what policies may call it). `resource` is the API's plural."""
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    spec: Mapping[str, Any] = manifest.get("spec") or {}
    name = str(metadata.get("name") or "")
    found = _NAMED.get(resource)
    return found(name, metadata, spec) if found else ("", [name])


def _application(name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Of Argo CD's own namespace they are `project/name`, of others `project/namespace/name`."""
    project, namespace = str(spec.get("project") or "default"), metadata.get("namespace") or NAMESPACE
    return project, [f"{project}/{name}" if namespace == NAMESPACE else f"{project}/{namespace}/{name}"]


def _set(name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    inner = (spec.get("template") or {}).get("spec") or {}
    return _application(name, metadata, {"project": inner.get("project")})


def _cluster(name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    project = str(spec.get("project") or "")
    places = [name, *([str(spec["server"])] if spec.get("server") else [])]
    return project, [f"{project}/{place}" for place in places] if project else places


def _token(name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    return "", [str(spec.get("cluster") or name)]


def _account(name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    return "", [str(spec.get("account") or name)]


_NAMED: Mapping[str, Callable[[str, Mapping[str, Any], Mapping[str, Any]], tuple[str, list[str]]]] = {
    "applications": _application,
    "applicationsets": _set,
    "appprojects": lambda name, metadata, spec: (name, [name]),
    "clusters": _cluster,
    "jointokens": _token,
    "apitokens": _account,
}
