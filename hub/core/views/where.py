"""Where a commit (or a chart's version) is: every cluster of the fleet in exactly one place, with the reason.

What an application runs is right for a range of commits: from the one that its objects were rendered from to the newest
that changed nothing of them. So a commit that touched other files is run by an application without anything having been
deployed. What contains what is asked of Git's history, by the set of the commit's descendants.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from hub.core.matching import semver


class Place(StrEnum):
    """Where a cluster is, from what somebody has to look at to what is done; its applications' first place counts. One
    application that went on makes the cluster newer.
    """

    FAILED = "failed"
    OFFLINE = "offline"
    WAITING = "waiting"
    IN_PROGRESS = "in progress"
    OLDER = "older"
    NEWER = "newer"
    RUNNING = "running"
    NOT_TARGETED = "not targeted"


WORST_FIRST = tuple(Place)
DONE = frozenset((Place.RUNNING, Place.NEWER, Place.NOT_TARGETED))
"""Nobody waits for a cluster there."""


class App(NamedTuple):
    """One application on its cluster, as the store knows it, by one of its sources that is of the commit's repository.
    Times are Unix seconds. `uid` is the application's; one with several such sources is there once for each.

    `wanted` is the bundle of its last good render, made from `wanted_from` and right up to `wanted_to`; `problem` says
    what is wrong with a newer one. `assigned` is what its cluster shall have, made from `assigned_from`. `running` is
    what the agent reports, made from `running_from` ("" where that is not known any more). `waits_for` is what a rollout
    says holds the application up, `refused` why it is not given what is wanted.
    """

    name: str
    cluster: str
    wanted: str
    wanted_from: str
    wanted_to: str
    target: str = ""
    problem: str = ""
    assigned: str = ""
    assigned_from: str = ""
    running: str = ""
    running_from: str = ""
    sync: str = ""
    health: str = ""
    phase: str = ""
    message: str = ""
    reported: float = 0.0
    waits_for: str = ""
    waits_since: float = 0.0
    failed: str = ""
    refused: str = ""
    manual: bool = False
    """Nobody but a person syncs it."""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`since` is when it went away where it is not connected."""

    id: str
    name: str
    connected: bool
    since: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What is asked about: the commit, those that contain it (itself not among them), and whether the tip of what an
    application follows contains it: (target) -> yes. Targets that are not known do not.
    """

    commit: str
    descendants: Collection[str]
    tips: Mapping[str, bool]

    def holds(self, commit: str) -> bool:
        """Whether `commit` is the one asked about, or contains it."""
        return commit == self.commit or commit in self.descendants


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster. `since` is 0 where there is no such time; `apps` are its concerned applications, `there` those of them
    that run the commit or a newer one.
    """

    cluster: str
    place: Place
    why: str = ""
    since: float = 0.0
    there: int = 0
    apps: int = 0
    at: tuple[str, ...] = ()
    """The commits that it runs instead."""

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "cluster": self.cluster,
            "state": self.place.value,
            "applications": {"total": self.apps, "there": self.there},
        }
        if self.why:
            out["why"] = self.why
        if self.since:
            out["since"] = self.since
        if self.at:
            out["commits"] = list(self.at)
        return out


SHORTEST = 4
"""Digits of a commit that are enough to ask for it: what Git itself takes."""
_COMMIT = re.compile(rf"[0-9a-fA-F]{{{SHORTEST},64}}\Z")
_VERSION = re.compile(r"v?\d+\.[0-9A-Za-z.+-]{1,120}\Z|sha256:[0-9a-f]{4,64}\Z")


def is_commit(text: str) -> bool:
    """Whether it may be a commit, shortened or not."""
    return bool(_COMMIT.match(text))


def is_version(text: str) -> bool:
    """Whether it may be a chart's version, or an artifact's digest, shortened or not."""
    return bool(_VERSION.match(text))


def newer(version: str, among: Iterable[str]) -> frozenset[str]:
    """The versions above one. Digests have no order."""
    try:
        own = semver.parse_version(version)
        return frozenset(
            one for one in among if not one.startswith("sha256:") and semver.parse_version(one) > own
        )
    except ValueError:
        return frozenset()


def account(clusters: Sequence[Cluster], apps: Iterable[App], history: History) -> list[Row]:
    """One row for each cluster, by name."""
    by_cluster: dict[str, list[App]] = {}
    for app in apps:
        by_cluster.setdefault(app.cluster, []).append(app)
    return [
        _row(cluster, by_cluster.get(cluster.id, ()), history)
        for cluster in sorted(clusters, key=lambda one: one.name)
    ]


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """Clusters by place; every place is there, and together they are all clusters."""
    found = Counter(row.place for row in rows)
    return {place.value: found[place] for place in Place}


