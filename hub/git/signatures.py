"""Who signed a commit, a tag or a whole history, as GnuPG says by a keyring of ours.

Keys are given as text and live in a folder of one command; nothing of the machine's own GnuPG is read, no agent is
started, no key fetched. What a signature is does not change while the keyring stays, so each is judged once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from argosy.errors import Invalid, Unavailable
from hub import process
from hub.core.projects import integrity
from hub.core.projects.integrity import Signature, Verdict
from hub.git import command, revision
from hub.git.mirror import Mirrors
from hub.git.revision import HighestTag

PROGRAM = "gpg"
_KEPT = 50_000
_HISTORY = 50_000
"""Commits of a history that is looked at whole."""
_TOGETHER = 500
"""Commits per command: bounds how long one takes."""
_LINE = 4096
_IMPORT = process.Bounds(30.0, 65536)
_AT_ONCE = 2
_OPTIONS = "trust-model always\nno-autostart\nno-auto-key-retrieve\nno-permission-warning\nbatch\n"
"""Whoever is in the keyring is trusted, as with Argo CD."""
_CONFIG = {
    "gpg.program": PROGRAM,
    "gpg.ssh.program": "false",
    "gpg.x509.program": "false",
    "safe.directory": "*",
}
_PLAIN = {"GIT_NO_REPLACE_OBJECTS": "1"}
_FORMAT = "%H%n%G?%n%GK%n%GP%n%an <%ae>"
_LETTERS = {
    "G": Verdict.GOOD,
    "B": Verdict.BAD,
    "U": Verdict.UNTRUSTED,
    "X": Verdict.EXPIRED,
    "Y": Verdict.KEY_EXPIRED,
    "R": Verdict.KEY_REVOKED,
    "E": Verdict.KEY_MISSING,
    "N": Verdict.UNSIGNED,
}
"""Git's `%G?`."""
_CODES = {
    "GOODSIG": Verdict.GOOD,
    "BADSIG": Verdict.BAD,
    "EXPSIG": Verdict.EXPIRED,
    "EXPKEYSIG": Verdict.KEY_EXPIRED,
    "REVKEYSIG": Verdict.KEY_REVOKED,
    "ERRSIG": Verdict.KEY_MISSING,
}
"""GnuPG's own status lines."""
_STATUS = re.compile(rf"^\[GNUPG:\] ({'|'.join(_CODES)}) ([0-9A-F]+) ", re.MULTILINE)
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG [0-9A-F]+ .* ([0-9A-F]{40})$", re.MULTILINE)
_TAGGER = re.compile(rb"^tagger (.*>) \d+ [+-]\d+$", re.MULTILINE)


