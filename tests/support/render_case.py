"""An Application over a tree held in memory, rendered the whole way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from argosy.errors import Unavailable
from hub.core.apps import finish, recipe, sources
from hub.core.tree import MemoryTree
from hub.render import kustomize
from hub.render.rendering import Rendering


def _builds() -> bool:
    try:
        kustomize.find()
    except Unavailable:
        return False
    return True


needs_kustomize = pytest.mark.skipif(not _builds(), reason="neither kustomize nor kubectl is installed")

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: value\n"


def config_map(name: str = "one") -> str:
    return CONFIG_MAP.format(name=name)


def tree(files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> MemoryTree:
    content = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    targets = {path: target.encode() for path, target in (links or {}).items()}
    return MemoryTree(content | targets, "c" * 40, frozenset(targets))


def application(path: str = ".", name: str = "app", **blocks: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "destination": {"name": "here", "namespace": "there"},
            "source": {"repoURL": "https://git.example.com/a", "path": path, **blocks},
        },
    }


async def rendered(
    rendering: Rendering, files: MemoryTree, path: str = ".", **blocks: Any
) -> list[dict[str, Any]]:
    """The objects as the tool gives them."""
    app = application(path, **blocks)
    (source,) = sources.of(app)
    return await rendering.objects(await rendering.prepare(app, source, files))


async def digest(
    rendering: Rendering, files: MemoryTree, path: str = ".", name: str = "app", **blocks: Any
) -> str:
    """The digest of the recipe, without rendering."""
    app = application(path, name, **blocks)
    (source,) = sources.of(app)
    prepared = await rendering.prepare(app, source, files)
    return recipe.recipe([prepared.ingredient], finish.Target("there", method=finish.NONE)).digest


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]
