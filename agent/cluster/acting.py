"""A cluster in memory, asked in a ServiceAccount's name: its rights are a function that whoever plays the cluster gives.

No RBAC is evaluated here; a real API server does that.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.cluster.base import ClusterApi
from agent.cluster.doorway import Doorway
from argosy.errors import Forbidden
from argosy.kinds import Gvk

Rights = Callable[[str, str, Gvk, str], bool]
"""(account, verb, kind, namespace) -> whether it may."""
_VERBS = {"apply": "patch"}
"""Where RBAC calls it otherwise."""


class ActingCluster(Doorway):
    """`cluster` in the name of `account` ("namespace:name")."""

    def __init__(self, cluster: ClusterApi, account: str, rights: Rights) -> None:
        super().__init__(cluster)
        self._account = account
        self._rights = rights

    def acting(self, account: str) -> ClusterApi:
        return self._inner.acting(account)

    async def close(self) -> None:
        """The cluster belongs to whoever made it."""

    def _admit(self, verb: str, gvk: Gvk, namespace: str, name: str) -> None:
        verb = _VERBS.get(verb, verb)
        if not self._rights(self._account, verb, gvk, namespace):
            place = f" in the namespace {namespace}" if namespace else ""
            raise Forbidden(f"system:serviceaccount:{self._account} cannot {verb} {gvk.kind}{place}")
