"""Which objects of a plan change hands: what one application of a cluster loses and another one has stays where it is.

As on the clusters: an agent deletes nothing that another application assigned there has, and what goes waits for one that
is to come with it (`hub.loops.releases.inheriting`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy import differences
from argosy.differences import ObjectChange
from argosy.objects import Manifest, ObjectKey, key_of
from hub.core.plans.model import AppPlan

Name = tuple[str, str]
"""Namespace and name of an application."""
At = tuple[str, ObjectKey]
"""An object on a cluster (id)."""


@dataclass(frozen=True)
class Had:
    """What an application has now: its id, that of its cluster, the digest of its bundle."""

    uid: str
    cluster: str
    bundle: str


@dataclass(frozen=True)
class Made:
    """The objects that an application would have. `app` is its id, `cluster` that of the cluster it goes to, `account` the
    ServiceAccount that they would be written as ("" for the agent itself).
    """

    app: str
    cluster: str
    account: str
    manifest: Manifest
    objects: Sequence[Manifest]


@dataclass
class Heirs:
    """Of one plan. `had` and `made` are by application, `holders` tells which applications (uid -> name) want an object as
    things are, `bundle` opens one.
    """

    plans: Sequence[AppPlan]
    had: Mapping[Name, Had]
    made: Mapping[Name, Made]
    holders: Callable[[str, ObjectKey], Mapping[str, str]]
    bundle: Callable[[str], Awaitable[Sequence[Manifest]]]
    _lost: dict[At, Name] = field(default_factory=dict)
    _heirs: dict[At, str] = field(default_factory=dict)
    _old: dict[str, Mapping[ObjectKey, Manifest]] = field(default_factory=dict)
    """The objects of bundles of which something changes hands."""

    async def marked(self) -> list[AppPlan]:
        """The plans, with what changes hands said of both sides. The cost follows what is lost."""
        for app in self.plans:
            had = self.had.get((app.namespace, app.name))
            lost = (each.key for each in app.objects if each.change == differences.REMOVED)
            self._lost |= {(had.cluster, key): (app.namespace, app.name) for key in lost} if had else {}
        if not self._lost:
            return list(self.plans)
        self._find()
        for at in self._heirs:
            digest = self.had[self._lost[at]].bundle
            if digest not in self._old:
                self._old[digest] = {key_of(one): one for one in await self.bundle(digest)}
        return [self._marked(app) for app in self.plans]

    def _find(self) -> None:
        """One that is to come or to change comes before one that stays as it is."""
        others = set()
        for app in self.plans:
            name = (app.namespace, app.name)
            made = self.made.get(name) if not app.problem else None
            if (had := self.had.get(name)) and (made or app.change == differences.REMOVED):
                others.add(had.uid)
            for one in made.objects if made else ():
                at = (made.cluster, key_of(one)) if made else ("", key_of(one))
                if at in self._lost and self._lost[at] != name:
                    self._heirs.setdefault(at, app.name)
        for at in self._lost.keys() - self._heirs.keys():
            mine = self.had[self._lost[at]].uid
            staying = [name for uid, name in self.holders(*at).items() if uid not in others and uid != mine]
            if staying:
                self._heirs[at] = min(staying)

    def _marked(self, app: AppPlan) -> AppPlan:
        name = (app.namespace, app.name)
        had, made = self.had.get(name), self.made.get(name)
        new = {key_of(one): one for one in made.objects} if made else {}

        def marked(each: ObjectChange) -> ObjectChange:
            if each.change == differences.REMOVED and had:
                heir = self._heirs.get((had.cluster, each.key))
                return replace(each, change=differences.HANDED_OVER, given_to=heir, kept="") if heir else each
            at = (made.cluster if made else "", each.key)
            if each.change != differences.ADDED or each.key not in new or self._heirs.get(at) != app.name:
                return each
            giver = self._lost[at]
            old = self._old[self.had[giver].bundle].get(each.key)
            return differences.taken(each, giver[1], old, new[each.key]) if old else each

        return replace(app, objects=tuple(map(marked, app.objects)))