def _row(cluster: Cluster, apps: Sequence[App], history: History) -> Row:
    if not apps:
        return Row(cluster.name, Place.NOT_TARGETED, "no application of this commit is for this cluster")
    answers = _answers(apps, cluster, history)
    place = next(place for place in WORST_FIRST if any(found is place for _, found, _, _ in answers))
    these = [(app, why, since) for app, found, why, since in answers if found is place]
    why = "; ".join(dict.fromkeys(f"{app.name}: {why}" if why else "" for app, why, _ in these[:5]))
    if len(these) > 5:
        why += f"; and {len(these) - 5} more"
    times = [since for _, _, since in these if since]
    there = sum(found in (Place.RUNNING, Place.NEWER) for _, found, _, _ in answers)
    elsewhere = {app.running_from[:12] for app, found, _, _ in answers if found is not Place.RUNNING}
    at = tuple(sorted(commit for commit in elsewhere if commit))[:5]
    return Row(cluster.name, place, why.strip("; "), min(times, default=0.0), there, len(answers), at)


Verdict = tuple[App, Place, str, float]


def _answers(apps: Sequence[App], cluster: Cluster, history: History) -> list[Verdict]:
    """One for each application. Of several sources those count that follow what has the commit; the worst of them."""
    views: dict[str, list[App]] = {}
    for app in apps:
        views.setdefault(app.uid or app.name, []).append(app)
    found = []
    for several in views.values():
        if len(several) == 1:
            found.append((several[0], *_answer(several[0], cluster, history)))
            continue
        ahead = [app for app in several if history.tips.get(app.target, False)] or several
        verdicts = [(app, *_answer(app, cluster, history)) for app in ahead]
        found.append(min(verdicts, key=lambda one: WORST_FIRST.index(one[1])))
    return found


def _answer(app: App, cluster: Cluster, history: History) -> tuple[Place, str, float]:
    """(where, why, since)."""
    found = _running(app, history)
    if found is Place.NEWER:
        return found, "", 0.0
    if found is Place.RUNNING:
        return _well(app)
    place, why, since = _missing(app, history)
    if not cluster.connected and place in (Place.WAITING, Place.IN_PROGRESS):
        return Place.OFFLINE, cluster.why or "its agent is not connected", cluster.since
    return place, why, since


def _running(app: App, history: History) -> Place | None:
    """RUNNING or NEWER by what the agent reports, else None."""
    if not app.running or not app.running_from:
        return None
    if app.running_from == history.commit:
        return Place.RUNNING
    if app.running_from in history.descendants:
        return Place.NEWER
    # Right up to the newest commit that the render is right for: then also for those between.
    if app.running == app.wanted and not app.problem and history.holds(app.wanted_to):
        return Place.RUNNING
    return None


def _well(app: App) -> tuple[Place, str, float]:
    """One that has the commit: is it through?"""
    if app.running == app.assigned and app.phase in ("Failed", "Error"):
        return Place.FAILED, f"sync {app.phase}: {app.message}".rstrip(": "), app.reported
    if app.health == "Degraded":
        return Place.FAILED, "health Degraded", app.reported
    if app.sync == "Synced" and app.health in ("Healthy", "Suspended"):
        return Place.RUNNING, "", 0.0
    if app.health == "Healthy" and app.phase == "Succeeded":
        return Place.RUNNING, app.sync, 0.0
    return Place.IN_PROGRESS, f"{app.sync}, {app.health}", app.reported


def _missing(app: App, history: History) -> tuple[Place, str, float]:
    """One that has not got it: why not?"""
    ahead = history.tips.get(app.target, False)
    if app.problem and ahead:
        return Place.FAILED, app.problem, 0.0
    if not app.wanted or not (history.holds(app.wanted_from) or history.holds(app.wanted_to)):
        if ahead:
            return Place.WAITING, "the hub to render it", 0.0
        return Place.OLDER, f"follows {app.target or 'HEAD'}, which does not have the commit", 0.0
    if app.assigned == app.wanted:
        if app.running == app.assigned and app.running:
            return _well(app)
        if app.phase in ("Failed", "Error"):
            return Place.FAILED, f"sync {app.phase}: {app.message}".rstrip(": "), app.reported
        if app.manual and app.phase != "Running":
            return Place.WAITING, "a sync: it is not automated", app.reported
        return Place.IN_PROGRESS, app.waits_for or "its agent is at work", app.reported
    if app.failed:
        return Place.FAILED, app.failed, app.waits_since
    if app.refused:
        return Place.FAILED, app.refused, app.waits_since
    return Place.WAITING, app.waits_for or "its release", app.waits_since
