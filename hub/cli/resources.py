"""The kinds that the command knows by name, and where the API serves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.cli.errors import Usage


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of the hub's API. `words` are what people may call it."""

    group: str
    plural: str
    kind: str
    namespaced: bool
    words: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """`plural.group`, as kubectl prints a resource's type with `-o name`."""
        return f"{self.plural}.{self.group}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The API's path: all of a namespace (all of the hub with namespace ""), one object, or a part of
        one."""
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = [f"/apis/{self.group}/v1alpha1{inside}/{self.plural}", name, subresource]
        return "/".join(part for part in parts if part)


CLUSTERS = Resource("argosy.dev", "clusters", "Cluster", False, ("cluster", "clusters"))
JOIN_TOKENS = Resource("argosy.dev", "jointokens", "JoinToken", False, ("jointoken", "jointokens"))
API_TOKENS = Resource("argosy.dev", "apitokens", "ApiToken", False, ("apitoken", "apitokens"))
RELEASES = Resource("argosy.dev", "releases", "Release", True, ("release", "releases"))
ROLLOUTS = Resource("argosy.dev", "rollouts", "Rollout", True, ("rollout", "rollouts"))
REMOVALS = Resource("argosy.dev", "removals", "Removal", False, ("removal", "removals"))
FREEZES = Resource("argosy.dev", "freezes", "Freeze", False, ("freeze", "freezes"))
OVERRIDES = Resource("argosy.dev", "overrides", "Override", False, ("override", "overrides"))
POLICIES = Resource(
    "argosy.dev", "rolloutpolicies", "RolloutPolicy", True, ("rolloutpolicy", "rolloutpolicies")
)
APPS = Resource(
    "argoproj.io", "applications", "Application", True, ("app", "apps", "application", "applications")
)
APPSETS = Resource(
    "argoproj.io",
    "applicationsets",
    "ApplicationSet",
    True,
    ("appset", "appsets", "applicationset", "applicationsets"),
)


def by_word(word: str, among: Sequence[Resource]) -> Resource:
    """The resource called `word` (`app`, `applications`, `applications.argoproj.io`, …). Raises `Usage`."""
    for resource in among:
        if word.lower() in (*resource.words, resource.full_name):
            return resource
    known = ", ".join(resource.words[0] for resource in among)
    raise Usage(f'expected one of {known}, found "{word}"')
