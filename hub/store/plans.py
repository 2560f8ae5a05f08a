"""Removals as objects: planned from what is stored, kept with all their Applications, decided by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from argosy import bundle as bundles_format
from argosy.objects import Manifest, split_api_version
from hub.core import settings
from hub.core.apps import hooks
from hub.core.appsets import generated
from hub.core.clusters import clusters
from hub.core.removals import caps, grace, judging, removals
from hub.core.removals.caps import Caps
from hub.core.removals.removals import Before, Loss, Plan
from hub.core.removals.untouched import untouched
from hub.core.served import cells, table
from hub.core.types import NAMESPACE
from hub.store import apps, bereft, bundles, desired, objects, reports
from hub.store.base import Tx
from hub.store.resources import Resources

MANAGER = "argosy-removals"
SET_DELETED = "the ApplicationSet was deleted"
NOT_GENERATED = "the ApplicationSet generates them no more"
KEPT = 100
"""Removals that are over and stay to be read."""
_COUNTED = 4096
"""Bundles whose kinds stay counted: a plan that waits is made again by each evaluation."""
_counted: dict[str, Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why Applications go, and who made them go, "" where nobody knows."""

    what: str
    by: str


def plan(tx: Tx, resources: Resources, owner: Manifest, uids: Iterable[str], *, keeps: bool = False) -> Plan:
    """What would go if these Applications (uids) of an owner were removed. `keeps`: their objects stay all the same."""
    losses = []
    names: dict[str, str] = {}
    asked = list(uids)
    told = desired.told(tx, asked)
    for uid in asked:
        app = resources.by_uid(tx, uid)
        if app is None:
            continue
        state = apps.get(tx, uid)
        if uid in told and _untouched(tx, app):
            told.discard(uid)
        cascade = not keeps and hooks.CASCADE in (app["metadata"].get("finalizers") or ())
        member = judging.member(app)
        kinds = _kinds(tx, state.bundle) if state is not None and state.bundle and uid in told else {}
        place = state.cluster if state is not None else ""
        if place not in names:
            names[place] = _present(resources.by_uid(tx, place)) if place else ""
        # Only what was never looked at may yet be on a cluster that is not known.
        there = uid in told and (bool(names[place]) or state is None)
        losses.append(Loss(member.name, uid, names[place] or member.cluster, cascade, kinds, there))
    losses.sort(key=lambda one: (one.name, one.uid))
    metadata = owner["metadata"]
    return Plan(owner["kind"], metadata["name"], metadata["uid"], tuple(losses))


def _untouched(tx: Tx, app: Manifest) -> bool:
    """Whether nothing of an Application that never syncs by itself ever came to the clusters that have it."""
    if (app["spec"].get("syncPolicy") or {}).get("automated") is not None:
        return False
    uid = app["metadata"]["uid"]
    places = desired.of_apps(tx, [uid]).get(uid, {})
    reported = {row.cluster: row.detail for row in reports.of_app(tx, uid)}
    if not places or reported.keys() != places.keys() or desired.leaving(tx, uid):
        return False
    return all(untouched(given, orjson.loads(reported[cluster])) for cluster, given in places.items())


def limits(tx: Tx, resources: Resources) -> Caps:
    """The caps that this hub's settings say."""
    found = resources.get(tx, table.CONFIG_MAP, NAMESPACE, settings.CONFIG_MAP) or {}
    return caps.of(found.get("data") or {})


def kept_for(tx: Tx, resources: Resources, appset: Manifest) -> float:
    """How long a deleted set keeps its applications, seconds. Raises `Invalid`."""
    found = resources.get(tx, table.CONFIG_MAP, NAMESPACE, settings.CONFIG_MAP) or {}
    return grace.of(appset, found.get("data") or {})


def before(tx: Tx, plan: Plan, caps: Caps, now: float) -> Before:
    if not plan.losses:
        return removals.NOTHING_BEFORE
    lately = bereft.lately(tx, now)
    return removals.before(plan, lately, objects.count(tx, table.CLUSTER.resource) if lately else 0, caps)


def alone(tx: Tx, resources: Resources, plan: Plan, now: float) -> str:
    """Why a plan of what has no cap of its own is too much for the fleet, "" where it is not."""
    others = {cluster for owner, cluster in bereft.lately(tx, now) if owner != plan.uid}
    fleet = objects.count(tx, table.CLUSTER.resource)
    return caps.over_fleet(plan.bereft, others, fleet, limits(tx, resources))


