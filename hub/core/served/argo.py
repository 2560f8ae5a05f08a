"""Argo CD's kinds: ApplicationSet, Application, AppProject (argoproj.io/v1alpha1, Argo CD 3.6)."""

from __future__ import annotations

import re
from typing import Any

from argosy.errors import Invalid
from argosy.machinery import failure, kinds
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest
from hub.core.apps import advice, operations
from hub.core.rollout import naming
from hub.core.schema import app_fields, appset_fields, parse
from hub.core.served import cells, shapes
from hub.core.served.base import Column, Served
from hub.core.served.shapes import ANY_OBJECT, FLAG, TEXT, TEXTS, TIME, WHOLE, many, root, struct
from hub.core.served.words import WORDS

GROUP, VERSION = "argoproj.io", "v1alpha1"
CATEGORIES = ("all", "argosy")

_convert = shapes.Converter(WORDS)
_HEALTH = struct(
    {
        "status": shapes.described(TEXT, "Healthy, Suspended, Progressing, Missing, Degraded or Unknown."),
        "message": TEXT,
        "lastTransitionTime": TIME,
    },
    description="How well the objects are, the worst of them first.",
)
_DIFFERENCE = struct(
    {
        "field": shapes.described(TEXT, "Its path."),
        "desired": shapes.described(
            TEXT, "What Git says, as JSON; absent where it says nothing; *** where masked."
        ),
        "live": shapes.described(TEXT, "What the cluster has, likewise."),
        "manager": shapes.described(TEXT, "Who owns the field in the cluster."),
    }
)
_RESOURCE = struct(
    {
        "group": TEXT,
        "version": TEXT,
        "kind": TEXT,
        "namespace": TEXT,
        "name": TEXT,
        "status": TEXT,
        "health": _HEALTH,
        "hook": FLAG,
        "requiresPruning": FLAG,
        "requiresDeletionConfirmation": FLAG,
        "syncWave": WHOLE,
        "message": TEXT,
        "differences": many(_DIFFERENCE, "The fields that differ."),
        "corrected": many(_DIFFERENCE, "Of an object that is Synced: what was changed and taken back last."),
    }
)
_APP_CONDITION = struct(
    {"type": TEXT, "message": TEXT, "lastTransitionTime": TIME}, required=("type", "message")
)
_APPLICATION_STATUS = struct(
    {
        "sync": struct(
            {
                "status": shapes.described(TEXT, "Synced, OutOfSync or Unknown."),
                "revision": shapes.described(TEXT, "The commit that was compared with the cluster."),
                "revisions": TEXTS,
                "comparedTo": ANY_OBJECT,
            },
            description="Whether the cluster is as Git says.",
        ),
        "health": _HEALTH,
        "resources": many(_RESOURCE, "The objects of the application, as last seen in the cluster."),
        "conditions": many(
            _APP_CONDITION, "What is wrong with the application, in Argo CD's condition types."
        ),
        "history": many(ANY_OBJECT, "Revisions that were deployed, oldest first."),
        "operationState": shapes.described(ANY_OBJECT, "The last sync: phase, message, times, results."),
        "summary": ANY_OBJECT,
        "sourceType": TEXT,
        "sourceTypes": TEXTS,
        "reconciledAt": TIME,
        "observedAt": TIME,
        "controllerNamespace": TEXT,
        "resourceHealthSource": TEXT,
        "sourceHydrator": ANY_OBJECT,
        "cluster": shapes.described(TEXT, "The name of the cluster that it goes to."),
        "release": shapes.described(TEXT, "The Argosy release that the cluster runs."),
        "rollout": shapes.described(
            struct({"name": TEXT, "state": TEXT, "since": TIME, "message": TEXT}),
            "Where it is in the rollout that is under way, and what it waits for.",
        ),
    },
    description="What the hub and the cluster's agent know of the application. Written by the hub only.",
)


def _argo(shape: Any, kind: str, status: shapes.Schema, description: str) -> shapes.Schema:
    """A schema from a field table, with our status."""
    schema = _convert.schema(shape, kind)
    properties = {**schema["properties"], "metadata": {"type": "object"}}
    properties["status"] = status
    return {"description": description, **schema, "properties": properties}


