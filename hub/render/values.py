"""Which files a Helm source's `valueFiles` and `fileParameters` mean, as Argo CD 3.6 finds them. Pure over the
tree.

A path is relative to the chart, with a leading `/` to the repository, with a leading `$ref/` to the repository
of that reference. Nothing is read that is not in one of these trees.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from argosy.errors import Invalid
from hub.core.apps.mounted import Mounted
from hub.core.apps.sources import Source
from hub.core.matching import doublestar
from hub.core.tree import Tree
from hub.render import files

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_MAGIC = re.compile(r"[*?\[]")
"""What makes a name a pattern; braces alone do not, as in Argo CD."""


def value_files(source: Source, tree: Tree) -> list[str]:
    """Paths of the tree (`$ref/…` for references), in the order in which Helm reads them. Raises `Invalid`."""
    where = f"{source.where}.helm.valueFiles"
    listed = source.options.get("valueFiles") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise Invalid(f"{where}: a list is expected")
    lenient = bool(source.options.get("ignoreMissingValueFiles"))
    named = [(f"{where}[{at}]", str(given)) for at, given in enumerate(listed)]
    # A file that is listed by its name keeps that place, whatever pattern matches it too.
    explicit = {
        path
        for here, given in named
        if not _MAGIC.search(given) and (path := _exact(source, tree, given, here)) is not None
    }
    found: dict[str, str] = {}
    for here, given in named:
        if not _MAGIC.search(given):
            path = _exact(source, tree, given, here)
            if path is not None:
                found.setdefault(path, path)
            elif not lenient:
                raise Invalid(f"{here}: {given}: no such file{_at(tree)}")
            continue
        matched = dict(_matching(source, tree, given, here))
        if not matched and not lenient:
            raise Invalid(f"{here}: {given} matches no file{_at(tree)}")
        for name, path in matched.items():
            if name not in explicit:
                found.setdefault(name, path)
    return list(found.values())


def file_parameters(source: Source, tree: Tree) -> list[tuple[str, str]]:
    """(parameter, path of the tree): of one name the last counts. Raises `Invalid` for a file that is not there."""
    last: dict[str, tuple[str, str]] = {}
    for at, entry in enumerate(source.options.get("fileParameters") or []):
        where = f"{source.where}.helm.fileParameters[{at}]"
        last[_named(entry, where)] = f"{where}.path", str(entry.get("path") or "")
    found = []
    for name, (where, given) in last.items():
        path = _exact(source, tree, given, where)
        if path is None:
            raise Invalid(f"{where}: {given}: no such file{_at(tree)}")
        found.append((name, path))
    return found


def parameters(source: Source) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(parameters for `--set`, those for `--set-string`): of one name the last counts. Raises `Invalid`."""
    plain: dict[str, str] = {}
    texts: dict[str, str] = {}
    for at, entry in enumerate(source.options.get("parameters") or []):
        name = _named(entry, f"{source.where}.helm.parameters[{at}]")
        chosen = texts if entry.get("forceString") else plain
        chosen[name] = _escaped(str(entry.get("value") or ""))
    return list(plain.items()), list(texts.items())


def _escaped(value: str) -> str:
    """Commas part assignments for Helm, so those of a value are escaped, but not those of a list."""
    if value.startswith("{") and value.endswith("}"):
        return value
    return re.sub(r"(?<!\\),", r"\\,", value)


def _named(entry: Any, where: str) -> str:
    if not isinstance(entry, Mapping) or not entry.get("name"):
        raise Invalid(f"{where}.name is missing")
    return str(entry["name"])


def _root(source: Source, tree: Tree, given: str, where: str) -> tuple[str, Tree, str]:
    """(the beginning of found paths, the tree, the path in it) of what was given."""
    if _REMOTE.match(given):
        raise Invalid(
            f"{where}: {given} is remote: put the file into a repository and refer to it with $ref/PATH"
        )
    name, slash, rest = given.partition("/")
    if name.startswith("$"):
        refs = tree.refs if isinstance(tree, Mounted) else {}
        if not slash or name[1:] not in refs:
            raise Invalid(f"{where}: {given}: no source has the ref {name[1:]!r}")
        return f"{name}/", refs[name[1:]], rest
    if given.startswith("/"):
        return "", tree, given.lstrip("/")
    return "", tree, posixpath.join(source.path, given)


def _exact(source: Source, tree: Tree, given: str, where: str) -> str | None:
    start, root, path = _root(source, tree, given, where)
    real = files.real(root, path, where)
    return f"{start}{real}" if files.is_file(root, real) else None


def _matching(source: Source, tree: Tree, given: str, where: str) -> Iterator[tuple[str, str]]:
    """(path as it was found, path of the file that is there) of what a pattern matches."""
    start, root, path = _root(source, tree, given, where)
    pattern = posixpath.normpath(path)
    if pattern.startswith(("../", "/")) or pattern == "..":
        raise Invalid(f"{where}: {given} leads out of the repository")
    try:
        found = doublestar.find(pattern, functools.partial(_listing, root, where))
    except ValueError as error:
        raise Invalid(f"{where}: {given}: {error}") from None
    for each in found:
        yield f"{start}{each}", f"{start}{files.real(root, each, where)}"


def _listing(tree: Tree, where: str, folder: str) -> dict[str, bool] | None:
    """What is in a folder, by name, as `doublestar.find` asks for it; links that lead to nothing are left out."""
    real = files.real(tree, folder, where)
    if not files.is_folder(tree, real):
        return None
    links, start = tree.symlinks(), len(real) + 1 if real else 0
    found: dict[str, bool] = {}
    for path in files.below(tree, real):
        name, below, _ = path[start:].partition("/")
        if path not in links:
            found[name] = bool(below)
            continue
        kind = True if below else _led(tree, path)
        if kind is not None:
            found[name] = kind
    return dict(sorted(found.items(), key=lambda each: each[0].encode("utf-8", "surrogateescape")))


def _led(tree: Tree, link: str) -> bool | None:
    """Whether a link leads to a folder, None where it leads to nothing; one that may not be followed counts as a file,
    so that it is told where it is read.
    """
    try:
        target = files.real(tree, link, link)
    except Invalid:
        return False
    if files.is_file(tree, target):
        return False
    return True if files.is_folder(tree, target) else None


def _at(tree: Tree) -> str:
    return f" at {tree.commit}"
