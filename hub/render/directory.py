"""Plain manifests: the YAML and JSON files of a folder, as Argo CD's directory sources read them (3.6).

Which files count, what is skipped without a word and what is an error follows
`reposerver/repository.findManifests`, with two exceptions on the strict side: a document that is evidently
meant as an object but lacks its kind, and the same key twice in a mapping, are problems here.
"""

from __future__ import annotations

import codecs
import functools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from argosy import gobwas, yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render import files, jsonnet
from hub.render.base import Renderer
from hub.render.sandbox import Sandbox

MAX_BYTES = 10_000_000
"""Of all files of one source together but Jsonnet, as Argo CD's default."""
_MANIFEST = re.compile(r".+\.(ya?ml|json|jsonnet)\Z")
_SEPARATOR = re.compile(rb"^---[ \t\r]*(?:#.*)?$\n?", re.MULTILINE)
_SKIP = b"+argocd:skip-file-rendering"
_MARKS = (b"apiVersion:", b"kind:", b"metadata:")
_OWN = re.compile(r"\.argocd-source(-.+)?\.yaml\Z")


def inputs(source: Source, tree: Tree) -> Collection[str]:
    """The folder itself; where it has Jsonnet, also its libraries and what it imports. Raises `Invalid`."""
    folder = _folder(source, tree)
    if not (paths := _programs(source, tree, folder)):
        return {folder}
    return {folder, *jsonnet.libraries(source, tree), *jsonnet.imported(source, tree, folder, paths)}


async def render(source: Source, tree: Tree, sandbox: Sandbox) -> list[Manifest]:
    """In a thread of the pool: parsing is work, and reading waits for Git. Jsonnet runs in a process."""
    folder = _folder(source, tree)
    paths = await sandbox.call(functools.partial(_programs, source, tree, folder))
    made = await jsonnet.evaluate(source, tree, folder, paths, sandbox) if paths else {}
    return await sandbox.call(functools.partial(read, source, tree, made))


def _folder(source: Source, tree: Tree) -> str:
    folder = files.real(tree, source.path, f"{source.where}.path")
    if not files.is_folder(tree, folder):
        raise Invalid(f"{source.where}.path: {source.path}: no such folder at {tree.commit}")
    return folder


def _programs(source: Source, tree: Tree, folder: str) -> list[str]:
    """The Jsonnet files among those that are selected."""
    found = (path for path in selected(source, tree, folder) if path.endswith(jsonnet.SUFFIX))
    return [path for path in found if _SKIP not in files.content(tree, path)]


def read(source: Source, tree: Tree, made: Mapping[str, list[Any]]) -> list[Manifest]:
    """All objects of the selected files, by path and then by document; `made` are the values of Jsonnet files. Raises
    `Invalid` naming file and document.
    """
    folder = _folder(source, tree)
    found: list[Manifest] = []
    left = MAX_BYTES
    for path in selected(source, tree, folder):
        data = _utf8(files.content(tree, path), path)
        if _SKIP in data:
            continue
        left -= 0 if path.endswith(jsonnet.SUFFIX) else len(data)
        if left < 0:
            raise Invalid(
                f"{path}: the manifests of {source.path or '.'} are larger than {MAX_BYTES} bytes in all"
            )
        documents = made.get(path)
        if documents is None:
            documents = _json(data, path) if path.endswith(".json") else _yaml(data, path)
        found.extend(_flat(documents, path))
    return found


def _utf8(data: bytes, path: str) -> bytes:
    """A file whose byte order mark says UTF-16 is read as that, as Argo CD does: PowerShell writes such files."""
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError:
        raise Invalid(f"{path}: not UTF-16, as its byte order mark says") from None


def selected(source: Source, tree: Tree, folder: str) -> list[str]:
    """The paths of a source's files, folder by folder in the order of names as Argo CD walks them, since of two
    objects with one key the later counts. Raises `Invalid` for a malformed glob.
    """
    return sorted(_chosen(source, tree, folder), key=_walked)


def _walked(path: str) -> list[bytes]:
    return [part.encode("utf-8", "surrogateescape") for part in path.split("/")]


