"""The sets that a plan looks at, as they are and as they would be: who has which Applications, who would have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.appsets.expand import Evaluation
from hub.core.plans.compare import SetOutcome
from hub.core.plans.model import RemovalPlan
from hub.core.removals import handover, removals
from hub.core.removals.caps import Caps
from hub.core.removals.handover import Hands, Planned
from hub.core.served import table
from hub.core.types import NAMESPACE
from hub.store import bereft, objects, plans, returning
from hub.store.base import Tx
from hub.store.resources import Resources


@dataclass(frozen=True)
class Asked:
    """A set that is evaluated: as it is (None: not there) and as it would be (None: deleted)."""

    live: Manifest | None
    wanted: Manifest | None

    @property
    def manifest(self) -> Manifest:
        found = self.wanted or self.live
        assert found is not None
        return found

    @property
    def uid(self) -> str:
        """ "" where it is not there."""
        return str(self.live["metadata"]["uid"]) if self.live is not None else ""


@dataclass(frozen=True)
class Scene:
    """What sets have, by name; the applications of others that they want; what changes hands; the hub's caps."""

    owned: Mapping[str, Mapping[str, Manifest]]
    lives: Mapping[str, Manifest]
    hands: Hands
    limits: Caps
    losses: Mapping[str, removals.Plan]
    """By name of a set, all that it has and would not want."""
    lately: Sequence[tuple[str, str]]
    """(uid of an owner, cluster) of what went just now."""
    fleet: int
    """Clusters."""

    def lost(self, name: str) -> removals.Plan:
        """What a set would lose, without what it would give to others."""
        plan, given = self.losses[name], self.hands.given.get(name, ())
        return replace(plan, losses=tuple(one for one in plan.losses if one.name not in given))

    def before(self, name: str, beside: Collection[str] = ()) -> removals.Before:
        """What went just now, as it counts for what a set would lose (`removals.before`)."""
        return removals.before(self.lost(name), self.lately, self.fleet, self.limits, beside)

    def going(self, outcomes: Iterable[SetOutcome]) -> tuple[RemovalPlan, ...]:
        """What sets would lose. Of those that go together without a question any may come to wait for the others."""
        losing = [one for one in outcomes if one.losing]
        asked_of_nobody = {one.name: self.lost(one.name).bereft for one in losing if not one.held}
        found = []
        for one in losing:
            beside = {c for name, clusters in asked_of_nobody.items() if name != one.name for c in clusters}
            crowded = one.crowded or self.before(one.name, beside).elsewhere
            found.append(RemovalPlan(one.name, one.losing, one.clusters, one.held, crowded))
        return tuple(found)


def of(tx: Tx, resources: Resources, evaluations: Iterable[tuple[Asked, Evaluation]], now: float) -> Scene:
    """Who has what of the applications that these sets have and want, and who would have it."""
    planned: list[Planned] = []
    losses: dict[str, removals.Plan] = {}
    lives: dict[str, Manifest] = {}
    for one, evaluation in evaluations:
        uid = one.uid
        owned = resources.owned(tx, table.APPLICATION, uid) if uid else []
        mine = {app["metadata"]["name"]: app for app in owned}
        made = {app["metadata"]["name"] for app in evaluation.applications}
        for name in made - mine.keys() - lives.keys():
            if (live := resources.get(tx, table.APPLICATION, NAMESPACE, name)) is not None:
                lives[name] = _returned(live) if returning.may(tx, resources, live) else live
        going = (app["metadata"] for name, app in mine.items() if name not in evaluation.wanted)
        leaving = [metadata["uid"] for metadata in going if not metadata.get("deletionTimestamp")]
        owner = one.live or {"kind": "ApplicationSet", "metadata": {**one.manifest["metadata"], "uid": ""}}
        losses[one.manifest["metadata"]["name"]] = plans.plan(tx, resources, owner, leaving)
        deleting = one.wanted is None
        planned.append(Planned(one.manifest, mine, made, evaluation.wanted, evaluation.whole, deleting))
    holders = {uid for live in lives.values() if (uid := generated.controller_of(live))}
    owners = {uid: resources.by_uid(tx, uid) for uid in holders}
    return Scene(
        {one.name: one.live for one in planned},
        lives,
        handover.between(planned, lives, owners),
        plans.limits(tx, resources),
        losses,
        bereft.lately(tx, now),
        objects.count(tx, table.CLUSTER.resource),
    )


def _returned(live: Manifest) -> Manifest:
    """As it would be for whoever wants it: not deleted, and nobody's."""
    gone = ("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences")
    return {**live, "metadata": {key: value for key, value in live["metadata"].items() if key not in gone}}
