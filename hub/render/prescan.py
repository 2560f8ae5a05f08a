"""What a kustomize build would read, found before kustomize is started; everything outside the tree is
refused.

kustomize fetches whatever a field names: files over HTTP, bases with `git clone`; no flag turns that off. So
every kustomization that a build reaches is read here first, and each field that may name a file, a folder or
a URL must name something of the tree. Pure over the tree; starts nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from hub.core.tree import Tree
from hub.render import files

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""In the order in which kustomize looks for them; two of them in one folder are an error, as there."""

_MOST = 500
_REMOTE = re.compile(
    r"[a-z][a-z0-9+.-]*:(?::|/)|gh:|git@|[^/\s]+@[^/\s]+:|(?:www\.)?github\.com[:/]"
    r"|.*(?:\?(?:ref|version|timeout|submodules)=|/_git/|\.git(?:/|\Z))",
    re.IGNORECASE,
)
"""What kustomize would take for an address. The match is at the beginning: `vendor/github.com/x` is a
path.
"""
_FOLDERS_OR_FILES = ("resources", "bases", "components")
_PLUGINS = ("generators", "transformers", "validators")
_FILES = ("crds", "configurations")
_IMAGE = ("name", "newName", "newTag", "digest")
_HELM = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_NO_HELM = "Helm charts are not supported here; make the chart a source of its own, in spec.sources"
_PATCHES = ("patches", "patchesJson6902", "replacements")
_PLUGIN_FIELDS = ("path", "paths", "files", "envs", "env")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_PLUGIN_FOLDER = frozenset(("apiVersion", "kind", "metadata", "resources"))
_SPELT = {
    name.casefold(): name
    for name in (
        *_FOLDERS_OR_FILES,
        *_PLUGINS,
        *_FILES,
        *_HELM,
        *_PATCHES,
        *_GENERATORS,
        *_PLUGIN_FIELDS,
        "patchesStrategicMerge",
        "openapi",
    )
}
"""The fields that are looked at: kustomize reads them however their letters are written."""
_LOCAL_PATHS = re.compile(r"[^\n]{1,1024}\Z")
_KNOWN_KEYS = re.compile(r"[A-Za-z0-9_.-]+=")


@dataclass
class Reached:
    """What a build reads: `folders` holds those with a kustomization, `links` the symbolic links on the
    way.
    """

    folders: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    extra: set[str] = field(default_factory=set)
    """Files outside these folders, by a path of the tree."""


def kustomization(tree: Tree, folder: str) -> str | None:
    """The path of a folder's kustomization, None where it has none. Raises `Invalid` where it has several."""
    found = [path for name in NAMES if files.is_file(tree, path := posixpath.join(folder, name))]
    if len(found) > 1:
        raise Invalid(
            f"{folder or '.'}: {' and '.join(found)} are both kustomizations: only one may be there"
        )
    return found[0] if found else None


def holds_kustomization(tree: Tree, folder: str) -> bool:
    return any(files.is_file(tree, posixpath.join(folder, name)) for name in NAMES)


def scan(tree: Tree, root: str, components: Sequence[str] = (), where: str = "") -> Reached:
    """Follows a build from `root`. `components` are those that the Application adds to the root's
    kustomization.

    Raises `Invalid` naming the kustomization and the field for a URL, for a path that leaves the tree or is
    not in it, and for what needs a network or a program (Helm charts, exec plugins).
    """
    reached = Reached()
    start = files.real(tree, root, where or root)
    # (folder, whether the objects in it are plugins' configurations).
    todo = [(start, False)]
    if kustomization(tree, start) is None:
        raise Invalid(f"{where}: {root or '.'}: no {', '.join(NAMES)} there")
    for at, component in enumerate(components):
        part = _folder(tree, start, component, f"spec.source.kustomize.components[{at}]", reached)
        todo.append((part, False))
    seen: set[tuple[str, bool]] = set()
    while todo:
        folder, plugins = todo.pop()
        if (folder, plugins) in seen:
            continue
        seen.add((folder, plugins))
        reached.folders.add(folder)
        if len(reached.folders) > _MOST:
            raise Invalid(f"{root or '.'}: reaches more than {_MOST} kustomizations")
        todo += _one(tree, folder, reached, plugins=plugins)
    return reached