def _errors(problem: Invalid) -> list[FieldError]:
    out = []
    for text in problem.message.split("; "):
        path, _, message = text.partition(": ")
        out.append(FieldError("FieldValueInvalid", path, message, f"Invalid value: {message}"))
    return out


def _admit_application(new: Manifest, live: Manifest | None) -> list[FieldError]:
    asked = new.get("operation")
    if asked and (live is None or live.get("operation") != asked):
        found = operations.problems(asked)
        if found:
            return [failure.not_allowed(path, message) for path, message in found]
    if live is not None and live.get("spec") == new.get("spec"):
        return []
    try:
        parse.check_application(new)
    except Invalid as problem:
        return _errors(problem)
    return []


def _admit_set(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is not None and live.get("spec") == new.get("spec"):
        return []
    try:
        naming.check(parse.application_set(new).spec.get("strategy") or {})
    except Invalid as problem:
        return _errors(problem)
    return []


def _advise_application(app: Manifest) -> list[str]:
    return [str(problem) for problem in advice.on_application(parse.application(app))]


def _advise_set(appset: Manifest) -> list[str]:
    return [str(problem) for problem in advice.on_application_set(parse.application_set(appset).spec)]


def _advise_project(project: Manifest) -> list[str]:
    return [str(problem) for problem in advice.on_project(project.get("spec") or {})]


def _revision(manifest: Manifest, now: float) -> str:
    status = cells.value(manifest, "status", "sync") or {}
    revision = status.get("revision") or ",".join(status.get("revisions") or ())
    return str(revision)[:12]


_DEFAULT_SERVER = re.compile(r"https://([^./]+)\.clusters\.argosy\.dev\Z")


def _destination(manifest: Manifest, now: float) -> str:
    """The cluster's name; before the hub knows it, what the destination calls it: of the server that a joined cluster gets
    by default, the name in it."""
    if known := cells.value(manifest, "status", "cluster"):
        return str(known)
    found = cells.value(manifest, "spec", "destination") or {}
    server = str(found.get("server") or "")
    return str(found.get("name") or _DEFAULT_SERVER.sub(r"\1", server))


_AGE = Column("Age", cells.since("metadata", "creationTimestamp"), description="Time since it was created.")
_NAME = Column("Name", cells.name, format="name", description="Name of the object.")

APPLICATION = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "Application",
        "applications",
        _argo(
            app_fields.APPLICATION,
            "application",
            _APPLICATION_STATUS,
            "One application on one cluster: where its manifests come from and where they go.",
        ),
        status=True,
        short_names=("app", "apps"),
        categories=CATEGORIES,
    ),
    "application",
    (
        _NAME,
        Column(
            "Sync Status", cells.at("status", "sync", "status"), description="Is the cluster as Git says?"
        ),
        Column("Health Status", cells.at("status", "health", "status"), description="Are the objects well?"),
        Column("Cluster", _destination, description="Where it goes."),
        Column("Revision", _revision, description="The commit that was compared.", priority=1),
        Column("Project", cells.at("spec", "project"), description="Its AppProject.", priority=1),
        Column("Release", cells.at("status", "release"), description="What the cluster runs.", priority=1),
        _AGE,
    ),
    admit=_admit_application,
    advise=_advise_application,
    composed=True,
)


def _number(manifest: Manifest, now: float) -> Any:
    """How many Applications a set has; empty before it was evaluated."""
    status = manifest.get("status") or {}
    return status.get("resourcesCount") or (0 if status.get("conditions") else "")


_SET_CONDITION = struct(
    {
        "type": TEXT,
        "status": TEXT,
        "reason": TEXT,
        "message": TEXT,
        "lastTransitionTime": TIME,
    },
    required=("type", "status", "reason", "message"),
)
_SET_STATUS = struct(
    {
        "conditions": many(
            _SET_CONDITION, "ErrorOccurred, ParametersGenerated, ResourcesUpToDate, RolloutProgressing."
        ),
        "resources": many(_RESOURCE, "The Applications of the set."),
        "resourcesCount": WHOLE,
        "applicationStatus": many(ANY_OBJECT, "Where each Application is in a RollingSync."),
        "health": _HEALTH,
    },
    description="What the last evaluation gave. Written by the hub only.",
)

