"""`argosy app render`: the objects of an Application as the hub would assign them, without a hub.

Works offline: each repository is a folder of this machine, named with `--repo URL=DIR`. Everything heavy is
imported when it is needed, since people run this in pre-commit hooks.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argosy import yamlio
from argosy.errors import ArgosyError, Invalid, NotFound
from argosy.objects import Manifest

if TYPE_CHECKING:
    from hub.core.tree import Tree

OK, UNUSABLE, PROBLEMS = 0, 1, 2
"""Exit codes: rendered; the input cannot be used; rendering found problems."""


def render(file: str, *, repos: Sequence[str] = (), output: str = "yaml") -> int:
    """Prints the objects of the one Application in `file` ("-" is standard input); problems go to stderr."""
    try:
        application = _application(file)
        folders = dict(_repo(text) for text in repos)
        from hub.core import sources

        found = sources.of(application)
    except ArgosyError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return UNUSABLE
    try:
        objects, problems = asyncio.run(_render(application, found, folders))
    except ArgosyError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return PROBLEMS
    for problem in problems:
        print(problem, file=sys.stderr)
    if any(problem.startswith("error: ") for problem in problems):
        return PROBLEMS
    _print(objects, output)
    return OK


async def _render(
    application: Manifest, found: Sequence[Any], folders: Mapping[str, str]
) -> tuple[list[Manifest], list[str]]:
    from hub.core import finish, sources
    from hub.render.rendering import Rendering
    from hub.render.sandbox import Sandbox

    metadata = application.get("metadata") or {}
    namespace = ((application.get("spec") or {}).get("destination") or {}).get("namespace") or ""
    app = sources.instance_name(metadata.get("name") or "", metadata.get("namespace") or "")
    rendering = Rendering(Sandbox())
    try:
        rendered: list[Manifest] = []
        for source in found:
            if source.renders:
                tree = _tree(source, folders)
                rendered += await rendering.objects(await rendering.prepare(application, source, tree))
    finally:
        rendering.sandbox.close()
    finished = finish.finish(rendered, finish.Target(namespace, app))
    problems = [f"error: {problem}" for problem in finished.problems]
    return finished.objects, [*problems, *(f"warning: {warning}" for warning in finished.warnings)]


def _tree(source: Any, folders: Mapping[str, str]) -> Tree:
    """A repository at the source's revision; a plain folder stands for every revision."""
    from hub.core import repos
    from hub.sources import offline

    folder = folders.get(repos.location(source.repo))
    if folder is None:
        raise Invalid(f"{source.where}.repoURL: {source.repo}: say where it is with --repo {source.repo}=DIR")
    if not Path(folder).is_dir():
        raise NotFound(f"--repo {source.repo}={folder}: no such folder")
    if not offline.is_repository(folder):
        return offline.folder_tree(folder)
    from hub.sources import local_git

    return local_git.at_revision(folder, source.revision)


def _application(file: str) -> Manifest:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    found = yamlio.load_all(data, source=file)
    apps = [each for each in found if isinstance(each, dict) and each.get("kind") == "Application"]
    if len(apps) != 1:
        raise Invalid(f"{file}: one Application is expected, found {len(apps)}")
    if not isinstance(apps[0].get("spec"), dict) or not isinstance(apps[0].get("metadata"), dict):
        raise Invalid(f"{file}: an Application has metadata and spec")
    return apps[0]


def _repo(text: str) -> tuple[str, str]:
    from hub.core import repos

    url, sign, folder = text.rpartition("=")
    if not sign or not url or not folder:
        raise Invalid(f"--repo {text}: URL=DIR is expected")
    return repos.location(url), folder


def _print(found: list[Manifest], output: str) -> None:
    if output == "json":
        import json

        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, indent=2, ensure_ascii=False))
    else:
        print("---\n".join(yamlio.dump(each) for each in found), end="")