def _present(cluster: Manifest | None) -> str:
    """The name of a cluster, "" where its record is gone or going."""
    return "" if cluster is None or clusters.going(cluster) else str(cluster["metadata"]["name"])


def decided(tx: Tx, resources: Resources, found: Plan, now: float) -> bool:
    """Whether a person approved exactly this plan, and not too long ago."""
    live = resources.get(tx, table.REMOVAL, "", found.called)
    return live is not None and removals.phase(live) == removals.APPROVED and not _lapsed(live, now)


def _lapsed(removal: Manifest, now: float) -> bool:
    """Whether a plan, or its approval, counts no more."""
    end = cells.seconds(str(removal["spec"].get("expiresAt") or ""))
    return end is None or end <= now


def rejected(tx: Tx, resources: Resources, found: Plan, now: float) -> bool:
    return state(tx, resources, found.called, now)[0] == removals.REJECTED


def state(tx: Tx, resources: Resources, name: str, now: float) -> tuple[str, str]:
    """(phase of a Removal, who decided about it). An approval that counts no more is none."""
    live = resources.get(tx, table.REMOVAL, "", name) or {}
    status = live.get("status") or {}
    phase = str(status.get("phase") or "")
    if phase == removals.APPROVED and _lapsed(live, now):
        phase = removals.WAITING
    return phase, str(status.get("decidedBy") or "")


def close(tx: Tx, resources: Resources, name: str, said: str, now: float) -> None:
    """Notes that what was approved is in others' hands."""
    live = resources.get(tx, table.REMOVAL, "", name)
    if live is not None:
        status = live.get("status") or {}
        message = f"approved by {status.get('decidedBy')}; {said}"
        _status(tx, resources, live, {**status, "phase": removals.DONE, "message": message, "left": 0}, now)


def wait(tx: Tx, resources: Resources, found: Plan, why: str, cause: Cause, now: float) -> None:
    """Shows a plan that waits for an approval; other plans of the same owner are withdrawn."""
    live = _put(tx, resources, found, cause, now)
    _withdraw(tx, resources, found.uid, "the plan changed", now, but=found.called)
    if removals.phase(live) not in (removals.APPROVED, removals.REMOVING):
        _status(tx, resources, live, {"phase": removals.WAITING, "message": why}, now)


def begin(tx: Tx, resources: Resources, found: Plan, cause: Cause, now: float, *, said: str = "") -> None:
    """Notes that a plan is carried out; with what is `said`, that nothing of it is left to do."""
    live = _put(tx, resources, found, cause, now)
    before = live.get("status") or {}
    who = before.get("decidedBy")
    unasked = (
        "within the cap" if found.kind in _WITHOUT_ANNOTATION else "within the cap, or approved by annotation"
    )
    if not found.bereft:
        unasked = "no cluster has anything of it"
    message = f"approved by {who}" if who else unasked
    if not who and found.kind in _TAKE:
        bereft.note(tx, live["metadata"]["uid"], found.uid, found.bereft, now)
    status = {**before, "phase": removals.REMOVING, "message": message, "left": len(found.losses)}
    if said:
        status |= {"phase": removals.DONE, "message": f"{message}; {said}", "left": 0}
    _status(tx, resources, live, status, now)


def withdraw(tx: Tx, resources: Resources, owner: str, now: float) -> None:
    """Nothing of an owner's (uid) would go any more."""
    _withdraw(tx, resources, owner, "all of them are wanted again, or gone", now)


def decide(
    tx: Tx, resources: Resources, name: str, person: str, digest: str, now: float, *, yes: bool
) -> str:
    """Approves or rejects a plan; returns what is wrong with that, "" where it was done.

    A rejection takes the Applications out of their set's hands: they stay, and say that they were kept.
    """
    live = resources.get(tx, table.REMOVAL, "", name)
    assert live is not None
    phase = removals.phase(live)
    if digest and digest != live["spec"]["digest"]:
        return f"its digest is {live['spec']['digest']}, not {digest}: look at it again"
    wanted = removals.APPROVED if yes else removals.REJECTED
    if phase == wanted:
        return ""
    if phase not in removals.UNDECIDED:
        return f"it is {phase}: only one that waits can be decided"
    if _lapsed(live, now):
        # It is what it was, or another plan would have taken its place.
        live = _renewed(tx, resources, live, now)
    of_set = live["spec"]["owner"]["kind"] == table.APPLICATION_SET.kind.kind
    left = "the applications stay, in nobody's hands" if of_set else "it stays as it was"
    word = "approved" if yes else f"rejected: {left}"
    status = {"phase": wanted, "message": word, "decidedBy": person, "decidedAt": cells.stamp(now)}
    _status(tx, resources, live, status, now)
    if not yes and of_set:
        for uid in _members(tx, live["metadata"]["uid"]):
            _keep(tx, resources, uid, live, now)
    return ""


