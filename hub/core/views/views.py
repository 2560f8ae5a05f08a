"""What is shown of an object beyond its own row: an Application's status from its agent's report, a
Cluster's from its agent. Pure: values in, values out.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy import apis
from argosy.objects import Manifest
from hub.core.apps import operations
from hub.core.clusters import clusters, facts
from hub.core.clusters.clusters import Agent
from hub.core.views.conditions import health_of_set
from hub.core.views.synced import UNKNOWN, Origin

HELD = "Held"
"""Ours: a freeze or a sync window holds back what is wanted."""
REFUSED = "ReleaseRefused"
"""Ours: what Git wants was rolled back or given up."""
ERRORS = frozenset(("InvalidSpecError", "UnknownError", "ComparisonError"))
"""Conditions under which Argo CD calls an application's sync and health unknown."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where an Application is in the rollout that is under way: the rollout's name, its state since when, and what it
    waits for."""

    rollout: str
    state: str
    since: float
    waits: str


@dataclass(frozen=True, slots=True)
class AppView:
    """What the hub knows beside an Application: the last good render (`bundle`, `revision`; "" where there
    was none), what is wrong with a newer one, and the agent's newest `argosy.status.AppStatus` as a
    dictionary.
    """

    bundle: str = ""
    revision: str = ""
    problem: str = ""
    cluster: str = ""
    """The name of the cluster that it goes to, as it is called today; "" where there is none."""
    report: Mapping[str, Any] | None = None
    reported: float = 0.0
    """When the report came, Unix seconds."""
    policy: str = ""
    """What the agent is told of the Application, `argosy.bundle.Policy` as JSON."""
    held: str = ""
    """Why what is wanted is not assigned now, in words."""
    held_since: float = 0.0
    rollout: Move | None = None
    refused: str = ""
    """Why what is wanted is not chosen at all, in words."""
    refused_since: float = 0.0
    origin: Origin = UNKNOWN
    """What `bundle` was rendered from; its commits are the newest that it is right for."""
    history: Sequence[Mapping[str, Any]] = ()
    """`status.history`."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """`status.summary` of the bundle that is reported."""

    def deployed(self, reported: Mapping[str, Any]) -> dict[str, Any]:
        """`revision` and `source`, or `revisions` and `sources`, of what is reported."""
        revision = str(reported.get("revision") or self.revision)
        if not reported or reported.get("bundle") == self.bundle:
            return self.origin.deployed(revision)
        return {"revision": revision}


def application(manifest: Manifest, view: AppView) -> Manifest:
    """The Application with its status in Argo CD's shape.

    What the hub wrote into `status` itself stays unless an agent knows better. Nothing is made up before the hub
    knows anything.
    """
    if view == AppView():
        return manifest
    stored = manifest.get("status") or {}
    conditions = list(stored.get("conditions") or ())
    report = view.report or {}
    conditions += [
        {"type": kind, "message": message, "lastTransitionTime": stamp(view.reported)}
        for kind, message in report.get("conditions") or ()
    ]
    if view.problem:
        kind, message = _condition(view.problem)
        if not any(each.get("type") == kind for each in conditions):
            conditions.append({"type": kind, "message": message})
    if view.held:
        conditions = [each for each in conditions if each.get("type") != HELD]
        conditions.append({"type": HELD, "message": view.held, "lastTransitionTime": stamp(view.held_since)})
    if view.refused:
        stamped = stamp(view.refused_since)
        conditions.append({"type": REFUSED, "message": view.refused, "lastTransitionTime": stamped})
    broken = any(each.get("type") in ERRORS for each in conditions)
    status = dict(stored)
    if view.cluster:
        status["cluster"] = view.cluster
    if view.rollout is not None:
        status["rollout"] = _move(view.rollout)
    status["sync"] = _sync(manifest, stored.get("sync") or {}, view, broken=broken)
    status["health"] = _health(stored.get("health") or {}, view, broken=broken)
    if report:
        status.update(_reported(report, view))
    status.update(view.origin.types)
    if view.history:
        status["history"] = list(view.history)
    operation = operations.shown(manifest, report, view.policy, stamp, view.deployed(report))
    if operation is not None:
        status["operationState"] = operation
    if conditions:
        status["conditions"] = conditions
    return {**manifest, "status": status}


def _move(move: Move) -> dict[str, str]:
    out = {"name": move.rollout, "state": move.state, "since": stamp(move.since)}
    return out | ({"message": move.waits} if move.waits else {})


@dataclass(frozen=True, slots=True)
class Member:
    """One application of a set as `status.resources` shows it."""

    namespace: str
    name: str
    sync: str
    health: str


SHOWN_DIFFERENCES = 20
SHOWN_LENGTH = 300
"""Fields of one object in `status.resources`, and characters of each value: honest agents tell no more."""

SHOWN_MEMBERS = 5000
"""Entries of `status.resources`, as in Argo CD 3.6; `resourcesCount` counts them all."""


def application_set(manifest: Manifest, members: Sequence[Member]) -> Manifest:
    """The ApplicationSet with its applications in `status`, in Argo CD's shape. One without any is as it is stored."""
    if not members:
        return manifest
    entries = [
        {
            "group": "argoproj.io",
            "version": "v1alpha1",
            "kind": "Application",
            "namespace": member.namespace,
            "name": member.name,
            "status": member.sync,
            "health": {"status": member.health},
        }
        for member in members[:SHOWN_MEMBERS]
    ]
    status = {**(manifest.get("status") or {}), "resources": entries, "resourcesCount": len(members)}
    return {**manifest, "status": status}


