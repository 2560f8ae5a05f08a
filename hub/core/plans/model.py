"""What a plan answers: applications, their objects, what holds them up, what would go, and the digest of all that.

The digest names what would be done, not how it is shown: two plans with one digest do the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import objects
from argosy.differences import (
    ADDED,
    CHANGED,
    NO_DIFFERENCE,
    REMOVED,
    Difference,
    ObjectChange,
)

API_VERSION, KIND = "argosy.dev/v1alpha1", "Plan"
GOVERNING = frozenset({"AppProject", "ConfigMap"})
"""Kinds that change what is deployed through applications alone."""
MOST_APPS = 20_000
"""Applications shown; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something that is planned would wait. `kind` is Window, Freeze, Rollout, RemovalCap, AutomatedSync, ..."""

    kind: str
    message: str

    def document(self) -> dict[str, str]:
        return {"kind": self.kind, "message": self.message}


@dataclass(frozen=True, slots=True)
class Impact:
    """What a cluster itself says that the change would do: its API server's dry run. `error`: why it did not say."""

    objects: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    answered: bool = True

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {"answered": self.answered, "objects": list(self.objects)}
        return out | ({"error": self.error} if self.error else {})


@dataclass(frozen=True, slots=True)
class AppPlan:
    """What becomes of one application on one cluster.

    `change` is added, changed, removed or, where it is another set's afterwards and nothing else, handedOver; `taken_from`
    is the set that it comes from, `moved_from` the cluster that it leaves. `fields` is what differs of the
    Application, `objects` what differs of what it deploys. `shown` is False where it was not rendered, since there are
    too many. `before` and `after` name the content (recipes and bundles) for the digest. `problem`: why it would keep
    what it has.
    """

    namespace: str
    name: str
    appset: str
    cluster: str
    change: str
    moved_from: str = ""
    taken_from: str = ""
    fields: Difference = NO_DIFFERENCE
    objects: tuple[ObjectChange, ...] = ()
    shown: bool = True
    before: str = ""
    after: str = ""
    revision: str = ""
    """The commit that would be deployed, "" where the application goes."""
    problem: str = ""
    mended: str = ""
    """What is wrong now and would not be any more."""
    holds: tuple[Hold, ...] = ()
    impact: Impact | None = None
    had: int = 0
    """Objects that it deploys now."""

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "namespace": self.namespace,
            "name": self.name,
            "appset": self.appset,
            "cluster": self.cluster,
            "change": self.change,
            "objects": [each.document() for each in self.objects],
        }
        if self.moved_from:
            out["movedFrom"] = self.moved_from
        if self.taken_from:
            out["takenFrom"] = self.taken_from
        if self.fields.fields:
            out["fields"] = [each.document() for each in self.fields.fields]
        if not self.shown:
            out["objectsNotShown"] = True
        if self.revision:
            out["revision"] = self.revision
        if self.problem:
            out["problem"] = self.problem
        if self.mended:
            out["mended"] = self.mended
        if self.impact is not None:
            out["impact"] = self.impact.document()
        if self.holds:
            out["holds"] = [each.document() for each in self.holds]
        return out


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """Applications of one set that would go. `held`: why they would stay until somebody decides, "" where they go;
    `crowded`: why they would wait beside what goes just now, which changes by the minute and is no part of the digest."""

    appset: str
    apps: tuple[str, ...]
    clusters: int
    held: str = ""
    crowded: str = ""

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "appset": self.appset,
            "applications": list(self.apps),
            "clusters": self.clusters,
            "aboveCap": bool(self.held or self.crowded),
        }
        return out | ({"message": why} if (why := self.held or self.crowded) else {})


