"""Where every application of a repository is, in one look: what is wanted, assigned, reported, and what holds it up."""

from __future__ import annotations

from collections.abc import Callable

from hub.core.where import App, Cluster
from hub.store import apps, rollouts
from hub.store.base import Tx

_APPS = """
    SELECT s.app, s.name, s.cluster, s.bundle, s.revision, s.repo, s.target, s.problem,
           coalesce(a.bundle, ''), coalesce(json_extract(a.body, '$.revision'), ''),
           coalesce(json_extract(a.body, '$.policy.automated'), 0),
           coalesce(r.bundle, ''), coalesce(r.sync, ''), coalesce(r.health, ''), coalesce(r.time, 0),
           CASE WHEN r.sync = 'Synced' AND r.health = 'Healthy' THEN ''
                ELSE coalesce(json_extract(CAST(r.detail AS TEXT), '$.phase'), '') END,
           CASE WHEN r.sync = 'Synced' AND r.health = 'Healthy' THEN ''
                ELSE coalesce(json_extract(CAST(r.detail AS TEXT), '$.message'), '') END,
           coalesce(w.bundle, ''), coalesce(w.revision, '')
    FROM app_states s
    LEFT JOIN assignments a ON a.cluster = s.cluster AND a.id = s.app
    LEFT JOIN reports r ON r.cluster = s.cluster AND r.app = s.app
    LEFT JOIN deployed w ON w.cluster = s.cluster AND w.app = s.app
    WHERE s.cluster <> '' AND s.deleting = ''
"""
_MEMBERS = f"""
    SELECT m.app, m.state, m.since, {rollouts.WHY}, m.stage
    FROM rollout_members m JOIN rollouts r ON r.id = m.rollout
    WHERE r.under_way = 1
"""
_HELD = "SELECT app, reason, since FROM holds WHERE reason <> ''"
_STUCK = frozenset(("Failed", "Reverting", "Reverted"))


def of_repository(tx: Tx, concerns: Callable[[str], bool], only: frozenset[str]) -> list[App]:
    """The applications whose (first) repository it `concerns`; `only` restricts them by uid, empty to none."""
    confirmed = apps.confirmed(tx)
    members = {row[0]: row[1:] for row in tx.all(_MEMBERS)}
    refused = dict(tx.all("SELECT app, reason FROM refused"))
    held = {row[0]: row[1:] for row in tx.all(_HELD)}
    known: dict[str, bool] = {}
    found = []
    for row in tx.all(_APPS):
        uid, name, cluster, wanted, wanted_from, repo, target, problem = row[:8]
        if repo not in known:
            known[repo] = concerns(repo)
        if not known[repo] or (only and uid not in only):
            continue
        assigned, assigned_from, automated, reported, sync, health, time, phase, message = row[8:17]
        running, running_from = row[17:]
        if reported and reported == assigned and _runs(sync, phase, automated=bool(automated)):
            running, running_from = assigned, assigned_from
        state, since, blocker, stage = members.get(uid, ("", 0.0, "", 0))
        if state == "Pending" and not blocker:
            blocker = f"stage {stage + 1} of its rollout"
        if uid in held and not blocker:
            blocker, since = held[uid]
        found.append(
            App(
                name=name,
                cluster=cluster,
                wanted=wanted,
                wanted_from=wanted_from,
                wanted_to=wanted_from if problem else confirmed.get((repo, target), wanted_from),
                target=target,
                problem=problem,
                assigned=assigned,
                assigned_from=assigned_from,
                running=running,
                running_from=running_from,
                sync=sync,
                health=health,
                phase=phase,
                message=message[:300],
                reported=time,
                waits_for=blocker,
                waits_since=since,
                failed=f"{state.lower()}: {blocker}".rstrip(": ") if state in _STUCK else "",
                refused=refused.get(uid, ""),
                manual=not automated,
            )
        )
    return found


def _runs(sync: str, phase: str, *, automated: bool) -> bool:
    """Whether what is reported of a bundle means that it is applied, drift or not."""
    return sync == "Synced" or (automated and phase == "Succeeded")


def clusters(tx: Tx) -> list[Cluster]:
    """The whole fleet."""
    sql = (
        "SELECT o.uid, o.name, coalesce(g.connected, 0), coalesce(g.since, 0), coalesce(g.key, ''), "
        "coalesce(g.revoked, 0) FROM objects o LEFT JOIN agents g ON g.cluster = o.uid WHERE o.resource = 'argosy.dev/clusters'"
    )
    found = []
    for uid, name, connected, since, key, revoked in tx.all(sql):
        why = "no agent has joined yet" if not key else "its identity was revoked" if revoked else ""
        found.append(Cluster(uid, name, bool(connected) and not revoked, since, why))
    return found
