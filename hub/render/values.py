"""Which files a Helm source's `valueFiles` and `fileParameters` mean, as Argo CD 3.6 finds them. Pure over the
tree.

A path is relative to the chart, with a leading `/` to the repository, with a leading `$ref/` to the repository
of that reference. Nothing is read that is not in one of these trees.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from argosy.errors import Invalid
from hub.core.apps.mounted import Mounted
from hub.core.apps.sources import Source
from hub.core.matching import globs
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
    found: list[str] = []
    for here, given in named:
        if not _MAGIC.search(given):
            path = _exact(source, tree, given, here)
            if path is not None:
                # Of a file that is listed twice the first place counts.
                found += [path] if path not in found else []
            elif not lenient:
                raise Invalid(f"{here}: {given}: no such file{_at(tree)}")
            continue
        matched = list(_matching(source, tree, given, here))
        if not matched and not lenient:
            raise Invalid(f"{here}: {given} matches no file{_at(tree)}")
        found += [path for path in matched if path not in explicit and path not in found]
    return found


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


def _matching(source: Source, tree: Tree, given: str, where: str) -> Iterator[str]:
    start, root, path = _root(source, tree, given, where)
    pattern = posixpath.normpath(path)
    if pattern.startswith(("../", "/")) or pattern == "..":
        raise Invalid(f"{where}: {given} leads out of the repository")
    matches = globs.doublestar(pattern)
    for each in root.paths():
        if matches(each):
            yield f"{start}{files.real(root, each, where)}"


def _at(tree: Tree) -> str:
    return f" at {tree.commit}"
