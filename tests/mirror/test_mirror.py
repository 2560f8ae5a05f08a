"""Mirrors of a real Git server over HTTP: how often they ask, and what is left after a failure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from githttp import Fault, FaultyGitServer, commit, create

from argosy.errors import Invalid, NotFound, Unavailable
from hub.core.matching import semver
from hub.git.command import Settings
from hub.git.mirror import Mirrors


def git(repo: Path, *args: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(repo), *args], check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_the_listing_has_head_branches_and_peeled_tags(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    first = commit(repo, {"a.txt": "1"})
    git(repo, "-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "-a", "v1", "-m", "one", first)
    second = commit(repo, {"a.txt": "2"}, branch="next")
    assert await mirrors.refs(server.url("app")) == {
        "HEAD": first,
        "refs/heads/main": first,
        "refs/heads/next": second,
        "refs/tags/v1": first,
    }


async def test_one_question_and_one_fetch_however_many_ask(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    first = commit(repo, {"a.txt": "1"})
    url = server.url("app")
    spellings = [url, url.removesuffix(".git"), url + "/", url.replace("http://", "HTTP://")]
    await asyncio.gather(*(mirrors.refs(spellings[at % 4]) for at in range(40)))
    assert mirrors.counters.listings == 1
    trees = await asyncio.gather(*(mirrors.tree(spellings[at % 4], first) for at in range(40)))
    assert (mirrors.counters.fetches, mirrors.counters.clones) == (1, 1)
    assert {tree.read("a.txt") for tree in trees} == {b"1"}

    second = commit(repo, {"a.txt": "2"})
    trees = await asyncio.gather(*(mirrors.tree(spellings[at % 4], second) for at in range(40)))
    assert (mirrors.counters.fetches, mirrors.counters.clones) == (2, 1)
    assert {tree.read("a.txt") for tree in trees} == {b"2"}
    await mirrors.tree(url, first)
    assert mirrors.counters.fetches == 2


async def test_who_asks_during_a_listing_gets_one_that_began_later(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    commit(repo, {"a.txt": "1"})
    server.fail(Fault.HANG, service="listing", times=1)
    early = asyncio.create_task(mirrors.refs(server.url("app")))
    await asyncio.to_thread(server.struck.wait, 60)
    pushed = commit(repo, {"a.txt": "2"})
    late = asyncio.create_task(mirrors.refs(server.url("app")))
    await asyncio.sleep(0)
    server.heal()
    # The first question breaks off, or was asked once more on a connection that holds, and then knows of the push, too.
    with contextlib.suppress(Unavailable):
        assert (await early)["HEAD"] == pushed
    assert (await late)["HEAD"] == pushed
    assert mirrors.counters.listings == 2


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_failed_fetch_leaves_the_mirror_and_the_next_one_heals(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, fault: Fault
) -> None:
    url = server.url("app")
    first = commit(repo, {"a.txt": "1", "large.bin": os.urandom(200_000)})
    await mirrors.tree(url, first)
    second = commit(repo, {"a.txt": "2", "large.bin": os.urandom(200_000)})
    service = "fetch" if fault in (Fault.TRUNCATE, Fault.CUT) else ""
    server.fail(fault, service=service)
    with pytest.raises(Unavailable, match=r"repository http://127\.0\.0\.1"):
        await mirrors.tree(url, second)
    assert server.injected >= 1
    assert (await mirrors.tree(url, first)).read("a.txt") == b"1"
    server.heal()
    assert (await mirrors.tree(url, second)).read("a.txt") == b"2"
    assert mirrors.counters.clones == 1


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.TRUNCATE, Fault.NONSENSE])
async def test_a_broken_first_clone_leaves_nothing_behind(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path, fault: Fault
) -> None:
    wanted = commit(repo, {"large.bin": os.urandom(200_000)})
    server.fail(fault, service="fetch")
    with pytest.raises(Unavailable):
        await mirrors.tree(server.url("app"), wanted)
    assert list((tmp_path / "mirrors").iterdir()) == []
    server.heal()
    assert len((await mirrors.tree(server.url("app"), wanted)).read("large.bin")) == 200_000


async def left_to_git(*_: object) -> None:
    """A lister that leaves every question to Git."""


@pytest.mark.parametrize("services", [("listing",), ("listing", "fetch")], ids=["by ourselves", "by Git"])
@pytest.mark.parametrize("fault", [Fault.TRUNCATE, Fault.CUT])
async def test_part_of_a_listing_is_never_taken_for_the_whole(
    server: FaultyGitServer,
    repo: Path,
    mirrors: Mirrors,
    fault: Fault,
    services: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing from a reading would look like a deleted branch or tag."""
    if len(services) > 1:
        monkeypatch.setattr(mirrors._lister, "refs", left_to_git)
    wanted = commit(repo, {"a.txt": "1"})
    for at in range(40):
        git(repo, "update-ref", f"refs/tags/v{at}", wanted)
    for kept in (0.01, 0.3, 0.5, 0.8, 0.95, 0.999):
        for service in services:
            mirrors._lister._away.clear()
            server.kept = kept
            server.fail(fault, service=service)
            with pytest.raises(Unavailable):
                await mirrors.refs(server.url("app"))
    assert server.injected >= 6 * len(services)
    server.heal()
    assert len(await mirrors.refs(server.url("app"))) == 42


