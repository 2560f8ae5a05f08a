"""All renderers, and which one a source gets."""

from __future__ import annotations

import posixpath

from argosy.errors import Invalid
from hub.core.apps import sources
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render import files, prescan
from hub.render.base import Renderer
from hub.render.directory import DIRECTORY
from hub.render.helm import HELM
from hub.render.kustomize import KUSTOMIZE

RENDERERS = {renderer.name: renderer for renderer in (DIRECTORY, KUSTOMIZE, HELM)}


def detect(source: Source, tree: Tree) -> Renderer:
    """By the source's own block, else by the files of its folder, in Argo CD's order (3.6): Chart.yaml, a
    kustomization, a plain directory. Raises `Invalid` for tools that are not supported.
    """
    tool = source.tool or _by_files(source, tree)
    if tool == sources.PLUGIN:
        raise Invalid(f"{source.where}.plugin: config management plugins are not supported")
    return RENDERERS[tool]


def _by_files(source: Source, tree: Tree) -> str:
    folder = files.real(tree, source.path, f"{source.where}.path")
    if files.is_file(tree, posixpath.join(folder, "Chart.yaml")):
        return sources.HELM
    if any(files.is_file(tree, posixpath.join(folder, name)) for name in prescan.NAMES):
        return sources.KUSTOMIZE
    return sources.DIRECTORY
