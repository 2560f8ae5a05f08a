"""Where is a commit? Every cluster accounted for: it runs the commit, is on its way, is still on another, and
why.

Pure: lists of API objects in, rows out.
"""

from __future__ import annotations

from dataclasses import dataclass

from argosy.objects import Manifest
from hub.cli import states
from hub.cli.states import AppState

RUNS, MOVING, BEHIND, FAILED = "runs it", "on its way", "still on another", "failed"
PASSED, UNCONCERNED = "went past it", "not concerned"
_WORST_FIRST = (FAILED, BEHIND, MOVING, RUNS, PASSED, UNCONCERNED)


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster: its answer, how many of its concerned applications run the commit, what else they run, and
    why.
    """

    cluster: str
    state: str
    running: int
    concerned: int
    others: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """The commit, the applications that its releases changed, the names of these releases and of all later
    ones."""

    commit: str
    apps: frozenset[str]
    releases: frozenset[str]
    later: frozenset[str]


def known(commit: str, apps: list[Manifest], releases: list[Manifest]) -> bool:
    """False where neither an application nor a release has ever heard of the commit (may be shortened)."""
    running = any(states.app_state(app, {}).revision.startswith(commit) for app in apps)
    return running or any(_of(commit, release) for release in releases)


def account(
    commit: str, clusters: list[Manifest], apps: list[Manifest], releases: list[Manifest]
) -> list[Row]:
    """One row for each cluster, by name. `commit` may be shortened.

    Concerned is every application that is at the commit, and every one that a release of the commit changed.
    """
    asked = _ask(commit, releases)
    servers = states.names_by_server(clusters)
    found: dict[str, list[AppState]] = {str(cluster["metadata"]["name"]): [] for cluster in clusters}
    for app in (states.app_state(item, servers) for item in apps):
        if app.revision.startswith(commit) or app.name in asked.apps:
            found.setdefault(app.cluster, []).append(app)
    reachable = {str(cluster["metadata"]["name"]): states.cluster_state(cluster) for cluster in clusters}
    return [
        _row(asked, cluster, members, *reachable.get(cluster, ("waiting", "no such cluster has joined")))
        for cluster, members in sorted(found.items())
    ]


def _of(commit: str, release: Manifest) -> bool:
    for entry in release.get("spec", {}).get("commits") or []:
        if any(str(entry.get(field) or "").startswith(commit) for field in ("commit", "revision")):
            return True
    return False


def _ask(commit: str, releases: list[Manifest]) -> _Asked:
    of_it = [release for release in releases if _of(commit, release)]
    apps = {str(app.get("name")) for release in of_it for app in release["spec"].get("applications") or []}
    first: dict[str, int] = {}
    for release in of_it:
        owner, number = _place(release)
        first[owner] = min(number, first.get(owner, number))
    later = [release for release in releases if _after(release, first) and release not in of_it]
    return _Asked(commit, frozenset(apps), _all_names(of_it), _all_names(later))


def _place(release: Manifest) -> tuple[str, int]:
    """(owner, number): the releases of one owner are numbered in their order."""
    spec = release["spec"]
    return str((spec.get("owner") or {}).get("uid") or ""), int(spec.get("number") or 0)


def _after(release: Manifest, first: dict[str, int]) -> bool:
    owner, number = _place(release)
    return owner in first and number > first[owner]


def _all_names(releases: list[Manifest]) -> frozenset[str]:
    return frozenset(name for release in releases for name in _names(release))


def _names(release: Manifest) -> tuple[str, str]:
    """Both ids by which an application may name the release it runs."""
    metadata = release["metadata"]
    return str(metadata["name"]), str(metadata.get("uid") or metadata["name"])


def _row(asked: _Asked, cluster: str, members: list[AppState], reachable: str, unreachable_why: str) -> Row:
    answers = [_answer(asked, app, reachable, unreachable_why) for app in members]
    state = next((word for word in _WORST_FIRST if any(word == found for found, _ in answers)), UNCONCERNED)
    why = "; ".join(dict.fromkeys(reason for found, reason in answers if found == state and reason))
    if state == UNCONCERNED:
        why = "no application of this commit is for this cluster"
    running = sum(found == RUNS for found, _ in answers)
    elsewhere = {
        app.deployed or app.revision
        for app, (found, _) in zip(members, answers, strict=True)
        if found != RUNS
    }
    others = tuple(
        sorted(commit[:12] for commit in elsewhere if commit and not commit.startswith(asked.commit))
    )
    return Row(cluster, state, running, len(members), others, why)


def _answer(asked: _Asked, app: AppState, reachable: str, unreachable_why: str) -> tuple[str, str]:
    at_it = app.revision.startswith(asked.commit)
    if app.done and (at_it or app.release in asked.releases):
        return RUNS, ""
    if app.done and app.release in asked.later:
        return PASSED, f"{app.name}: now at {app.revision[:12]}"
    if reachable != "Ready":
        return BEHIND, f"cluster {reachable}: {unreachable_why}".rstrip(": ")
    if app.trouble:
        return FAILED, f"{app.name}: {app.trouble}"
    if app.done:
        return BEHIND, f"{app.name}: at {app.revision[:12]}"
    return MOVING, f"{app.name}: {app.sync}, {app.health}"