async def test_a_server_that_is_not_there_is_unavailable(server: FaultyGitServer, mirrors: Mirrors) -> None:
    with pytest.raises(Unavailable, match=r"repository http://127.0.0.1:1/app.git: fatal:"):
        await mirrors.refs("http://127.0.0.1:1/app.git")
    with pytest.raises(Unavailable, match="not found"):
        await mirrors.refs(server.url("absent"))


@pytest.mark.parametrize("damage", ["no HEAD", "empty objects", "garbage packs"])
async def test_a_damaged_mirror_is_made_anew(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path, damage: str
) -> None:
    url = server.url("app")
    first = commit(repo, {f"d{at}/a.txt": str(at) for at in range(5)})
    await mirrors.tree(url, first)
    await mirrors.close()
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    if damage == "no HEAD":
        (mirror / "HEAD").unlink()
    for path in (mirror / "objects").rglob("*"):
        if path.is_file() and damage != "no HEAD":
            path.chmod(0o644)
            path.write_bytes(b"" if damage == "empty objects" else b"garbage" * 100)
    again = Mirrors(tmp_path / "mirrors", highest=semver.highest)
    tree = await again.tree(url, first)
    assert len(tree.paths()) == 5
    assert tree.read("d3/a.txt") == b"3"
    assert again.counters.clones == 1
    await again.close()


async def test_damage_found_while_reading_heals_with_the_next_tree(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path
) -> None:
    url = server.url("app")
    wanted = commit(repo, {"d/a.txt": "1"})
    tree = await mirrors.tree(url, wanted)
    blob = git(repo, "rev-parse", f"{wanted}:d/a.txt")
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    (mirror / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Unavailable, match="damaged"):
        tree.read("d/a.txt")
    assert (await mirrors.tree(url, wanted)).read("d/a.txt") == b"1"
    assert mirrors.counters.clones == 2


async def test_locks_of_a_killed_command_do_not_stop_the_next(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path
) -> None:
    url = server.url("app")
    await mirrors.tree(url, commit(repo, {"a.txt": "1"}))
    await mirrors.close()
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    (mirror / "refs/heads/main.lock").touch()
    (mirror / "packed-refs.lock").touch()
    again = Mirrors(tmp_path / "mirrors", highest=semver.highest)
    assert (await again.tree(url, commit(repo, {"a.txt": "2"}))).read("a.txt") == b"2"
    assert again.counters.clones == 0
    await again.close()


