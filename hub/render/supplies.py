"""What a source needs beside its own tree: the trees its references name, and the charts its chart depends on.

Dependencies that lie in `charts/` are taken from there; `file://` ones from the same tree; all others are
fetched, at the version of `Chart.lock`, by whoever gives `fetch`. helm itself never fetches.
"""

from __future__ import annotations

import asyncio
import functools
import posixpath
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from argosy import yamlio
from argosy.errors import Invalid, NotFound
from hub.core.apps import charts, sources
from hub.core.apps.charts import Dependency
from hub.core.apps.mounted import Mounted
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render import files, table

Fetch = Callable[[str, str], Awaitable[Tree]]
"""(address, version or range) -> the chart. Raises our errors."""

_KEPT = 4096
_COMMITS_KEPT = 64
_MOST = 200


@dataclass(frozen=True, slots=True)
class Need:
    """A folder of the tree that is empty until something is put there: a fetched chart, or the folder
    `beside` of the same tree.
    """

    folder: str
    address: str = ""
    version: str = ""
    beside: str = ""


class Supplies:
    """Gives each source its whole tree. For one event loop."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._charts: OrderedDict[tuple[str, str], asyncio.Task[dict[str, bool]]] = OrderedDict()
        self._needs: OrderedDict[tuple[str, str, str, str], tuple[Need, ...]] = OrderedDict()

    async def whole(self, source: Source, tree: Tree, refs: Mapping[str, Tree]) -> Tree:
        """The tree with everything that rendering may read. Raises as `Fetch` does, and `Invalid`."""
        if source.tool not in ("", sources.HELM):
            return tree
        inside: dict[str, tuple[Tree, str]] = {}
        for need in () if source.chart else await self._needed(source, tree):
            if need.address:
                inside[need.folder] = (await self._fetch(need.address, need.version), "")
            else:
                inside[need.folder] = (tree, need.beside)
        return Mounted(tree, inside, refs) if inside or refs else tree

    async def _needed(self, source: Source, tree: Tree) -> tuple[Need, ...]:
        if not await self._holds_chart(source, tree):
            return ()
        key = (source.address, tree.commit, source.path, source.tool)
        found = self._needs.get(key)
        if found is None:
            found = await asyncio.to_thread(needs, source, tree)
            self._needs[key] = found
            while len(self._needs) > _KEPT:
                self._needs.popitem(last=False)
        return found

    async def _holds_chart(self, source: Source, tree: Tree) -> bool:
        """Whether there may be a chart at the source's path; all charts of a commit are looked up together."""
        key = (source.address, tree.commit)
        looking = self._charts.get(key)
        if looking is None:
            looking = self._charts[key] = asyncio.create_task(asyncio.to_thread(_chart_folders, tree))
            looking.add_done_callback(functools.partial(self._looked, key))
            while len(self._charts) > _COMMITS_KEPT:
                self._charts.popitem(last=False)
        folders = await asyncio.shield(looking)
        above = source.path
        while above and above not in folders:
            above = above.rpartition("/")[0]
        # A link on the way may lead to a chart, and so may be one.
        return above in folders and (above == source.path or folders[above])

    def _looked(self, key: tuple[str, str], looking: asyncio.Task[dict[str, bool]]) -> None:
        """What could not be looked up is looked up again."""
        failed = looking.cancelled() or looking.exception() is not None
        if failed and self._charts.get(key) is looking:
            del self._charts[key]


def _chart_folders(tree: Tree) -> dict[str, bool]:
    """Folder with a chart -> False, symbolic link -> True."""
    likely = (path.rpartition("/") for path in tree.paths() if path.endswith("Chart.yaml"))
    found = {folder: False for folder, _, name in likely if name == "Chart.yaml"}
    return found | dict.fromkeys(tree.symlinks(), True)


def needs(source: Source, tree: Tree) -> tuple[Need, ...]:
    """What is missing of the chart at a source's path. A chart beside it is taken in as it lies there, like `helm dependency
    build` does it for Argo CD: without what that one misses itself.
    """
    if table.detect(source, tree).name != sources.HELM:
        return ()
    folder = files.real(tree, source.path, f"{source.where}.path")
    chart = _first(tree, folder, "Chart.yaml")
    if chart is None:
        return ()
    path, lock = chart, _first(tree, folder, "Chart.lock")
    wanted = charts.dependencies(files.content(tree, chart), _content(tree, lock), path)
    old = _first(tree, folder, "requirements.yaml")
    if not wanted and old is not None:
        lock = _first(tree, folder, "requirements.lock")
        wanted = charts.dependencies(files.content(tree, old), _content(tree, lock), old)
    below = posixpath.join(folder, "charts")
    vendored = {each[len(below) + 1 :].partition("/")[0] for each in files.beginning(tree, f"{below}/")}
    found: dict[str, Need] = {}
    for one in charts.missing(wanted, vendored):
        at = posixpath.join(below, one.name)
        if len(found) >= _MOST:
            raise Invalid(f"{path}: more than {_MOST} dependencies")
        if one.address:
            found[at] = Need(at, one.address, one.version)
        elif one.folder:
            beside = files.real(tree, posixpath.join(folder, one.folder), f"{path}: dependency {one.name}")
            if _first(tree, beside, "Chart.yaml") is None:
                raise Invalid(f"{path}: dependency {one.name}: no chart at file://{one.folder}")
            if beside == folder:
                raise Invalid(f"{path}: dependency {one.name}: it depends on itself")
            _check_version(tree, beside, one, path)
            found[at] = Need(at, beside=beside)
        else:
            raise Invalid(
                f"{path}: dependency {one.name}: it has no repository and is not in {below}; commit it there or "
                "name its repository"
            )
    return tuple(found[at] for at in sorted(found))


def _check_version(tree: Tree, beside: str, wanted: Dependency, path: str) -> None:
    """Raises `Invalid` where the chart that lies there is of another version than is asked for."""
    own = posixpath.join(beside, "Chart.yaml")
    chart = yamlio.load_first(files.content(tree, own), source=own)
    version = str(chart.get("version") or "") if isinstance(chart, dict) else ""
    if not wanted.version:
        return
    try:
        charts.choose(
            wanted.version,
            [version],
            f"{path}: dependency {wanted.name}: file://{wanted.folder} is {version}",
        )
    except NotFound as error:
        raise Invalid(error.message) from None


def _first(tree: Tree, folder: str, name: str) -> str | None:
    path = posixpath.join(folder, name)
    return path if files.is_file(tree, path) else None


def _content(tree: Tree, path: str | None) -> bytes | None:
    return None if path is None else files.content(tree, path)
