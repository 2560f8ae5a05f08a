"""What changes hands: Applications between sets that want one of the same name, objects between Applications of one
cluster. Asked by whoever writes it, and by plans, so that what a plan shows is what happens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from argosy.objects import Manifest
from hub.core.appsets import generated


def free(owner: Manifest | None) -> bool:
    """Whether what a set has is up to be taken: it is gone (None), or under deletion."""
    return owner is None or bool(owner["metadata"].get("deletionTimestamp"))


def takes(live: Manifest, owner: Manifest | None) -> bool:
    """Whether a set that generates an Application takes over the one that `owner` has."""
    return not live["metadata"].get("deletionTimestamp") and free(owner)


def gives(live: Manifest, giver: str, taker: Manifest | None) -> bool:
    """Whether a set (uid) that wants an Application no more hands it to one that wants it."""
    mine = generated.controller_of(live) == giver
    return mine and not live["metadata"].get("deletionTimestamp") and not free(taker)


@dataclass(frozen=True, slots=True)
class Planned:
    """A set as it would be. `live` are the Applications that it has, by name; `made` what it would generate, `wanted` that
    and what it would if nothing were wrong with it, `whole` whether that is all. One that is not there yet has no uid."""

    appset: Manifest
    live: Mapping[str, Manifest]
    made: Collection[str]
    wanted: Collection[str]
    whole: bool = True
    deleting: bool = False

    @property
    def name(self) -> str:
        return str(self.appset["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.appset["metadata"].get("uid") or "")


@dataclass(frozen=True, slots=True)
class Hands:
    """Who has what afterwards. `taken` is taker -> name of an Application -> name of the set that it comes from, "" where
    nobody had it; `foreign` taker -> what it wants and another set keeps, with that one's uid; `given` giver -> names."""

    taken: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    foreign: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    given: Mapping[str, Collection[str]] = field(default_factory=dict)


def between(
    planned: Collection[Planned], lives: Mapping[str, Manifest], owners: Mapping[str, Manifest | None]
) -> Hands:
    """What changes hands between sets as they would be. `lives` are the Applications that there are, by name, of those
    that any of them wants; `owners` the sets that have them, by uid.
    """
    by_uid = {one.uid: one for one in planned if one.uid}
    taken: dict[str, dict[str, str]] = {}
    foreign: dict[str, dict[str, str]] = {}
    given: dict[str, set[str]] = {}
    gone: set[str] = set()
    for taker in sorted(planned, key=lambda one: one.name):
        for name in () if taker.deleting else sorted(set(taker.made) - taker.live.keys()):
            live = lives.get(name)
            if live is None:
                continue
            uid = generated.controller_of(live)
            giver = by_uid.get(uid)
            if name in gone or not _moves(live, taker, giver, owners):
                foreign.setdefault(taker.name, {})[name] = uid
                continue
            gone.add(name)
            has = giver.name if giver else _named(owners.get(uid))
            taken.setdefault(taker.name, {})[name] = has
            if giver is not None:
                given.setdefault(giver.name, set()).add(name)
    return Hands(taken, foreign, given)


def _moves(
    live: Manifest, taker: Planned, giver: Planned | None, owners: Mapping[str, Manifest | None]
) -> bool:
    uid = generated.controller_of(live)
    if giver is None:
        return not uid or takes(live, owners.get(uid))
    if giver.deleting:
        return takes(live, None)
    lets_go = giver.whole and live["metadata"]["name"] not in giver.wanted
    return lets_go and gives(live, uid, taker.appset)


def _named(owner: Manifest | None) -> str:
    return str(owner["metadata"]["name"]) if owner else ""
