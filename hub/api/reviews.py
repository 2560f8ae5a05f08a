"""What users ask about themselves: who am I, may I, what may I."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from argosy.machinery import failure
from hub.core.access import access
from hub.core.access.access import Attributes, User

Json = dict[str, Any]
Might = Callable[[User, Attributes], bool]


def answer(kind: str, body: Json, who: User, might: Might) -> Json:
    """The review with its status; `might` says whether a user may do something with anything. Raises `ApiFailure` 400, 422."""
    if body.get("kind") not in (None, "", kind):
        raise failure.bad_request(f"the object provided is unrecognized (must be of type {kind})")
    spec = body.get("spec") or {}
    if not isinstance(spec, dict):
        raise failure.bad_request("spec is not an object")
    group = "authentication.k8s.io" if kind == "SelfSubjectReview" else "authorization.k8s.io"
    out: Json = {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {"creationTimestamp": None}}
    if kind == "SelfSubjectReview":
        return {**out, "status": {"userInfo": {"username": who.name, "groups": sorted(who.groups)}}}
    if kind == "SelfSubjectRulesReview":
        return {**out, "spec": {}, "status": _rules(who)}
    return {**out, "spec": spec, "status": _allowed(spec, who, might)}


def _rules(who: User) -> Json:
    resources, paths = access.rules(who)
    return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}


def _allowed(spec: Json, who: User, might: Might) -> Json:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if bool(resource) == bool(path):
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        error = failure.invalid_value("spec.resourceAttributes", None, detail)
        raise failure.invalid("SelfSubjectAccessReview", "authorization.k8s.io", "", [error])
    if path:
        what = Attributes(str(path.get("verb", "")).lower(), path=str(path.get("path", "")))
    else:
        assert isinstance(resource, dict)
        parts = {name: str(resource.get(name) or "") for name in ("verb", "group", "resource", "subresource")}
        what = Attributes(
            **parts, namespace=str(resource.get("namespace") or ""), name=str(resource.get("name") or "")
        )
    if not access.allows(who, what) and might(who, what):
        return {"allowed": True, "reason": "allowed by policy.csv, where the object is one it names"}
    if access.allows(who, what):
        groups = sorted(who.groups & {access.ADMINS, access.READERS})
        reason = f"allowed by membership in {groups[0]}" if groups else "every known user may"
        return {"allowed": True, "reason": reason}
    return {"allowed": False}
