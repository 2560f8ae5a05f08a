"""Generators `git` and `oci`: one parameter set for each folder or file of a tree that patterns pick."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from argosy import yamlio
from argosy.errors import Invalid, NotFound
from argosy.objects import canonical
from hub.core.generators.base import Context, GeneratorFailed, TreeRequest
from hub.core.matching import globs
from hub.core.memo import Table
from hub.core.schema.schema import described
from hub.core.template import names, params, render
from hub.core.template.params import Params, StringList
from hub.core.tree import Tree

DEFAULT_REQUEUE = 180
"""Seconds (Argo CD: three minutes)."""
_MAX_LINKS = 16


@dataclass(frozen=True, slots=True)
class Directories:
    """The folders that patterns pick; `exclude` wins."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def folder(self) -> str:
        return _common_folder(self.include)

    def __call__(self, tree: Tree) -> tuple[str, ...]:
        include = [globs.directory(pattern) for pattern in self.include]
        exclude = [globs.directory(pattern) for pattern in self.exclude]
        return tuple(path for path in _folders_of(tree) if _any(include, path) and not _any(exclude, path))


@dataclass(frozen=True, slots=True)
class Files:
    """(path, where its content is, the id of that) of the files that patterns pick; `exclude` wins.

    Raises `Invalid` for a pattern that cannot be used.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def folder(self) -> str:
        return _common_folder(self.include)

    def __call__(self, tree: Tree) -> tuple[tuple[str, str, str | None], ...]:
        include = [globs.pathspec(pattern) for pattern in self.include]
        exclude = [globs.pathspec(pattern) for pattern in self.exclude]
        chosen = [path for path in tree.paths() if _any(include, path) and not _any(exclude, path)]
        return tuple((path, place := _followed(tree, path), tree.tree_id(place)) for path in chosen)


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """`directories` wins over `files`; with neither there is nothing to do, which is an error."""
    context.inputs.requeue_after(spec.get("requeueAfterSeconds") or DEFAULT_REQUEUE)
    directories, files = spec.get("directories") or [], spec.get("files") or []
    if not directories and not files:
        raise GeneratorFailed("neither directories nor files are given: ApplicationSet is empty")
    request = TreeRequest(spec["repoURL"], spec["revision"], context.project)
    tree = context.tree(request)
    values, prefix = spec.get("values") or {}, spec.get("pathParamPrefix", "")
    kept = context.memo.table(("git", canonical([values, prefix]), bool(directories)))
    found: list[Params] = []
    if directories:
        for path in context.look(request, Directories(*_patterns(directories)), tree):
            make = functools.partial(_of_folder, path, prefix, context.go)
            found += _known(kept, path, make, values, context)
        return found
    try:
        chosen = context.look(request, Files(*_patterns(files)), tree)
    except Invalid as error:
        raise GeneratorFailed(error.message, "files") from None
    for path, place, blob in chosen:
        make = functools.partial(_of_file, tree, path, place, blob, prefix, context.go)
        found += _known(kept, (path, blob), make, values, context)
    return found


def _known(
    kept: Table[Any, Any],
    key: Hashable,
    make: Callable[[], list[Params]],
    values: dict[str, str],
    context: Context,
) -> list[Params]:
    """The parameter sets of one folder or file, with `values`; the same objects as long as its content is the same."""

    def whole() -> list[Params]:
        made = make()
        for one in made:
            render.append_values(values, one, context.engine, "values")
        return made

    found: list[Params] = kept.of(key, whole)
    return found


_WILD = re.compile(r"[*?\[\]{}\\:]")


@functools.lru_cache(maxsize=4096)
def _common_folder(patterns: tuple[str, ...]) -> str:
    """The folder that everything which the patterns pick is below, as far as it can be told from them; "" for the root."""
    common: list[str] | None = None
    for pattern in patterns:
        if pattern.startswith(":"):
            # Git's magic: what follows may pick anything.
            return ""
        parts = _WILD.split(pattern, maxsplit=1)[0].split("/")[:-1]
        if any(part in ("", ".", "..") for part in parts):
            return ""
        if common is None:
            common = parts
        while common != parts[: len(common)]:
            common = common[:-1]
    return "/".join(common or [])


def _patterns(wanted: list[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(patterns that pick, patterns that exclude)."""
    include = tuple(item["path"] for item in wanted if not item.get("exclude"))
    return include, tuple(item["path"] for item in wanted if item.get("exclude"))