class Signatures:
    """Of everything in `mirrors`; `highest` says which tag a version constraint means."""

    def __init__(self, mirrors: Mirrors, *, highest: HighestTag) -> None:
        self._mirrors = mirrors
        self._highest = highest
        self._settings = mirrors.settings
        self._ring = _Ring({})
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.judged = 0
        """Signatures that GnuPG was asked about since the start."""

    def use(self, keys: Mapping[str, str]) -> bool:
        """Takes up another keyring, key id -> armored key; False where it is the same."""
        if keys == self._ring.keys:
            return False
        # What is being judged by the old one is remembered there, and forgotten with it.
        self._ring = _Ring(dict(keys))
        return True

    async def of(
        self, url: str, target: str, commit: str, *, refs: Mapping[str, str], tag_prefix: str = "", deep: bool
    ) -> list[Signature]:
        """What was signed of the commit that `target` stands for: the tag alone where it is an annotated one, else the
        commit; `deep`: both, and all its ancestors back to seals. `refs` is the listing by which it was resolved.

        Raises `Unavailable` where it cannot be told, `Invalid` for a tag that is not what its name says.
        """
        if shutil.which(PROGRAM) is None:
            raise Unavailable(f"signatures cannot be verified: {PROGRAM} is not installed")
        name = revision.tag(target, refs, highest=self._highest, tag_prefix=tag_prefix)
        async with self._slots:
            with contextlib.closing(_Home(self._ring)) as home:
                found = await self._look(url, name, commit, home, deep=deep)
                if name and any(one.verdict is not Verdict.GOOD for one in found):
                    # A tag may be signed anew where it is: no listing shows that.
                    with contextlib.suppress(Unavailable):
                        await self._mirrors.fetch(url)
                    found = await self._look(url, name, commit, home, deep=deep)
                return found

    async def _look(self, url: str, name: str, commit: str, home: _Home, *, deep: bool) -> list[Signature]:
        found = await self._tag(url, name, commit, home) if name else []
        if found and not deep:
            return found
        place = self._mirrors.place(url)
        commits = await self._history(place, commit, home) if deep else [commit]
        return found + await self._commits(place, commits, home)

    async def _tag(self, url: str, name: str, commit: str, home: _Home) -> list[Signature]:
        """Nothing for a tag that is a mere name of a commit."""
        tag = await self._mirrors.object(url, f"refs/tags/{name}")
        if tag.kind != "tag":
            return []
        pointed = await self._mirrors.object(url, f"{tag.id}^{{commit}}")
        if pointed.id != commit:
            raise Unavailable(f"tag {name} is moving: {commit} was looked for, {pointed.id} is there")
        own = re.search(rb"^tag (.*)$", tag.data.partition(b"\n\n")[0], re.MULTILINE)
        if own is None or own[1].decode("utf-8", "replace") != name:
            # Somebody's signature of another version, put under this one's name.
            raise Invalid(f"tag {name} is a tag object of another name")
        if (known := home.ring.known.get(tag.id)) is not None:
            return [known]
        args = ["--git-dir", str(self._mirrors.place(url)), "verify-tag", "--raw", tag.id]
        outcome = await self._ask(args, home, 65536)
        tagger = _TAGGER.search(tag.data.partition(b"\n\n")[0])
        author = tagger[1].decode("utf-8", "replace") if tagger else ""
        self.judged += 1
        return [home.ring.keep(tag.id, _judged(name, outcome.err.decode("utf-8", "replace"), author))]

    async def _history(self, place: Path, commit: str, home: _Home) -> list[str]:
        """The commit and its ancestors, newest first, as far as the newest seals on each way."""
        pattern = [f"--grep={integrity.SEAL}", "--regexp-ignore-case"]
        sealing = await self._commits(place, await self._listed(place, pattern, [commit]), home)
        seals = [one.revision for one in sealing if one.verdict is Verdict.GOOD]
        if commit in seals:
            return [commit]
        return await self._listed(place, ["--boundary"], [commit, *(f"^{seal}" for seal in seals)])

    async def _listed(self, place: Path, options: Sequence[str], wanted: Sequence[str]) -> list[str]:
        outcome = await command.ask(
            ["--git-dir", str(place), "rev-list", f"--max-count={_HISTORY + 1}", *options, "--stdin"],
            self._settings,
            66 * (_HISTORY + 2),
            stdin=("\n".join(wanted) + "\n").encode(),
            extra=_PLAIN,
        )
        if outcome.code:
            raise Unavailable(f"git rev-list: {outcome.err.decode('utf-8', 'replace').strip()[:300]}")
        found = [line.lstrip("-") for line in outcome.out.decode("ascii").split()]
        if len(found) > _HISTORY:
            raise Unavailable(
                f"more than {_HISTORY} commits without a signed one that seals them ({integrity.SEAL})"
            )
        return found

    async def _commits(self, place: Path, commits: Sequence[str], home: _Home) -> list[Signature]:
        ring = home.ring
        found = {one: ring.known[one] for one in commits if one in ring.known}
        unknown = [one for one in commits if one not in found]
        for start in range(0, len(unknown), _TOGETHER):
            part = unknown[start : start + _TOGETHER]
            args = [
                "--git-dir",
                str(place),
                "log",
                "--no-walk=unsorted",
                "--stdin",
                "-z",
                f"--format={_FORMAT}",
            ]
            outcome = await self._ask(args, home, _LINE * len(part), stdin=("\n".join(part) + "\n").encode())
            if outcome.code:
                raise Unavailable(f"git log: {outcome.err.decode('utf-8', 'replace').strip()[:300]}")
            told = [_told(text) for text in outcome.out.decode("utf-8", "replace").split("\0") if text]
            found.update((one.revision, ring.keep(one.revision, one)) for one in told)
            self.judged += len(told)
        if missing := [one for one in commits if one not in found]:
            raise Unavailable(f"git says nothing of commit {missing[0]}")
        return [found[one] for one in commits]

    async def _ask(
        self, args: Sequence[str], home: _Home, output: int, stdin: bytes = b""
    ) -> process.Outcome:
        extra = {"GNUPGHOME": await home.folder(), **_PLAIN}
        return await command.ask(args, self._settings, output, stdin=stdin, config=_CONFIG, extra=extra)


class _Ring:
    """Keys, key id -> armored key, and what was judged by them."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys
        self.known: OrderedDict[str, Signature] = OrderedDict()

    def keep(self, name: str, one: Signature) -> Signature:
        if one.verdict is Verdict.GOOD and integrity.key_id(one.primary) not in self.keys:
            # An entry may hold more keys than the one it is named after: these do not count.
            one = replace(one, verdict=Verdict.KEY_MISSING)
        self.known[name] = one
        while len(self.known) > _KEPT:
            self.known.popitem(last=False)
        return one


class _Home:
    """A folder for GnuPG with the keys of a ring, made when the first signature is to be judged."""

    def __init__(self, ring: _Ring) -> None:
        self.ring = ring
        self._open = contextlib.ExitStack()
        self._folder = ""

    async def folder(self) -> str:
        if not self._folder:
            home = self._open.enter_context(command.private_folder())
            await asyncio.to_thread(_prepare, Path(home))
            path = os.environ.get("PATH", os.defpath)
            env = {"PATH": path, "LC_ALL": "C", "HOME": home, "GNUPGHOME": home}
            for text in self.ring.keys.values():
                try:
                    # What cannot be imported signs nothing; the other keys do.
                    await process.run([PROGRAM, "--import"], env=env, bounds=_IMPORT, stdin=text.encode())
                except process.Stopped as stopped:
                    raise Unavailable(f"gpg was stopped: {stopped}") from None
            self._folder = home
        return self._folder

    def close(self) -> None:
        self._open.close()


def _prepare(home: Path) -> None:
    (home / "gpg.conf").write_text(_OPTIONS)
    # Without it, newer versions would want a daemon that holds the keys.
    (home / "common.conf").touch()


def _told(text: str) -> Signature:
    """A commit by `_FORMAT`."""
    commit, letter, key, primary, author = text.split("\n", 4)
    verdict = _LETTERS.get(letter, Verdict.BAD)
    return Signature(commit, verdict, key, integrity.key_id(primary) or key, author.strip())


def _judged(name: str, status: str, author: str) -> Signature:
    """A tag by GnuPG's status lines. More than one signature is none that anybody can rely on."""
    said = _STATUS.findall(status)
    if not said:
        return Signature(name, Verdict.UNSIGNED, "", "", author)
    code, key = said[0]
    primary = _VALID.search(status)
    verdict = _CODES[code] if len(said) == 1 else Verdict.BAD
    return Signature(
        name, verdict, integrity.key_id(key), integrity.key_id(primary[1] if primary else key), author
    )
