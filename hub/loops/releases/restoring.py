"""Gives one Application what an earlier release gave it, because somebody asks for it.

What Git wants now is not chosen again for it until Git moves past that, or somebody goes back to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from argosy.errors import Conflict, Invalid, NotFound
from argosy.objects import Manifest
from hub.core.releases import releases
from hub.core.releases.cause import Cause
from hub.core.releases.releases import Changed
from hub.core.rollout.model import FINAL, State, Version
from hub.core.served import table
from hub.loops.releases import announcer
from hub.loops.releases.announcer import News
from hub.loops.releases.assigning import Assigning
from hub.loops.releases.holding import HoldsOf, no_holds
from hub.store import apps, bundles, desired, events, history, rollouts
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.history import Release
from hub.store.resources import Resources
from hub.store.rollouts import Refused


class Restorer:
    """`now` tells the time in Unix seconds, `holds` who may not change now."""

    def __init__(self, resources: Resources, now: Callable[[], float], holds: HoldsOf = no_holds) -> None:
        self._resources = resources
        self._now = now
        self._holds = holds

    def restore(self, tx: Tx, namespace: str, name: str, release: str, by: str) -> str | None:
        """Goes back to the release of that name, or with "" to what the Application had before; says what it did.

        None where there is no such Application. Raises `Conflict`, `Invalid`, `NotFound`.
        """
        app = self._resources.get(tx, table.APPLICATION, namespace, name)
        if app is None:
            return None
        uid = app["metadata"]["uid"]
        state = apps.get(tx, uid)
        if state is None or not state.cluster:
            raise Invalid(f"{name} runs nowhere yet")
        now = self._now()
        self._check(tx, state, now)
        places = desired.of_apps(tx, [uid]).get(uid, {})
        current = releases.version_of(places.get(state.cluster))
        wanted = _wanted(history.of_app(tx, uid), current, release)
        if bundles.get(tx, wanted.bundle) is None:
            raise NotFound(f"what release {release or 'the one before'} gave to {name} is not kept any more")
        if wanted.bundle == current.bundle:
            return f"{name} has what that release gave it"
        if wanted.bundle == state.bundle:
            rollouts.accept(tx, uid)
            apps.look_again(tx, uid)
            return f"{name} goes on with what Git says"
        new = secrets.token_hex(8)
        version = Version(new, wanted.bundle, wanted.revision)
        owner = self._resources.by_uid(tx, state.owner or uid) or app
        changed = state._replace(bundle=version.bundle, revision=version.revision, sources="")
        news = News(new, owner, [(changed, current)], reason=Cause.OPERATOR.value, by=by)
        made = announcer.announce(tx, self._resources, news, now)
        why = f"{by} went back to release {wanted.release}"
        rollouts.refuse(tx, [Refused(uid, state.bundle, new, why, now)])
        assigning = Assigning(tx, now)
        assigning.give(state, version, places, sync=f"{new}.{int(now)}")
        assigning.write()
        self._tell(tx, app, f"{made}: {why}", now)
        return f"{name} goes back to what release {wanted.release} gave it, as {made}"

    def _check(self, tx: Tx, state: AppState, now: float) -> None:
        row = rollouts.of_owner(tx, state.owner or state.app)
        if row is not None and row.rollout.phase not in FINAL:
            member = rollouts.members(tx, row.rollout.id).get(state.app)
            if member is not None and member.state is not State.LEFT:
                raise Conflict(f"rollout {row.name} moves {state.name}: abort it or roll it back")
        held = self._holds(tx, [state.app], None, now).by_app.get(state.app)
        if held is not None:
            raise Conflict(f"{state.name} may not change now: {held.reason}")

    def _tell(self, tx: Tx, app: Manifest, message: str, now: float) -> None:
        events.note(tx, self._resources, app, kind="Normal", reason="RolledBack", message=message, now=now)


def _wanted(known: list[tuple[Release, Changed]], current: Version, release: str) -> Version:
    """What a release gave, `release` in it as its object's name. Raises `NotFound`."""
    if release:
        found = next((pair for pair in known if pair[0].name == release), None)
        if found is None:
            names = ", ".join(one.name for one, _ in known) or "none"
            raise NotFound(
                f"release {release}: expected one that is kept and changed the application: {names}"
            )
        return Version(found[0].name, found[1].bundle, found[1].revision)
    at = next((index for index, pair in enumerate(known) if pair[1].bundle == current.bundle), None)
    if at is None or not known[at][1].before_bundle:
        raise NotFound("no release before the present one is kept")
    change = known[at][1]
    before = next(
        (one.name for one, made in known[at + 1 :] if made.bundle == change.before_bundle), "before"
    )
    return replace(Version(before, change.before_bundle), revision=change.before_revision)
