"""What is deleted and has Applications that depend on it: clusters, projects, repositories.

No Application goes with any of them. But before one of them goes, what depends on it is counted, like that of a set: as
a Removal, which above the fleet's cap waits for a decision. The request is answered at once; what waits stays in force,
with a finalizer. A cluster's agent is told to let go of what it was assigned, and leaves it as it is; where it cannot be
told, it keeps that, in nobody's hands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from argosy.errors import Invalid
from argosy.machinery import write
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.core import repos
from hub.core.apps import hooks
from hub.core.clusters import clusters
from hub.core.releases import cause, releases
from hub.core.removals import grace, judging, removals
from hub.core.removals.removals import Plan
from hub.core.secret import SECRET_TYPE, texts
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.store import agents, desired, plans, reports
from hub.store.base import Tx
from hub.store.resources import Deletions, Resources

KINDS = (table.CLUSTER, table.APP_PROJECT, table.SECRET)
_BY_KIND = {served.kind.kind: served for served in KINDS}
PATIENCE = 600.0
"""Seconds for which the record of a deleted cluster waits for an agent that is there and does not let go."""
_LEFT = {
    "Cluster": "its agent is not there to be told: what runs there stays, in nobody's hands",
    "AppProject": "nothing is removed: the Applications keep their last good release until there is a project of that name",
    "Secret": "nothing is removed: what cannot be read without it keeps its last good release",
}


def ask(
    tx: Tx, resources: Resources, served: Served, live: Manifest, now: float, by: str
) -> tuple[str, tuple[str, ...]]:
    """What the deletion of an object means: (the finalizer that it needs, "" for none; what to tell who asks for it).

    `by` is who that is, "" where it is not known.
    """
    if served not in KINDS or live["metadata"].get("deletionTimestamp"):
        return "", ()
    plan = _plan(tx, resources, served, live)
    if not plan.losses:
        return "", ()
    if why := plans.alone(tx, resources, plan, now):
        plans.wait(tx, resources, plan, why, _cause(plan, by), now)
        return removals.FINALIZER, (
            f"the {plan.kind} stays until that is approved: {removals.undecided(plan, why)}",
        )
    finalizer = _carry_out(tx, resources, plan, now, by)
    return finalizer, () if finalizer else (f"{_count(plan)} on it: {_LEFT[plan.kind]}",)


def held_up(
    tx: Tx, resources: Resources, served: Served, live: Manifest, now: float, by: str
) -> tuple[str, ...]:
    """Why a set under deletion stays: it would take applications from more clusters than its cap permits."""
    if served is not table.APPLICATION_SET:
        return ()
    owned = resources.owned(tx, table.APPLICATION, live["metadata"]["uid"])
    members = [judging.member(app) for app in owned]
    annotations = live["metadata"].get("annotations") or {}
    plan = plans.plan(tx, resources, live, (app["metadata"]["uid"] for app in owned))
    limits = plans.limits(tx, resources)
    lately = plans.before(tx, plan, limits, now)
    why = judging.over_cap(members, members, annotations, limits, plan.absent, lately.own) or lately.elsewhere
    if not why:
        return _kept(tx, resources, live) if owned else ()
    plans.wait(tx, resources, plan, why, plans.Cause(plans.SET_DELETED, by), now)
    return (f"the set stays until its removals are approved: {removals.undecided(plan, why)}",)


def _kept(tx: Tx, resources: Resources, live: Manifest) -> tuple[str, ...]:
    """What to tell of a set whose applications stay for longer than usual."""
    try:
        seconds = plans.kept_for(tx, resources, live)
    except Invalid as error:
        return (error.message,)
    return (grace.told(grace.ends(live, seconds)),) if seconds > grace.DEFAULT else ()


def unfinished(tx: Tx, resources: Resources, listed: Iterable[Manifest]) -> bool:
    """Whether there may be anything to `see_off`; `listed` are all Removals."""
    mine = (one for one in listed if one["spec"]["owner"]["kind"] in _BY_KIND)
    return bool(_finishing(tx)) or any(_concerns(tx, resources, one) for one in mine)


def _concerns(tx: Tx, resources: Resources, removal: Manifest) -> bool:
    if removals.phase(removal) != removals.REJECTED:
        return removals.phase(removal) in removals.OPEN
    live = resources.by_uid(tx, removal["spec"]["owner"]["uid"])
    return live is not None and bool(live["metadata"].get("deletionTimestamp"))


def see_off(tx: Tx, resources: Resources, now: float) -> None:
    """Carries on with what is under deletion, as far as that may go on."""
    listed = [one for one in resources.list(tx, table.REMOVAL) if one["spec"]["owner"]["kind"] in _BY_KIND]
    undecided = {one["spec"]["owner"]["uid"] for one in listed if removals.phase(one) in removals.UNDECIDED}
    for item in listed:
        owner, phase = item["spec"]["owner"]["uid"], removals.phase(item)
        live = resources.by_uid(tx, owner)
        if live is None or not live["metadata"].get("deletionTimestamp"):
            if phase in removals.UNDECIDED:
                plans.withdraw(tx, resources, owner, now)
        elif phase in removals.UNDECIDED:
            _decided(tx, resources, live, item["spec"].get("by") or "", now)
        elif phase == removals.REJECTED and owner not in undecided:
            _stay(tx, resources, live, now)
        elif phase == removals.REMOVING:
            _told(tx, resources, live, now)
    _finish_projects(tx, resources, now)


def _decided(tx: Tx, resources: Resources, live: Manifest, by: str, now: float) -> None:
    served = _BY_KIND[live["kind"]]
    if removals.FINALIZER not in (live["metadata"].get("finalizers") or ()):
        return
    plan = _plan(tx, resources, served, live)
    if not plan.losses:
        plans.withdraw(tx, resources, plan.uid, now)
        _swap(tx, resources, live, removals.FINALIZER, "", now)
    elif plans.decided(tx, resources, plan, now):
        _swap(tx, resources, live, removals.FINALIZER, _carry_out(tx, resources, plan, now, by), now)
    else:
        plans.wait(tx, resources, plan, _waits(plan), _cause(plan, by), now)


def _carry_out(tx: Tx, resources: Resources, plan: Plan, now: float, by: str) -> str:
    """Does what the plan says; returns the finalizer that the object needs until that is done, "" for none."""
    tells = plan.kind == table.CLUSTER.kind.kind and _listens(tx, plan.uid)
    plans.begin(tx, resources, plan, _cause(plan, by), now, said="" if tells else _LEFT.get(plan.kind, ""))
    if not tells:
        return ""
    _say_farewell(tx, plan.uid, now)
    return removals.FAREWELLS


def _say_farewell(tx: Tx, cluster: str, now: float) -> None:
    """Tells the agent to let go of all that it is assigned, and to leave it as it is."""
    going = desired.assigned(tx, cluster)
    reason, by = "the Cluster was deleted", "delete"
    told = [releases.farewell(app, cascade=False, reason=reason, by=by, now=now) for app in going]
    desired.change(tx, cluster, drop=going, remove=told)


def _told(tx: Tx, resources: Resources, live: Manifest, now: float) -> None:
    """Lets a cluster's record go once its agent has let go of everything, or is not there to do so."""
    metadata = live["metadata"]
    if removals.FAREWELLS not in (metadata.get("finalizers") or ()):
        return
    cluster, since = metadata["uid"], cells.seconds(metadata["deletionTimestamp"]) or 0.0
    if desired.assigned(tx, cluster):
        # A batch that was under way assigned something once more.
        _say_farewell(tx, cluster, now)
    left = [one for one in desired.removals(tx, cluster) if not one.key]
    done = {
        one.id
        for one in left
        if (report := reports.get(tx, cluster, one.assignment)) is not None and report.gone
    }
    if len(done) == len(left) or not _listens(tx, cluster) or now - since > PATIENCE:
        _swap(tx, resources, live, removals.FAREWELLS, "", now)
    elif done:
        desired.change(tx, cluster, close=done)


