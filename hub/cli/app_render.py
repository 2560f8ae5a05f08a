"""`argosy app render`: the objects of an Application as the hub would assign them, without a hub.

Works offline: each repository is a folder of this machine, named with `--repo URL=DIR`. Only charts that no
`--repo` covers are fetched from where they are. Everything heavy is imported when it is needed, since people
run this in pre-commit hooks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argosy import yamlio
from argosy.errors import ArgosyError, Invalid, NotFound
from argosy.objects import Manifest

if TYPE_CHECKING:
    from hub.charts.charts import Charts
    from hub.core.apps.sources import Source
    from hub.core.tree import Tree

OK, UNUSABLE, PROBLEMS = 0, 1, 2
"""Exit codes: rendered; the input cannot be used; rendering found problems."""


def render(
    file: str,
    *,
    repos: Sequence[str] = (),
    objects: str = "",
    kube_version: str = "",
    api_versions: Sequence[str] = (),
    output: str = "yaml",
) -> int:
    """Prints the objects of the one Application in `file` ("-" is standard input); problems go to stderr.

    `objects` is a file with what the hub would hold: repository Secrets, and `argocd-cm`.
    """
    try:
        application = _application(file)
        folders = dict(_repo(text) for text in repos)
        held = _held(objects)
        from hub.core.apps import sources

        found = sources.of(application)
    except ArgosyError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return UNUSABLE
    kitchen = _Kitchen(application, folders, held, kube_version, tuple(api_versions))
    try:
        shown, problems = asyncio.run(kitchen.render(found))
    except ArgosyError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return PROBLEMS
    for problem in problems:
        print(problem, file=sys.stderr)
    if any(problem.startswith("error: ") for problem in problems):
        return PROBLEMS
    _print(shown, output)
    return OK


class _Kitchen:
    """One render of one Application."""

    def __init__(
        self,
        application: Manifest,
        folders: Mapping[str, str],
        held: Sequence[Manifest],
        kube_version: str,
        api_versions: tuple[str, ...],
    ) -> None:
        self._application = application
        self._folders = folders
        self._held = held
        self._kube = (kube_version, api_versions)
        self._charts: Charts | None = None

    async def render(self, found: Sequence[Source]) -> tuple[list[Manifest], list[str]]:
        """(finished objects, problems and warnings). Raises our errors."""
        from hub.core import settings
        from hub.core.apps import finish, sources
        from hub.render.rendering import Rendering
        from hub.render.sandbox import Sandbox

        rendering = Rendering(Sandbox())
        chosen = settings.of(self._data(settings.CONFIG_MAP))
        try:
            rendered = await self._rendered(rendering, found, chosen.build_options)
        finally:
            rendering.sandbox.close()
            if self._charts is not None:
                await self._charts.close()
        metadata, spec = self._application["metadata"], self._application["spec"]
        namespace = (spec.get("destination") or {}).get("namespace") or ""
        app = sources.instance_name(metadata.get("name") or "", metadata.get("namespace") or "")
        finished = finish.finish(rendered, chosen.target(namespace, app))
        problems = [f"error: {problem}" for problem in finished.problems]
        return finished.objects, [*problems, *(f"warning: {warning}" for warning in finished.warnings)]

    async def _rendered(self, rendering: Any, found: Sequence[Source], build_options: str) -> list[Manifest]:
        from hub.render.base import Kube
        from hub.render.rendering import Setting
        from hub.render.supplies import Supplies

        async def kube() -> Kube:
            return Kube(*self._kube)

        setting = Setting(build_options, kube)
        trees = [await self._tree(source) for source in found]
        refs = {source.ref: tree for source, tree in zip(found, trees, strict=True) if source.ref}
        supplies = Supplies(self._fetch)
        rendered: list[Manifest] = []
        for source, tree in zip(found, trees, strict=True):
            if source.renders:
                whole = await supplies.whole(source, tree, refs)
                prepared = await rendering.prepare(self._application, source, whole, setting)
                rendered += await rendering.objects(prepared)
        return rendered

    async def _tree(self, source: Source) -> Tree:
        """A repository at the source's revision; a plain folder stands for every revision."""
        from hub.core.apps import charts

        if charts.is_address(source.address):
            return await self._fetch(source.address, source.revision)
        return self._lying_here(source)

    def _lying_here(self, source: Source) -> Tree:
        from hub.core import repos
        from hub.sources import offline

        folder = self._folders.get(repos.location(source.repo))
        if folder is None:
            raise Invalid(
                f"{source.where}.repoURL: {source.repo}: say where it is with --repo {source.repo}=DIR"
            )
        if not Path(folder).is_dir():
            raise NotFound(f"--repo {source.repo}={folder}: no such folder")
        if not offline.is_repository(folder):
            return offline.folder_tree(folder)
        from hub.sources import local_git

        return local_git.at_revision(folder, source.revision, source.tag_prefix)

    async def _fetch(self, address: str, revision: str) -> Tree:
        """A chart: of the folder that `--repo` gives for its repository, else from where it is."""
        from hub.core import repos
        from hub.core.apps import charts
        from hub.sources import offline

        place = charts.place(address)
        within = place.repository.rpartition("/")[0] if place.protocol == charts.OCI else place.repository
        url = within if "://" in within else f"oci://{within}"
        folder = self._folders.get(repos.location(url))
        if folder is not None:
            return offline.chart_tree(folder, place.chart, revision)
        archives = self._archives()
        refs = await archives.refs(address)
        return await archives.tree(address, await archives.resolve(address, revision, refs=refs))

    def _archives(self) -> Charts:
        from hub.charts import keyring
        from hub.charts.charts import Charts
        from hub.core import repos, secret

        if self._charts is None:
            secrets = [
                {**secret.texts(each), secret.SECRET_TYPE: kind}
                for each in self._held
                if each.get("kind") == "Secret" and (kind := keyring.kind_of(each))
            ]
            cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
            authorities = {host.lower(): pem for host, pem in self._data(repos.TLS_CERTIFICATES).items()}
            self._charts = Charts(Path(cache, "argosy", "charts"), keyring.keyring(secrets, authorities))
        return self._charts

    def _data(self, name: str) -> dict[str, str]:
        for each in self._held:
            if each.get("kind") == "ConfigMap" and (each.get("metadata") or {}).get("name") == name:
                return {str(key): str(value) for key, value in (each.get("data") or {}).items()}
        return {}


def _held(file: str) -> list[Manifest]:
    if not file:
        return []
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    found = yamlio.load_all(data, source=file)
    listed = [item for each in found if isinstance(each, dict) for item in each.get("items") or [each]]
    return [each for each in listed if isinstance(each, dict)]


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
    from hub.core.schema import parse

    # Neither decides what is rendered, and files in the making may leave them out.
    spec = {"project": "default", "destination": {}, **apps[0]["spec"]}
    try:
        return parse.application({**apps[0], "spec": spec})
    except Invalid as error:
        raise Invalid(f"{file}: {error.message}") from None


def _repo(text: str) -> tuple[str, str]:
    from hub.core import repos

    url, sign, folder = text.rpartition("=")
    if not sign or not url or not folder:
        raise Invalid(f"--repo {text}: URL=DIR is expected")
    # A registry's repository may be written without its protocol, as in an Application.
    known = "://" in url or url.startswith("/") or ("@" in url and ":" in url)
    return repos.location(url if known else f"oci://{url}"), folder


def _print(found: list[Manifest], output: str) -> None:
    if output == "json":
        import json

        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, indent=2, ensure_ascii=False))
    else:
        print("---\n".join(yamlio.dump(each) for each in found), end="")
