"""Our own kinds: Cluster, JoinToken, Release (argosy.dev/v1alpha1)."""

from __future__ import annotations

from urllib.parse import urlsplit

from argosy import cron
from argosy.machinery import failure, kinds
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest
from hub.core.served import cells, shapes
from hub.core.served.base import READ, Column, Served
from hub.core.served.shapes import FLAG, TEXT, TEXTS, TIME, WHOLE, many, root, struct

GROUP, VERSION = "argosy.dev", "v1alpha1"
SERVER_DOMAIN = "clusters.argosy.dev"
LONGEST_TOKEN = 3600

AGE = Column("Age", cells.since("metadata", "creationTimestamp"), description="Time since it was created.")
NAME = Column("Name", cells.name, format="name", description="Name of the object.")
CONDITION = struct(
    {
        "type": TEXT,
        "status": TEXT,
        "reason": TEXT,
        "message": TEXT,
        "lastTransitionTime": TIME,
        "observedGeneration": WHOLE,
    },
    required=("type", "status"),
)


def default_server(name: str) -> str:
    """The URL that generators and destinations know a cluster by when none is given: stable and unique."""
    return f"https://{name}.{SERVER_DOMAIN}"


def _with_server(manifest: Manifest) -> Manifest:
    spec = manifest.get("spec") or {}
    if spec.get("server"):
        return manifest
    name = (manifest.get("metadata") or {}).get("name") or ""
    return {**manifest, "spec": {**spec, "server": default_server(name)}}


def _admit_cluster(new: Manifest, live: Manifest | None) -> list[FieldError]:
    zone = (new.get("spec") or {}).get("timeZone") or ""
    if cron.zone_of(zone) is None:
        detail = "expected the name of a time zone, as in Europe/Berlin"
        return [failure.invalid_value("spec.timeZone", zone, detail)]
    server = (new.get("spec") or {}).get("server") or ""
    if not server:
        return (
            [failure.required("spec.server", "it may be changed, not taken away")] if live is not None else []
        )
    parts = urlsplit(server)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        return [failure.invalid_value("spec.server", server, "must be an http(s) URL with a host")]
    return []


_READY, _LAST_SEEN = cells.condition("Ready"), cells.since("status", "lastSeen")


def _seen(manifest: Manifest, now: float) -> str:
    """While an agent is connected its signs of life are not written down."""
    return "now" if _READY(manifest, now) == "True" else str(_LAST_SEEN(manifest, now))


CLUSTER = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "Cluster",
        "clusters",
        root(
            {
                "spec": struct(
                    {
                        "server": shapes.described(
                            TEXT,
                            "The URL generators and destinations know it by; unique, need not be reachable.",
                        ),
                        "project": shapes.described(TEXT, "The AppProject it belongs to, if any."),
                        "timeZone": shapes.described(
                            TEXT, "Of its clock, as in Europe/Berlin; for windows in the cluster's own time."
                        ),
                    }
                ),
                "status": struct(
                    {
                        "conditions": many(
                            CONDITION, "Ready: its agent is connected. Held: it refuses removals, and why."
                        ),
                        "agentVersion": TEXT,
                        "kubernetesVersion": TEXT,
                        "lastSeen": TIME,
                        "generation": shapes.described(
                            WHOLE, "The version of its wanted state that the agent holds."
                        ),
                        "applications": WHOLE,
                    },
                    description="What the hub knows of the cluster's agent. Written by the hub only.",
                ),
            },
            description="A cluster with an agent. Its labels choose what it runs.",
        ),
        namespaced=False,
        status=True,
        categories=("argosy",),
    ),
    "cluster",
    (
        NAME,
        Column("Ready", cells.condition("Ready"), description="Is its agent connected?"),
        Column("Reason", cells.condition("Ready", "reason"), description="Why it is not.", priority=1),
        Column("Kubernetes", cells.at("status", "kubernetesVersion"), description="Version of the cluster."),
        Column("Agent", cells.at("status", "agentVersion"), description="Version of the agent."),
        Column("Last Seen", _seen, description="Last sign of life of its agent; now while it is connected."),
        Column("Held", cells.condition("Held", "reason"), description="Does it refuse removals?", priority=1),
        Column("Server", cells.at("spec", "server"), description="Its URL for generators.", priority=1),
        AGE,
    ),
    admit=_admit_cluster,
    complete=_with_server,
    composed=True,
)


