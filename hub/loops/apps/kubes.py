"""What renders may know of clusters: from what their agents told."""

from __future__ import annotations

from collections import OrderedDict

from argosy import apis
from hub.core.clusters import facts
from hub.render.base import Kube
from hub.store import agents, served
from hub.store.base import Store, Tx

_KEPT = 64
"""Lists of APIs; most clusters of a fleet serve the same."""


class Kubes:
    """Also knows which Applications asked, so that they are looked at again when their cluster changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lists: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._asked: dict[str, set[str]] = {}
        self._cluster: dict[str, str] = {}

    async def of(self, cluster: str) -> Kube:
        """A cluster's version and APIs; of one whose agent never told them the APIs are None."""
        return await self._store.read(lambda tx: self._read(tx, cluster))

    async def ask(self, app: str, cluster: str) -> Kube:
        """The same for an Application, which is one of `asking` from then on."""
        self.leave(app)
        self._cluster[app] = cluster
        self._asked.setdefault(cluster, set()).add(app)
        return await self.of(cluster)

    def leave(self, app: str) -> None:
        """The Application asks no more."""
        cluster = self._cluster.pop(app, None)
        if cluster is not None:
            self._asked[cluster].discard(app)
            if not self._asked[cluster]:
                del self._asked[cluster]

    def asking(self, cluster: str) -> list[str]:
        """The Applications whose renders asked what the cluster is."""
        return sorted(self._asked.get(cluster, ()))

    def _read(self, tx: Tx, cluster: str) -> Kube:
        agent = agents.get(tx, cluster)
        known = facts.of_text(agent.facts) if agent is not None else {}
        digest = known.get(apis.FACT, "")
        return Kube(known.get(apis.VERSION, ""), self._list(tx, digest), digest)

    def _list(self, tx: Tx, digest: str) -> tuple[str, ...] | None:
        found = self._lists.get(digest)
        if found is None and digest:
            found = served.get(tx, digest)
            if found is not None:
                self._lists[digest] = found
                while len(self._lists) > _KEPT:
                    self._lists.popitem(last=False)
        return found