_WITHOUT_ANNOTATION = (table.CLUSTER.kind.kind, table.APP_PROJECT.kind.kind, table.SECRET.kind.kind)
_TAKE = (table.APPLICATION_SET.kind.kind, table.CLUSTER.kind.kind)
"""Kinds whose removals take Applications from clusters."""


def unfinished(tx: Tx, resources: Resources, items: Sequence[Manifest], now: float) -> bool:
    """Whether there is anything to `follow`; `items` are all Removals."""
    found = [removals.phase(item) for item in items]
    over = sum(phase not in removals.OPEN for phase in found) > KEPT
    stale = any(
        phase in removals.UNDECIDED and _lapsed(item, now) for phase, item in zip(found, items, strict=True)
    )
    return (
        removals.REMOVING in found or over or stale or any(_ownerless(tx, resources, item) for item in items)
    )


def _ownerless(tx: Tx, resources: Resources, item: Manifest) -> bool:
    """Whether it waits for what becomes of an Application that is gone."""
    owner = item["spec"]["owner"]
    waits = owner["kind"] == table.APPLICATION.kind.kind and removals.phase(item) in removals.UNDECIDED
    return waits and resources.by_uid(tx, owner["uid"]) is None


def follow(tx: Tx, resources: Resources, now: float) -> None:
    """Counts what is left of removals that are carried out, and lets the oldest that are over go."""
    over = []
    for item in resources.list(tx, table.REMOVAL):
        status = item.get("status") or {}
        if status.get("phase") == removals.REMOVING:
            left = _left(tx, item)
            change = {"left": left} if left else {"left": 0, "phase": removals.DONE}
            _status(tx, resources, item, {**status, **change}, now)
        elif status.get("phase") not in removals.OPEN:
            over.append(item)
        elif _ownerless(tx, resources, item):
            withdraw(tx, resources, item["spec"]["owner"]["uid"], now)
        elif _lapsed(item, now):
            _wait_anew(tx, resources, item, now)
    over.sort(key=lambda item: str(item["metadata"]["creationTimestamp"]))
    for item in over[: max(0, len(over) - KEPT)]:
        tx.run("DELETE FROM removal_apps WHERE removal = ?", (item["metadata"]["uid"],))
        resources.delete(tx, table.REMOVAL, "", item["metadata"]["name"], now=now)


def _wait_anew(tx: Tx, resources: Resources, item: Manifest, now: float) -> None:
    """A plan that still waits goes on waiting; one that was approved so long ago has to be approved again."""
    status, ended = item.get("status") or {}, item["spec"].get("expiresAt")
    live = _renewed(tx, resources, item, now)
    if person := status.get("decidedBy"):
        message = f"the approval of {person} counted until {ended}"
        _status(tx, resources, live, {"phase": removals.WAITING, "message": message}, now)


def _renewed(tx: Tx, resources: Resources, item: Manifest, now: float) -> Manifest:
    spec = {**item["spec"], "expiresAt": cells.stamp(now + removals.PLAN_LIFE)}
    return resources.update(tx, table.REMOVAL, {**item, "spec": spec}, manager=MANAGER, now=now)


def _put(tx: Tx, resources: Resources, found: Plan, cause: Cause, now: float) -> Manifest:
    live = resources.get(tx, table.REMOVAL, "", found.called)
    expires = cells.stamp(now + removals.PLAN_LIFE)
    if live is not None and removals.phase(live) in removals.OPEN:
        return live
    if live is not None:
        # The same would go once more: that is a new plan, to be decided anew.
        tx.run("DELETE FROM removal_apps WHERE removal = ?", (live["metadata"]["uid"],))
        resources.delete(tx, table.REMOVAL, "", found.called, now=now)
    manifest = {
        "apiVersion": table.REMOVAL.kind.api_version,
        "kind": table.REMOVAL.kind.kind,
        "metadata": {"name": found.called},
        "spec": removals.spec(found, cause=cause.what, by=cause.by, expires=expires),
    }
    made = resources.create(tx, table.REMOVAL, manifest, manager=MANAGER, now=now)
    uid = made["metadata"]["uid"]
    tx.many("INSERT INTO removal_apps (removal, app) VALUES (?, ?)", ((uid, one.uid) for one in found.losses))
    return made


