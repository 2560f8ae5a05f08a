"""Who may do what with the hub's API: pure decisions about a user and a request.

Two roles by group: `argosy:admins` may do everything, `argosy:readers` may look at everything but Secrets.
Every known user may ask what the API offers and what it allows. Nobody else may do anything but ask for
health and version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ADMINS = "argosy:admins"
READERS = "argosy:readers"
AUTHENTICATED = "system:authenticated"

_LOOK = frozenset(("get", "list", "watch"))
_REVIEWS = frozenset(
    (
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    )
)
_ASKING = frozenset((("applicationsets", "preview"), ("applicationsets", "plan")))
"""Subresources that are created and change nothing."""
_OFFERS = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz")
_INSIGHT = ("/metrics", "/loops", "/where", "/stats", "/audit", "/status")
_QUESTIONS = ("/plan",)
"""Paths that are posted to and change nothing."""
OPEN = frozenset(("/healthz", "/livez", "/readyz", "/version"))
"""Paths that need no credentials."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `groups` include `system:authenticated`. `by` is who speaks for him, "" where he speaks for himself."""

    name: str
    groups: frozenset[str]
    by: str = ""

    def through(self, agent: str) -> str:
        """The program that he asks by, as the audit keeps it: with who speaks for him."""
        return f"impersonated by {self.by}: {agent}" if self.by else agent


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for, in the words of Kubernetes' authorizers. `path` is set, and all else empty but the
    verb, for requests that are about no resource.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def user(name: str, groups: frozenset[str] | tuple[str, ...] | list[str]) -> User:
    """A known user."""
    return User(name, frozenset(groups) | {AUTHENTICATED})


def allows(who: User, what: Attributes) -> bool:
    """Whether the user may."""
    if ADMINS in who.groups:
        return True
    if what.path:
        if what.verb == "post":
            return READERS in who.groups and what.path in _QUESTIONS
        if what.verb not in ("get", "head"):
            return False
        return _below(what.path, _OFFERS) or (READERS in who.groups and _below(what.path, _INSIGHT))
    if what.verb == "create" and (what.group, what.resource) in _REVIEWS:
        return True
    asks = what.verb == "create" and (what.resource, what.subresource) in _ASKING
    if READERS not in who.groups or not (what.verb in _LOOK or asks):
        return False
    return (what.group, what.resource) != ("", "secrets")


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def rules(who: User) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The user's rules as a SelfSubjectRulesReview shows them: for resources, and for other paths."""
    if ADMINS in who.groups:
        return (
            [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        )
    resources: list[dict[str, Any]] = [
        {"verbs": ["create"], "apiGroups": [group], "resources": [resource]}
        for group, resource in sorted(_REVIEWS)
    ]
    paths = list(_OFFERS)
    if READERS in who.groups:
        look = sorted(_LOOK)
        resources += [
            {"verbs": look, "apiGroups": ["argoproj.io", "argosy.dev"], "resources": ["*"]},
            {"verbs": look, "apiGroups": [""], "resources": ["namespaces", "configmaps", "events"]},
        ]
        paths += _INSIGHT
    return resources, [{"verbs": ["get"], "nonResourceURLs": [*paths, *(f"{path}/*" for path in paths)]}]
