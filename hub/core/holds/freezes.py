"""Freezes and overrides: a person says that something shall not change for a while, or that it may after all.

A scope names places (clusters by name or labels) and things (applications, sets, rollouts). One of each kind is enough,
both kinds must hit, and a kind that is not named hits everything. Pure; how long they count is part of them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.matching import labels
from hub.core.matching.labels import Selector
from hub.core.types import ClusterFacts

LONGEST_OVERRIDE = 24 * 3600
"""Seconds: what breaks the glass is no way of life."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One Application as freezes and windows look at it. `id` is its uid; `appset` and `rollout` are names or "".

    `manifest` is as far as windows ask: `metadata.name` and `spec.destination` as written. `manual`: somebody asked for
    a sync by hand that was not given yet.
    """

    id: str
    name: str
    namespace: str
    project: str
    cluster: ClusterFacts
    appset: str = ""
    rollout: str = ""
    manifest: Mapping[str, Any] | None = None
    automated: bool = True
    manual: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What a freeze or an override is about."""

    clusters: frozenset[str] = frozenset()
    selector: Selector | None = None
    applications: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    rollouts: frozenset[str] = frozenset()

    @property
    def everything_there(self) -> bool:
        """Whether all of a cluster is meant where any of it is."""
        return not (self.applications or self.sets or self.rollouts)

    def place(self, cluster: ClusterFacts) -> bool:
        if not self.clusters and self.selector is None:
            return True
        hit = self.selector is not None and self.selector.matches(cluster.labels)
        return hit or cluster.name in self.clusters

    def thing(self, subject: Subject) -> bool:
        named = {subject.name, f"{subject.namespace}/{subject.name}"}
        return (
            self.everything_there
            or not named.isdisjoint(self.applications)
            or subject.appset in self.sets
            or subject.rollout in self.rollouts
        )

    def hits(self, subject: Subject) -> bool:
        return self.place(subject.cluster) and self.thing(subject)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing of `scope` changes before `until` (Unix seconds). `heal`: drift from what runs is still corrected."""

    name: str
    scope: Scope
    reason: str
    person: str
    until: float
    heal: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """What is in `scope` may change in spite of freezes and windows, until `until`."""

    name: str
    scope: Scope
    reason: str
    person: str
    until: float


@dataclass(frozen=True, slots=True)
class Orders:
    """All freezes and overrides that count at a moment."""

    freezes: tuple[Freeze, ...] = ()
    overrides: tuple[Override, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.freezes or self.overrides)

    @property
    def every(self) -> tuple[Freeze | Override, ...]:
        return (*self.freezes, *self.overrides)

    @property
    def ends(self) -> float:
        """When the first of them ends, 0 where there is none."""
        return min((each.until for each in self.every), default=0.0)

    def overridden(self, subject: Subject) -> Override | None:
        return next((each for each in self.overrides if each.scope.hits(subject)), None)

    def frozen(self, subject: Subject) -> Freeze | None:
        """The freeze that holds it longest, whether overridden or not."""
        hits = (each for each in self.freezes if each.scope.hits(subject))
        return max(hits, key=lambda each: each.until, default=None)


def orders(freezes: Iterable[Manifest], overrides: Iterable[Manifest], now: float) -> Orders:
    """Those of the objects that count at `now`."""
    frozen = (freeze(item) for item in freezes)
    passes = (override(item) for item in overrides)
    return Orders(
        tuple(each for each in frozen if each.until > now), tuple(each for each in passes if each.until > now)
    )


def freeze(manifest: Manifest) -> Freeze:
    spec = manifest.get("spec") or {}
    return Freeze(*_common(manifest), heal=bool(spec.get("heal")))


def override(manifest: Manifest) -> Override:
    return Override(*_common(manifest))


def scope(spec: Mapping[str, Any]) -> Scope:
    """The scope of a spec. Raises `Invalid` for a selector that is none."""

    def names(field: str) -> frozenset[str]:
        return frozenset(map(str, spec.get(field) or ()))

    asked = spec.get("clusterSelector")
    selector = labels.compile_selector(asked, any_value=False) if asked else None
    return Scope(
        names("clusters"), selector, names("applications"), names("applicationSets"), names("rollouts")
    )


def moment(text: str) -> float:
    """RFC 3339 -> Unix seconds. Raises `Invalid`."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid(f'found "{text}", expected a time such as 2026-12-24T18:00:00Z')
    return found.timestamp()


def words(scope_of: Mapping[str, Any]) -> str:
    """A spec's scope for people: `cluster a, b; app web`."""
    parts = []
    for field, word in SCOPES:
        value = scope_of.get(field)
        if value:
            parts.append(f"{word} {', '.join(map(str, value))}" if isinstance(value, Sequence) else word)
    return "; ".join(parts)


SCOPES = (
    ("fleet", "fleet"),
    ("clusters", "cluster"),
    ("clusterSelector", "clusters by label"),
    ("applications", "app"),
    ("applicationSets", "appset"),
    ("rollouts", "rollout"),
)
"""The fields of a scope and what they are called."""


def _common(manifest: Manifest) -> tuple[str, Scope, str, str, float]:
    spec = manifest.get("spec") or {}
    return (
        manifest["metadata"]["name"],
        scope(spec),
        str(spec.get("reason") or ""),
        str(spec.get("person") or ""),
        moment(str(spec.get("expiresAt") or "1970-01-01T00:00:00Z")),
    )
