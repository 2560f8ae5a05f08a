"""What releases changed, and going back: `GET .../releases/NAME/diff`, `GET .../applications/NAME/history`,
`POST .../applications/NAME/rollback`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from argosy import bundle as bundle_format
from argosy import differences
from argosy.errors import ArgosyError, Conflict, NotFound
from argosy.machinery import failure
from argosy.objects import Manifest
from hub.api import bodies, wire
from hub.api.app import Action
from hub.api.calls import Call
from hub.api.discovery import Subresource
from hub.core.releases import releases
from hub.core.releases.releases import Changed
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.store import agents, apps, audit, bundles, desired, history, objects, rollouts
from hub.store.base import Store, Tx

Restore = Callable[[Tx, str, str, str, str], str | None]
"""(tx, namespace, Application, release or "", by) -> what was done; None: no such Application."""
COMPARED = 100
"""Applications whose objects are compared in one answer; the others are counted."""
_VERSION = table.RELEASE.kind.api_version


def release_actions(store: Store, restore: Restore) -> list[Action]:
    """The three."""
    return [
        _reading(store, table.RELEASE, "diff", _diff),
        _reading(store, table.APPLICATION, "history", _history),
        _rollback(store, restore),
    ]


def _reading(
    store: Store, served: Served, name: str, answer: Callable[[Tx, Call, objects.Row], Manifest]
) -> Action:
    async def run(call: Call) -> Response:
        target = call.target

        def read(tx: Tx) -> Manifest | None:
            row = objects.get(tx, served.resource, target.namespace, target.name)
            return answer(tx, call, row) if row is not None else None

        found = await store.read(read)
        if found is None:
            raise failure.not_found(target.resource, target.group, target.name)
        return wire.json_answer(found)

    return Action(Subresource(served.resource, name, served.kind.kind, ("get",)), run)


# --- the difference of two releases -------------------------------------------------------------------------------------


def _diff(tx: Tx, call: Call, row: objects.Row) -> Manifest:
    """What has to change to come from the release `from` (the one before where none is named) to this one."""
    release = history.get(tx, row.uid)
    if release is None:
        raise failure.not_found(call.target.resource, call.target.group, call.target.name)
    named = call.request.query_params.get("from", "")
    other = history.named(tx, release.owner, named) if named else None
    if named and other is None:
        raise failure.bad_request(f"from: expected a kept release of the same owner, found {named!r}")
    base = other.number if other is not None else release.number - 1
    low, high = sorted((base, release.number))
    changed = releases.across(history.between(tx, release.owner, low, high))
    if base > release.number:
        changed = [releases.turned(one) for one in changed]
    counts: Counter[str] = Counter({"applications": len(changed)})
    shown = []
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in changed[:COMPARED]:
        pair = (one.before_bundle, one.bundle)
        if pair not in known:
            known[pair] = _objects(tx, *pair)
        counts.update(each["change"] for each in known[pair])
        shown.append(
            {
                "name": one.name,
                "cluster": agents.name_of(tx, one.cluster) or one.cluster,
                "revision": one.revision,
                "previousRevision": one.before_revision,
                "objects": known[pair],
            }
        )
    return {
        "apiVersion": _VERSION,
        "kind": "ReleaseDiff",
        "metadata": {"name": call.target.name, "namespace": call.target.namespace},
        "from": named or (base and f"number {base}") or "",
        "to": release.name,
        "counts": dict(counts),
        "applications": shown,
        "truncated": len(changed) > COMPARED,
    }


def _objects(tx: Tx, before: str, after: str) -> list[dict[str, Any]]:
    old, new = _unpacked(tx, before), _unpacked(tx, after)
    return [each.document() for each in differences.of_bundles(old, new)]


def _unpacked(tx: Tx, digest: str) -> list[Manifest]:
    blob = bundles.get(tx, digest) if digest else None
    return list(bundle_format.unpack(blob, digest)) if blob is not None else []


# --- the history of an Application ----------------------------------------------------------------------------------


def _history(tx: Tx, call: Call, row: objects.Row) -> Manifest:
    """The kept releases that changed the Application, newest first."""
    state = apps.get(tx, row.uid)
    current = desired.assignment(tx, state.cluster, row.uid) if state is not None else None
    refused = rollouts.refused(tx, [row.uid]).get(row.uid)
    items = []
    for release, one in history.of_app(tx, row.uid):
        item = {
            "release": release.name,
            "number": release.number,
            "createdAt": cells.stamp(release.created),
            "revision": one.revision,
            "bundle": one.bundle,
            "state": _state(
                one, release.id, current.release if current else "", current.bundle if current else ""
            ),
        }
        if refused is not None and refused.bundle == one.bundle:
            item["refused"] = refused.reason
        items.append(item)
    return {
        "apiVersion": _VERSION,
        "kind": "ApplicationHistory",
        "metadata": {"name": row.name, "namespace": row.namespace},
        "items": items,
    }


def _state(one: Changed, release: str, assigned: str, bundle: str) -> str:
    if release == assigned:
        return "Assigned"
    return "Same content" if one.bundle == bundle else ""


def _rollback(store: Store, restore: Restore) -> Action:
    served = table.APPLICATION

    async def run(call: Call) -> Response:
        target = call.target
        body = await bodies.optional(call.request)
        release = body.get("release", "") if isinstance(body, dict) else None
        if not isinstance(release, str):
            raise failure.bad_request("release: expected the name of a release")

        def write(tx: Tx) -> str | None:
            said = restore(tx, target.namespace, target.name, release, call.user.name)
            if said is not None:
                audit.put(tx, call.record(target.name, 200))
            return said

        try:
            said = await store.write(write)
        except Conflict as error:
            raise failure.conflict(target.resource, target.group, target.name, error.message) from None
        except NotFound as error:
            raise failure.ApiFailure(404, "NotFound", error.message) from None
        except ArgosyError as error:
            raise failure.bad_request(error.message) from None
        if said is None:
            raise failure.not_found(target.resource, target.group, target.name)
        return wire.done(said)

    return Action(Subresource(served.resource, "rollback", served.kind.kind, ("create",)), run)
