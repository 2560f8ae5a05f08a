"""Where is a commit? Every cluster accounted for: it runs the commit, is on its way, is still on another, and
why.

Pure: lists of API objects in, rows out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from argosy.objects import Manifest
from hub.cli import states
from hub.cli.states import AppState

RUNS, MOVING, BEHIND, FAILED, UNCONCERNED = (
    "runs it",
    "on its way",
    "still on another",
    "failed",
    "not concerned",
)
_WORST_FIRST = (FAILED, BEHIND, MOVING, RUNS, UNCONCERNED)


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster: its answer, how many of its concerned apps run the commit, what they run instead, and
    why."""

    cluster: str
    state: str
    running: int
    concerned: int
    others: tuple[str, ...]
    why: str


def account(
    commit: str, clusters: list[Manifest], apps: list[Manifest], releases: list[Manifest]
) -> list[Row]:
    """One row for each cluster, by name. `commit` may be shortened.

    Concerned is every application that runs the commit, or that a release of the commit names, or whose set
    has such a release on other clusters.
    """
    servers = states.names_by_server(clusters)
    named = [states.app_state(app, servers) for app in apps]
    released, sets = _released(commit, releases)
    found: dict[str, list[AppState]] = {str(cluster["metadata"]["name"]): [] for cluster in clusters}
    for app in named:
        if app.revision.startswith(commit) or app.name in released or (app.appset and app.appset in sets):
            found.setdefault(app.cluster, []).append(app)
    reachable = {str(cluster["metadata"]["name"]): states.cluster_state(cluster) for cluster in clusters}
    return [
        _row(commit, cluster, members, *reachable.get(cluster, ("waiting", "no such cluster has joined")))
        for cluster, members in sorted(found.items())
    ]


def known(commit: str, rows: Iterable[Row], releases: list[Manifest]) -> bool:
    """False where neither an application nor a release has ever heard of the commit."""
    return any(row.running for row in rows) or any(_of(commit, release) for release in releases)


def _of(commit: str, release: Manifest) -> bool:
    commits = release.get("spec", {}).get("commits") or []
    return any(str(entry.get("revision") or "").startswith(commit) for entry in commits)


def _released(commit: str, releases: list[Manifest]) -> tuple[set[str], set[str]]:
    """The names of the applications, and of the sets, that a release of the commit speaks of."""
    apps: set[str] = set()
    for release in releases:
        if _of(commit, release):
            apps |= {str(entry.get("name")) for entry in release["spec"].get("applications") or []}
    return apps, set()


def _row(commit: str, cluster: str, members: list[AppState], reachable: str, unreachable_why: str) -> Row:
    running = [app for app in members if app.revision.startswith(commit) and app.done]
    others = tuple(sorted({app.revision[:12] for app in members if app.revision and app not in running}))
    answers = [_answer(commit, app, reachable, unreachable_why) for app in members]
    state = next((word for word in _WORST_FIRST if any(word == found for found, _ in answers)), UNCONCERNED)
    why = "; ".join(dict.fromkeys(reason for found, reason in answers if found == state and reason))
    if state == UNCONCERNED:
        why = "no application of this commit is for this cluster"
    return Row(cluster, state, len(running), len(members), others, why)


def _answer(commit: str, app: AppState, reachable: str, unreachable_why: str) -> tuple[str, str]:
    if app.revision.startswith(commit):
        if app.done:
            return RUNS, ""
        if app.trouble:
            return FAILED, f"{app.name}: {app.trouble}"
        return MOVING, f"{app.name}: {app.sync}, {app.health}"
    if reachable != "Ready":
        return BEHIND, f"cluster {reachable}: {unreachable_why}".rstrip(": ")
    if app.trouble:
        return FAILED, f"{app.name}: {app.trouble}"
    return (
        MOVING if app.sync != "Synced" else BEHIND
    ), f"{app.name}: {app.sync} at {app.revision[:12] or 'nothing'}"