async def test_a_branch_that_becomes_a_folder_of_branches(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    url = server.url("app")
    await mirrors.tree(url, commit(repo, {"a.txt": "1"}, branch="team"))
    git(repo, "branch", "-D", "team")
    wanted = commit(repo, {"a.txt": "2"}, branch="team/one")
    assert (await mirrors.tree(url, wanted)).read("a.txt") == b"2"


async def test_a_rewritten_branch_and_a_moved_tag_are_followed(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    url = server.url("app")
    first = commit(repo, {"a.txt": "1"})
    git(repo, "tag", "stable", first)
    await mirrors.tree(url, first)
    git(repo, "update-ref", "-d", "refs/heads/main")
    other = commit(repo, {"b.txt": "other"})
    git(repo, "tag", "-f", "stable", other)
    assert await mirrors.resolve(url, "stable") == other
    assert (await mirrors.tree(url, other)).paths() == ("b.txt",)


async def test_a_commit_that_no_branch_has_is_fetched_by_itself(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    url = server.url("app")
    hidden = commit(repo, {"a.txt": "hidden"}, branch="gone")
    git(repo, "update-ref", "refs/pull/1/head", hidden)
    git(repo, "branch", "-D", "gone")
    commit(repo, {"a.txt": "1"})
    assert await mirrors.resolve(url, "refs/pull/1/head") == hidden
    assert (await mirrors.tree(url, hidden)).read("a.txt") == b"hidden"
    with pytest.raises((NotFound, Unavailable)):
        await mirrors.tree(url, "12" * 20)


async def test_a_shortened_commit_id_is_found_after_one_fetch(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors
) -> None:
    url = server.url("app")
    wanted = commit(repo, {"a.txt": "1"})
    assert await mirrors.resolve(url, wanted[:8]) == wanted
    assert await mirrors.resolve(url, wanted[:8].upper()) == wanted
    assert mirrors.counters.fetches == 1
    with pytest.raises(NotFound, match="unable to resolve 'no-such-branch'"):
        await mirrors.resolve(url, "no-such-branch")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c true",
        "-oProxyCommand=true",
        "ftp://example.com/a",
        "fd::3",
        "a b",
        "",
    ],
)
async def test_other_protocols_are_refused_before_git_is_started(mirrors: Mirrors, url: str) -> None:
    with pytest.raises(Invalid):
        await mirrors.refs(url)


async def test_files_may_be_allowed_for_tests(repo: Path, tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "local", highest=semver.highest, settings=Settings(allow_file=True))
    wanted = commit(repo, {"a.txt": "1"})
    assert (await mirrors.tree(f"file://{repo}", wanted)).read("a.txt") == b"1"
    await mirrors.close()


async def test_a_pack_beyond_the_limit_is_refused(
    server: FaultyGitServer, repo: Path, tmp_path: Path
) -> None:
    small = Mirrors(tmp_path / "small", highest=semver.highest, settings=Settings(pack_bytes=100_000))
    wanted = commit(repo, {"large.bin": os.urandom(400_000)})
    with pytest.raises(Unavailable):
        await small.tree(server.url("app"), wanted)
    await small.close()


async def test_nothing_of_a_hung_command_is_left(server: FaultyGitServer, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"a.txt": "1"})
    short = Settings(list_seconds=0.5, fetch_seconds=0.5)
    hasty = Mirrors(tmp_path / "hasty", highest=semver.highest, settings=short)
    server.fail(Fault.HANG)
    with pytest.raises(Unavailable, match=r"did not end within 0\.5 s"):
        await hasty.refs(server.url("app"))
    with pytest.raises(Unavailable, match=r"did not end within 0\.5 s"):
        await hasty.fetch(server.url("app"))
    assert _processes(server.url("app")) == []
    await hasty.close()


def _processes(text: str) -> list[Path]:
    return [pid for pid in Path("/proc").glob("[0-9]*") if _mentions(pid, text)]


def _mentions(pid: Path, text: str) -> bool:
    try:
        return text in (pid / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return False


async def test_the_reader_is_started_again_after_it_died(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path
) -> None:
    tree = await mirrors.tree(server.url("app"), commit(repo, {"a.txt": "1", "b/c.txt": "2"}))
    batch = tree._objects.batch
    assert batch._process is not None
    os.kill(batch._process.pid, signal.SIGKILL)
    batch._process.wait()
    assert tree.read("b/c.txt") == b"2"
    assert batch.starts >= 2


async def test_unused_mirrors_are_removed_and_used_ones_packed(
    server: FaultyGitServer, repo: Path, mirrors: Mirrors, tmp_path: Path
) -> None:
    other = create(server.root, "other")
    wanted = commit(repo, {"a.txt": "1"})
    await mirrors.tree(server.url("app"), wanted)
    await mirrors.tree(server.url("other"), commit(other, {"a.txt": "1"}))
    await mirrors.tidy([server.url("app")])
    assert len(list((tmp_path / "mirrors").iterdir())) == 1
    assert (await mirrors.tree(server.url("app"), wanted)).read("a.txt") == b"1"
    assert mirrors.counters.clones == 2
