"""Removals: what would go, so that people can look at it and decide, and what becomes of that (`judging` says when)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from argosy import objects
from argosy.objects import Manifest
from hub.core.removals.caps import NO_CAPS, Caps, crowded


@dataclass(frozen=True, slots=True)
class Loss:
    """One Application that would go. `kinds` counts its objects, which stay in the cluster where `cascade` is false.
    It is not `there` where nothing can go from that cluster: its record is gone or going, or nothing of the Application
    ever came there."""

    name: str
    uid: str
    cluster: str
    cascade: bool
    kinds: Mapping[str, int]
    there: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What a removal would take. The same losses give the same `id`, so that an approval covers what was seen and nothing
    that joined, left or grew later."""

    kind: str
    name: str
    uid: str
    losses: tuple[Loss, ...]
    of: str = ""
    """What an Application would have after a release, and had before, where it loses objects by that."""

    @property
    def digest(self) -> str:
        losses = [[one.name, one.uid, one.cluster, one.cascade, dict(one.kinds)] for one in self.losses]
        return objects.digest(objects.canonical([self.of, losses] if self.of else losses))

    @property
    def called(self) -> str:
        """The name of the Removal object."""
        return f"{self.name[:200]}-{self.digest[7:19]}"

    @property
    def clusters(self) -> list[str]:
        return sorted({one.cluster for one in self.losses})

    @property
    def bereft(self) -> set[str]:
        """The clusters that a cap counts."""
        return {one.cluster for one in self.losses if one.there}

    @property
    def absent(self) -> set[str]:
        """The names of the Applications that lose nothing by going."""
        return {one.name for one in self.losses if not one.there}

    @property
    def kinds(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for one in self.losses:
            total.update(one.kinds)
        return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class Before:
    """What removals that nobody was asked about took within `TOGETHER`: `own` are clusters that lost an application of the
    same owner, beside those that a plan takes from; `elsewhere` is why what others took forbids it (`crowded`)."""

    own: int = 0
    elsewhere: str = ""


NOTHING_BEFORE = Before()


def before(
    plan: Plan,
    lately: Iterable[tuple[str, str]],
    fleet: int,
    limits: Caps = NO_CAPS,
    beside: Collection[str] = (),
) -> Before:
    """`lately` is (uid of an owner, cluster) of what went just now; `beside` are clusters that would lose something at the
    same time through others; `fleet` is the number of all clusters."""
    own: set[str] = set()
    others = set(beside)
    for owner, cluster in lately:
        (own if owner == plan.uid else others).add(cluster)
    return Before(len(own - plan.bereft), crowded(plan.bereft, others, fleet, limits))


def undecided(plan: Plan, why: str) -> str:
    """Why a plan waits, and where it is decided."""
    return f"removal {plan.called} waits for `argosy removal approve` or `reject`: {why}"


SHOWN = 200
"""Applications and clusters that are named in one Removal; all are counted."""
PLAN_LIFE = 7 * 24 * 3600.0
"""Seconds for which a plan, and its approval, counts."""


def spec(plan: Plan, *, cause: str, by: str, expires: str) -> Manifest:
    """The `spec` of a Removal. `expires` is RFC 3339."""
    kinds = plan.kinds
    return {
        "owner": {"kind": plan.kind, "name": plan.name, "uid": plan.uid},
        "cause": cause,
        "by": by,
        "digest": plan.digest,
        "counts": {
            "applications": len(plan.losses),
            "clusters": len(plan.clusters),
            "objects": sum(kinds.values()),
            "deleted": sum(sum(one.kinds.values()) for one in plan.losses if one.cascade),
        },
        "kinds": kinds,
        "clusters": plan.clusters[:SHOWN],
        "applications": [
            {
                "name": one.name,
                "cluster": one.cluster,
                "objects": sum(one.kinds.values()),
                "cascade": one.cascade,
                "kinds": dict(sorted(one.kinds.items())),
            }
            for one in plan.losses[:SHOWN]
        ],
        "truncated": max(len(plan.losses), len(plan.clusters)) > SHOWN,
        "expiresAt": expires,
    }


WAITING, APPROVED, REJECTED, REMOVING, DONE, WITHDRAWN = (
    "Waiting",
    "Approved",
    "Rejected",
    "Removing",
    "Done",
    "Withdrawn",
)
"""The phases of a Removal. The last two, and a rejection, are final."""
OPEN = frozenset({WAITING, APPROVED, REMOVING})
UNDECIDED = frozenset({WAITING, APPROVED})
"""Of a Removal that nobody carries out yet."""
FINALIZER = "argosy.dev/removals"
"""Keeps what was deleted in force until its removal is decided."""
FAREWELLS = "argosy.dev/farewells"
"""Keeps the record of a deleted cluster until its agent has let go of what it was assigned."""
KEPT_ANNOTATION = "argosy.dev/orphaned-kept"
"""On an Application that stays although its set wants it no more: the name of the Removal that was rejected."""


def phase(removal: Manifest) -> str:
    """The phase of a Removal, "" before it has one."""
    return str((removal.get("status") or {}).get("phase") or "")


def counted_as(kind: str, group: str) -> str:
    """What a plan calls objects of a kind: `Deployment.apps`, `ConfigMap`."""
    return f"{kind}.{group}" if group else kind
