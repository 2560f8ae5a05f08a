"""Renders each ingredient once, however many Applications share it and however many ask at the same time."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from argosy import objects, sealed
from argosy.objects import Manifest
from hub.core.apps import mounted, recipe, sources
from hub.core.apps.mounted import Mounted
from hub.core.apps.recipe import Ingredient
from hub.core.apps.sources import Source
from hub.core.matching import semver
from hub.core.tree import Tree
from hub.render import edit, files, helm, seals, table
from hub.render.base import Asks, Kube, Renderer
from hub.render.sandbox import Sandbox

K = TypeVar("K")
V = TypeVar("V")

_KEPT = 4096
_OBJECTS_KEPT = 20_000


async def _unknown() -> Kube:
    return Kube()


@dataclass(frozen=True)
class Setting:
    """What renders depend on beside their sources: the flags of `kustomize build`, and the cluster, which is
    asked for only where a chart speaks of it.
    """

    build_options: str = ""
    kube: Callable[[], Awaitable[Kube]] = _unknown


PLAIN = Setting()


@dataclass(frozen=True)
class _Nature:
    """What a source is by the files of its folder. `asks`: how its output may differ between clusters."""

    tool: str
    asks: Asks


@dataclass(frozen=True)
class Prepared:
    """A source that is ready to be rendered: overrides read, variables put in, its tool and its recipe's
    part known.
    """

    source: Source
    tree: Tree
    ingredient: Ingredient


class Rendering:
    """The caches in front of the renderers. For one event loop."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.renders = 0
        """Renders done so far; what came from the caches is not counted."""
        self._ingredients: OrderedDict[tuple[str, str, str], Prepared] = OrderedDict()
        self._looks: OrderedDict[tuple[str, str, str], tuple[frozenset[str], _Nature]] = OrderedDict()
        self._asking: OrderedDict[str, Asks] = OrderedDict()
        self._lock = threading.Lock()
        self._objects: OrderedDict[str, list[Manifest]] = OrderedDict()
        self._held = 0
        self._running: dict[str, asyncio.Task[list[Manifest]]] = {}

    async def prepare(
        self, application: Manifest, source: Source, tree: Tree, setting: Setting = PLAIN
    ) -> Prepared:
        """Reads what the recipe needs. Raises `Invalid` for what cannot be rendered, `Unavailable` where
        Git cannot be read or the tool is missing.
        """
        variables = sources.environment(application, source, tree.commit)
        refs = tuple(tree.refs) if isinstance(tree, Mounted) else ()
        app = variables["ARGOCD_APP_NAME"]
        overrides, nature = await self._look(source, tree)
        own = overrides.intersection(sources.override_paths(source, app))
        kube, asks = Kube(), nature.asks
        if asks or own:
            kube = await setting.kube()
            if kube.version:
                kube = replace(kube, version=semver.generic(kube.version, "the cluster's version"))
            variables |= {"KUBE_VERSION": kube.version, "KUBE_API_VERSIONS": ",".join(kube.apis or ())}
        namespace = variables["ARGOCD_APP_NAMESPACE"]
        there = [asks, kube.version, (kube.digest or kube.apis) if own or asks is Asks.APIS else ""]
        release = (application["metadata"].get("name") or "", namespace, there)
        before = sources.substituted(source, variables, refs)
        key = (
            f"{source.address} {mounted.identity(tree)}",
            source.path,
            objects.canonical(
                [
                    source.tool,
                    before.options,
                    source.where,
                    sorted(own),
                    variables if own else None,
                    release if own or nature.tool == sources.HELM else None,
                    setting.build_options if own or nature.tool == sources.KUSTOMIZE else None,
                ]
            ).decode(),
        )
        known = self._ingredients.get(key)
        if known is not None:
            self._ingredients.move_to_end(key)
            return known
        found = await self.sandbox.call(functools.partial(_ready, source, tree, app, variables, refs))
        if found.tool == sources.HELM:
            found = helm.settled(found, release[0], namespace, kube, asks)
        elif found.tool == sources.KUSTOMIZE and setting.build_options:
            options = list(edit.build_options(setting.build_options))
            found = replace(found, options={**found.options, edit.BUILD_OPTIONS: options})
        renderer = table.RENDERERS[found.tool]
        version = await renderer.version(self.sandbox)
        paths = await self.sandbox.call(functools.partial(renderer.inputs, found, tree))
        part = await self.sandbox.call(
            functools.partial(recipe.ingredient, found, renderer.name, version, tree, paths)
        )
        prepared = Prepared(found, tree, part)
        _keep(self._ingredients, key, prepared)
        return prepared

    async def _look(self, source: Source, tree: Tree) -> tuple[frozenset[str], _Nature]:
        """The files of a source's folder that override sources, its own or of one Application, and what the
        source is: looked at once for each commit.
        """
        key = (f"{source.address} {mounted.identity(tree)}", source.path, source.tool)
        known = self._looks.get(key)
        if known is None:
            known = await self.sandbox.call(functools.partial(self._looked, source, tree))
            _keep(self._looks, key, known)
        overrides, nature = known
        if source.options and nature.tool == sources.HELM:
            nature = replace(nature, asks=_asked(objects.canonical(source.options), nature.asks))
        return overrides, nature

    def _looked(self, source: Source, tree: Tree) -> tuple[frozenset[str], _Nature]:
        overrides = frozenset(files.beginning(tree, sources.override_start(source)))
        if source.tool not in ("", sources.HELM):
            return overrides, _Nature(source.tool, Asks.NOTHING)
        tool = table.detect(source, tree).name
        if tool != sources.HELM:
            return overrides, _Nature(tool, Asks.NOTHING)
        # A chart's files are read for this, and few commits change them.
        content = tree.tree_id(source.path) or ""
        asks = self._asking.get(content) if content else None
        if asks is None:
            asks = helm.asks(source, tree)
            with self._lock:
                _keep(self._asking, content, asks)
        return overrides, _Nature(tool, asks)

    async def objects(self, prepared: Prepared) -> list[Manifest]:
        """What the tool makes of the source; not to be changed, others share it. Raises as `prepare` does."""
        key = prepared.ingredient.digest
        known = self._objects.get(key)
        if known is not None:
            self._objects.move_to_end(key)
            return known
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._render(key, prepared))
            task.add_done_callback(functools.partial(self._done, key))
            self._running[key] = task
        return await asyncio.shield(task)

    async def _render(self, key: str, prepared: Prepared) -> list[Manifest]:
        self.renders += 1
        renderer = table.RENDERERS[prepared.ingredient.tool]
        found = await renderer.render(prepared.source, prepared.tree, self.sandbox)
        if any(map(sealed.is_sealed, found)):
            found = await self.sandbox.call(functools.partial(_sealed, renderer, prepared, found))
        self._objects[key] = found
        self._held += len(found)
        while self._held > _OBJECTS_KEPT and len(self._objects) > 1:
            self._held -= len(self._objects.popitem(last=False)[1])
        return found

    def _done(self, key: str, task: asyncio.Task[list[Manifest]]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()


def _keep(cache: OrderedDict[K, V], key: K, value: V) -> None:
    cache[key] = value
    while len(cache) > _KEPT:
        cache.popitem(last=False)


def _asked(options: bytes, asks: Asks) -> Asks:
    """What is asked where options name variables of the cluster, too."""
    if b"KUBE_API_VERSIONS" in options:
        return Asks.APIS
    return max(asks, Asks.VERSION) if b"KUBE_VERSION" in options else asks


def _sealed(renderer: Renderer, prepared: Prepared, found: list[Manifest]) -> list[Manifest]:
    paths = renderer.inputs(prepared.source, prepared.tree)
    return seals.attached(found, prepared.tree, paths)


def _ready(source: Source, tree: Tree, app: str, variables: dict[str, str], refs: tuple[str, ...]) -> Source:
    """The source with its overrides, its variables and the tool it gets."""
    found = sources.substituted(sources.overridden(source, tree, app), variables, refs)
    return sources.with_tool(found, table.detect(found, tree).name)
