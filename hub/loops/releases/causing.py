"""Says what made a release, and who: from the commits, the audit records and the clusters since the one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from argosy.objects import Manifest
from hub.core.releases import cause as causes
from hub.core.releases.cause import Cause, Commits, Since, Step
from hub.core.removals.removals import Loss, Plan
from hub.core.rollout.model import Version
from hub.core.served import cells, table
from hub.store import apps, audit, desired, objects, provenance
from hub.store.apps import AppState
from hub.store.audit import Asked, Trail
from hub.store.base import Tx
from hub.store.history import Release
from hub.store.resources import Resources

MOST_CLUSTERS = 50
"""Clusters of one release that are looked at."""
RECENTLY = 3600.0
"""Seconds before Applications are missed within which whoever made them go has acted."""
_ANY = ("",)
_SPEC, _LABELS = ("spec",), ("metadata.labels", "metadata.annotations", "spec")
Changes = Sequence[tuple[AppState, Version]]


@dataclass(frozen=True)
class Causing:
    """What is asked for one release: of `owner`, changing these Applications, after the release `last`, None for the
    first.
    """

    tx: Tx
    resources: Resources
    owner: Manifest
    changes: Changes
    last: Release | None

    @cached_property
    def _spec(self) -> Manifest:
        """Of the object of the release before."""
        last = self.last
        found = self.resources.get(self.tx, table.RELEASE, last.namespace, last.name) if last else None
        return (found or {}).get("spec") or {}

    def found(self) -> dict[str, object]:
        """`reason`, and `by` where somebody or something can be named."""
        generation = int(self.owner["metadata"].get("generation") or 1)
        steps = self._steps()
        joined, people = (
            self._clusters() if any(not step.had or not step.commits for step in steps) else ([], [])
        )
        since = Since(
            first=self.last is None,
            edited=self._spec.get("ownerGeneration", generation) != generation,
            joined=joined,
            relabelled=bool(people),
        )
        reason = causes.cause(steps, since)
        by = causes.named(self._who(reason, steps, since, people))
        return {"ownerGeneration": generation, "reason": reason.value, **({"by": by} if by else {})}

    def _who(
        self, reason: Cause, steps: Sequence[Step], since: Since, people: Sequence[str]
    ) -> Iterable[str]:
        if reason is Cause.JOIN:
            return [f"cluster {name} joined" for name in since.joined]
        if reason is Cause.LABELS:
            return people
        found: list[str] = []
        if reason in (Cause.COMMIT, Cause.COMMIT_AND_EDIT):
            commits = list(dict.fromkeys(commit for step in steps for commit in step.commits))
            known = provenance.authors(self.tx, commits)
            found += [known[commit] for commit in commits if commit in known]
        if since.edited or since.first:
            found += self._editors()
        return found

    def _editors(self) -> list[str]:
        """Who wrote the owner's spec since the release before."""
        metadata = self.owner["metadata"]
        resource = _RESOURCES[self.owner["kind"]]
        trail = Trail(resource, metadata["namespace"], metadata["name"], self._since, _SPEC)
        return audit.people(self.tx, trail)

    @property
    def _since(self) -> float:
        return self.last.created if self.last else 0.0

    def _clusters(self) -> tuple[list[str], list[str]]:
        """Of the clusters concerned: those that came since the release before, and who changed the others."""
        if self.last is None:
            return [], []
        joined, people = [], []
        uids = dict.fromkeys(state.cluster for state, _ in self.changes)
        for uid in list(uids)[:MOST_CLUSTERS]:
            cluster = self.resources.by_uid(self.tx, uid)
            if cluster is None:
                continue
            name = cluster["metadata"]["name"]
            if self._joined(cluster):
                joined.append(name)
                continue
            trail = Trail(table.CLUSTER.resource, "", name, self._since, _LABELS)
            people += [f"{who} cluster {name}" for who in audit.people(self.tx, trail)]
        return joined, people

    def _joined(self, cluster: Manifest) -> bool:
        """Whether it came after the release before. Stamps have whole seconds: one with something of the owner's did not."""
        metadata = cluster["metadata"]
        if (cells.seconds(metadata["creationTimestamp"]) or 0.0) < int(self._since):
            return False
        return not desired.has_of_owner(self.tx, metadata["uid"], self.owner["metadata"]["uid"])

    def _steps(self) -> list[Step]:
        alike = self._alike()
        before = self._last_commits()
        found = []
        for state, had in self.changes:
            now = causes.commits_of(state.repo, state.target, state.revision, state.sources)
            # One that had nothing is compared with what the set was at.
            then = (
                self._commits(state, had)
                if had.bundle
                else [one for one in before if one[0] in {s[0] for s in now}]
            )
            found.append(
                causes.step(
                    then or now, now, had=bool(had.bundle), images=(had.bundle, state.bundle) in alike
                )
            )
        return found

    def _commits(self, state: AppState, had: Version) -> Commits:
        several = provenance.of(self.tx, state.app, had.bundle) if state.sources else ""
        return causes.commits_of(state.repo, state.target, had.revision, several)

    def _last_commits(self) -> Commits:
        return [(one["repo"], one["revision"], one["commit"]) for one in self._spec.get("commits") or ()]

    def _alike(self) -> set[tuple[str, str]]:
        """Pairs of bundles (before, now) that differ in images alone."""
        pairs = {(had.bundle, state.bundle) for state, had in self.changes if had.bundle}
        known = provenance.shapes(self.tx, sorted({digest for pair in pairs for digest in pair}))
        return {(old, new) for old, new in pairs if old in known and known[old] == known.get(new)}