def _admit_token(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is not None and live.get("spec") != new.get("spec"):
        return [failure.not_allowed("spec", "a join token cannot be changed, make another one")]
    return []


JOIN_TOKEN = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "JoinToken",
        "jointokens",
        root(
            {
                "spec": struct(
                    {
                        "cluster": shapes.described(
                            {**TEXT, "minLength": 1}, "Name of the Cluster that joins with it."
                        ),
                        "ttlSeconds": shapes.described(
                            {**WHOLE, "minimum": 1, "maximum": LONGEST_TOKEN, "default": LONGEST_TOKEN},
                            "How long it can be used.",
                        ),
                    },
                    required=("cluster",),
                ),
                "status": struct(
                    {
                        "token": shapes.described(
                            TEXT, "The token; only the answer to its creation shows it."
                        ),
                        "expires": TIME,
                    }
                ),
            },
            required=("spec",),
            description="Lets one agent join as one cluster, once.",
        ),
        namespaced=False,
        status=True,
        categories=("argosy",),
    ),
    "jointoken",
    (
        NAME,
        Column("Cluster", cells.at("spec", "cluster"), description="Who joins with it."),
        Column("Expires", cells.at("status", "expires"), description="Until when."),
        AGE,
    ),
    admit=_admit_token,
)

RELEASE = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "Release",
        "releases",
        root(
            {
                "spec": struct(
                    {
                        "owner": struct({"kind": TEXT, "name": TEXT, "uid": TEXT}),
                        "number": WHOLE,
                        "commits": many(
                            struct({"repo": TEXT, "revision": TEXT, "commit": TEXT}), "What it was made from."
                        ),
                        "reason": shapes.described(
                            TEXT,
                            "What made it: first, commit, commit and edit, edit, image, chart, labels, join or operator.",
                        ),
                        "by": shapes.described(TEXT, "Who or what made the change, where that is known."),
                        "ownerGeneration": WHOLE,
                        "applications": shapes.described(
                            many(
                                struct(
                                    {
                                        "name": TEXT,
                                        "uid": TEXT,
                                        "cluster": TEXT,
                                        "bundle": TEXT,
                                        "revision": TEXT,
                                        "previousBundle": TEXT,
                                        "previousRevision": TEXT,
                                    }
                                )
                            ),
                            "The applications it changed, and what each had before.",
                        ),
                        "changed": WHOLE,
                        "truncated": FLAG,
                        "previous": TEXT,
                    },
                    description="Never changes.",
                ),
                "status": struct(
                    {"phase": TEXT, "clusters": WHOLE, "done": WHOLE, "waiting": TEXTS, "finishedAt": TIME}
                ),
            },
            description="What every member of a set shall run, and from which commits. Made by the hub.",
        ),
        status=True,
        short_names=("rel",),
        categories=("argosy",),
    ),
    "release",
    (
        NAME,
        Column("Set", cells.at("spec", "owner", "name"), description="Whose release it is."),
        Column(
            "Changed",
            cells.at("spec", "changed"),
            type="integer",
            description="How many applications it changes.",
        ),
        Column("Reason", cells.at("spec", "reason"), description="What made it."),
        Column("Phase", cells.at("status", "phase"), description="How far it is."),
        Column(
            "Done", cells.at("status", "done"), type="integer", description="On how many clusters it is well."
        ),
        AGE,
    ),
    verbs=READ,
    composed=True,
)
