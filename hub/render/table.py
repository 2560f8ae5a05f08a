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
    """By the source's own block, else by the files of its folder: a kustomization, also beside a Chart.yaml, then a
    Chart.yaml, then a plain directory, as Argo CD (3.6) looks through them. Raises `Invalid` for tools that are not
    supported.
    """
    tool = source.tool or _by_files(source, tree)
    if tool == sources.PLUGIN:
        raise Invalid(f"{source.where}.plugin: config management plugins are not supported")
    return RENDERERS[tool]


def _by_files(source: Source, tree: Tree) -> str:
    folder = files.real(tree, source.path, f"{source.where}.path")
    if prescan.holds_kustomization(tree, folder):
        return sources.KUSTOMIZE
    if files.is_file(tree, posixpath.join(folder, "Chart.yaml")):
        return sources.HELM
    return sources.DIRECTORY
