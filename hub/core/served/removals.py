"""Removal (argosy.dev/v1alpha1): what would go, or went, with numbers; made by the hub, decided by people where large."""

from __future__ import annotations

from argosy.machinery import kinds
from hub.core.served import cells, shapes
from hub.core.served.base import READ, Column, Served
from hub.core.served.shapes import FLAG, TEXT, TEXTS, TIME, WHOLE, many, root, struct

_COUNTS = {"type": "object", "additionalProperties": WHOLE}

REMOVAL = Served(
    kinds.custom(
        "argosy.dev",
        "v1alpha1",
        "Removal",
        "removals",
        root(
            {
                "spec": struct(
                    {
                        "owner": struct({"kind": TEXT, "name": TEXT, "uid": TEXT}),
                        "cause": shapes.described(TEXT, "What makes these Applications go."),
                        "by": shapes.described(TEXT, "Who or what caused it, as far as it is known."),
                        "digest": shapes.described(
                            TEXT, "Of all that would go; an approval is of exactly that."
                        ),
                        "counts": struct(
                            {
                                "applications": WHOLE,
                                "clusters": WHOLE,
                                "objects": WHOLE,
                                "deleted": shapes.described(
                                    WHOLE, "Objects deleted from clusters; the rest stays there."
                                ),
                            }
                        ),
                        "kinds": shapes.described(_COUNTS, "Objects by kind."),
                        "clusters": shapes.described(TEXTS, "Clusters that lose an Application."),
                        "applications": many(
                            struct(
                                {
                                    "name": TEXT,
                                    "cluster": TEXT,
                                    "objects": WHOLE,
                                    "cascade": FLAG,
                                    "kinds": _COUNTS,
                                }
                            )
                        ),
                        "truncated": FLAG,
                        "expiresAt": TIME,
                    },
                    description="The plan. Never changes: a changed plan is another Removal.",
                ),
                "status": struct(
                    {
                        "phase": shapes.described(
                            TEXT, "Waiting, Approved, Removing, Done, Rejected or Withdrawn."
                        ),
                        "message": shapes.described(TEXT, "What it waits for, or what became of it."),
                        "decidedBy": TEXT,
                        "decidedAt": TIME,
                        "left": shapes.described(WHOLE, "Applications that are not gone yet."),
                    }
                ),
            },
            description="Applications that go, or would go, from clusters.",
        ),
        namespaced=False,
        status=True,
        categories=("argosy",),
    ),
    "removal",
    (
        Column("Name", cells.name, format="name", description="Name of the object."),
        Column("Of", cells.at("spec", "owner", "name"), description="Whose Applications go."),
        Column("Phase", cells.at("status", "phase"), description="How far it is."),
        Column(
            "Apps", cells.at("spec", "counts", "applications"), type="integer", description="How many go."
        ),
        Column(
            "Clusters",
            cells.at("spec", "counts", "clusters"),
            type="integer",
            description="How many clusters lose one.",
        ),
        Column(
            "Objects",
            cells.at("spec", "counts", "objects"),
            type="integer",
            description="What they consist of.",
        ),
        Column("Cause", cells.at("spec", "cause"), description="What makes them go.", priority=1),
        Column("Message", cells.at("status", "message"), description="What it waits for.", priority=1),
        Column("Age", cells.since("metadata", "creationTimestamp"), description="Time since it was planned."),
    ),
    verbs=READ,
)