def _listens(tx: Tx, cluster: str) -> bool:
    """Whether the agent can be told, and does as it is told."""
    agent = agents.get(tx, cluster)
    return agent is not None and bool(agent.key and agent.connected) and not (agent.revoked or agent.holding)


def _stay(tx: Tx, resources: Resources, live: Manifest, now: float) -> None:
    """Takes a deletion back that was rejected."""
    metadata = dict(live["metadata"])
    if removals.FINALIZER not in (metadata.get("finalizers") or ()):
        return
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(field, None)
    metadata["finalizers"] = [name for name in metadata["finalizers"] if name != removals.FINALIZER]
    _rewrite(tx, resources, {**live, "metadata": metadata}, write.UPDATED, now)


def _swap(tx: Tx, resources: Resources, live: Manifest, old: str, new: str, now: float) -> None:
    """Another finalizer in the place of one; without any the object goes."""
    metadata = dict(live["metadata"])
    left = [name for name in metadata.get("finalizers") or () if name != old]
    metadata["finalizers"] = [*left, new] if new else left
    action = write.UPDATED if metadata["finalizers"] else write.DELETED
    _rewrite(tx, resources, {**live, "metadata": metadata}, action, now)


def _rewrite(tx: Tx, resources: Resources, new: Manifest, action: str, now: float) -> None:
    """Writes what no client may: under deletion nobody adds a finalizer, or takes the deletion back."""
    served, metadata = _BY_KIND[new["kind"]], new["metadata"]
    place = Place(served.kind, metadata.get("namespace") or "", metadata["name"])
    resources.commit(tx, served, place, lambda _: write.Outcome(new, action), now=now)


