"""What made a release: one word, from what differs since the release before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from hub.core.apps import charts

Commits = Sequence[tuple[str, str, str]]
"""(repository or chart, revision asked for, commit or version) of each source."""

MOST_NAMED = 3
"""People, or clusters, that one release names."""
LONGEST = 200
"""Characters of a commit's author that are kept."""


class Cause(StrEnum):
    """`IMAGE`: container images alone differ and no commit moved; `CHART`: a chart or an artifact did. `LABELS` stands for
    other parameters as well.
    """

    FIRST = "first"
    OPERATOR = "operator"
    COMMIT = "commit"
    COMMIT_AND_EDIT = "commit and edit"
    IMAGE = "image"
    CHART = "chart"
    EDIT = "edit"
    JOIN = "join"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Step:
    """What a release changes for one Application. `had`: it had something before; `commits`: the Git commits that it moved
    to; `chart`: a chart or an artifact moved; `images`: nothing differs but images.
    """

    had: bool
    commits: tuple[str, ...] = ()
    chart: bool = False
    images: bool = False


@dataclass(frozen=True, slots=True)
class Since:
    """What happened since the release before: whether the set (or the Application) was edited, which of the clusters
    concerned joined, whether somebody changed labels of one.
    """

    first: bool = False
    edited: bool = False
    joined: Sequence[str] = ()
    relabelled: bool = False


def cause(steps: Sequence[Step], since: Since) -> Cause:
    if since.first:
        return Cause.FIRST
    fresh = not any(step.had for step in steps)
    if fresh and since.joined:
        return Cause.JOIN
    if fresh and since.relabelled and not since.edited:
        return Cause.LABELS
    if any(step.commits for step in steps if step.had or fresh):
        return Cause.COMMIT_AND_EDIT if since.edited else Cause.COMMIT
    if all(step.images for step in steps):
        return Cause.IMAGE
    if since.edited:
        return Cause.EDIT
    return Cause.CHART if any(step.chart for step in steps) else Cause.LABELS


def moved(before: Commits, now: Commits) -> Commits:
    """The sources that are at another commit, or were not there."""
    had = {(repo, commit) for repo, _, commit in before}
    return [source for source in now if source[2] and (source[0], source[2]) not in had]


def step(before: Commits, now: Commits, *, had: bool, images: bool) -> Step:
    news = moved(before, now)
    git = tuple(commit for repo, _, commit in news if not charts.is_address(repo))
    return Step(had, git, any(charts.is_address(repo) for repo, _, _ in news), images)


def commits_of(repo: str, target: str, revision: str, several: str) -> Commits:
    """Of all sources of an Application. `several` is JSON, "" for a single one."""
    if not several:
        return [(repo, target, revision)]
    return [(str(url), str(asked), str(commit)) for url, asked, commit in orjson.loads(several)]


def named(found: Iterable[str]) -> str:
    """The first of them, each once, and how many more there are."""
    every = list(dict.fromkeys(found))
    more = [f"and {len(every) - MOST_NAMED} more"] if len(every) > MOST_NAMED else []
    return ", ".join([*every[:MOST_NAMED], *more])


def author(commit: bytes) -> str:
    """The author in the content of a commit object, as "name <address>", without control characters; "" for none."""
    for line in commit.partition(b"\n\n")[0].split(b"\n"):
        if line.startswith(b"author "):
            text = line.removeprefix(b"author ").decode("utf-8", "replace")
            who = text[: text.rindex(">") + 1] if ">" in text else text
            return "".join(letter for letter in who if letter.isprintable())[:LONGEST]
    return ""
