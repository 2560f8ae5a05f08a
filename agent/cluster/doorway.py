"""One cluster seen through another: every call passes on, and first asks whether it may.

What stands in a doorway (a policy, an account's rights) says so in `_admit`, and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from agent.cluster.base import MANAGER, PAGE, ClusterApi, Event, Identity, Page, Propagation
from argosy.kinds import Gvk, Kinds, gvk_of
from argosy.objects import Manifest, key_of


class Doorway(ABC):
    """`inner` answers for objects; `about`, where it is another one, for the cluster itself and its watches."""

    def __init__(self, inner: ClusterApi, about: ClusterApi | None = None) -> None:
        self._inner = inner
        self._about = about or inner

    @abstractmethod
    def _admit(self, verb: str, gvk: Gvk, namespace: str, name: str) -> None:
        """Raises where the call may not pass. `verb` is the method's name; `name` "" means all of the namespace."""

    async def identity(self) -> Identity:
        return await self._about.identity()

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        return await self._about.kinds(refresh=refresh)

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        self._admit("get", gvk, namespace, name)
        return await self._inner.get(gvk, namespace, name)

    async def list(
        self,
        gvk: Gvk,
        *,
        namespace: str = "",
        selector: str = "",
        limit: int = PAGE,
        more: str = "",
        metadata: bool = False,
    ) -> Page:
        self._admit("list", gvk, namespace, "")
        return await self._inner.list(
            gvk, namespace=namespace, selector=selector, limit=limit, more=more, metadata=metadata
        )

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        self._admit_manifest("apply", manifest)
        return await self._inner.apply(
            manifest, force=force, dry_run=dry_run, manager=manager, validate=validate
        )

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._admit_manifest("create", manifest)
        return await self._inner.create(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._admit_manifest("update", manifest)
        return await self._inner.update(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        self._admit("delete", gvk, namespace, name)
        return await self._inner.delete(gvk, namespace, name, uid=uid, propagation=propagation)

    def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        self._admit("watch", gvk, namespace, "")
        return self._about.watch(
            gvk, resource_version=resource_version, namespace=namespace, selector=selector
        )

    def _admit_manifest(self, verb: str, manifest: Manifest) -> None:
        key = key_of(manifest)
        self._admit(verb, gvk_of(manifest), key.namespace, key.name)