@dataclass(frozen=True, slots=True)
class Written:
    """An object that would be written itself: a set, an application, a cluster's labels."""

    kind: str
    name: str
    change: str
    fields: Difference = NO_DIFFERENCE

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": self.kind, "name": self.name, "change": self.change}
        if self.fields.fields:
            out["fields"] = [each.document() for each in self.fields.fields]
        return out


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. `asked` is the digest of the question, `commits` are (repository, revision, commit) it looked at.

    `problems` are those that the change brings; `standing` those that are there without it.
    """

    asked: str
    written: tuple[Written, ...] = ()
    apps: tuple[AppPlan, ...] = ()
    removals: tuple[RemovalPlan, ...] = ()
    problems: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What else is to be said of the change."""
    commits: tuple[tuple[str, str, str], ...] = ()
    sets: int = 0
    """Sets that were evaluated."""
    renders: int = 0
    """Applications that were rendered for it."""

    @property
    def empty(self) -> bool:
        """True where nothing would change: what only governs applications changes something where one of them does."""
        written = any(one.kind not in GOVERNING for one in self.written)
        return not self.apps and not written and not self.problems

    @property
    def changes(self) -> bool:
        """True where something would change: an application that keeps what it has does not."""
        written = any(one.kind not in GOVERNING for one in self.written)
        return written or any(not app.problem for app in self.apps)

    @property
    def failed(self) -> bool:
        """True where something would not work."""
        return bool(self.problems) or any(app.problem for app in self.apps)

    @property
    def unshown(self) -> int:
        return sum(not app.shown for app in self.apps)

    @property
    def digest(self) -> str:
        apps = [
            (
                *(app.namespace, app.name, app.appset, app.cluster, app.change, app.moved_from),
                *(app.before, app.after, app.problem, app.mended, app.taken_from),
                [each.document() for each in app.fields.fields],
                [(str(each.key), each.given_to) for each in app.objects if each.given_to],
            )
            for app in self.apps
        ]
        removals = [(each.appset, each.apps, each.held) for each in self.removals]
        written = [each.document() for each in self.written]
        value = [self.asked, apps, removals, written, self.problems]
        return objects.digest(objects.canonical(value))

    def summary(self) -> dict[str, Any]:
        """Counts of all that would change; what keeps what it has is a problem and no change."""
        doing = [app for app in self.apps if not app.problem]
        changed = Counter(app.change for app in doing)
        parts = Counter(each.change for app in doing for each in app.objects)
        words = (ADDED, CHANGED, REMOVED)
        clusters = {place for app in doing for place in (app.cluster, app.moved_from) if place}
        return {
            "applications": {word: changed[word] for word in words},
            "objects": {word: parts[word] for word in words},
            "handedOver": {
                "applications": sum(bool(app.taken_from) for app in doing),
                "objects": sum(bool(each.given_to) for app in doing for each in app.objects),
            },
            "kept": sum(each.change == REMOVED and bool(each.kept) for app in doing for each in app.objects),
            "clusters": len(clusters),
            "held": sum(bool(app.holds) for app in self.apps),
            "problems": len(self.problems) + sum(bool(app.problem) for app in self.apps),
            "notShown": self.unshown,
        }

    def impact(self) -> dict[str, Any]:
        """How many clusters were asked for a dry run, and who did not answer."""
        asked = [app for app in self.apps if app.impact is not None]
        silent = sorted({app.cluster for app in asked if app.impact and not app.impact.answered})
        refused = sum(any("error" in each for each in app.impact.objects) for app in asked if app.impact)
        return {
            "asked": len(asked),
            "answered": sum(bool(app.impact and app.impact.answered) for app in asked),
            "refused": refused,
            "silentClusters": silent[:100],
        }

    def document(self) -> dict[str, Any]:
        """The plan as the API answers it, below `status`."""
        return {
            "impact": self.impact(),
            "digest": self.digest,
            "changes": self.changes,
            "failed": self.failed,
            "summary": self.summary(),
            "written": [each.document() for each in self.written],
            "applications": [app.document() for app in self.apps[:MOST_APPS]],
            "truncated": len(self.apps) > MOST_APPS,
            "removals": [each.document() for each in self.removals],
            "problems": list(self.problems),
            "standingProblems": list(self.standing),
            "remarks": list(self.remarks),
            "commits": [
                {"repo": repo, "revision": revision, "commit": commit}
                for repo, revision, commit in self.commits
            ],
            "cost": {"setsEvaluated": self.sets, "rendered": self.renders},
        }


def answer(spec: Any, plan: Plan) -> dict[str, Any]:
    """The object that the API answers a question with. Uploaded files are not sent back."""
    shown = dict(spec) if isinstance(spec, dict) else {}
    if shown.get("folders"):
        shown["folders"] = [
            {"repo": one.get("repo"), "files": len(one.get("files") or {})} for one in shown["folders"]
        ]
    return {"apiVersion": API_VERSION, "kind": KIND, "spec": shown, "status": plan.document()}


def in_order(apps: Sequence[AppPlan]) -> tuple[AppPlan, ...]:
    """In the order in which they are shown: by set, then name."""
    return tuple(sorted(apps, key=lambda app: (app.appset, app.namespace, app.name)))
