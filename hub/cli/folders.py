"""A local folder as it is uploaded for a plan: what Git would take of it, bounded."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

from argosy.errors import Invalid
from hub.core.plans.limits import MOST_BYTES, MOST_FILES

GIT_SECONDS = 30


def read(folder: str, url: str, onto: str = "") -> dict[str, Any]:
    """One entry of `spec.folders`. Raises `Invalid` where it cannot be read or is larger than a hub takes."""
    root = Path(folder)
    if not root.is_dir():
        raise Invalid(f"{folder}: no such folder")
    files: dict[str, str] = {}
    links: list[str] = []
    executables: list[str] = []
    size = 0
    for path in _paths(root):
        place = root / path
        if place.is_symlink():
            links.append(path)
            data = os.readlink(place).encode()
        elif place.is_file():
            data = place.read_bytes()
            if os.access(place, os.X_OK):
                executables.append(path)
        else:
            continue
        size += len(data)
        files[path] = base64.b64encode(data).decode()
        if size > MOST_BYTES or len(files) > MOST_FILES:
            raise Invalid(
                f"{folder}: more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: push a branch and plan that"
            )
    if not files:
        raise Invalid(f"{folder}: nothing is in it")
    return {"repo": url, "files": files, "links": links, "executables": executables, "onto": onto}


def _paths(root: Path) -> list[str]:
    """The files that Git would commit where the folder is a work tree, else all of them."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=GIT_SECONDS)
            return sorted({os.fsdecode(path) for path in done.stdout.split(b"\0") if path})
        except (OSError, subprocess.SubprocessError):
            pass
    found = []
    for base, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != ".git")
        links = [name for name in folders if Path(base, name).is_symlink()]
        found += [Path(base, name).relative_to(root).as_posix() for name in (*names, *links)]
    return sorted(found)
