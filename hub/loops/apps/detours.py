"""Syncs to another revision than the one an Application follows (`operation.sync.revision`, Argo CD 3.6).

Such a revision is rendered once, beside the last good render of what is followed, and given to the cluster as a release of
its own. It stays until the next sync is asked for, or until what is followed gives another bundle.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import orjson

from argosy.bundle import Assignment
from argosy.objects import Manifest
from hub.core.apps import operations
from hub.core.releases import releases
from hub.core.rollout.model import Version
from hub.loops.releases import announcer
from hub.loops.releases.announcer import News
from hub.loops.releases.assigning import Assigning
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.resources import Resources

REASON = "asked"
"""`spec.reason` of such a release."""


@dataclass(frozen=True, slots=True)
class Detour:
    """What `request` brings in the place of the bundle `instead`. `sources` as `AppState.sources` has it, `by` asked."""

    request: str
    instead: str
    bundle: str
    revision: str
    sources: str = ""
    by: str = ""


def text(detour: Detour) -> str:
    """As `AppState.detour` has it."""
    return orjson.dumps(asdict(detour)).decode()


def of(state: AppState) -> Detour | None:
    """The detour that an app is on, None where it is on none."""
    if not state.detour:
        return None
    found = Detour(**orjson.loads(state.detour))
    return found if found.instead == state.bundle else None


def starts(state: AppState, current: Assignment | None) -> bool:
    """Whether an app's detour is still to be given to its cluster."""
    found = of(state)
    return found is not None and (current is None or current.policy.sync_request != found.request)


def give(
    tx: Tx,
    resources: Resources,
    assigning: Assigning,
    owner: Manifest,
    states: Sequence[AppState],
    places: Mapping[str, Mapping[str, Assignment]],
    now: float,
) -> None:
    """Gives apps of one owner what was asked for, each as a release of its own."""
    for state in states:
        detour = of(state)
        assert detour is not None
        release = secrets.token_hex(8)
        there = places.get(state.app, {})
        before = releases.version_of(there.get(state.cluster))
        assigning.give(state, Version(release, detour.bundle, detour.revision), there, sync=detour.request)
        shown = state._replace(bundle=detour.bundle, revision=detour.revision, sources=detour.sources)
        announcer.announce(tx, resources, News(release, owner, [(shown, before)], REASON, detour.by), now)


def wanted(manifest: Manifest, state: AppState | None) -> Manifest | None:
    """The Application as its operation wants it rendered, None where that is as it is anyway."""
    operation = operations.of(manifest)
    return (
        operations.elsewhere(manifest, operation, state.revision if state else "")
        if operation is not None
        else None
    )


def made(manifest: Manifest, state: AppState, rendered: AppState, request: str) -> str:
    """`AppState.detour` of a render of what was asked for, "" where it is what the app has anyway."""
    if rendered.bundle == state.bundle:
        return ""
    by = ((operations.of(manifest) or {}).get("initiatedBy") or {}).get("username") or ""
    return text(
        replace(Detour(request, state.bundle, rendered.bundle, rendered.revision, rendered.sources), by=by)
    )
