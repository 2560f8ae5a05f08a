"""Signatures of commits, tags and histories, made by real keys and judged by the real GnuPG."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubs import Repo, repository
from signers import Key, Signers

from argosy.errors import Invalid, Unavailable
from hub.core.matching import semver
from hub.core.projects.integrity import Signature, Verdict
from hub.git.mirror import Mirrors
from hub.git.signatures import Signatures

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with repository(tmp_path) as repo:
        yield repo


@pytest.fixture
def judge(mirrors: Mirrors) -> Signatures:
    return Signatures(mirrors, highest=semver.highest)


def commit(repo: Repo, message: str, key: Key | None = None) -> str:
    signing = [f"-S{key.fingerprint}"] if key else []
    repo.git("commit", "--quiet", "--allow-empty", "--message", message, *signing)
    return push(repo)


def push(repo: Repo) -> str:
    bare = str(repo.server.root / f"{repo.name}.git")
    repo.git("push", "--quiet", "--force", "--tags", bare, "HEAD:refs/heads/main")
    return repo.git("rev-parse", "HEAD").strip()


def forge(repo: Repo) -> None:
    """Puts another message under the signature of the last commit."""
    forged = repo.git("cat-file", "commit", "HEAD").replace("\n\nsigned", "\n\nforged")
    made = subprocess.run(
        ["git", "-C", str(repo.work), "hash-object", "-t", "commit", "-w", "--stdin"],
        input=forged,
        capture_output=True,
        text=True,
        check=True,
    )
    repo.git("reset", "--quiet", "--hard", made.stdout.strip())


def use_ssh(repo: Repo, key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    repo.git("config", "gpg.format", "ssh")
    repo.git("config", "user.signingkey", f"{key}.pub")


async def asked(
    judge: Signatures, mirrors: Mirrors, repo: Repo, target: str = "main", *, deep: bool = False
) -> list[Signature]:
    refs = await mirrors.refs(repo.url)
    tree = await mirrors.tree(repo.url, await mirrors.resolve(repo.url, target, refs=refs))
    return await judge.of(repo.url, target, tree.commit, refs=refs, deep=deep)


def verdicts(found: list[Signature]) -> list[Verdict]:
    return [one.verdict for one in found]


async def test_commits_are_signed_well_by_nobody_or_by_somebody_unknown(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann, bob = people.key("ann"), people.key("bob")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "unsigned")
    assert await asked(judge, mirrors, repo) == [
        Signature(repo.git("rev-parse", "HEAD").strip(), Verdict.UNSIGNED, "", "", "Test <test@example.com>")
    ]
    commit(repo, "signed", ann)
    (found,) = await asked(judge, mirrors, repo)
    assert (found.verdict, found.key, found.primary) == (Verdict.GOOD, ann.id, ann.id)
    commit(repo, "by another", bob)
    (found,) = await asked(judge, mirrors, repo)
    assert (found.verdict, found.key) == (Verdict.KEY_MISSING, bob.id)
    # The key is added: what was said before does not stand.
    assert judge.use({ann.id: people.public(ann), bob.id: people.public(bob)})
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.GOOD]
    # And taken away again.
    judge.use({ann.id: people.public(ann)})
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.KEY_MISSING]


async def test_one_signature_is_judged_once(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    keys = {ann.id: people.public(ann)}
    assert judge.use(keys)
    commit(repo, "signed", ann)
    for _ in range(3):
        await asked(judge, mirrors, repo)
        assert not judge.use(dict(keys))
    assert judge.judged == 1


async def test_keys_count_by_the_name_of_their_entry_alone(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann, bob = people.key("ann"), people.key("bob")
    judge.use({"C" * 16: "no key at all", ann.id: people.public(ann, bob)})
    commit(repo, "by a stowaway", bob)
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.KEY_MISSING]
    commit(repo, "signed", ann)
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.GOOD]


async def test_a_subkey_signs_for_the_key_above_it(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann", subkey=True)
    judge.use({ann.id: people.public(ann)})
    commit(repo, "signed", ann)
    repo.git("tag", "--sign", "--local-user", ann.fingerprint, "--message", "one", "v1.0.0")
    push(repo)
    for target in ("main", "v1.0.0"):
        (found,) = await asked(judge, mirrors, repo, target)
        assert found.verdict is Verdict.GOOD
        assert (found.key != ann.id, found.primary) == (True, ann.id)


async def test_expired_and_revoked_keys_do_not_count(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    with people.long_ago():
        old = people.key("old", expires="1y")
        commit(repo, "long ago", old)
        repo.git("tag", "--sign", "--local-user", old.fingerprint, "--message", "old", "old")
        push(repo)
    gone = people.key("gone")
    judge.use({old.id: people.public(old)})
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.KEY_EXPIRED]
    assert verdicts(await asked(judge, mirrors, repo, "old")) == [Verdict.KEY_EXPIRED]
    commit(repo, "stolen", gone)
    people.revoke(gone)
    judge.use({gone.id: people.public(gone)})
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.KEY_REVOKED]


async def test_what_was_changed_after_signing_is_bad(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "signed", ann)
    forge(repo)
    push(repo)
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.BAD]


async def test_signatures_of_other_kinds_are_none(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers, tmp_path: Path
) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    use_ssh(repo, tmp_path / "key")
    repo.git("commit", "--quiet", "--allow-empty", "-S", "--message", "by ssh")
    repo.git("tag", "--sign", "--message", "by ssh", "v1")
    push(repo)
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.UNSIGNED]
    assert verdicts(await asked(judge, mirrors, repo, "v1")) == [Verdict.UNSIGNED]


async def test_of_an_annotated_tag_the_tag_is_looked_at_and_not_the_commit(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "unsigned")
    repo.git("tag", "--sign", "--local-user", ann.fingerprint, "--message", "one", "v1.0.0")
    repo.git("tag", "--annotate", "--message", "two", "v0.9.0")
    repo.git("tag", "light")
    push(repo)
    (found,) = await asked(judge, mirrors, repo, "1.*")
    assert (found.revision, found.verdict, found.author) == (
        "v1.0.0",
        Verdict.GOOD,
        "Test <test@example.com>",
    )
    (found,) = await asked(judge, mirrors, repo, "v0.9.0")
    assert (found.revision, found.verdict) == ("v0.9.0", Verdict.UNSIGNED)
    # A name for a commit is judged by the commit.
    (found,) = await asked(judge, mirrors, repo, "light")
    assert (found.revision, found.verdict) == (repo.git("rev-parse", "HEAD").strip(), Verdict.UNSIGNED)
    # The commit by its id is not the tag.
    assert verdicts(await asked(judge, mirrors, repo, found.revision)) == [Verdict.UNSIGNED]


async def test_a_tag_that_is_signed_anew_in_its_place_counts(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "unsigned")
    repo.git("tag", "v1")
    push(repo)
    assert verdicts(await asked(judge, mirrors, repo, "v1")) == [Verdict.UNSIGNED]
    repo.git("tag", "--force", "--sign", "--local-user", ann.fingerprint, "--message", "one", "v1", "v1^{}")
    push(repo)
    assert verdicts(await asked(judge, mirrors, repo, "v1")) == [Verdict.GOOD]


async def test_a_signed_tag_cannot_be_put_under_another_name(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "with a hole")
    repo.git("tag", "--sign", "--local-user", ann.fingerprint, "--message", "one", "v1")
    repo.git("update-ref", "refs/tags/v2", "refs/tags/v1")
    push(repo)
    with pytest.raises(Invalid, match="tag v2 is a tag object of another name"):
        await asked(judge, mirrors, repo, "v2")


async def test_strict_looks_at_the_whole_history_as_far_as_a_seal(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann, bob = people.key("ann"), people.key("bob")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "unsigned")
    commit(repo, "signed", ann)
    assert verdicts(await asked(judge, mirrors, repo)) == [Verdict.GOOD]
    assert verdicts(await asked(judge, mirrors, repo, deep=True)) == [Verdict.GOOD, Verdict.UNSIGNED]
    # Nobody's seal, and that of somebody unknown, seal nothing.
    commit(repo, "x\n\nArgocd-gpg-seal: mine")
    commit(repo, "x\n\nArgocd-gpg-seal: mine", bob)
    assert len(await asked(judge, mirrors, repo, deep=True)) == 4
    sealed = commit(repo, "x\n\nargocd-GPG-seal: looked at", ann)
    assert verdicts(await asked(judge, mirrors, repo, deep=True)) == [Verdict.GOOD]
    commit(repo, "after", ann)
    found = await asked(judge, mirrors, repo, deep=True)
    assert (verdicts(found), found[1].revision) == ([Verdict.GOOD] * 2, sealed)
    # What branched off before the seal is not behind it.
    repo.git("checkout", "--quiet", "-b", "side", f"{sealed}~2")
    commit(repo, "on the side")
    repo.git("checkout", "--quiet", "-B", "main", found[0].revision)
    repo.git("merge", "--quiet", f"-S{ann.fingerprint}", "--no-ff", "--message", "merged", "side")
    push(repo)
    assert Verdict.UNSIGNED in verdicts(await asked(judge, mirrors, repo, deep=True))


async def test_a_tag_and_its_history_are_both_looked_at_in_strict_mode(
    mirrors: Mirrors, judge: Signatures, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    judge.use({ann.id: people.public(ann)})
    commit(repo, "unsigned")
    repo.git("tag", "--sign", "--local-user", ann.fingerprint, "--message", "one", "v1")
    push(repo)
    assert verdicts(await asked(judge, mirrors, repo, "v1", deep=True)) == [Verdict.GOOD, Verdict.UNSIGNED]


async def test_without_gpg_nothing_can_be_told(
    mirrors: Mirrors,
    judge: Signatures,
    repo: Repo,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    commit(repo, "unsigned")
    await asked(judge, mirrors, repo)
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(Unavailable, match="gpg is not installed"):
        await asked(judge, mirrors, repo)
