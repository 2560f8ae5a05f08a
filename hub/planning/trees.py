"""The repositories as they would be: some branches stand elsewhere, everything else as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from argosy.errors import ArgosyError, Invalid, Unavailable
from hub.core import repos
from hub.core.apps import charts
from hub.core.plans.change import Change, Folder, Revision
from hub.core.tree import Tree
from hub.core.types import Answer, Complete, Failed
from hub.loops.repos.trees import Trees

_PULLS = ("refs/pull/{}/head", "refs/merge-requests/{}/head", "refs/pull-requests/{}/from")
"""Where GitHub, Gitea and others, GitLab, and Bitbucket Server keep the newest commit of a pull request."""
PULL = "pull/"
"""`pull/7` names a pull request wherever the host keeps it."""


class Merger(Protocol):
    """What merges two commits without a checkout (`hub.git.mirror.Mirrors`)."""

    async def merged(self, url: str, ours: str, theirs: str) -> Tree: ...


MOST_ASKED = 50
"""Repositories that are asked for a revision that names none."""


async def placed(trees: Trees, change: Change) -> Change:
    """The change with a repository for every revision. Raises `Invalid` where none, or more than one, has it."""
    if all(one.repo for one in change.revisions):
        return change
    found = [
        one if one.repo else replace(one, repo=await _having(trees, one.revision)) for one in change.revisions
    ]
    return replace(change, revisions=tuple(found))


async def _having(trees: Trees, revision: str) -> str:
    urls = [repo.url for repo in trees.in_use() if not charts.is_address(repo.url)][:MOST_ASKED]

    async def has(url: str) -> bool:
        try:
            await trees.at(url, await commit_of(trees, url, revision))
        except ArgosyError:
            return False
        return True

    having = [url for url, there in zip(urls, await asyncio.gather(*map(has, urls)), strict=True) if there]
    if len(having) == 1:
        return having[0]
    among = (
        f"more than one repository has it: {', '.join(map(repos.redacted, having))}"
        if having
        else (f"none of {len(urls)} repositories in use has it")
    )
    raise Invalid(
        f"spec.revisions: {revision}: {among}; name the repository, as in https://host/team/app={revision}"
    )


async def commit_of(trees: Trees, url: str, revision: str) -> str:
    """The commit of a revision or of `pull/<number>`. Raises `NotFound`, and as the mirrors do."""
    number = revision.removeprefix(PULL)
    if number == revision or not number.isdecimal():
        return await trees.commit(url, revision)
    return await trees.first(url, [ref.format(number) for ref in _PULLS])


class PlannedTrees:
    """One plan's view. Answers as `Trees.tree` does."""

    def __init__(self, trees: Trees, merger: Merger, change: Change) -> None:
        self._trees = trees
        self._merger = merger
        self._instead: dict[str, Revision | Folder] = {
            repos.identity(one.repo): one for one in change.repositories
        }
        self._answers: dict[tuple[str, str], asyncio.Task[Answer[Tree]]] = {}
        self.commits: dict[tuple[str, str], str] = {}
        """(repository, revision) -> what it was looked at instead of what it is."""
        self.unmade: dict[tuple[str, str], str] = {}
        """(repository, revision) of what is not a commit yet -> the commit that would be merged, "" for a folder."""

    def concerns(self, url: str) -> bool:
        """Whether anything of the repository is as it is not."""
        try:
            return repos.identity(url) in self._instead
        except Invalid:
            return False

    async def tree(self, url: str, revision: str) -> Answer[Tree]:
        key = (url, revision)
        if key not in self._answers:
            self._answers[key] = asyncio.create_task(self._tree(url, revision))
        return await self._answers[key]

    async def _tree(self, url: str, revision: str) -> Answer[Tree]:
        if not self.concerns(url):
            return await self._trees.tree(url, revision)
        instead = self._instead[repos.identity(url)]
        try:
            ours = await self._followed(url, revision, instead)
            if ours is None:
                return await self._trees.tree(url, revision)
            found = await self._there(url, ours, instead)
        except ArgosyError as error:
            return Failed(f"{repos.redacted(url)} at {revision or 'HEAD'}: {error.message}")
        self.commits[url, revision] = found.commit
        if isinstance(instead, Folder):
            self.unmade[url, revision] = ""
        elif instead.merged and found.commit != ours:
            self.unmade[url, revision] = found.commit
        return Complete(found, found.commit)

    async def _followed(self, url: str, revision: str, instead: Revision | Folder) -> str | None:
        """The commit of the branch that a source follows, None where it follows none that is meant.

        A repository that cannot be reached may still be planned with from a folder: then every revision is meant.
        """
        try:
            refs = await self._trees.refs(url)
        except Unavailable:
            if isinstance(instead, Folder):
                return ""
            raise
        return followed(refs, revision, instead.onto)

    async def _there(self, url: str, ours: str, instead: Revision | Folder) -> Tree:
        if isinstance(instead, Folder):
            return instead.tree
        theirs = await commit_of(self._trees, url, instead.revision)
        if instead.merged:
            return await self._merger.merged(url, ours, theirs)
        return await self._trees.at(url, theirs)


def followed(refs: Mapping[str, str], revision: str, onto: str) -> str | None:
    """The commit of the branch that `revision` names among `refs` (HEAD included), None for tags and commits. `onto`
    restricts it to one branch, "" to none.
    """
    wanted = revision.removeprefix("refs/heads/")
    if wanted in ("", "HEAD"):
        commit = refs.get("HEAD")
        return commit if commit and onto in ("", "HEAD", _head(refs)) else None
    if onto and onto not in (wanted, revision):
        return None
    return refs.get(f"refs/heads/{wanted}")


def _head(refs: Mapping[str, str]) -> str:
    """The branch that HEAD stands for: of several at its commit, the one that is called as most are."""
    at = [
        ref.removeprefix("refs/heads/")
        for ref, commit in refs.items()
        if ref.startswith("refs/heads/") and commit == refs.get("HEAD")
    ]
    return next((name for name in ("main", "master") if name in at), at[0] if at else "")
