"""From changed applications to a release and to what each cluster is assigned (hops 4 and 6 of a change)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import orjson

from argosy import objects
from argosy.bundle import Assignment, Policy, Removal
from hub.core.rollout.model import Version

REMOVAL_LIFE = 30 * 24 * 3600.0
"""Seconds a written removal stays valid: an agent that was away for longer asks a person, not an old paper."""
RELEASE_LIFE = 3650 * 24 * 3600.0
"""As `REMOVAL_LIFE`, of what only lets go: nothing is deleted by it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One application ready to be assigned: its last good render and its destination."""

    app: str
    name: str
    namespace: str
    project: str
    cluster: str
    destination_namespace: str
    bundle: str
    revision: str
    policy: str


def assigned(wanted: Wanted, version: Version) -> Assignment:
    """What the cluster is assigned when it is given a version: the content of that, all else as it is wanted now."""
    return Assignment(
        id=wanted.app,
        app=wanted.name,
        namespace=wanted.namespace,
        project=wanted.project,
        destination_namespace=wanted.destination_namespace,
        bundle=version.bundle,
        release=version.release,
        revision=version.revision,
        policy=policy(wanted.policy),
    )


def version_of(current: Assignment | None) -> Version:
    """What an app has now."""
    return Version(current.release, current.bundle, current.revision) if current else Version()


@dataclass(frozen=True, slots=True)
class Changed:
    """One Application that a release changes, and what it had before ("" for nothing)."""

    app: str
    name: str
    cluster: str
    bundle: str
    revision: str
    before_bundle: str = ""
    before_revision: str = ""


def across(changes: Iterable[Changed]) -> list[Changed]:
    """What several releases, oldest first, changed together: from what each Application had at first to what it got last.
    One that came back to what it had is not among them. In name order."""
    found: dict[str, Changed] = {}
    for one in changes:
        first = found.get(one.app)
        before = first or one
        found[one.app] = replace(
            one, before_bundle=before.before_bundle, before_revision=before.before_revision
        )
    return sorted(
        (one for one in found.values() if one.bundle != one.before_bundle),
        key=lambda one: (one.name, one.app),
    )


def turned(one: Changed) -> Changed:
    """The way back."""
    return replace(
        one,
        bundle=one.before_bundle,
        revision=one.before_revision,
        before_bundle=one.bundle,
        before_revision=one.revision,
    )


def policy(text: str) -> Policy:
    """The `Policy` of its canonical JSON."""
    value = orjson.loads(text)
    return Policy(**{**value, "sync_options": tuple(value.get("sync_options") or ())})


def with_account(text: str, account: str) -> str:
    """A policy's canonical JSON with the ServiceAccount that its project names, "" for none."""
    if not account:
        return text
    return objects.canonical({**orjson.loads(text), "account": account}).decode()


def prunes(app: str, keys: Iterable[str], *, cause: str, now: float) -> list[Removal]:
    """Written removals of objects (by key) that left an app's bundle for good. `cause` names the release, or rollback."""
    return [
        Removal(
            id=removal_id(app, key, cause),
            assignment=app,
            key=key,
            cascade=True,
            reason="no longer in the source",
            by=cause,
            created=now,
            expires=now + REMOVAL_LIFE,
        )
        for key in sorted(keys)
    ]


def asks_to_prune(policy: Policy) -> bool:
    """Whether the sync that a person asks for prunes."""
    if not (policy.sync_request and policy.operation):
        return False
    return bool((orjson.loads(policy.operation).get("sync") or {}).get("prune"))


def farewell(app: str, *, cascade: bool, reason: str, by: str, now: float) -> Removal:
    """The written removal of a whole application from its cluster."""
    return Removal(
        id=removal_id(app, "", f"{by} {now}"),
        assignment=app,
        key="",
        cascade=cascade,
        reason=reason,
        by=by,
        created=now,
        expires=now + (REMOVAL_LIFE if cascade else RELEASE_LIFE),
    )


def removal_id(app: str, key: str, cause: str) -> str:
    return objects.digest(f"{app}\0{key}\0{cause}".encode())[7:23]


def commits(sources: Iterable[tuple[str, str, str]]) -> list[dict[str, str]]:
    """The distinct (repository, revision asked for, commit) triples a release comes from, as its object shows them."""
    return [
        {"repo": repo, "revision": revision, "commit": commit}
        for repo, revision, commit in sorted(set(sources))
    ]