def _chosen(source: Source, tree: Tree, folder: str) -> Iterator[str]:
    """Links that lead to no file are passed over."""
    options = source.options
    include = _pattern(options.get("include"), f"{source.where}.directory.include")
    exclude = _pattern(options.get("exclude"), f"{source.where}.directory.exclude")
    start = len(folder) + 1 if folder else 0
    links = tree.symlinks()
    for path in files.below(tree, folder):
        name = path[start:]
        if "/" in name and not options.get("recurse"):
            continue
        last = name.rpartition("/")[2]
        if _OWN.match(last) or not (options.get("disableExtensionFilter") or _MANIFEST.match(last)):
            continue
        if (include and not include(name)) or (exclude and exclude(name)):
            continue
        if path in links and not files.is_file(tree, files.real(tree, path, path)):
            continue
        yield path


def _json(data: bytes, path: str) -> list[Any]:
    """Exactly one value. JSON has its own reader since escapes of surrogate pairs mean nothing in YAML."""
    try:
        value = json.loads(
            data,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=lambda digits: yamlio.whole(int(digits)),
        )
    except UnicodeDecodeError:
        raise Invalid(f"{path}: not UTF-8") from None
    except RecursionError:
        raise Invalid(f"{path}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"{path}:{error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise Invalid(f"{path}: {error}") from None
    return [value]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise ValueError(f"the key {twice!r} stands twice in one mapping")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _yaml(data: bytes, path: str) -> list[Any]:
    try:
        documents = yamlio.load_all(data, source=path)
    except yamlio.Excessive:
        raise
    except Invalid:
        documents, complete = _apart(data, path)
        if complete:
            return documents
        # Argo CD passes over files that are no YAML and do not look like objects: templates, values, notes.
        if documents or all(mark in data for mark in _MARKS):
            raise
        return []
    if not any(_meant(document) for document in documents):
        return []
    return [document for document in documents if document is not None]


def _apart(data: bytes, path: str) -> tuple[list[Any], bool]:
    """The objects before the first document that cannot be read, and whether all can be, where each document is read by
    itself, as Kubernetes does it: so a file may be several put together, each with its own byte order mark.
    """
    found: list[Any] = []
    for part in _SEPARATOR.split(data):
        try:
            documents = yamlio.load_all(part, source=path)
        except Invalid:
            return found, False
        if any(not isinstance(document, dict) for document in documents if document is not None):
            return found, False
        found += [document for document in documents if document is not None]
    return found, True


def _meant(document: Any) -> bool:
    """Whether a document is meant as an object: it has at least two of what every object has."""
    return (
        isinstance(document, dict)
        and sum(name in document for name in ("apiVersion", "kind", "metadata")) > 1
    )


def _flat(documents: Iterable[Any], path: str) -> Iterator[Manifest]:
    for number, document in enumerate(documents, start=1):
        where = f"{path}: document {number}"
        yield from flatten(document, where)


def flatten(document: Any, where: str) -> Iterator[Manifest]:
    """An object, or the items where it has a list of them, of whatever kind it is: none where that list is null and it has
    neither spec nor status. Raises `Invalid` for what is neither.
    """
    if not isinstance(document, dict):
        raise Invalid(f"{where}: an object is expected, found {_called(document)}")
    for name in ("apiVersion", "kind"):
        value = document.get(name)
        if value is None or value == "":
            raise Invalid(f"{where}: {name} is missing")
        if not isinstance(value, str):
            raise Invalid(f"{where}: {name}: {value!r} is no text")
    items = document.get("items", document)
    if isinstance(items, list):
        for at, item in enumerate(items):
            yield from flatten(item, f"{where}: items[{at}]")
        return
    if items is None and "spec" not in document and "status" not in document:
        return
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise Invalid(f"{where}: metadata.name is missing")
    yield document


def _called(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a path matches, `*` and `?` spanning `/` too (`argosy.gobwas`). Raises `ValueError` for a malformed one."""
    if gobwas.expression(pattern) is None:
        raise ValueError("expected a glob in which every [ and { is closed and \\ quotes something")
    return functools.partial(gobwas.match, pattern)


def _pattern(given: Any, where: str) -> Callable[[str], bool] | None:
    if not given:
        return None
    try:
        return glob(str(given))
    except ValueError as error:
        raise Invalid(f"{where}: {given!r}: {error}") from None


async def version(sandbox: Sandbox) -> str:
    """Our own reader's: counted up when it reads the same files differently."""
    return "3"


DIRECTORY = Renderer("directory", inputs, render, version)