def load(tree: Tree, path: str) -> dict[str, Any]:
    """A kustomization as a mapping, the last of a doubled key's values refused as everywhere."""
    documents = yamlio.load_all(files.content(tree, path), source=path)
    documents = [document for document in documents if document is not None] or documents[:1]
    if len(documents) > 1:
        raise Invalid(f"{path}: one document is expected, found {len(documents)}")
    found = documents[0] if documents else {}
    if not isinstance(found, dict):
        raise Invalid(f"{path}: a mapping is expected")
    return found


def _one(tree: Tree, folder: str, reached: Reached, *, plugins: bool) -> Iterator[tuple[str, bool]]:
    """Checks the fields of one kustomization; gives the folders that it leads to, and whether they hold `plugins`."""
    path = kustomization(tree, folder)
    if path is None:
        raise Invalid(f"{folder or '.'}: no {', '.join(NAMES)} there")
    found = load(tree, path)
    _spelt(found, path)
    if plugins and (more := sorted(map(str, found.keys() - _PLUGIN_FOLDER))):
        # What changes configurations would change what they read, unseen.
        raise Invalid(f"{path}: {more[0]}: a folder of plugins' configurations may have resources alone")
    for name in _HELM:
        if found.get(name):
            raise Invalid(f"{path}: {name}: {_NO_HELM}")
    for name in _FOLDERS_OR_FILES:
        for at, entry in _entries(found, name, path):
            where = f"{path}: {name}[{at}]"
            for each in _resource(tree, folder, entry, where, reached, plugins=plugins):
                yield each, plugins
    for at, entry in _entries(found, "images", path):
        for part in _IMAGE if isinstance(entry, dict) else ():
            if not isinstance(entry.get(part) or "", str):
                raise Invalid(f"{path}: images[{at}].{part}: {entry[part]!r} is no text; write it in quotes")
    for name in _FILES:
        for at, entry in _entries(found, name, path):
            file(tree, folder, entry, f"{path}: {name}[{at}]", reached)
    for at, entry in _entries(found, "patchesStrategicMerge", path):
        if "\n" not in str(entry):
            file(tree, folder, entry, f"{path}: patchesStrategicMerge[{at}]", reached)
    for name in _PATCHES:
        for at, entry in _entries(found, name, path):
            named(tree, folder, entry, f"{path}: {name}[{at}]", reached)
    named(tree, folder, found.get("openapi"), f"{path}: openapi", reached)
    for name in _GENERATORS:
        for at, entry in _entries(found, name, path):
            _sources(tree, folder, entry, f"{path}: {name}[{at}]", reached)
    for name in _PLUGINS:
        for at, entry in _entries(found, name, path):
            for each in _plugin(tree, folder, entry, f"{path}: {name}[{at}]", reached):
                yield each, True


def _spelt(found: dict[Any, Any], where: str) -> None:
    """Raises `Invalid` for a field that kustomize would take for one that is looked at, and nobody else would."""
    for key in found:
        name = _SPELT.get(str(key).casefold(), key)
        if name != key:
            raise Invalid(f"{where}: {key}: kustomize reads this as {name}: write it so")


