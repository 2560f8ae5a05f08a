"""Jsonnet files of a folder, evaluated by go-jsonnet as Argo CD 3.6 does (`reposerver/repository`, `makeJsonnetVm`).

Evaluation runs in a guarded process over an exported tree. Which files it may import is read from the files' text first, so
that a recipe knows them; an import that is not found there is not found at all.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import posixpath
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid, Unavailable
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render import export, files
from hub.render.sandbox import Sandbox, private_folder

SUFFIX = ".jsonnet"
MOST_IMPORTS = 2_000
_WORKER = Path(__file__).with_name("jsonnetworker.py")
_IMPORT = re.compile(rb"""\bimport(?:str|bin)?\s*@?(?:"([^"\\\n]+)"|'([^'\\\n]+)')""")


def libraries(source: Source, tree: Tree) -> list[str]:
    """The folders of `directory.jsonnet.libs`, relative to the repository. Raises `Invalid`."""
    found = []
    for at, name in enumerate(_settings(source).get("libs") or ()):
        where = f"{source.where}.directory.jsonnet.libs[{at}]"
        folder = files.real(tree, str(name).strip("/"), where)
        if not files.is_folder(tree, folder):
            raise Invalid(f"{where}: {name}: no such folder at {tree.commit}")
        found.append(folder)
    return found


def imported(source: Source, tree: Tree, folder: str, paths: Sequence[str]) -> set[str]:
    """The files outside the source's folder and its libraries that files at `paths` import, directly or not."""
    places = [folder, *libraries(source, tree)]
    waiting, seen = list(paths), set(paths)
    while waiting:
        path = waiting.pop()
        for name in _names(files.content(tree, path)):
            found = _found(tree, posixpath.dirname(path), name, places)
            if found is not None and found not in seen:
                if len(seen) >= MOST_IMPORTS:
                    raise Invalid(f"{path}: more than {MOST_IMPORTS} files would be imported")
                seen.add(found)
                waiting.append(found)
    return {path for path in seen if not any(_within(path, place) for place in places)}


async def evaluate(
    source: Source, tree: Tree, folder: str, paths: Sequence[str], sandbox: Sandbox
) -> dict[str, list[Any]]:
    """path -> the values that the file gives. Raises `Invalid` in go-jsonnet's words, `Unavailable` without it."""
    if importlib.util.find_spec("_gojsonnet") is None:
        raise Unavailable("Jsonnet is not installed here (the package gojsonnet)")
    what = f"jsonnet of {source.path or '.'}"
    with private_folder() as private:
        write = functools.partial(_export, source, tree, folder, paths, Path(private))
        await sandbox.call(write)
        out = await sandbox.run([sys.executable, "-I", str(_WORKER)], folder=private, what=what)
    return await sandbox.call(functools.partial(_read, out))


def _read(out: bytes) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path, text in json.loads(out).items():
        value = json.loads(text, parse_int=lambda digits: yamlio.whole(int(digits)))
        found[path] = [one for one in (value if isinstance(value, list) else [value]) if one is not None]
    return found


def _export(source: Source, tree: Tree, folder: str, paths: Sequence[str], private: Path) -> None:
    places, budget = libraries(source, tree), export.Budget()
    written: set[str] = set()
    target = private / "tree"
    target.mkdir()
    for place in dict.fromkeys([folder, *places]):
        for name, path in export.followed(tree, place):
            here = posixpath.join(place, name)
            if here not in written:
                written.add(here)
                export.write(tree, [(here, path)], target, budget)
    for path in imported(source, tree, folder, paths):
        export.write(tree, [(path, path)], target, budget)
    job = {"files": list(paths), "libraries": [folder, *places], "variables": _variables(source)}
    (private / "job.json").write_text(json.dumps(job))
    export.read_only(private)


def _variables(source: Source) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"ext_vars": {}, "ext_codes": {}, "tla_vars": {}, "tla_codes": {}}
    for field, start in (("extVars", "ext"), ("tlas", "tla")):
        for entry in _settings(source).get(field) or ():
            kind = f"{start}_{'codes' if entry.get('code') else 'vars'}"
            found[kind][str(entry.get("name") or "")] = str(entry.get("value") or "")
    return found


def _settings(source: Source) -> Mapping[str, Any]:
    found = source.options.get("jsonnet") or {}
    return found if isinstance(found, dict) else {}


def _names(data: bytes) -> Iterator[str]:
    for match in _IMPORT.finditer(data):
        yield (match[1] or match[2]).decode("utf-8", "replace")


def _found(tree: Tree, beside: str, name: str, places: Collection[str]) -> str | None:
    for place in (beside, *reversed(list(places))):
        path = posixpath.normpath(posixpath.join(place, name))
        if not path.startswith(("/", "../")) and files.is_file(tree, path):
            return path
    return None


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