def _any(matchers: Iterable[globs.Matcher | None], path: str) -> bool:
    return any(matcher is not None and matcher(path) for matcher in matchers)


def _folders_of(tree: Tree) -> list[str]:
    known = _FOLDERS.get(tree)
    if known is None:
        known = _FOLDERS[tree] = folders(tree.paths())
    return known


_FOLDERS: WeakKeyDictionary[Tree, list[str]] = WeakKeyDictionary()
"""Folders of the trees in use: several sets look at one commit."""


def folders(paths: Sequence[str]) -> list[str]:
    """Every folder that is not hidden nor in a hidden one, in the order of a walk: parents first, then by
    name.
    """
    found: set[tuple[str, ...]] = set()
    for path in paths:
        parts = tuple(path.split("/")[:-1])
        while parts and parts not in found:
            found.add(parts)
            parts = parts[:-1]
    return ["/".join(parts) for parts in sorted(found) if not any(part.startswith(".") for part in parts)]


def _of_folder(path: str, prefix: str, go: bool) -> list[Params]:
    return [_path_params(path, "", prefix, go)]


def _of_file(tree: Tree, path: str, place: str, blob: str | None, prefix: str, go: bool) -> list[Params]:
    folder, name = posixpath.dirname(path) or ".", posixpath.basename(path)
    facts = _path_params(folder, name, prefix, go)
    return [{**content, **facts} for content in _contents(tree, path, place, blob, go)]


def _contents(tree: Tree, path: str, place: str, blob: str | None, go: bool) -> list[Params]:
    """What a file says, parsed once for as long as its content is the same, whatever commit it is found
    at.
    """
    if blob is None:
        raise GeneratorFailed(f"unable to process file '{path}': it is a link to no file")
    known = _PARSED.get((blob, go))
    if known is None:
        try:
            data = tree.read(place)
        except NotFound:
            raise GeneratorFailed(f"unable to process file '{path}': it is a link to no file") from None
        objects = [params.from_json(item) for item in _objects(path, data)]
        known = objects if go else [dict(params.flatten(item)) for item in objects]
        if len(data) <= _KEPT_BYTES:
            if len(_PARSED) >= _KEPT_FILES:
                _PARSED.pop(next(iter(_PARSED)), None)
            _PARSED[blob, go] = known
    return known


_KEPT_FILES = 50_000
_KEPT_BYTES = 64 * 1024
_PARSED: dict[tuple[str, bool], list[Params]] = {}
"""Contents by the id of their blob: the same for ever, so it does not matter who asks or when it is
forgotten.
"""


def _followed(tree: Tree, path: str) -> str:
    """Follows symbolic links inside the tree; one that leaves it is refused, as there is nothing to read."""
    links, place = tree.symlinks(), path
    for _ in range(_MAX_LINKS):
        if place not in links:
            break
        target = tree.read(place).decode("utf-8", "replace")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
        if target.startswith("/") or place.startswith(".."):
            raise GeneratorFailed(f"unable to process file '{path}': it is a link that leaves the repository")
    return place


def _objects(path: str, data: bytes) -> list[dict[str, Any]]:
    try:
        content = yamlio.load_first(data, source=path)
    except Invalid as error:
        raise GeneratorFailed(
            f"unable to process file '{path}': unable to parse file: {error.message}"
        ) from None
    if content is None:
        return [{}]
    found = content if isinstance(content, list) else [content]
    for item in found:
        if item is not None and not isinstance(item, dict):
            wanted = "expected an object or a list of objects"
            raise GeneratorFailed(f"unable to process file '{path}': {wanted}, found {described(item)}")
    return [item or {} for item in found]


def _path_params(folder: str, file: str, prefix: str, go: bool) -> Params:
    base = posixpath.basename(folder)
    facts: Params = {"path": folder, "basename": base, "basenameNormalized": names.normalize(base)}
    if file:
        facts["filename"] = file
        facts["filenameNormalized"] = names.normalize(file)
    segments = folder.split("/")
    if go:
        facts["segments"] = StringList(segments)
        return {prefix: {"path": facts}} if prefix else {"path": facts}
    root = f"{prefix}.path" if prefix else "path"
    flat = {root if key == "path" else f"{root}.{key}": text for key, text in facts.items()}
    flat.update({f"{root}[{index}]": part for index, part in enumerate(segments) if part})
    return flat
