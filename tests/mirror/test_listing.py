"""Refs by one HTTP request of our own: the same as Git lists, whole or not at all."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from githttp import Fault, FaultyGitServer

from hub.core import repos
from hub.demo.gitserver import commit
from hub.git import listing, revision
from hub.git.command import Settings
from hub.git.credentials import Access, Credentials
from hub.git.listing import Lister

FIRST, SECOND = "1" * 40, "2" * 40


@pytest.fixture
async def lister() -> AsyncIterator[Lister]:
    found = Lister(Settings())
    yield found
    await found.close()


def packed(*lines: str) -> bytes:
    """The lines as pkt-lines, "" as a flush."""
    return b"".join(
        b"%04x%s\n" % (len(line.encode()) + 5, line.encode()) if line else b"0000" for line in lines
    )


WHOLE = packed(
    "# service=git-upload-pack",
    "",
    f"{FIRST} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2.43",
    f"{FIRST} refs/heads/main",
    f"{SECOND} refs/tags/v1",
    f"{FIRST} refs/tags/v1^{{}}",
    "shallow " + SECOND,
    "",
)


def test_an_annotated_tag_stands_for_its_commit() -> None:
    assert listing.parse(WHOLE) == {"HEAD": FIRST, "refs/heads/main": FIRST, "refs/tags/v1": FIRST}


def test_an_answer_that_is_cut_anywhere_is_none() -> None:
    assert all(listing.parse(WHOLE[:end]) is None for end in range(len(WHOLE)))


def test_an_empty_repository_has_no_refs() -> None:
    empty = packed("# service=git-upload-pack", "", f"{'0' * 40} capabilities^{{}}\0agent=git/2.43", "")
    assert listing.parse(empty) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in</html>",
        packed("# service=git-receive-pack", "", f"{FIRST} HEAD\0x", ""),
        packed("# service=git-upload-pack", "", "ERR access denied", ""),
        packed("# service=git-upload-pack", "", "version 2", "ls-refs", ""),
        packed("# service=git-upload-pack", "", f"{FIRST[:39]} HEAD\0x", ""),
        WHOLE + b"0000",
        WHOLE + b"more",
    ],
)
def test_what_is_no_listing_is_left_to_git(body: bytes) -> None:
    assert listing.parse(body) is None


async def test_it_lists_what_git_lists(server: FaultyGitServer, repo: Path, lister: Lister) -> None:
    first = commit(repo, {"a.txt": "1"})
    commit(repo, {"a.txt": "2"}, branch="side")
    git = ["git", "--git-dir", str(repo), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    url = server.url("app")
    for words in (
        [*git, "tag", "-a", "-m", "one", "v1", first],
        [*git, "update-ref", "refs/pull/7/head", first],
    ):
        await asyncio.to_thread(subprocess.run, words, check=True)
    told = (
        await asyncio.to_thread(subprocess.run, ["git", "ls-remote", url], check=True, capture_output=True)
    ).stdout
    before = dict(server.requests)
    assert await lister.refs(url, Access()) == revision.parse_listing(told.decode())
    assert server.requests["listing"] - before["listing"] == 1
    assert server.requests["fetch"] == before["fetch"]


@pytest.mark.parametrize(
    "closed", [{"user": "ci", "password": "pass:word"}, {"token": "t0ken"}], ids=["basic", "bearer"]
)
async def test_credentials_open_it(
    tmp_path: Path, server: FaultyGitServer, repo: Path, lister: Lister, closed: dict[str, str]
) -> None:
    wanted = commit(repo, {"a.txt": "1"})
    guarded = FaultyGitServer(server.root, **closed)
    try:
        held = Credentials(
            username=closed.get("user", ""),
            password=closed.get("password", ""),
            bearer_token=closed.get("token", ""),
        )
        found = await lister.refs(guarded.url("app"), Access(held))
        assert found is not None
        assert found["HEAD"] == wanted
        assert await lister.refs(guarded.url("app"), Access()) is None
    finally:
        guarded.close()


async def test_what_it_did_not_understand_is_git_s_for_a_while(
    server: FaultyGitServer, repo: Path, lister: Lister
) -> None:
    commit(repo, {"a.txt": "1"})
    url = server.url("app")
    server.fail(Fault.NONSENSE, service="listing", times=1)
    assert await lister.refs(url, Access()) is None
    asked = server.requests["listing"]
    assert await lister.refs(url, Access()) is None
    assert server.requests["listing"] == asked


@pytest.mark.parametrize(
    "held",
    [
        Credentials(proxy="http://proxy.example.com"),
        Credentials(tls_client_cert="x"),
        Credentials(refused="githubAppID"),
    ],
)
async def test_what_only_git_knows_is_git_s(
    server: FaultyGitServer, repo: Path, lister: Lister, held: Credentials
) -> None:
    commit(repo, {"a.txt": "1"})
    assert await lister.refs(server.url("app"), Access(held)) is None
    assert server.requests["listing"] == 0
    assert repos.parse("git@example.com:app.git").protocol == "ssh"
    assert await lister.refs("git@example.com:app.git", Access()) is None
