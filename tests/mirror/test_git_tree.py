"""The tree over Git's objects says what Git says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from githttp import commit, create

from argosy.errors import Invalid, NotFound
from hub.git import tree
from hub.git.batch import Batch


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return create(tmp_path, "app")


@pytest.fixture
def objects(repo: Path) -> Iterator[tree.Objects]:
    objects = tree.Objects(Batch(str(repo), limit=10_000))
    yield objects
    objects.batch.close()


def git(repo: Path, *args: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(repo), *args], check=True, capture_output=True, text=True)
    return done.stdout


def test_paths_contents_and_ids_are_gits_own(repo: Path, objects: tree.Objects) -> None:
    files = {f"d{at % 7}/e{at % 3}/f{at}.txt": f"text {at}" for at in range(300)}
    wanted = commit(repo, {**files, "a.txt": "", "a/b": "x", "a-b": "y", "ä/ü ö.txt": "umlaut"})
    found = tree.at_commit(objects, "refs/heads/main")
    assert found.commit == wanted
    listed = git(repo, "ls-tree", "-r", "-z", "--name-only", wanted).split("\0")[:-1]
    assert list(found.paths()) == sorted(listed, key=str.encode)
    assert {path: found.read(path) for path in files} == {path: text.encode() for path, text in files.items()}
    for path in ("", "d1", "d1/e1", "a.txt"):
        assert found.tree_id(path) == git(repo, "rev-parse", f"{wanted}:{path}").strip()
    assert objects.batch.starts == 1


def test_a_commit_costs_only_what_it_touches(repo: Path, objects: tree.Objects) -> None:
    first = tree.at_commit(objects, commit(repo, {"a/x": "1", "b/y": "1"}))
    second = tree.at_commit(objects, commit(repo, {"a/x": "2"}))
    assert first.tree_id("b") == second.tree_id("b")
    assert first.tree_id("a") != second.tree_id("a")
    assert (first.read("a/x"), second.read("a/x")) == (b"1", b"2")


def test_what_is_no_file_is_not_found(repo: Path, objects: tree.Objects) -> None:
    found = tree.at_commit(objects, commit(repo, {"a/x": "1"}))
    for path in ("a", "b", "a/x/y", "", "a/../a/x", "/a/x"):
        with pytest.raises(NotFound):
            found.read(path)
    assert found.tree_id("b/c") is None
    with pytest.raises(NotFound):
        tree.at_commit(objects, "00" * 20)


def test_links_are_flagged_and_submodules_left_out(repo: Path, objects: tree.Objects) -> None:
    first = commit(repo, {"a/x": "1"})
    target = subprocess.run(
        ["git", "--git-dir", str(repo), "hash-object", "-w", "--stdin"],
        input=b"../../etc/passwd", check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    entries = (
        f"120000 blob {target}\tlink\n160000 commit {first}\tmodule\n"
        f"040000 tree {git(repo, 'rev-parse', first + ':a').strip()}\ta\n"
    )
    made = subprocess.run(
        ["git", "--git-dir", str(repo), "mktree"], input=entries, text=True, check=True, capture_output=True
    ).stdout.strip()
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    wanted = git(repo, *who, "commit-tree", made, "-m", "x").strip()
    found = tree.at_commit(objects, wanted)
    assert found.paths() == ("a/x", "link")
    assert found.symlinks() == {"link"}
    assert found.read("link") == b"../../etc/passwd"


def test_a_large_file_is_refused_and_the_next_read_works(repo: Path, objects: tree.Objects) -> None:
    found = tree.at_commit(objects, commit(repo, {"big/large.yaml": b"x" * 3_000_000, "small.yaml": "1"}))
    with pytest.raises(Invalid, match=r"big/large.yaml: 3000000 bytes, at most 10000 are read"):
        found.read("big/large.yaml")
    assert found.read("small.yaml") == b"1"