APPLICATION_SET = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "ApplicationSet",
        "applicationsets",
        _argo(
            appset_fields.APPLICATION_SET,
            "applicationset",
            _SET_STATUS,
            "A template of Applications and the generators that fill it in, for example one per cluster.",
        ),
        status=True,
        short_names=("appset", "appsets"),
        categories=CATEGORIES,
    ),
    "applicationset",
    (
        _NAME,
        Column(
            "Up To Date",
            cells.condition("ResourcesUpToDate"),
            description="Are all Applications as generated?",
        ),
        Column(
            "Applications",
            _number,
            type="integer",
            description="How many it has.",
        ),
        Column("Error", cells.raised("ErrorOccurred", "message"), description="Why it is not.", priority=1),
        _AGE,
    ),
    admit=_admit_set,
    advise=_advise_set,
    composed=True,
)

_GROUP_KIND = struct({"group": TEXT, "kind": TEXT, "name": TEXT}, required=("group", "kind"))
_DESTINATION = struct({"server": TEXT, "name": TEXT, "namespace": TEXT})
_TOKEN = struct({"iat": WHOLE, "exp": WHOLE, "id": TEXT}, required=("iat",))
_SIGNING = struct(
    {
        "repos": many(
            {"x-kubernetes-preserve-unknown-fields": True}, "Globs of addresses, `!` in front excludes."
        ),
        "gpg": struct({"mode": TEXT, "keys": TEXTS}),
    }
)

_PROJECT_SPEC = struct(
    {
        "description": TEXT,
        "sourceRepos": shapes.described(TEXTS, "Repositories that applications may use; globs, `!` denies."),
        "sourceNamespaces": TEXTS,
        "destinations": many(_DESTINATION, "Clusters and namespaces that applications may go to."),
        "destinationServiceAccounts": many(
            struct({"server": TEXT, "namespace": TEXT, "defaultServiceAccount": TEXT})
        ),
        "permitOnlyProjectScopedClusters": FLAG,
        "clusterResourceWhitelist": many(
            _GROUP_KIND, "Cluster-scoped kinds that may be deployed; empty: none."
        ),
        "clusterResourceBlacklist": many(_GROUP_KIND),
        "namespaceResourceWhitelist": many(_GROUP_KIND, "Namespaced kinds that may be deployed; unset: all."),
        "namespaceResourceBlacklist": many(_GROUP_KIND),
        "orphanedResources": struct(
            {"warn": FLAG, "ignore": many(struct({"group": TEXT, "kind": TEXT, "name": TEXT}))}
        ),
        "roles": many(
            struct(
                {
                    "name": TEXT,
                    "description": TEXT,
                    "policies": TEXTS,
                    "groups": TEXTS,
                    "jwtTokens": many(_TOKEN),
                },
                required=("name",),
            )
        ),
        "syncWindows": many(
            struct(
                {
                    "kind": TEXT,
                    "schedule": TEXT,
                    "duration": TEXT,
                    "timeZone": TEXT,
                    "applications": TEXTS,
                    "clusters": TEXTS,
                    "namespaces": TEXTS,
                    "andOperator": FLAG,
                    "manualSync": FLAG,
                    "syncOverrun": FLAG,
                    "description": TEXT,
                }
            ),
            "When applications of the project may change.",
        ),
        "signatureKeys": many(struct({"keyID": TEXT}, required=("keyID",))),
        "sourceIntegrity": struct(
            {"git": struct({"policies": many(_SIGNING)}), "helm": ANY_OBJECT},
            description="Who must have signed the sources.",
        ),
    },
    description="What the applications of the project may do.",
)

APP_PROJECT = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "AppProject",
        "appprojects",
        root(
            {
                "spec": _PROJECT_SPEC,
                "status": struct({"jwtTokensByRole": {"type": "object", "additionalProperties": ANY_OBJECT}}),
            },
            required=("metadata", "spec"),
            description="Bounds what a group of applications may contain and where it may go.",
        ),
        short_names=("appproj", "appprojs"),
        categories=CATEGORIES,
    ),
    "appproject",
    (_NAME, Column("Description", cells.at("spec", "description"), description="What it is for."), _AGE),
    advise=_advise_project,
)