def with_health(appset: Manifest) -> Manifest:
    """The ApplicationSet with the health that its conditions say."""
    status = appset.get("status") or {}
    health = health_of_set(status.get("conditions") or ())
    return {**appset, "status": {**status, "health": health}} if health else appset


def release_waits(why: str) -> dict[str, str]:
    """The condition of a set whose changed applications are no release yet."""
    message = f"changed applications wait: {why}"
    return {"type": "ReleaseWaits", "status": "True", "reason": "ReleaseWaits", "message": message}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the applications that a release changed are: counts, and some of those still on their way."""

    total: int
    done: int
    superseded: int
    waiting: tuple[str, ...] = ()
    phase: str = ""
    """Of the release's rollout, "" where it has none."""


def release(manifest: Manifest, progress: Progress | None) -> Manifest:
    """The Release with how far it is. An application that a later release changed again does not hold it up."""
    if progress is None:
        return manifest
    left = progress.total - progress.done - progress.superseded
    phase = progress.phase or ("Progressing" if left > 0 else "Complete" if progress.done else "Superseded")
    status = {"phase": phase, "clusters": progress.total, "done": progress.done}
    if progress.waiting:
        status["waiting"] = list(progress.waiting)
    return {**manifest, "status": status}


def _condition(problem: str) -> tuple[str, str]:
    """A problem as (type, message); one that names no condition type of Argo CD's is a ComparisonError."""
    kind, colon, message = problem.partition(": ")
    return (kind, message) if colon and kind in ERRORS else ("ComparisonError", problem)


def _sync(manifest: Manifest, stored: Mapping[str, Any], view: AppView, *, broken: bool) -> dict[str, Any]:
    spec = manifest.get("spec") or {}
    report = view.report or {}
    out = dict(stored)
    if broken:
        out["status"] = "Unknown"
    elif not view.bundle:
        out.setdefault("status", "Unknown")
    elif not report or report.get("bundle") != view.bundle:
        out["status"] = "OutOfSync"
    else:
        out["status"] = report.get("sync") or "Unknown"
    revision = view.revision or report.get("revision")
    if revision and not spec.get("sources"):
        out["revision"] = revision
    elif revision:
        out["revisions"] = list(view.origin.commits) or [revision]
    source = "sources" if spec.get("sources") else "source"
    names = (source, "destination", "ignoreDifferences")
    compared = {name: spec[name] for name in names if spec.get(name)}
    out.setdefault("comparedTo", compared)
    return out


def _health(stored: Mapping[str, Any], view: AppView, *, broken: bool) -> dict[str, Any]:
    report = view.report or {}
    if broken:
        return {**stored, "status": "Unknown"}
    if not report:
        return {"status": "Missing" if view.bundle else "Unknown", **stored}
    out: dict[str, Any] = {"status": report.get("health") or "Unknown"}
    if report.get("health") == "Healthy" and report.get("healthy_since"):
        out["lastTransitionTime"] = stamp(report["healthy_since"])
    said = report.get("health_message") or report.get("message")
    if said and report.get("health") != "Healthy":
        out["message"] = said
    return out


def _reported(report: Mapping[str, Any], view: AppView) -> dict[str, Any]:
    out: dict[str, Any] = {
        "resources": [_resource(each) for each in report.get("resources") or ()],
        "reconciledAt": stamp(view.reported),
        "release": report.get("release") or "",
    }
    if view.summary:
        out["summary"] = view.summary
    return out


def _resource(each: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {
        name: each[name] for name in ("group", "version", "kind", "namespace", "name") if each.get(name)
    }
    out["status"] = each.get("sync") or "Unknown"
    if each.get("health"):
        out["health"] = {"status": each["health"]}
        if each.get("health_message"):
            out["health"]["message"] = each["health_message"]
    if each.get("message"):
        out["message"] = each["message"]
    if each.get("requires_pruning"):
        out["requiresPruning"] = True
    if each.get("hook"):
        out["hook"] = True
    if each.get("wave"):
        out["syncWave"] = each["wave"]
    if each.get("confirm"):
        out["requiresDeletionConfirmation"] = True
    if each.get("differences"):
        # What differs now; of an object that is as wanted, what others changed and the agent took back last.
        name = "corrected" if out["status"] == "Synced" else "differences"
        out[name] = [_difference(item) for item in each["differences"][:SHOWN_DIFFERENCES]]
    return out


def _difference(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(item[name])[:SHOWN_LENGTH]
        for name in ("field", "desired", "live", "manager")
        if item.get(name)
    }


def cluster(manifest: Manifest, agent: Agent | None, now: float, applications: int = 0) -> Manifest:
    """The Cluster with its agent's state as status. `now` is Unix seconds."""
    created = manifest["metadata"].get("creationTimestamp") or stamp(0)
    told = [
        # What never was otherwise is so since the cluster was made.
        one if one["lastTransitionTime"] != stamp(0) else {**one, "lastTransitionTime": created}
        for one in clusters.conditions(agent, now)
    ]
    status: dict[str, Any] = {"conditions": told, "applications": applications}
    if agent is not None:
        version = facts.of_text(agent.facts).get(apis.VERSION)
        shown = {
            "agentVersion": agent.version,
            "kubernetesVersion": version,
            "generation": agent.generation,
            "lastSeen": stamp(max(agent.seen, agent.since)) if agent.seen or agent.since else "",
        }
        status.update({name: value for name, value in shown.items() if value})
    return {**manifest, "status": {**(manifest.get("status") or {}), **status}}


def stamp(moment: float) -> str:
    """Unix seconds as RFC 3339 in seconds, UTC."""
    return _stamp(int(moment))


@functools.lru_cache(maxsize=16384)
def _stamp(second: int) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
