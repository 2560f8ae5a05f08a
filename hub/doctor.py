"""`argosy-hub doctor`: is everything there that a hub needs? Looks, changes nothing, works while the hub runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from hub.store import backup

LOW_SPACE = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` None: worth knowing, not wrong."""

    what: str
    ok: bool | None
    text: str


def examine(data: Path) -> Iterator[Finding]:
    """Looks at the data folder of a hub and at the tools it uses."""
    yield from _database(data)
    for name in ("ca/ca.key", "seal.key"):
        path = data / name
        if not path.is_file():
            yield Finding(name, False, "missing: agents or Secrets cannot be served without it")
        elif path.stat().st_mode & 0o077:
            yield Finding(
                name, False, f"readable by others (mode {path.stat().st_mode & 0o777:o}, expected 600)"
            )
        else:
            yield Finding(name, True, "present, private")
    free = shutil.disk_usage(data).free if data.is_dir() else 0
    yield Finding("space", free >= LOW_SPACE, f"{free // 2**20} MiB free in {data}")
    yield from _tools()


def _tools() -> Iterator[Finding]:
    """Git is needed; what else is missing is told with what cannot be done without it."""
    yield _tool("git", ("git",), needed=True, without="no repository can be read")
    yield _tool("kustomize", ("kustomize", "kubectl"), without="kustomize sources cannot be rendered")
    yield _tool("helm", ("helm",), without="Helm sources cannot be rendered (helm 4 is needed)")
    yield _tool("argosy-agent", ("argosy-agent",), without="`serve --in-cluster` cannot run an agent here")


def _database(data: Path) -> Iterator[Finding]:
    path = data / backup.DATABASE
    if not path.is_file():
        yield Finding(backup.DATABASE, False, f"no database in {data}: no hub has run there")
        return
    try:
        version, objects = backup.check(path)
        yield Finding(backup.DATABASE, True, f"sound, schema {version}, {objects} objects")
    except ArgosyError as error:
        yield Finding(backup.DATABASE, False, error.message)


def _tool(what: str, names: Sequence[str], *, without: str, needed: bool = False) -> Finding:
    """The first of these programs, beside our Python or on the path."""
    found = next(filter(None, (shutil.which(name, path=_path()) for name in names)), None)
    if found:
        return Finding(what, True, f"found {found}")
    return Finding(what, False if needed else None, f"no {' and no '.join(names)} on PATH: {without}")


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"


def report(findings: Iterator[Finding]) -> int:
    """Prints the findings; exit code 0 where nothing is wrong, else 1."""
    wrong = 0
    for finding in findings:
        mark = {True: "ok", False: "WRONG", None: "note"}[finding.ok]
        wrong += finding.ok is False
        print(f"{mark:<6} {finding.what:<12} {finding.text}")
    return 1 if wrong else 0
