"""Where every application with a source of a repository is, in one look: what is wanted, assigned, reported, and what
holds it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

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


class _Row(NamedTuple):
    """A row of `_APPS`: what is wanted, what is assigned, what is reported (`time` is Unix seconds), and what the
    application was last well with on its cluster.
    """

    app: str
    name: str
    cluster: str
    wanted: str
    wanted_from: str
    repo: str
    target: str
    problem: str
    assigned: str
    assigned_from: str
    automated: int
    reported: str
    sync: str
    health: str
    time: float
    phase: str
    message: str
    running: str
    running_from: str
    sources: str

    @property
    def applied(self) -> bool:
        """Whether what is reported means that what is assigned was applied, drift or not."""
        ended = self.sync == "Synced" or (bool(self.automated) and self.phase == "Succeeded")
        return bool(self.reported) and self.reported == self.assigned and ended


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
    for row in map(_Row._make, tx.all(_APPS)):
        if only and row.app not in only:
            continue
        views = made.views(row.repo, row.target, row.wanted_from, row.sources)
        if not views:
            continue
        running, running_from = row.running, row.running_from
        if row.applied:
            running, running_from = row.assigned, row.assigned_from
        state, since, blocker, stage = members.get(row.app, ("", 0.0, "", 0))
        if state == "Pending" and not blocker:
            blocker = f"stage {stage + 1} of its rollout"
        if row.app in held and not blocker:
            blocker, since = held[row.app]
        for view in views:
            now = (row.wanted, view.commit)
            latest = view.commit if row.problem else confirmed.get((view.repo, view.target), view.commit)
            found.append(
                App(
                    name=row.name,
                    cluster=row.cluster,
                    wanted=row.wanted,
                    wanted_from=view.commit,
                    wanted_to=latest,
                    target=view.target,
                    problem=row.problem,
                    assigned=row.assigned,
                    assigned_from=made.of(row.app, row.assigned, view, now)
                    if view.several
                    else row.assigned_from,
                    running=running,
                    running_from=made.of(row.app, running, view, now) if view.several else running_from,
                    sync=row.sync,
                    health=row.health,
                    phase=row.phase,
                    message=row.message[:300],
                    reported=row.time,
                    waits_for=blocker,
                    waits_since=since,
                    failed=f"{state.lower()}: {blocker}".rstrip(": ") if state in _STUCK else "",
                    refused=refused.get(row.app, ""),
                    manual=not row.automated,
                    uid=row.app,
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
