"""A cluster in memory, asked in a ServiceAccount's name: its rights are a function that whoever plays the cluster gives.

No RBAC is evaluated here; a real API server does that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from agent.cluster.base import MANAGER, PAGE, ClusterApi, Event, Identity, Page, Propagation
from argosy.errors import Forbidden
from argosy.kinds import Gvk, Kinds, gvk_of
from argosy.objects import Manifest

Rights = Callable[[str, str, Gvk, str], bool]
"""(account, verb, kind, namespace) -> whether it may."""


class ActingCluster:
    """`cluster` in the name of `account` ("namespace:name")."""

    def __init__(self, cluster: ClusterApi, account: str, rights: Rights) -> None:
        self._cluster = cluster
        self._account = account
        self._rights = rights

    def acting(self, account: str) -> ClusterApi:
        return self._cluster.acting(account)

    async def identity(self) -> Identity:
        return await self._cluster.identity()

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        return await self._cluster.kinds(refresh=refresh)

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        self._check("get", gvk, namespace)
        return await self._cluster.get(gvk, namespace, name)

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", limit: int = PAGE, more: str = ""
    ) -> Page:
        self._check("list", gvk, namespace)
        return await self._cluster.list(gvk, namespace=namespace, selector=selector, limit=limit, more=more)

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        self._check_manifest("patch", manifest)
        return await self._cluster.apply(
            manifest, force=force, dry_run=dry_run, manager=manager, validate=validate
        )

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._check_manifest("create", manifest)
        return await self._cluster.create(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        self._check_manifest("update", manifest)
        return await self._cluster.update(manifest, dry_run=dry_run, manager=manager, validate=validate)

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        self._check("delete", gvk, namespace)
        return await self._cluster.delete(gvk, namespace, name, uid=uid, propagation=propagation)

    def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        self._check("watch", gvk, namespace)
        return self._cluster.watch(
            gvk, resource_version=resource_version, namespace=namespace, selector=selector
        )

    async def close(self) -> None:
        """The cluster belongs to whoever made it."""

    def _check_manifest(self, verb: str, manifest: Manifest) -> None:
        self._check(verb, gvk_of(manifest), manifest["metadata"].get("namespace") or "")

    def _check(self, verb: str, gvk: Gvk, namespace: str) -> None:
        if not self._rights(self._account, verb, gvk, namespace):
            place = f" in the namespace {namespace}" if namespace else ""
            raise Forbidden(f"system:serviceaccount:{self._account} cannot {verb} {gvk.kind}{place}")
