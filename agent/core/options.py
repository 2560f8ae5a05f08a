"""Sync options in Argo CD's spelling (3.6): which there are, where each has an effect, what they say of one object.

An object's own annotation wins over the Application's list, in both directions (`Replace=false` opts out). Options
that are not known, or have no effect where they stand, change nothing and are named to the user. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from agent.core.requests import Request
from argosy import stages
from argosy.bundle import (
    EXCLUSIONS,
    MIGRATION_MANAGER,
    NAMESPACE_METADATA,
    ORPHANS,
    OUTSIDE,
    STAGE_TIMEOUT,
    Assignment,
    users,
)
from argosy.objects import Manifest, ObjectKey

DEFAULTS = ("true", "false")
_CONFIRM = ("true", "false", "confirm")
_SHOWN = 3


FORCED = "OperationForce=true"
"""Beside a user's options: the operation itself was asked to make anew what cannot be changed."""


class Place(NamedTuple):
    """Which values an option takes (None: any) and where it has an effect."""

    values: tuple[str, ...] | None = DEFAULTS
    app: bool = True
    resource: bool = True


KNOWN: Mapping[str, Place] = {
    "ApplyOutOfSyncOnly": Place(resource=False),
    "ClientSideApplyMigration": Place(resource=False),
    "CreateNamespace": Place(resource=False),
    "Delete": Place(_CONFIRM),
    "FailOnSharedResource": Place(resource=False),
    "Force": Place(app=False),
    "Prune": Place(_CONFIRM),
    "PruneLast": Place(),
    "PrunePropagationPolicy": Place(("foreground", "background", "orphan"), resource=False),
    "Replace": Place(),
    "RespectIgnoreDifferences": Place(resource=False),
    "ServerSideApply": Place(),
    "SkipDryRunOnMissingResource": Place(),
    "Validate": Place(),
    NAMESPACE_METADATA: Place(None, resource=False),
    STAGE_TIMEOUT: Place(None, resource=False),
    EXCLUSIONS: Place(None, resource=False),
    ORPHANS: Place(None, resource=False),
    OUTSIDE: Place(None, resource=False),
    MIGRATION_MANAGER: Place(None, resource=False),
    FORCED.partition("=")[0]: Place(None, resource=False),
}
"""`ApplyOutOfSyncOnly` and `SkipDryRunOnMissingResource` ask for what the agent always does: it applies what differs, and
has no dry run that a missing kind could fail."""

_IN_PLACE = frozenset((("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")))
"""Never deleted to be made anew: everything in them would go as well (Argo CD updates them in place, too)."""


class Mode(StrEnum):
    """How an object is written: server-side apply, a three-way merge like `kubectl apply`, or replaced as a whole."""

    APPLY = "apply"
    MERGE = "merge"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class How:
    """How one object is written. `recreate`: it is deleted and made anew where the server refuses the change.
    `migrate`: the manager whose client-side applies server-side apply takes over, "" for none.
    """

    mode: Mode = Mode.APPLY
    validate: bool = True
    recreate: bool = False
    migrate: str = "kubectl-client-side-apply"


PLAIN = How()


def value(options: Iterable[str], name: str) -> str:
    """The value of the first option of that name, "" where there is none."""
    return next((item.partition("=")[2] for item in options if item.partition("=")[0] == name), "")


def merged(app: Iterable[str], operation: Iterable[str]) -> tuple[str, ...]:
    """The options of one sync: those it was asked with win over the Application's of the same name."""
    asked = users(operation)
    names = {item.partition("=")[0] for item in asked}
    return (*asked, *(item for item in app if item.partition("=")[0] not in names))


def in_force(assignment: Assignment, request: Request) -> Assignment:
    """The assignment with the options of one sync."""
    if not request.options and not request.force:
        return assignment
    asked = merged(assignment.policy.sync_options, request.options)
    policy = replace(assignment.policy, sync_options=(*asked, FORCED) if request.force else asked)
    return replace(assignment, policy=policy)


def of(manifest: Manifest) -> tuple[str, ...]:
    """The options in an object's own annotation."""
    return stages.listed(stages.annotations_of(manifest).get(stages.SYNC_OPTIONS, ""))


def how(app: tuple[str, ...], manifest: Manifest, key: ObjectKey) -> How:
    """How an object is written.

    `Replace` wins over `ServerSideApply`. Without either Argosy applies server-side.
    """
    own = of(manifest)
    if not own and not app:
        return PLAIN

    def said(name: str) -> str:
        return value(own, name) or value(app, name)

    mode = Mode.APPLY
    if said("Replace") == "true":
        mode = Mode.REPLACE
    elif said("ServerSideApply") == "false":
        mode = Mode.MERGE
    force = value(own, "Force") == "true" or FORCED in app
    recreate = force and (key.group, key.kind) not in _IN_PLACE
    migrate = value(app, MIGRATION_MANAGER) or PLAIN.migrate
    if value(app, "ClientSideApplyMigration") == "false":
        migrate = ""
    found = How(mode, said("Validate") != "false", recreate, migrate)
    return PLAIN if found == PLAIN else found


def problem(option: str, *, resource: bool) -> str:
    """What is wrong with one option, "" where nothing is."""
    name, equals, given = option.partition("=")
    place = KNOWN.get(name)
    if place is None:
        return f'sync option "{option}" is not known and has no effect'
    if not (place.resource if resource else place.app):
        where = "an object's annotation" if resource else "spec.syncPolicy.syncOptions"
        return f'sync option "{option}" has no effect in {where}'
    if place.values is not None and given not in place.values:
        found = f'"{option}"' if equals else f'"{option}" without a value'
        return f"sync option {found} has no effect, expected {name}={'|'.join(place.values)}"
    return ""


def problems(app: Iterable[str], manifests: Iterable[tuple[ObjectKey, Manifest]]) -> tuple[str, ...]:
    """What is wrong with the options of an app and of its objects: one sentence per mistake, with who makes it."""
    out = [found for option in app if (found := problem(option, resource=False))]
    by_mistake: dict[str, list[str]] = {}
    for key, manifest in manifests:
        for option in of(manifest):
            found = problem(option, resource=True)
            if found:
                by_mistake.setdefault(found, []).append(str(key))
    for found, who in by_mistake.items():
        more = f" and {len(who) - _SHOWN} more" if len(who) > _SHOWN else ""
        out.append(f"{found}: {', '.join(who[:_SHOWN])}{more}")
    return tuple(out)
