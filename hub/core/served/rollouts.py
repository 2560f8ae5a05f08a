"""RolloutPolicy and Rollout (argosy.dev/v1alpha1): how changes go over the fleet, and one that is on its way."""

from __future__ import annotations

from argosy.errors import Invalid
from argosy.machinery import kinds
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest
from hub.core.rollout import policy
from hub.core.served import cells, shapes
from hub.core.served.base import READ, Column, Served
from hub.core.served.fleet import AGE, CONDITION, GROUP, NAME, VERSION
from hub.core.served.shapes import ANY_OBJECT, FLAG, TEXT, TEXTS, TIME, WHOLE, many, root, struct

_WORDS = {
    "stages": "Groups of clusters, one after the other. The first that selects a cluster has it.",
    "stages.name": "Lower case letters, digits and dashes.",
    "stages.selector": "Which clusters, by their labels; one stage without a selector takes the rest.",
    "maxConcurrent": "How many may be on their way at once: a number, or a percentage of the stage.",
    "startsPerMinute": "The most that are started in a minute; 0 for no limit.",
    "order": "Who goes first within the stage.",
    "order.by": "name, random, label, or lastChange: whose last change is longest ago.",
    "order.label": "The label to sort by, with `by: label`.",
    "soak": "How long a cluster has to be healthy with the release before it counts, such as 10m.",
    "deadline": "How long a cluster may take before it has failed; 0 for ever.",
    "failureBudget": "Failures that are put up with: a number or a percentage.",
    "gates": "Conditions to pass before the stage begins and after it is through.",
    "offline": "What an offline cluster is to its stage: defer, wait or fail.",
    "offlineAfter": "How long its link has to be down before a cluster is called offline.",
    "membership": "What becomes of clusters that join meanwhile: join, defer or abort.",
    "onFailure": "What happens beyond the failure budget: halt, rollback-stage or rollback.",
    "onNewRelease": "What a newer release does: supersede, queue or finish.",
    "gatedRollback": "Whether a rollback, too, waits for windows and freezes.",
    "seed": "Makes a random order the same for every release.",
    "windows": "When clusters may change: as an AppProject's syncWindows.",
    "windows.timeZone": "A name such as Europe/Berlin, or `cluster` for each cluster's own.",
    "count": "Good answers in a row, or different people, that are needed.",
    "every": "How often to ask.",
    "timeout": "Without passing within this time the gate has failed; 0 for ever.",
    "approval": "People say so: `argosy rollout approve`.",
    "approval.roles": "Groups of which a person must be in one.",
    "http": "A URL answers as expected.",
    "prometheus": "A query's every value is above or below a number.",
    "object": "An object on the stage's clusters has a condition.",
    "webhook": "Somebody calls `rollouts/NAME/signal`.",
    "secretRef": "A Secret whose `token` is sent along, or has to be shown.",
}


def _admit(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is not None and live.get("spec") == new.get("spec"):
        return []
    try:
        policy.parse(new.get("spec") or {})
    except Invalid as problem:
        path, _, message = problem.message.partition(": ")
        return [FieldError("FieldValueInvalid", path, message, f"Invalid value: {message}")]
    return []


ROLLOUT_POLICY = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "RolloutPolicy",
        "rolloutpolicies",
        root(
            {"spec": shapes.Converter(_WORDS).schema(policy.SHAPE, "spec")},
            required=("spec",),
            description="How changes go over a fleet; ApplicationSets refer to it by name.",
        ),
        categories=("argosy",),
    ),
    "rolloutpolicy",
    (
        NAME,
        Column("Stages", cells.count("spec", "stages"), type="integer", description="How many stages."),
        Column("On Failure", cells.at("spec", "onFailure"), description="What it does when it fails."),
        AGE,
    ),
    admit=_admit,
)

_COUNTS = {"type": "object", "additionalProperties": WHOLE}
_GATE = struct(
    {
        "name": TEXT,
        "when": TEXT,
        "kind": TEXT,
        "state": TEXT,
        "needed": WHOLE,
        "good": WHOLE,
        "message": TEXT,
        "since": TIME,
        "by": TEXTS,
    }
)
_STAGE = struct(
    {"name": TEXT, "state": TEXT, "total": WHOLE, "counts": _COUNTS, "gates": many(_GATE)},
)
_MEMBER = struct(
    {
        "name": TEXT,
        "cluster": TEXT,
        "stage": TEXT,
        "state": TEXT,
        "since": TIME,
        "deadline": TIME,
        "blocker": TEXT,
        "from": TEXT,
        "to": TEXT,
    }
)
_STATUS = struct(
    {
        "phase": TEXT,
        "message": TEXT,
        "since": TIME,
        "startedAt": TIME,
        "finishedAt": TIME,
        "expectedEnd": shapes.described(TIME, "When it may be over, at the pace so far."),
        "stage": shapes.described(TEXT, "The stage that is being rolled out."),
        "total": WHOLE,
        "done": WHOLE,
        "outside": shapes.described(
            WHOLE, "Applications of no stage: they move when they are synced by hand."
        ),
        "counts": shapes.described(_COUNTS, "How many applications are in each state."),
        "stages": many(_STAGE),
        "blockers": many(
            struct({"reason": TEXT, "members": WHOLE, "example": TEXT, "since": TIME}),
            "What is waited for, and since when.",
        ),
        "members": many(_MEMBER, "Some of the applications, those in trouble first."),
        "bad": shapes.described(
            FLAG, "Rolled back: not chosen again until Git moves past it, or on a retry."
        ),
        "conditions": many(CONDITION),
    }
)


def _progress(manifest: Manifest, now: float) -> str:
    status = manifest.get("status") or {}
    return f"{status.get('done', 0)}/{status.get('total', 0)}" if status else ""


def _waits_for(manifest: Manifest, now: float) -> str:
    blockers = cells.value(manifest, "status", "blockers") or ()
    return str(blockers[0].get("reason", "")) if blockers else ""


ROLLOUT = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "Rollout",
        "rollouts",
        root(
            {
                "spec": struct(
                    {
                        "owner": struct({"kind": TEXT, "name": TEXT, "uid": TEXT}),
                        "release": TEXT,
                        "policy": TEXT,
                        "strategy": shapes.described(ANY_OBJECT, "What it follows, as it was when it began."),
                    }
                ),
                "status": _STATUS,
            },
            description="A release on its way over the fleet. Made by the hub, one for each release with a strategy.",
        ),
        status=True,
        categories=("argosy",),
    ),
    "rollout",
    (
        NAME,
        Column("Set", cells.at("spec", "owner", "name"), description="Whose release it is."),
        Column("Phase", cells.at("status", "phase"), description="Where it is."),
        Column("Stage", cells.at("status", "stage"), description="What is being rolled out."),
        Column("Done", _progress, description="How many applications have it and are well, of all."),
        Column("Waits For", _waits_for, description="The first thing that is waited for."),
        Column("Policy", cells.at("spec", "policy"), description="Its RolloutPolicy.", priority=1),
        Column("Expected", cells.at("status", "expectedEnd"), description="When it may be over.", priority=1),
        AGE,
    ),
    verbs=READ,
    composed=True,
)
