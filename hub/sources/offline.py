"""Where the offline command's evaluations get their inputs: files that the user names on the command line."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argosy.errors import ArgosyError, Invalid
from argosy.objects import Manifest, split_api_version
from hub.core.fleet import Fleet
from hub.core.generators.base import GeneratorFailed, ProviderRequest, Request, TreeRequest, secret_texts
from hub.core.schema import schema
from hub.core.secret import SECRET_TYPE
from hub.core.tree import MemoryTree, Tree
from hub.core.types import NAMESPACE, Answer, ClusterFacts, Complete, Failed


class OfflineSources:
    """A `Sources` over manifests and folders. `fetch` answers requests; what it cannot answer is `Failed`."""

    def __init__(
        self,
        *,
        clusters: Sequence[Any],
        objects: Sequence[Any],
        repos: Mapping[str, str],
        budget: float,
    ) -> None:
        in_order = sorted(clusters, key=_name)
        self._clusters = Fleet(facts for item in in_order if (facts := cluster_facts(item)) is not None)
        self._objects = [manifest for manifest in (*objects, *clusters) if isinstance(manifest, dict)]
        self._repos = {_same(url): folder for url, folder in repos.items()}
        self._budget = budget
        self._answers: dict[Request, Answer[Any]] = {}

    def clusters(self) -> Fleet:
        return self._clusters

    def tree(self, request: TreeRequest) -> Answer[Tree] | None:
        return self._answers.get(request)

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]] | None:
        return self._answers.get(request)

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        found = [
            manifest
            for manifest in self._objects
            if _is_resource(manifest, group, resource)
            and (manifest.get("metadata") or {}).get("namespace", namespace) == namespace
        ]
        return sorted(found, key=_name)

    def fetch(self, requests: Sequence[Request]) -> None:
        """Answers every request, from folders at once, from providers within the budget."""
        providers = [request for request in requests if isinstance(request, ProviderRequest)]
        for request in requests:
            if isinstance(request, TreeRequest):
                self._answers[request] = self._open(request)
        if providers:
            self._ask(providers)

    def _ask(self, requests: list[ProviderRequest]) -> None:
        import asyncio

        from hub.providers import table

        began = time.monotonic()
        answers = asyncio.run(table.answer_all(requests, seconds=max(self._budget, 0.0)))
        for request, answer in answers.items():
            self._answers[request] = answer
        self._budget -= time.monotonic() - began

    def _open(self, request: TreeRequest) -> Answer[Tree]:
        folder = self._repos.get(_same(request.repo_url))
        if folder is None:
            return Failed(
                f"repository {request.repo_url} is not known: name it with --repo {request.repo_url}=DIR"
            )
        try:
            if is_repository(folder):
                from hub.sources import local_git

                tree: Tree = local_git.at_revision(folder, request.revision)
            else:
                tree = folder_tree(folder)
        except ArgosyError as error:
            return Failed(f"repository {request.repo_url}: {error.message}")
        return Complete(tree, tree.commit)


def _name(manifest: Any) -> str:
    """The API server lists in this order."""
    return str((manifest.get("metadata") or {}).get("name")) if isinstance(manifest, dict) else ""


def _same(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def is_repository(folder: str) -> bool:
    """True for a working tree or a bare repository, False for a plain folder (also one inside a
    repository).
    """
    place = Path(folder)
    return (place / ".git").exists() or ((place / "HEAD").is_file() and (place / "objects").is_dir())


def folder_tree(folder: str) -> MemoryTree:
    """The files of a plain folder, without `.git`, as one commit named by their content."""
    files: dict[str, bytes] = {}
    links = set()
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in [*names, *(inner for inner in folders if Path(root, inner).is_symlink())]:
            place = Path(root, name)
            path = place.relative_to(folder).as_posix()
            if place.is_symlink():
                links.add(path)
                files[path] = os.readlink(place).encode()
            elif place.is_file():
                files[path] = place.read_bytes()
    content = hashlib.sha1(usedforsecurity=False)
    for path in sorted(files):
        content.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return MemoryTree(files, content.hexdigest(), frozenset(links))


def chart_tree(folder: str, chart: str, revision: str) -> Tree:
    """A chart of a folder that stands for its repository: `CHART-VERSION.tgz`, or else the folder `CHART`, which
    stands for every version. Raises `NotFound`, `Invalid`.
    """
    from hub.charts import archive
    from hub.core.apps import charts

    name = chart or Path(folder).name
    start, end = f"{name}-", ".tgz"
    packed = {
        path.name[len(start) : -len(end)]: path
        for path in sorted(Path(folder).glob(f"*{end}"))
        if path.name.startswith(start)
    }
    unpacked = Path(folder, chart)
    if not packed and unpacked.is_dir():
        return folder_tree(str(unpacked))
    version = charts.choose(revision, list(packed), f"{folder}: {name}")
    return archive.tree(packed[version].read_bytes(), version, str(packed[version]), strip=True)


def cluster_facts(manifest: Any) -> ClusterFacts | None:
    """A `Cluster` object or an Argo CD cluster Secret as facts; None for anything else."""
    if not isinstance(manifest, dict):
        return None
    metadata = manifest.get("metadata") or {}
    _check_texts(metadata)
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if manifest.get("kind") == "Cluster":
        spec = manifest.get("spec") or {}
        name = spec.get("name") or metadata.get("name", "")
        server = spec.get("server") or f"https://{name}"
        return ClusterFacts(
            name, server, labels, annotations, spec.get("project", ""), metadata.get("uid", "")
        )
    here = metadata.get("namespace", NAMESPACE) == NAMESPACE
    if manifest.get("kind") != "Secret" or labels.get(SECRET_TYPE) != "cluster" or not here:
        return None
    try:
        data = secret_texts(manifest)
    except GeneratorFailed as failure:
        raise Invalid(failure.message) from None
    return ClusterFacts(
        data.get("name", ""), data.get("server", ""), labels, annotations, data.get("project", ""),
        metadata.get("uid", ""),
    )  # fmt: skip


def _check_texts(metadata: Manifest) -> None:
    for part in ("labels", "annotations"):
        for key, text in (metadata.get(part) or {}).items():
            if not isinstance(text, str):
                found = schema.described(text)
                where = f"{metadata.get('name')}: metadata.{part}.{key}"
                raise Invalid(f"{where}: expected a string, found {found}: put it in quotes")


def _is_resource(manifest: Manifest, group: str, resource: str) -> bool:
    if split_api_version(str(manifest.get("apiVersion", "")))[0] != group:
        return False
    kind = str(manifest.get("kind", "")).lower()
    return resource in plurals(kind)


def plurals(kind: str) -> tuple[str, ...]:
    """What the resource of a kind may be called: without its definition the plural can only be guessed."""
    if kind.endswith(("s", "x", "z", "ch", "sh")):
        return (kind, kind + "es")
    if kind.endswith("y") and kind[-2:-1] not in ("a", "e", "i", "o", "u"):
        return (kind, kind[:-1] + "ies")
    return (kind, kind + "s")
