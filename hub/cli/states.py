"""What the hub's objects say about themselves, in a few words: pure readings that every command shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest

FAILED_PHASES = ("Failed", "Error")
DEPLOYED_BY = "ApplicationSet"


@dataclass(frozen=True, slots=True)
class AppState:
    """One Application as its status tells it. `cluster` is the name (else the server) of its destination.

    `revision` is the commit that it was last compared with, `deployed` the one of its last sync: with equal content
    the first goes on and the second stays.
    """

    name: str
    appset: str
    cluster: str
    sync: str
    health: str
    revision: str
    deployed: str
    release: str
    phase: str
    message: str
    problems: tuple[str, ...]
    waits: str = ""
    """What it waits for while nothing is wrong: a freeze, a window, its turn in a rollout, an object that is not well."""
    notes: tuple[str, ...] = ()
    """Conditions that are no errors, such as warnings."""

    @property
    def done(self) -> bool:
        return self.sync == "Synced" and self.health == "Healthy"

    @property
    def trouble(self) -> str:
        """Why the application cannot get done by itself as it is, "" where nothing says so."""
        if self.done:
            return ""
        if self.problems:
            return self.problems[0]
        if self.phase in FAILED_PHASES:
            return f"sync {self.phase}: {self.message}" if self.message else f"sync {self.phase}"
        return "health Degraded" if self.health == "Degraded" else ""


def condition(item: Manifest, kind: str) -> dict[str, Any]:
    """The condition of that type, empty where there is none."""
    for found in (item.get("status") or {}).get("conditions") or []:
        if found.get("type") == kind:
            return dict(found)
    return {}


def true(item: Manifest, kind: str) -> bool:
    return condition(item, kind).get("status") == "True"


def set_of(app: Manifest) -> str:
    """The ApplicationSet that an Application is from, "" for one of its own."""
    for owner in app["metadata"].get("ownerReferences") or []:
        if owner.get("kind") == DEPLOYED_BY:
            return str(owner.get("name") or "")
    return ""


def app_state(app: Manifest, cluster_names: dict[str, str]) -> AppState:
    """Reads an Application. `cluster_names`: server address -> cluster name."""
    status = app.get("status") or {}
    sync = status.get("sync") or {}
    operation = status.get("operationState") or {}
    destination = app.get("spec", {}).get("destination") or {}
    server = str(destination.get("server") or "")
    told = [
        (str(found.get("type") or ""), str(found.get("message") or ""))
        for found in status.get("conditions") or []
    ]
    lines = {kind: f"{kind}: {message}".rstrip(": ") for kind, message in told}
    problems = tuple(lines[kind] for kind, _ in told if kind.endswith("Error"))
    return AppState(
        name=str(app["metadata"]["name"]),
        appset=set_of(app),
        cluster=str(destination.get("name") or cluster_names.get(server) or server),
        sync=str(sync.get("status") or "Unknown"),
        health=str((status.get("health") or {}).get("status") or "Unknown"),
        revision=_revision(sync),
        deployed=_revision(operation.get("syncResult") or {}),
        release=str(status.get("release") or ""),
        phase=str(operation.get("phase") or ""),
        message=str(operation.get("message") or ""),
        problems=problems,
        waits=_waits(status, dict(told)),
        notes=tuple(lines[kind] for kind, _ in told if not kind.endswith("Error") and kind != "Held"),
    )


def _waits(status: Manifest, told: Mapping[str, str]) -> str:
    """What an Application waits for, "" where nothing says so."""
    if told.get("Held"):
        return told["Held"]
    rollout, operation = status.get("rollout") or {}, status.get("operationState") or {}
    if told.get("ReleaseRefused"):
        return f"{told['ReleaseRefused']}; what Git says now is not chosen before Git moves"
    if rollout.get("message"):
        return f"rollout {rollout.get('name')}: {rollout['message']}"
    if operation.get("phase") == "Running" and operation.get("message"):
        return str(operation["message"])
    return str((status.get("health") or {}).get("message") or "")


def _revision(found: Manifest) -> str:
    """Of several sources the first one's."""
    return str(found.get("revision") or next(iter(found.get("revisions") or []), ""))


def names_by_server(clusters: list[Manifest]) -> dict[str, str]:
    """Server address -> cluster name."""
    found: dict[str, str] = {}
    for cluster in clusters:
        for part in (cluster.get("spec") or {}, cluster.get("status") or {}):
            if part.get("server"):
                found[str(part["server"])] = str(cluster["metadata"]["name"])
    return found


def cluster_state(cluster: Manifest) -> tuple[str, str]:
    """(state, why) of a cluster: Ready, offline, revoked or waiting for its agent."""
    ready = condition(cluster, "Ready")
    reason = str(ready.get("reason") or "")
    why = str(ready.get("message") or reason)
    if ready.get("status") == "True":
        quarantined = condition(cluster, "Quarantined")
        if quarantined.get("status") == "True":
            return "Ready", str(quarantined.get("message") or "")
        held = condition(cluster, "Held")
        if held.get("status") == "True":
            return (
                "Ready",
                f"removals are held: {held.get('reason') or ''}: {held.get('message') or ''}".rstrip(": "),
            )
        return "Ready", ""
    if reason == "Revoked":
        return "revoked", why
    if reason in ("NeverJoined", "NeverConnected", ""):
        return "waiting", why or "its agent has not joined yet"
    return "offline", why


def set_trouble(appset: Manifest) -> str:
    """Why a set could not be evaluated completely, "" where it could."""
    for kind in ("ErrorOccurred", "Stale"):
        found = condition(appset, kind)
        if found.get("status") == "True":
            return str(found.get("message") or found.get("reason") or "failed")
    return ""


def held_removal(appset: Manifest) -> str:
    """What a person has to decide before applications of the set go, "" where nothing waits."""
    return str(condition(appset, "RemovalHeld").get("message") or "") if true(appset, "RemovalHeld") else ""


def release_waits(appset: Manifest) -> str:
    """Why changed applications of the set are no release yet, "" where none waits."""
    return str(condition(appset, "ReleaseWaits").get("message") or "") if true(appset, "ReleaseWaits") else ""


def set_evaluated(appset: Manifest) -> bool:
    """True once the hub has evaluated the set completely."""
    return condition(appset, "ErrorOccurred").get("status") == "False" and true(appset, "ResourcesUpToDate")
