"""Whether an Application's project permits it and what it renders. Decided in `hub.core.projects.projects`; here is what that
needs to know, read once for many Applications.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from argosy import bundle as bundle_format
from argosy.objects import Manifest
from hub.core.apps.sources import Source
from hub.core.projects import accounts, projects
from hub.core.projects.projects import Cluster, Resource
from hub.core.served import table
from hub.core.types import NAMESPACE, ClusterFacts
from hub.loops.apps.kitchen import Packed
from hub.loops.appsets.world import World
from hub.store import bundles
from hub.store.base import Change, Store

_KEPT = 4096
"""Bundles whose resources stay known, so that a written project opens none of them again."""


class Bounds:
    """Of all projects. Bundles are opened only for projects that could refuse an object. `instead` are projects as they
    would be, None where one would not be there.
    """

    def __init__(
        self, store: Store, world: World, instead: Mapping[str, Manifest | None] | None = None
    ) -> None:
        self._store = store
        self._world = world
        self._instead = instead or {}
        self._listed: list[Manifest] = []
        self._projects: dict[str, Manifest] = {}
        self._resources: dict[str, frozenset[Resource]] = {}

    def under(self, instead: Mapping[str, Manifest | None]) -> Bounds:
        """As they would be with these projects."""
        return Bounds(self._store, self._world, instead) if instead else self

    def moved(self, changes: Sequence[Change]) -> set[str]:
        """The projects whose answers may be others after these changes."""
        found = {
            change.name
            for change in changes
            if change.resource == table.APP_PROJECT.resource and change.namespace == NAMESPACE
        }
        if any(change.resource == table.CLUSTER.resource for change in changes):
            found.update(name for name, project in self._projects.items() if _scoped(project))
        return found

    async def of_app(self, app: Manifest, sources: Iterable[Source], cluster: ClusterFacts) -> str:
        """Why the Application may not be as it is, "" where it may."""
        project = await self.project(app)
        if project is None:
            return f"Application referencing project {project_of(app)} which does not exist"
        own = await self._clusters(project)
        place = Cluster(cluster.server, cluster.name)
        return projects.check_app(project, app, [each.repo for each in sources], place, own, NAMESPACE)

    async def of_objects(
        self, app: Manifest, cluster: ClusterFacts, bundle: str, fresh: Packed | None
    ) -> str:
        """Why a bundle may not be assigned, "" where it may. `fresh` is the bundle where it is not stored yet."""
        project = await self.project(app)
        if project is None or not bundle or projects.permits_everything(project):
            return ""
        found = await self._opened(bundle, fresh)
        own = await self._clusters(project)
        return projects.check_objects(project, found, Cluster(cluster.server, cluster.name), own)

    async def account(self, app: Manifest, cluster: ClusterFacts, enabled: bool | None) -> tuple[str, str]:
        """(the ServiceAccount that the Application's objects are written as, why there is none); see `core.projects.accounts`."""
        project = await self.project(app)
        return accounts.of(project, app, cluster.server, enabled) if project is not None else ("", "")

    async def project(self, app: Manifest) -> Manifest | None:
        """The Application's project, None where there is none of that name."""
        name = project_of(app)
        if name in self._instead:
            return self._instead[name]
        return (await self.projects()).get(name)

    async def projects(self) -> Mapping[str, Manifest]:
        """All projects by name, as they are."""
        listed = await self._world.listed(table.APP_PROJECT, NAMESPACE)
        if listed is not self._listed:
            self._listed = listed
            self._projects = {item["metadata"]["name"]: item for item in listed}
        return self._projects

    async def _clusters(self, project: Manifest) -> list[Cluster]:
        """Those that belong to the project, where that matters."""
        if not _scoped(project):
            return []
        name = project["metadata"]["name"]
        return [
            Cluster(each.server, each.name) for each in await self._world.clusters() if each.project == name
        ]

    async def _opened(self, digest: str, fresh: Packed | None) -> frozenset[Resource]:
        found = self._resources.get(digest)
        if found is None:
            blob = fresh.blob if fresh else await self._store.read(lambda tx: bundles.get(tx, digest))
            found = await asyncio.to_thread(_resources_of, blob, digest) if blob else frozenset()
            while len(self._resources) >= _KEPT:
                del self._resources[next(iter(self._resources))]
            self._resources[digest] = found
        return found


def project_of(app: Manifest) -> str:
    """The name of an Application's project."""
    return app["spec"].get("project") or "default"


def _scoped(project: Manifest) -> bool:
    return bool((project.get("spec") or {}).get("permitOnlyProjectScopedClusters"))


def _resources_of(blob: bytes, digest: str) -> frozenset[Resource]:
    return projects.resources(bundle_format.unpack(blob, digest))
