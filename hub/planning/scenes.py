"""The sets that a plan looks at, as they are and as they would be: who has which Applications, who would have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.appsets.expand import Evaluation
from hub.core.removals import handover
from hub.core.removals.handover import Hands, Planned
from hub.core.removals.removals import Caps
from hub.core.served import table
from hub.core.types import NAMESPACE
from hub.store import plans, returning
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


def of(tx: Tx, resources: Resources, evaluations: Iterable[tuple[Asked, Evaluation]]) -> Scene:
    """Who has what of the applications that these sets have and want, and who would have it."""
    planned: list[Planned] = []
    lives: dict[str, Manifest] = {}
    for one, evaluation in evaluations:
        uid = one.uid
        owned = resources.owned(tx, table.APPLICATION, uid) if uid else []
        mine = {app["metadata"]["name"]: app for app in owned}
        made = {app["metadata"]["name"] for app in evaluation.applications}
        for name in made - mine.keys() - lives.keys():
            if (live := resources.get(tx, table.APPLICATION, NAMESPACE, name)) is not None:
                lives[name] = _returned(live) if returning.may(tx, resources, live) else live
        deleting = one.wanted is None
        planned.append(Planned(one.manifest, mine, made, evaluation.wanted, evaluation.whole, deleting))
    holders = {uid for live in lives.values() if (uid := generated.controller_of(live))}
    owners = {uid: resources.by_uid(tx, uid) for uid in holders}
    return Scene(
        {one.name: one.live for one in planned},
        lives,
        handover.between(planned, lives, owners),
        plans.limits(tx, resources),
    )


def _returned(live: Manifest) -> Manifest:
    """As it would be for whoever wants it: not deleted, and nobody's."""
    gone = ("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences")
    return {**live, "metadata": {key: value for key, value in live["metadata"].items() if key not in gone}}
