"""Commits of a Git repository on this machine, for the offline commands: no fetch, no checkout, no
writing.
"""

from __future__ import annotations

import os
import subprocess

from argosy.errors import Invalid
from hub.core.matching import semver
from hub.core.tree import Tree
from hub.git import revision, tree
from hub.git.batch import Batch

_SECONDS = 8
_LARGEST = 50 * 1024 * 1024


def at_revision(folder: str, wanted: str, tag_prefix: str = "") -> Tree:
    """The tree of a branch, tag, commit or version range, as the repository has it now. A range looks at the tags
    that begin with `tag_prefix`.

    Raises `errors.NotFound` for an unknown revision, `errors.Invalid` for a repository that Git cannot read.
    """
    listing = _git(folder, "show-ref", "--head", "--dereference").replace(" ", "\t")
    commit = revision.resolve(
        wanted,
        revision.parse_listing(listing),
        highest=semver.highest,
        short=lambda text: _full(folder, text),
        tag_prefix=tag_prefix,
    )
    location = _git(folder, "rev-parse", "--absolute-git-dir").strip()
    return tree.at_commit(tree.Objects(Batch(location, limit=_LARGEST)), commit)


def _full(folder: str, shortened: str) -> str | None:
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{shortened}^{{commit}}").strip() or None
    except Invalid:
        return None


def _git(folder: str, *args: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", folder, *args],
            env=environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Invalid(f"git {args[0]}: {error}") from None
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise Invalid(f"git {args[0]}: {reason}")
    return done.stdout.decode("utf-8", "surrogateescape")
