"""The way from a commit to its meaning, with the hub's own mirror, generators and renderer, and no hub around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from argosy import bundle
from argosy.objects import Manifest
from bench.roles import talk
from hub.core.apps import sources
from hub.core.appsets import increment
from hub.core.appsets.expand import Evaluator
from hub.core.fleet import Fleet
from hub.core.generators.base import Inputs, ProviderRequest, TreeRequest
from hub.core.matching import semver
from hub.core.schema import parse
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed
from hub.git.mirror import Mirrors
from hub.loops.apps.kitchen import Kitchen
from hub.render.rendering import Rendering
from hub.render.sandbox import Sandbox


class World:
    """One tree and nothing else."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def clusters(self) -> Fleet:
        return Fleet()

    def tree(self, request: TreeRequest) -> Answer[Tree]:
        return Complete(self._tree, self._tree.commit)

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]]:
        return Failed("nobody is asked here")

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        return ()


class Planner:
    def __init__(self, folder: Path, folders: int) -> None:
        self._mirrors = Mirrors(folder, highest=semver.highest)
        self._sandbox = Sandbox()
        self._kitchen = Kitchen(Rendering(self._sandbox))
        self._folders = folders
        self._kept: list[Inputs] = []
        self._bundles: dict[str, str] = {}

    async def first(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Brings the repository here and evaluates every set once."""
        tree = await self._fetched(asked["url"])
        sets = [_appset(asked["url"], "apps/*", "directories")]
        sets += [_appset(asked["url"], f"apps/{n}/*.yaml", "files") for n in range(self._folders)]
        self._kept = [Evaluator(parse.application_set(one)).evaluate(World(tree)).inputs for one in sets]
        await self._bundle(asked["url"], tree, "apps/0")
        return {}

    async def plan(self, asked: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        tree = await self._fetched(asked["url"])
        fetched = time.monotonic()
        concerned = [
            inputs
            for inputs in self._kept
            if any(increment.tree_concerns(inputs, request, tree) for request in inputs.trees)
        ]
        digest = await self._bundle(asked["url"], tree, asked["path"])
        ended = time.monotonic()
        return {
            "fetch": fetched - began,
            "seconds": ended - fetched,
            "concerned": len(concerned),
            "digest": digest,
        }

    async def noop(self, asked: dict[str, Any]) -> dict[str, Any]:
        began, cpu = time.monotonic(), time.process_time()
        refs = await self._mirrors.refs(asked["url"])
        await self._mirrors.tree(asked["url"], refs["HEAD"])
        return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}

    async def pyyaml(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The same files, parsed by the fastest of PyYAML's loaders."""
        tree = await self._fetched(asked["url"])
        start = asked["path"] + "/"
        data = [tree.read(path) for path in tree.paths() if path.startswith(start)]
        began = time.monotonic()
        for text in data:
            list(yaml.load_all(text, Loader=yaml.CSafeLoader))
        return {"seconds": time.monotonic() - began}

    async def close(self) -> None:
        await self._mirrors.close()
        self._sandbox.close()

    async def _fetched(self, url: str) -> Tree:
        refs = await self._mirrors.refs(url)
        return await self._mirrors.tree(url, refs["HEAD"])

    async def _bundle(self, url: str, tree: Tree, path: str) -> str:
        app = _application(url, path)
        dish = await self._kitchen.prepare(app, [(source, tree) for source in sources.of(app)])
        if (known := self._bundles.get(dish.digest)) is not None:
            # As in the hub: a recipe that is known is not cooked again.
            return known
        found = await self._kitchen.cook(dish)
        digest, _ = await asyncio.to_thread(bundle.pack, found)
        self._bundles[dish.digest] = digest
        return digest


def _application(url: str, path: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "plan", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": path},
            "destination": {"name": "one", "namespace": "shop"},
        },
    }


def _appset(url: str, pattern: str, what: str) -> Manifest:
    spec = _application(url, "{{.path.path}}")["spec"]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "plan", "namespace": "argocd"},
        "spec": {
            "goTemplate": True,
            "generators": [{"git": {"repoURL": url, "revision": "HEAD", what: [{"path": pattern}]}}],
            "template": {"metadata": {"name": "{{.path.basenameNormalized}}"}, "spec": spec},
        },
    }


async def main(*, folder: str, folders: int) -> None:
    planner = Planner(Path(folder), folders)
    try:
        await talk.answer(
            {"first": planner.first, "plan": planner.plan, "noop": planner.noop, "pyyaml": planner.pyyaml}
        )
    finally:
        await planner.close()
