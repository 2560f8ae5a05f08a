"""Who may do what: the two built-in groups, else the policy of `argocd-rbac-cm` and of projects' roles.

Asked twice: before a request is looked at, whether the user might do such a thing at all, and then for each object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.core.access import access, permits
from hub.core.access.access import Attributes, User
from hub.core.access.rbac import NOTHING, Policy

Permits = Callable[[Mapping[str, Any]], bool]


class Guard:
    """`policy` gives the policy that counts now."""

    def __init__(self, policy: Callable[[], Policy] = lambda: NOTHING) -> None:
        self._policy = policy

    def might(self, who: User, what: Attributes) -> bool:
        """Whether the user may do that with anything."""
        if access.allows(who, what):
            return True
        if what.path:
            return False
        return self._policy().might(who.name, who.groups, *permits.words(what))

    def permits(self, who: User, what: Attributes) -> Permits | None:
        """Whether the user may do that with an object; None where with every one."""
        if access.allows(who, what):
            return None
        policy = self._policy()
        resource, action = permits.words(what)

        def permitted(manifest: Mapping[str, Any]) -> bool:
            project, things = permits.things(what.resource, manifest)
            return any(
                policy.allows(who.name, who.groups, resource, action, thing, project) for thing in things
            )

        return permitted
