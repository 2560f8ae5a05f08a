"""What a cluster's agent looks like from the hub, as the conditions of its `Cluster` object."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from argosy.objects import Manifest
from hub.core.removals import removals
from hub.core.types import ClusterFacts

RESOURCE = "argosy.dev/clusters"

UNKNOWN, OLDER = "EpochUnknown", "EpochOlder"

TIME_ZONE = "argosy.dev/time-zone"
"""Annotation of a cluster for the zone of its clock, where `spec.timeZone` does not say it."""


@dataclass(frozen=True, slots=True)
class Agent:
    """What the hub keeps of a cluster's agent. Times are Unix seconds, 0 where there is none.

    `cluster` is the uid of the Cluster object. `key` is the fingerprint of the public key that holds the
    identity. `epoch`, `generation` and `set_digest` are what the agent holds durably, `holding` is why it
    refuses removals. `since` is when `connected` last changed, `seen` the last sign of life that was
    written down, `facts` a JSON object. `quarantine` says who else tried to be this cluster. `expires` is
    when its newest certificate ends. `holder` is the run of the agent that acts for the cluster, `refused` a JSON
    array of those that came second, `second` what is said of a second one, since `second_since`.
    """

    cluster: str
    cluster_uid: str = ""
    key: str = ""
    version: str = ""
    epoch: str = ""
    generation: int = 0
    set_digest: str = ""
    holding: str = ""
    held_since: float = 0.0
    connected: int = 0
    since: float = 0.0
    seen: float = 0.0
    facts: str = "{}"
    quarantine: str = ""
    revoked: float = 0.0
    confirmed_epoch: str = ""
    expires: float = 0.0
    holder: str = ""
    refused: str = "[]"
    second: str = ""
    second_since: float = 0.0


def conditions(agent: Agent | None, now: float) -> list[dict[str, Any]]:
    """`status.conditions` of a Cluster: always Ready and Held, Quarantined where somebody else tried to be
    it, or a second agent with its identity is refused.

    `agent` is None before the first enrolment. `now` is Unix seconds.
    """
    if agent is None or not agent.key:
        text = "no agent has joined yet: `argosy join` prints how one does"
        return [_condition("Ready", False, "NeverJoined", text, 0.0)]
    found = [_ready(agent, now), _held(agent)]
    if agent.quarantine:
        found.append(_condition("Quarantined", True, "SecondHolder", agent.quarantine, agent.since))
    elif agent.second:
        found.append(_condition("Quarantined", True, "SecondAgent", agent.second, agent.second_since))
    return found


def _ready(agent: Agent, now: float) -> dict[str, Any]:
    if agent.revoked:
        text = "the identity was revoked: `argosy join` makes a new one"
        return _condition("Ready", False, "Revoked", text, agent.revoked)
    if agent.connected:
        return _condition("Ready", True, "Connected", f"agent {agent.version}", agent.since)
    if not agent.since:
        return _condition("Ready", False, "NeverConnected", "joined, but not connected yet", 0.0)
    text = f"not connected, last seen {_stamp(agent.seen or agent.since)}"
    if 0 < agent.expires < now:
        text += (
            f"; its certificate ended {_stamp(agent.expires)}, the agent gets a new one when it comes back"
        )
    return _condition("Ready", False, "Disconnected", text, agent.since)


def _held(agent: Agent) -> dict[str, Any]:
    if not agent.holding:
        return _condition("Held", False, "InStep", "the agent follows this hub", agent.held_since)
    why = (
        "the hub's database is another one than the agent knew"
        if agent.holding == UNKNOWN
        else "the hub offers an older state than the agent has seen"
    )
    text = (
        f"{why}: the agent keeps what it runs and removes nothing until the hub's present state is confirmed"
    )
    return _condition("Held", True, agent.holding, text, agent.held_since)


def _condition(kind: str, status: bool, reason: str, message: str, since: float) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True" if status else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": _stamp(since),
    }


def _stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def going(cluster: Manifest) -> bool:
    """Whether a deleted cluster counts no more: its removal is decided, or needed no decision."""
    metadata = cluster["metadata"]
    waits = removals.FINALIZER in (metadata.get("finalizers") or ())
    return bool(metadata.get("deletionTimestamp")) and not waits


def facts_of(cluster: Manifest) -> ClusterFacts:
    """A `Cluster` object as generators see it: as if it were Argo CD's cluster Secret."""
    metadata: dict[str, Any] = cluster["metadata"]
    spec = cluster.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    return ClusterFacts(
        name=metadata["name"],
        server=spec["server"],
        labels=metadata.get("labels") or {},
        annotations=annotations,
        project=spec.get("project") or "",
        id=metadata["uid"],
        time_zone=spec.get("timeZone") or annotations.get(TIME_ZONE) or "",
    )
