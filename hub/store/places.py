"""Where every application with a source of a repository is, in one look: what is wanted, assigned, reported, and what
holds it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub.core.releases import cause
from hub.core.views.where import App, Cluster
from hub.store import apps, provenance, rollouts
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
           coalesce(w.bundle, ''), coalesce(w.revision, ''), s.sources
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
    """The applications with sources whose repository (or chart) it `concerns`, once for each such source that is followed
    otherwise; `only` restricts them by uid, empty to none."""
    confirmed = apps.confirmed(tx)
    members = {row[0]: row[1:] for row in tx.all(_MEMBERS)}
    refused = dict(tx.all("SELECT app, reason FROM refused"))
    held = {row[0]: row[1:] for row in tx.all(_HELD)}
    made = Made(tx, concerns)
    found = []
    for row in tx.all(_APPS):
        uid, name, cluster, wanted, wanted_from, repo, target, problem = row[:8]
        if only and uid not in only:
            continue
        views = made.views(repo, target, wanted_from, row[19])
        if not views:
            continue
        assigned, assigned_from, automated, reported, sync, health, time, phase, message = row[8:17]
        running, running_from = row[17:19]
        if reported and reported == assigned and _runs(sync, phase, automated=bool(automated)):
            running, running_from = assigned, assigned_from
        state, since, blocker, stage = members.get(uid, ("", 0.0, "", 0))
        if state == "Pending" and not blocker:
            blocker = f"stage {stage + 1} of its rollout"
        if uid in held and not blocker:
            blocker, since = held[uid]
        for view in views:
            now = (wanted, view.commit)
            found.append(
                App(
                    name=name,
                    cluster=cluster,
                    wanted=wanted,
                    wanted_from=view.commit,
                    wanted_to=view.commit
                    if problem
                    else confirmed.get((view.repo, view.target), view.commit),
                    target=view.target,
                    problem=problem,
                    assigned=assigned,
                    assigned_from=made.of(uid, assigned, view, now) if view.several else assigned_from,
                    running=running,
                    running_from=made.of(uid, running, view, now) if view.several else running_from,
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
                    uid=uid,
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class View:
    """One source of an application as its last good render had it."""

    repo: str
    target: str
    commit: str
    several: bool = False


class Made:
    """What bundles were made from, by the sources that it `concerns`."""

    def __init__(self, tx: Tx, concerns: Callable[[str], bool]) -> None:
        self._provenance = provenance.every(tx)
        self._concerns = concerns
        self._known: dict[str, bool] = {}
        self._single: dict[tuple[str, str, str], list[View]] = {}

    def views(self, repo: str, target: str, commit: str, several: str) -> list[View]:
        """The concerned sources of an application, of those that are followed alike the first."""
        if not several:
            key = (repo, target, commit)
            if key not in self._single:
                self._single[key] = [View(*key)] if self._concerned(repo) else []
            return self._single[key]
        found: dict[tuple[str, str], View] = {}
        for url, asked, at in cause.commits_of(repo, target, commit, several):
            if self._concerned(url):
                found.setdefault((url, asked), View(url, asked, at, several=True))
        return list(found.values())

    def of(self, uid: str, bundle: str, view: View, now: tuple[str, str]) -> str:
        """The commit of a source that a bundle was made from; "" where nobody knows any more. `now` is what is known of
        the last render: (bundle, commit).
        """
        if not bundle:
            return ""
        if several := self._provenance.get((uid, bundle)):
            for url, asked, commit in cause.commits_of("", "", "", several):
                if (url, asked) == (view.repo, view.target):
                    return commit
        return now[1] if bundle == now[0] else ""

    def _concerned(self, repo: str) -> bool:
        if repo not in self._known:
            self._known[repo] = self._concerns(repo)
        return self._known[repo]


def versions(tx: Tx, address: str) -> set[str]:
    """The versions of a chart (or digests of an artifact) that applications want, have or had."""
    rows = tx.all("SELECT repo, target, revision, sources FROM app_states WHERE deleting = ''")
    found = {source for row in rows for source in cause.commits_of(*row)}
    found |= {
        source
        for several in provenance.every(tx).values()
        for source in cause.commits_of("", "", "", several)
    }
    versions = {commit for repo, _, commit in found if repo == address and commit}
    rows = tx.all(
        "SELECT DISTINCT d.revision FROM deployed d JOIN app_states s ON s.app = d.app "
        "WHERE s.repo = ? AND s.sources = ''",
        (address,),
    )
    confirmed = {commit for (repo, _), commit in apps.confirmed(tx).items() if repo == address}
    return {version for version in versions | confirmed | {row[0] for row in rows} if version}


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
