"""What `git ls-files` selects for a pattern, asked of the real Git: patterns of the git files generator mean the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from argosy.errors import Invalid
from hub.core.generators.git import Files
from hub.core.matching import globs

FILES = (
    "config.json", "Config.JSON", "a.yaml", "!odd.yaml", "x[1].yaml", "apps/a/config.json", "apps/a/x/config.json",
    "apps/b/config.yaml", "apps/b/README", "apps/B/config.yaml", "deep/er/and/deeper.yaml", ":colon", "^up", "-dash",
)  # fmt: skip
PATTERNS = (
    "*", "**", ".", "", "*.json", "apps", "apps/", "apps/*", "apps/a", "apps/*/config.json", "apps/**/config.json",
    "apps/?/config.*", "apps/[ab]/config.*", "x[1].yaml", "./apps/a", "apps/../a.yaml", "none",
    ":", "::", ":/", ":/apps", ":/:apps", ":!apps", ":^apps", ":!/apps", ":/!apps", ":!:apps", ":!!apps", ":!", ":!:",
    ":!*.json", ":!apps/*", ":!none", ":!!odd.yaml", ":!:!odd.yaml", ":::colon", ":!::colon", ":^^up", ":a.yaml", ":*.yaml",
    ":(glob)apps/*", ":(glob)**/config.json", ":(glob)apps/**", ":(icase)CONFIG.json", ":(icase)APPS", ":(literal)x[1].yaml",
    ":(literal)*", ":(top)apps", ":(exclude)apps", ":(exclude,glob)apps/*", ":(exclude,icase)APPS", ":(exclude,literal)*",
    ":()apps", ":(,top,)apps", ":(top,exclude)apps", ":(exclude)", ":(exclude)!odd.yaml",
    ":-x", ":%x", ":!-dash", ":(bogus)x", ":(glob", ":(glob,literal)x", "../up", "/abs",
)  # fmt: skip


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pathspecs")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)
    return folder


def selected(repo: Path, pattern: str) -> list[str] | None:
    """What Git says, None where it refuses."""
    done = subprocess.run(
        ["git", "-C", str(repo), "ls-files", "--full-name", "-z", "--", pattern],
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        check=False,
    )
    return sorted(filter(None, done.stdout.decode().split("\0"))) if done.returncode == 0 else None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_selects_what_git_selects(repo: Path, pattern: str) -> None:
    wanted = selected(repo, pattern)
    if wanted is None:
        with pytest.raises(Invalid, match="pathspec"):
            globs.pathspec(pattern)
    else:
        matches = globs.pathspec(pattern)
        assert sorted(name for name in FILES if matches(name)) == wanted


@pytest.mark.parametrize(
    ("patterns", "folder"),
    [
        (("apps/a/*", "apps/b/x.yaml"), "apps"),
        ((":(glob)apps/*",), ""),
        ((":!apps/a",), ""),
        ((":/apps/a/x",), ""),
    ],
)
def test_magic_may_pick_anything(patterns: tuple[str, ...], folder: str) -> None:
    assert Files(patterns, ()).folder == folder