@dataclass(frozen=True, slots=True)
class Trigger:
    """What made a set be evaluated: an edit of it, commits (their authors), else a cluster or another object. `since` is
    when what was seen before was new, where another run of the hub saw it, else 0."""

    edited: bool = False
    authors: tuple[str, ...] = ()
    since: float = 0.0


NO_TRIGGER = Trigger()


def of_removal(tx: Tx, appset: Manifest, plan: Plan, trigger: Trigger, now: float) -> str:
    """Who made Applications of a set go: whoever deleted or edited the set, made the commit, or changed or deleted the
    clusters; "" where nobody can be named.
    """
    metadata = appset["metadata"]
    place = (table.APPLICATION_SET.resource, metadata["namespace"], metadata["name"])
    if metadata.get("deletionTimestamp"):
        return audit.newest_of(tx, *place, verbs=("delete", "deletecollection"))
    if trigger.edited:
        since = min(trigger.since or now, now - RECENTLY)
        return causes.named(audit.people(tx, Trail(*place, since, _ANY))[:1])
    if trigger.authors:
        return causes.named(trigger.authors)
    # Nobody acts while there is no hub to ask: what made them go may be as long ago as that.
    return causes.named(_movers(tx, plan, min(now, audit.last(tx) or now) - RECENTLY))


def _movers(tx: Tx, plan: Plan, since: float) -> list[str]:
    """Who changed or deleted the clusters that lose something."""
    found: list[str] = []
    gone = False
    for uid in list(dict.fromkeys(_cluster_of(tx, loss) for loss in plan.losses))[:MOST_CLUSTERS]:
        row = objects.by_uid(tx, uid)
        gone = gone or row is None
        if row is not None:
            trail = Trail(table.CLUSTER.resource, "", row.name, since, _LABELS)
            found += [f"{who} cluster {row.name}" for who in audit.people(tx, trail)[:1]]
    if gone:
        asked = Asked(resource=table.CLUSTER.resource, verb="delete", since=since)
        for _, record in audit.found(tx, asked, causes.MOST_NAMED + 1):
            found.append(f"{record.username}: {record.verb} cluster {record.name}")
    return found


def _cluster_of(tx: Tx, loss: Loss) -> str:
    state = apps.get(tx, loss.uid)
    return state.cluster if state else ""


_RESOURCES = {"ApplicationSet": table.APPLICATION_SET.resource, "Application": table.APPLICATION.resource}
