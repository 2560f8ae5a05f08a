"""Which repositories and branches an scmProvider generator wants (Argo CD: `scm_provider.ListRepos`).

Conditions of one filter are ANDed, filters ORed. A filter that speaks of branches or paths is applied to
branches, one that speaks of repositories only before any branch is listed; where both kinds exist one of
each must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from argosy.errors import Unavailable
from hub.core.template.base import TemplateFailed
from hub.core.template.regexp import Pattern
from hub.providers.base import Repository, Scm


@dataclass(frozen=True, slots=True)
class _Filter:
    patterns: Mapping[str, Pattern]
    paths: tuple[str, ...]
    no_paths: tuple[str, ...]
    on_branches: bool


def _compiled(filters: Sequence[Mapping[str, Any]]) -> list[_Filter]:
    found = []
    for spec in filters:
        names = [
            name for name in ("repositoryMatch", "branchMatch", "labelMatch") if spec.get(name) is not None
        ]
        try:
            patterns = {name: Pattern(spec[name]) for name in names}
        except TemplateFailed as failure:
            raise Unavailable(f"error compiling filter: {failure.message}") from None
        on_branches = any(
            spec.get(name) is not None for name in ("pathsExist", "pathsDoNotExist", "branchMatch")
        )
        paths, no_paths = spec.get("pathsExist") or (), spec.get("pathsDoNotExist") or ()
        if names or on_branches:
            found.append(_Filter(patterns, tuple(paths), tuple(no_paths), on_branches))
    return found


async def list_branches(scm: Scm, filters: Sequence[Mapping[str, Any]]) -> list[Repository]:
    """Every repository and branch that the filters let through, in the provider's order."""
    compiled = _compiled(filters)
    about_repositories = [one for one in compiled if not one.on_branches]
    about_branches = [one for one in compiled if one.on_branches]
    found = []
    for repository in await scm.repositories():
        if about_repositories and not await _any(scm, repository, about_repositories):
            continue
        for name, sha in await scm.branches(repository):
            branch = replace(repository, branch=name, sha=sha)
            if not about_branches or await _any(scm, branch, about_branches):
                found.append(branch)
    return found


async def _any(scm: Scm, repository: Repository, filters: list[_Filter]) -> bool:
    for one in filters:
        if await _passes(scm, repository, one):
            return True
    return False


async def _passes(scm: Scm, repository: Repository, one: _Filter) -> bool:
    patterns = one.patterns
    if "repositoryMatch" in patterns and not patterns["repositoryMatch"].matches(repository.repository):
        return False
    if "branchMatch" in patterns and not patterns["branchMatch"].matches(repository.branch):
        return False
    if "labelMatch" in patterns and not any(
        patterns["labelMatch"].matches(label) for label in repository.labels
    ):
        return False
    for path in one.paths:
        if not await scm.has_path(repository, path.rstrip("/")):
            return False
    for path in one.no_paths:
        if await scm.has_path(repository, path.rstrip("/")):
            return False
    return True
