"""A cluster with the local policy at its door: every write that the cluster's owner did not permit is refused here,
whoever asks for it. What is permitted is `agent.core.localpolicy`'s word; this only stands in the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from agent.cluster.base import (
    MANAGER,
    PAGE,
    ClusterApi,
    Event,
    Identity,
    Page,
    Propagation,
    Refused,
    TryLater,
)
from agent.core import localpolicy
from agent.core.adoption import Adoption
from agent.core.localpolicy import LocalPolicy
from argosy.errors import Forbidden
from argosy.kinds import Gvk, Kinds
from argosy.objects import Manifest, ObjectKey, key_of

REASON = "LocalPolicy"
LATER = 60.0
"""Seconds after which a deletion over the limit is asked for again."""


class Counted(Protocol):
    """The durable record of deletions."""

    @property
    def deletions(self) -> Sequence[float]: ...

    def delete(self, deletions: tuple[float, ...]) -> None: ...


class GuardedCluster:
    """`api` for the objects of apps that are written as `account` ("namespace:name", "" for the agent itself)."""

    def __init__(
        self,
        api: ClusterApi,
        policy: Callable[[], LocalPolicy],
        counted: Counted,
        clock: Callable[[], float],
        account: str = "",
    ) -> None:
        self._own = api
        self._api = api.acting(account) if account else api
        self._policy = policy
        self._counted = counted
        self._clock = clock
        self._account = account

    def acting(self, account: str) -> GuardedCluster:
        return GuardedCluster(self._own, self._policy, self._counted, self._clock, account)

    async def identity(self) -> Identity:
        return await self._own.identity()

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        return await self._own.kinds(refresh=refresh)

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        return await self._api.get(gvk, namespace, name)

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", limit: int = PAGE, more: str = ""
    ) -> Page:
        return await self._api.list(gvk, namespace=namespace, selector=selector, limit=limit, more=more)

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        self._permit(key_of(manifest))
        return await self._api.apply(
            manifest, force=force, dry_run=dry_run, manager=manager, validate=validate
        )

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._permit(key_of(manifest))
        return await self._api.create(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._permit(key_of(manifest))
        return await self._api.update(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        self._permit(ObjectKey(gvk.group, gvk.kind, namespace, name))
        now = self._clock()
        if wrong := self._policy().deletion_refusal(self._counted.deletions, now):
            raise TryLater(wrong, LATER)
        if self._policy().max_deletions is not None:
            recent = localpolicy.recent_deletions(self._counted.deletions, now)
            # Before it happens, so that no crash makes a deletion that was not counted.
            await asyncio.to_thread(self._counted.delete, (*recent, now))
        return await self._api.delete(gvk, namespace, name, uid=uid, propagation=propagation)

    def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        return self._own.watch(gvk, resource_version=resource_version, namespace=namespace, selector=selector)

    async def close(self) -> None:
        """The cluster belongs to whoever made it."""

    def _permit(self, key: ObjectKey) -> None:
        if wrong := self._policy().refusal(key, self._account):
            raise Refused(wrong, REASON)


class ObservedCluster:
    """A cluster that nothing of this process can write to, not even in a dry run, while its policy says `observe`."""

    def __init__(self, api: ClusterApi, policy: Callable[[], LocalPolicy]) -> None:
        self._api = api
        self._policy = policy

    def acting(self, account: str) -> ObservedCluster:
        return ObservedCluster(self._api.acting(account), self._policy)

    async def identity(self) -> Identity:
        return await self._api.identity()

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        return await self._api.kinds(refresh=refresh)

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        return await self._api.get(gvk, namespace, name)

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", limit: int = PAGE, more: str = ""
    ) -> Page:
        return await self._api.list(gvk, namespace=namespace, selector=selector, limit=limit, more=more)

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        self._permit("apply", key_of(manifest))
        return await self._api.apply(
            manifest, force=force, dry_run=dry_run, manager=manager, validate=validate
        )

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._permit("create", key_of(manifest))
        return await self._api.create(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._permit("update", key_of(manifest))
        return await self._api.update(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        self._permit("delete", ObjectKey(gvk.group, gvk.kind, namespace, name))
        return await self._api.delete(gvk, namespace, name, uid=uid, propagation=propagation)

    def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        return self._api.watch(gvk, resource_version=resource_version, namespace=namespace, selector=selector)

    async def close(self) -> None:
        await self._api.close()

    def _permit(self, verb: str, key: ObjectKey) -> None:
        policy = self._policy()
        if policy.mode is Adoption.OBSERVE:
            raise Forbidden(f"{verb} {key}: this cluster is only observed: spec.mode of {policy.source}")