def named(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> None:
    """Notes the file that an entry names in its field `path`, where it does. Raises as `file` does."""
    if not isinstance(entry, dict):
        return
    _spelt(entry, where)
    if entry.get("path"):
        file(tree, folder, entry["path"], f"{where}.path", reached)


def _entries(found: dict[str, Any], name: str, path: str) -> Iterator[tuple[int, Any]]:
    value = found.get(name)
    if value is None:
        return
    if not isinstance(value, list):
        raise Invalid(f"{path}: {name}: a list is expected")
    yield from enumerate(value)


def _resource(
    tree: Tree, folder: str, entry: Any, where: str, reached: Reached, *, plugins: bool
) -> Iterator[str]:
    if plugins:
        yield from _plugin(tree, folder, entry, where, reached)
        return
    found = _inside(tree, folder, entry, where, reached)
    if files.is_file(tree, found):
        _outside(folder, found, reached)
    else:
        yield found


def _folder(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> str:
    found = _inside(tree, folder, entry, where, reached)
    if files.is_file(tree, found):
        raise Invalid(f"{where}: {entry} is a file, a folder with a kustomization is expected")
    return found


def file(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> None:
    """Notes a file that a field names. Raises `Invalid` for everything that is not in the tree."""
    found = _inside(tree, folder, entry, where, reached)
    if not files.is_file(tree, found):
        raise Invalid(f"{where}: {entry} is a folder, a file is expected")
    _outside(folder, found, reached)


def _outside(folder: str, found: str, reached: Reached) -> None:
    if folder and not found.startswith(f"{folder}/"):
        reached.extra.add(found)


def _inside(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> str:
    """The real path of what an entry names. Raises `Invalid` for everything that is not in the tree."""
    if not isinstance(entry, str) or not _LOCAL_PATHS.match(entry):
        raise Invalid(f"{where}: a path inside the repository is expected, found {str(entry)[:80]!r}")
    if _REMOTE.match(entry):
        raise Invalid(f"{where}: {entry} is remote; only paths inside the repository are allowed")
    if entry.startswith("/"):
        raise Invalid(f"{where}: {entry} is absolute; only paths inside the repository are allowed")
    path = posixpath.join(folder, entry)
    found = files.real(tree, path, where)
    _links(tree, path, reached)
    if not files.is_file(tree, found) and not files.is_folder(tree, found):
        raise Invalid(f"{where}: {entry}: no such file or folder at {tree.commit}")
    return found


def _links(tree: Tree, path: str, reached: Reached) -> None:
    """Notes the symbolic links that a path goes through, so that the export has them."""
    links = tree.symlinks()
    if not links:
        return
    parts = posixpath.normpath(path).split("/")
    for end in range(1, len(parts) + 1):
        here = "/".join(parts[:end])
        if here in links:
            reached.links.add(here)


def _sources(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> None:
    """The files of a ConfigMap or Secret generator: `path` or `key=path`."""
    if not isinstance(entry, dict):
        raise Invalid(f"{where}: a mapping is expected")
    _spelt(entry, where)
    for name in ("files", "envs"):
        values = entry.get(name) or []
        if not isinstance(values, list):
            raise Invalid(f"{where}.{name}: a list is expected")
        for at, value in enumerate(values):
            text = _KNOWN_KEYS.sub("", str(value), count=1) if name == "files" else str(value)
            file(tree, folder, text, f"{where}.{name}[{at}]", reached)
    if entry.get("env"):
        file(tree, folder, str(entry["env"]), f"{where}.env", reached)


def _plugin(tree: Tree, folder: str, entry: Any, where: str, reached: Reached) -> Iterator[str]:
    """A generator, transformer or validator: inline, a file of configurations, or a folder."""
    if isinstance(entry, str) and "\n" in entry:
        _configurations(tree, folder, yamlio.load_all(entry, source=where), where, reached)
        return
    found = _inside(tree, folder, entry, where, reached)
    if not files.is_file(tree, found):
        yield found
        return
    _outside(folder, found, reached)
    documents = yamlio.load_all(files.content(tree, found), source=found)
    _configurations(tree, folder, documents, f"{where}: {found}", reached)


def _configurations(tree: Tree, folder: str, documents: Sequence[Any], where: str, reached: Reached) -> None:
    for document in documents:
        if not isinstance(document, dict):
            continue
        _spelt(document, where)
        if str(document.get("kind")).startswith("HelmChart"):
            raise Invalid(f"{where}: {document['kind']}: {_NO_HELM}")
        annotations = (document.get("metadata") or {}).get("annotations") or {}
        if "config.kubernetes.io/function" in annotations:
            raise Invalid(f"{where}: functions (config.kubernetes.io/function) are not supported")
        for name in _PLUGIN_FIELDS:
            for value in _listed(document.get(name)):
                text = _KNOWN_KEYS.sub("", str(value), count=1) if name == "files" else value
                file(tree, folder, text, f"{where}: {name}", reached)
        for name in _PATCHES:
            entries = document.get(name)
            for entry in entries if isinstance(entries, list) else ():
                named(tree, folder, entry, f"{where}: {name}", reached)


def _listed(value: Any) -> list[Any]:
    """Texts of a field that may hold one or many; `path` of a JSON patch inside a mapping is no file."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