def _withdraw(tx: Tx, resources: Resources, owner: str, why: str, now: float, but: str = "") -> None:
    for item in resources.list(tx, table.REMOVAL):
        status = item.get("status") or {}
        mine = item["spec"]["owner"]["uid"] == owner and item["metadata"]["name"] != but
        if mine and status.get("phase") in removals.UNDECIDED:
            _status(tx, resources, item, {**status, "phase": removals.WITHDRAWN, "message": why}, now)


def _status(tx: Tx, resources: Resources, live: Manifest, status: Mapping[str, object], now: float) -> None:
    name = live["metadata"]["name"]
    resources.set_status(tx, table.REMOVAL, "", name, dict(status), manager=MANAGER, now=now)


def _keep(tx: Tx, resources: Resources, uid: str, removal: Manifest, now: float) -> None:
    app = resources.by_uid(tx, uid)
    if app is None or app["metadata"].get("deletionTimestamp"):
        return
    app = generated.disowned(app, removal["spec"]["owner"]["uid"])
    metadata = dict(app["metadata"])
    notes = metadata.get("annotations") or {}
    metadata["annotations"] = {**notes, removals.KEPT_ANNOTATION: removal["metadata"]["name"]}
    resources.update(tx, table.APPLICATION, {**app, "metadata": metadata}, manager=MANAGER, now=now)


def of_app(tx: Tx, resources: Resources, app: str) -> str:
    """Who made an app go by the removal that carries it out, "" where there is none."""
    return next((str(one["spec"].get("by") or "") for one in going_by(tx, resources, app)), "")


def going_by(tx: Tx, resources: Resources, app: str) -> list[Manifest]:
    """The removals that carry an app (uid) out."""
    rows = tx.all("SELECT removal FROM removal_apps WHERE app = ?", (app,))
    found = [resources.by_uid(tx, uid) for (uid,) in rows]
    return [one for one in found if one is not None and removals.phase(one) == removals.REMOVING]


def returned(tx: Tx, resources: Resources, app: str, now: float) -> None:
    """An app (uid) that was going stays: the removals that carry it out have nothing more to do with it."""
    for item in going_by(tx, resources, app):
        uid = item["metadata"]["uid"]
        tx.run("DELETE FROM removal_apps WHERE removal = ? AND app = ?", (uid, app))
        if not _members(tx, uid):
            bereft.withdraw(tx, uid)
            status = {**(item.get("status") or {}), "phase": removals.WITHDRAWN, "left": 0}
            _status(tx, resources, item, {**status, "message": "all of them are wanted again"}, now)


def _members(tx: Tx, removal: str) -> list[str]:
    return [row[0] for row in tx.all("SELECT app FROM removal_apps WHERE removal = ?", (removal,))]


def _left(tx: Tx, removal: Manifest) -> int:
    """Applications that are not gone yet; from a deleted cluster, that its agent has not let go of."""
    owner = removal["spec"]["owner"]
    if owner["kind"] == table.CLUSTER.kind.kind:
        return sum(not one.key for one in desired.removals(tx, owner["uid"]))
    sql = "SELECT count(*) FROM removal_apps r JOIN objects o ON o.uid = r.app WHERE r.removal = ?"
    found = tx.one(sql, (removal["metadata"]["uid"],))
    return int(found[0]) if found else 0


def _kinds(tx: Tx, digest: str) -> Mapping[str, int]:
    if digest not in _counted:
        blob = bundles.get(tx, digest)
        found = Counter(_kind(item) for item in bundles_format.unpack(blob, digest)) if blob else Counter()
        while len(_counted) >= _COUNTED:
            del _counted[next(iter(_counted))]
        _counted[digest] = dict(sorted(found.items()))
    return _counted[digest]


def _kind(item: Manifest) -> str:
    return removals.counted_as(str(item["kind"]), split_api_version(item["apiVersion"])[0])
