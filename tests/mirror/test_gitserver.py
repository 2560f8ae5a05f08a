"""The demo's Git server is one that people can clone from and push to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hub.demo.gitserver import GitServer, commit, create


def git(folder: Path, *args: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_clone_commit_push(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    repo = create(tmp_path / "root", "fleet")
    first = commit(repo, {"a.txt": "1", "d/b.txt": b"2"}, "First")
    assert commit(repo, {"d": None}, "Second") != first
    server = GitServer(tmp_path / "root", writable=True)
    git(tmp_path, "clone", "-q", server.url("fleet"), "work")
    work = tmp_path / "work"
    assert [path.name for path in work.iterdir() if path.name != ".git"] == ["a.txt"]
    (work / "c.txt").write_text("x" * 3_000_000)
    git(work, "add", "-A")
    git(work, "commit", "-qm", "Third")
    git(work, "push", "-q", "origin", "HEAD")
    assert git(work, "rev-parse", "HEAD") == git(repo, "rev-parse", "main")
    assert server.requests["push"] == 2
    server.close()


def test_a_server_that_is_not_writable_takes_no_push(tmp_path: Path) -> None:
    repo = create(tmp_path, "fleet")
    wanted = commit(repo, {"a.txt": "1"})
    server = GitServer(tmp_path)
    git(tmp_path, "clone", "-q", server.url("fleet"), "work")
    git(tmp_path / "work", "commit", "-q", "--allow-empty", "-m", "x")
    with pytest.raises(subprocess.CalledProcessError):
        git(tmp_path / "work", "push", "-q", "origin", "HEAD")
    assert git(repo, "rev-parse", "main") == wanted
    server.close()


def test_equal_commits_have_equal_ids(tmp_path: Path) -> None:
    ids = {commit(create(tmp_path, name), {"a.txt": "1"}) for name in ("one", "two")}
    assert len(ids) == 1