def _finishing(tx: Tx) -> list[str]:
    """Uids of projects under deletion."""
    sql = "SELECT uid FROM objects WHERE resource = ? AND instr(body, CAST('\"deletionTimestamp\"' AS BLOB)) > 0"
    return [row[0] for row in tx.all(sql, (table.APP_PROJECT.resource,))]


def _finish_projects(tx: Tx, resources: Resources, now: float) -> None:
    """Argo CD's finalizer keeps a project until no Application is in it (3.6, `finalizeProjectDeletion`)."""
    for uid in _finishing(tx):
        live = resources.by_uid(tx, uid)
        held = live is not None and hooks.CASCADE in (live["metadata"].get("finalizers") or ())
        if live is not None and held and not _plan(tx, resources, table.APP_PROJECT, live).losses:
            _swap(tx, resources, live, hooks.CASCADE, "", now)


# --- what depends on it -------------------------------------------------------------------------------------------


def _plan(tx: Tx, resources: Resources, served: Served, live: Manifest) -> Plan:
    dependent = _DEPENDENT[served.kind.kind](tx, resources, live)
    plan = plans.plan(tx, resources, live, dependent, keeps=True)
    if served is not table.CLUSTER:
        return plan
    # The cluster itself is under deletion: what is on it is what it loses.
    name = live["metadata"]["name"]
    return replace(
        plan, losses=tuple(replace(one, cluster=name, there=not clusters.going(live)) for one in plan.losses)
    )


def _on_cluster(tx: Tx, resources: Resources, live: Manifest) -> Iterable[str]:
    found = resources.by_uids(tx, desired.assigned(tx, live["metadata"]["uid"]))
    return [uid for uid, app in found.items() if not app["metadata"].get("deletionTimestamp")]


def _in_project(tx: Tx, resources: Resources, live: Manifest) -> Iterable[str]:
    name = live["metadata"]["name"]
    if name == "default":
        # It may not be deleted at all.
        return ()
    rows = tx.all("SELECT app FROM app_states WHERE project = ? AND deleting = ''", (name,))
    return [row[0] for row in rows]


def _read_from(tx: Tx, resources: Resources, live: Manifest) -> Iterable[str]:
    """Applications with a source in the repository that a Secret opens, which no other Secret opens."""
    mine = _repository(live)
    if not mine:
        return ()
    others = (one for one in resources.list(tx, table.SECRET, live["metadata"]["namespace"]) if one != live)
    if any(_repository(one) == mine for one in others if not one["metadata"].get("deletionTimestamp")):
        return ()
    rows = tx.all("SELECT app, repo, sources FROM app_states WHERE deleting = '' AND repo <> ''")
    return [
        app
        for app, repo, several in rows
        if any(_identity(url) == mine for url, _, _ in cause.commits_of(repo, "", "", several))
    ]


def _repository(secret: Manifest) -> str:
    """Which repository a Secret is the record of, "" where it is none."""
    labels = secret["metadata"].get("labels") or {}
    if labels.get(SECRET_TYPE) != "repository":
        return ""
    return _identity(texts(secret).get("url", "").strip())


def _identity(url: str) -> str:
    try:
        return repos.identity(url) if url else ""
    except Invalid:
        return url


_DEPENDENT = {"Cluster": _on_cluster, "AppProject": _in_project, "Secret": _read_from}


# --- words --------------------------------------------------------------------------------------------------------


def _cause(plan: Plan, by: str) -> plans.Cause:
    kind = "repository" if plan.kind == table.SECRET.kind.kind else plan.kind
    return plans.Cause(f"the {kind} {plan.name} was deleted", by)


def _count(plan: Plan) -> str:
    return f"{len(plan.losses)} Applications depend"


def _waits(plan: Plan) -> str:
    return f"{_count(plan)} on it, on {len(plan.clusters)} clusters, more than the cap"


DELETIONS = Deletions(ask, held_up)
