"""A cluster with the local policy at its door: every write that the cluster's owner did not permit is refused here,
whoever asks for it. What is permitted is `agent.core.localpolicy`'s word; this only stands in the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.cluster.base import ClusterApi, Propagation, Refused, TryLater
from agent.cluster.doorway import Doorway
from agent.core import localpolicy
from agent.core.localpolicy import LocalPolicy
from argosy.errors import Forbidden
from argosy.kinds import Gvk
from argosy.objects import ObjectKey

WRITES = frozenset({"apply", "create", "update", "delete"})
REASON = "LocalPolicy"
LATER = 60.0
"""Seconds after which a deletion over the limit is asked for again."""


class Counted(Protocol):
    """The durable record of deletions."""

    @property
    def deletions(self) -> Sequence[float]: ...

    def delete(self, deletions: tuple[float, ...]) -> None: ...


class GuardedCluster(Doorway):
    """`api` for the objects of apps that are written as `account` ("namespace:name", "" for the agent itself)."""

    def __init__(
        self,
        api: ClusterApi,
        policy: Callable[[], LocalPolicy],
        counted: Counted,
        clock: Callable[[], float],
        account: str = "",
    ) -> None:
        super().__init__(api.acting(account) if account else api, about=api)
        self._policy = policy
        self._counted = counted
        self._clock = clock
        self._account = account

    def acting(self, account: str) -> GuardedCluster:
        return GuardedCluster(self._about, self._policy, self._counted, self._clock, account)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        self._admit("delete", gvk, namespace, name)
        now = self._clock()
        if wrong := self._policy().deletion_refusal(self._counted.deletions, now):
            raise TryLater(wrong, LATER)
        if self._policy().max_deletions is not None:
            recent = localpolicy.recent_deletions(self._counted.deletions, now)
            # Before it happens, so that no crash makes a deletion that was not counted.
            await asyncio.to_thread(self._counted.delete, (*recent, now))
        return await self._inner.delete(gvk, namespace, name, uid=uid, propagation=propagation)

    async def close(self) -> None:
        """The cluster belongs to whoever made it."""

    def _admit(self, verb: str, gvk: Gvk, namespace: str, name: str) -> None:
        key = ObjectKey(gvk.group, gvk.kind, namespace, name)
        if verb in WRITES and (wrong := self._policy().refusal(key, self._account)):
            raise Refused(wrong, REASON)


class ObservedCluster(Doorway):
    """A cluster that nothing of this process can write to, not even in a dry run, while there is a reason for that.

    `why` says it, "" while there is none.
    """

    def __init__(self, api: ClusterApi, why: Callable[[], str]) -> None:
        super().__init__(api)
        self._why = why

    def acting(self, account: str) -> ObservedCluster:
        return ObservedCluster(self._inner.acting(account), self._why)

    async def close(self) -> None:
        await self._inner.close()

    def _admit(self, verb: str, gvk: Gvk, namespace: str, name: str) -> None:
        if verb in WRITES and (why := self._why()):
            key = ObjectKey(gvk.group, gvk.kind, namespace, name)
            raise Forbidden(f"{verb} {key}: this cluster is only observed: {why}")
