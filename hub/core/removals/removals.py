"""When an application that a set no longer generates may go. Absence is not a command (design, law 1).

An application is removed only after two complete evaluations in a row without it, never by an empty one unless the
set allows that, and never when more clusters would lose an application than the cap permits, unless a person approved
exactly this removal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import objects
from argosy.errors import Invalid
from argosy.objects import Manifest

CAP_ANNOTATION = "argosy.dev/removal-cap"
APPROVE_ANNOTATION = "argosy.dev/approve-removal"
ALLOW_EMPTY_ANNOTATION = "argosy.dev/allow-empty"


@dataclass(frozen=True, slots=True)
class Cap:
    """How many clusters of a set may lose a whole application at once: the larger of `clusters` and `percent`."""

    clusters: int = 1
    percent: float = 5.0

    def limit(self, total: int) -> int:
        return max(self.clusters, int(total * self.percent / 100))


DEFAULT = Cap()


def parse_cap(
    text: str, default: Cap = DEFAULT, place: str = f"metadata.annotations[{CAP_ANNOTATION}]", of: str = "set"
) -> Cap:
    """`"10%"` or `"3"`; "" is the default. Raises `Invalid` for anything else, naming its `place`. `of` is what a share
    is one of."""
    if not text:
        return default
    try:
        cap = Cap(0, float(text[:-1])) if text.endswith("%") else Cap(int(text), 0.0)
    except ValueError:
        cap = Cap(-1)
    counted = "objects" if of == "Application" else "clusters"
    if cap.clusters < 0 or not 0 <= cap.percent <= 100:
        raise Invalid(
            f'{place}: found "{text}", expected a number of {counted} such as "3" or a share of the {of} such as "10%"'
        )
    return cap


SET_KEY, FLEET_KEY, PRUNE_KEY = "argosy.removalCap", "argosy.fleetRemovalCap", "argosy.pruneCap"
PRUNE_ANNOTATION = "argosy.dev/prune-cap"
OF_PRUNE = Cap(10, 20.0)
"""How many of its objects an Application may lose by one release: the larger of ten and a fifth."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of sets that say none of their own, and of the fleet. What cannot be read permits nothing and is `wrong`."""

    of_set: Cap = DEFAULT
    of_fleet: Cap = DEFAULT
    of_prune: Cap = OF_PRUNE
    wrong: str = ""

    @property
    def said(self) -> str:
        """What is wrong, to be added to words about a cap."""
        return f" ({self.wrong})" if self.wrong else ""


NO_CAPS = Caps()
"""Where nobody says any: the defaults."""


def caps(data: Mapping[str, Any]) -> Caps:
    """The caps that `data` of the ConfigMap `argocd-cm` says."""
    found, wrong = [], []
    for key, default, of in (
        (SET_KEY, DEFAULT, "set"),
        (FLEET_KEY, DEFAULT, "fleet"),
        (PRUNE_KEY, OF_PRUNE, "Application"),
    ):
        try:
            found.append(parse_cap(str(data.get(key) or ""), default, f"argocd-cm data[{key}]", of))
        except Invalid as error:
            found.append(Cap(0, 0.0))
            wrong.append(error.message)
    return Caps(found[0], found[1], found[2], "; ".join(wrong))


@dataclass(frozen=True, slots=True)
class Member:
    """An application that exists, and the cluster it is on. One that is made anew has another `uid`."""

    name: str
    cluster: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """Applications missing from the last complete evaluation. `id` names exactly this removal in an approval, `by` says
    who made them miss.
    """

    id: str
    names: tuple[str, ...]
    since: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remove` may go now. `pending` is to be kept for the next evaluation, `blocked` says what holds it up; `later` is
    true where only removals of the last `TOGETHER` seconds do.

    `recheck` asks for a second evaluation soon, with inputs read again.
    """

    remove: tuple[str, ...] = ()
    pending: Pending | None = None
    blocked: str = ""
    recheck: bool = False
    later: bool = False


def judge(
    existing: Sequence[Member],
    wanted: Collection[str],
    *,
    complete: bool,
    deleting: bool = False,
    annotations: Mapping[str, str],
    before: Pending | None,
    reread: bool,
    now: float,
    approved: bool = False,
    elsewhere: str = "",
    limits: Caps = NO_CAPS,
    absent: Collection[str] = (),
    lately: int = 0,
    until: float = 0.0,
) -> Verdict:
    """What one evaluation of a set means for its existing applications.

    `before` is the `pending` of the evaluation before this one, and `reread` says whether the inputs were read again
    since: two looks at one reading are no confirmation. `annotations` are the set's, `now` is Unix seconds. A set that is
    `deleting` wants none of its applications, and that is no empty reading. `approved`: a person approved the removal of
    exactly these; `elsewhere` is why others' removals forbid this one (`crowded`), "" where they do not; `limits` count
    where the set says none; `absent` are applications that lose nothing by going (`Loss.there`), `lately` other clusters
    that lost one of the set within `TOGETHER`. Before `until` (`hub.core.removals.grace`) nothing goes that nobody approved.
    """
    losing = [member for member in existing if member.name not in wanted]
    missing = sorted(member.name for member in losing)
    if not complete or not missing:
        return Verdict()
    pending = Pending(removal_id(losing), tuple(missing), before.since if before else now)
    allow_empty = approved or deleting or annotations.get(ALLOW_EMPTY_ANNOTATION) == "true"
    if before is None or not set(missing) <= set(before.names):
        return Verdict(pending=pending, recheck=True)
    if not wanted and not allow_empty:
        return Verdict(
            pending=pending,
            blocked="the set generates no application at all, and an empty result removes nothing; to allow it, "
            f"annotate the set with {ALLOW_EMPTY_ANNOTATION}=true",
        )
    alone = over_cap(losing, existing, annotations, limits, absent)
    blocked = alone or over_cap(losing, existing, annotations, limits, absent, lately) or elsewhere
    if blocked and not approved and annotations.get(APPROVE_ANNOTATION) != pending.id:
        return Verdict(pending=pending, blocked=blocked, later=not alone)
    if not reread or (now < until and not approved):
        return Verdict(pending=pending, recheck=True)
    return Verdict(remove=tuple(missing))


def over_prune(gone: int, total: int, annotations: Mapping[str, str], limits: Caps = NO_CAPS) -> str:
    """Why a release may not prune so many of an Application's objects unasked, "" where it may."""
    own = annotations.get(PRUNE_ANNOTATION, "")
    place = f"metadata.annotations[{PRUNE_ANNOTATION}]"
    try:
        limit = parse_cap(own, limits.of_prune, place, "Application").limit(total)
    except Invalid as error:
        return error.message if gone else ""
    if gone <= limit:
        return ""
    return (
        f"{gone} of {total} objects would be pruned, more than the cap of {limit}{'' if own else limits.said}"
    )


def over_cap(
    losing: Sequence[Member],
    existing: Sequence[Member],
    annotations: Mapping[str, str],
    limits: Caps = NO_CAPS,
    absent: Collection[str] = (),
    lately: int = 0,
) -> str:
    """Why these applications may not all go at once, "" where they may. A cap that cannot be read permits nothing.
    `lately`: clusters that lost one within `TOGETHER`, beside those that lose one now; they count as well."""
    own = annotations.get(CAP_ANNOTATION, "")
    try:
        cap = parse_cap(own, limits.of_set)
    except Invalid as error:
        return error.message
    limit = cap.limit(len({member.cluster for member in existing}) + lately)
    clusters = {member.cluster for member in losing if member.name not in absent}
    approval = removal_id(losing)
    if not clusters or len(clusters) + lately <= limit or annotations.get(APPROVE_ANNOTATION) == approval:
        return ""
    before = f", and {lately} more lost some within {TOGETHER:g} s" if lately else ""
    alone = lately and len(clusters) <= limit
    return (
        f"{len(losing)} applications would go from {len(clusters)} clusters{before}, more than the cap of {limit}"
        f"{'' if own else limits.said}; "
        f"to allow it{' at once' if alone else ''}, annotate the set with {APPROVE_ANNOTATION}={approval}"
        f"{_PASSES if alone else ''}"
    )


TOGETHER = 60.0
"""Seconds within which removals count as one blow."""
_PASSES = f"; what waits for that alone goes by itself {TOGETHER:g} s after the last of those"


def crowded(mine: Collection[str], others: Collection[str], fleet: int, limits: Caps = NO_CAPS) -> str:
    """Why the fleet as a whole forbids a removal, "" where it does not. `mine` and `others` are the clusters that lose an
    application through this set, and lost one through other removals just now; a set alone is bounded by its own cap."""
    why = over_fleet(mine, others, fleet, limits) if mine and others else ""
    return f"{why}{_PASSES}" if why else ""


def over_fleet(mine: Collection[str], others: Collection[str], fleet: int, limits: Caps = NO_CAPS) -> str:
    """As `crowded`, for what has no cap of its own."""
    limit, together = limits.of_fleet.limit(fleet), {*mine, *others}
    if len(together) <= limit:
        return ""
    other = f"with the other removals within {TOGETHER:g} s, " if others else ""
    return (
        f"{other}{len(together)} clusters of the fleet would lose applications, more than the cap of "
        f"{limit}{limits.said}"
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """One Application that would go. `kinds` counts its objects, which stay in the cluster where `cascade` is false.
    It is not `there` where nothing can go from that cluster: its record is gone or going, or its agent never was told of
    the Application."""

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


def member(app: Manifest) -> Member:
    """An Application as a member of its set, by the destination it names."""
    destination = (app.get("spec") or {}).get("destination") or {}
    metadata = app["metadata"]
    cluster = str(destination.get("name") or destination.get("server") or "")
    return Member(metadata["name"], cluster, str(metadata.get("uid") or ""))


def removal_id(losing: Iterable[Member]) -> str:
    """The same applications give the same id, so an approval covers what the approver saw: nothing that joined later, and
    nothing that was made anew under a name that went once."""
    return objects.digest(objects.canonical(sorted([one.name, one.uid] for one in losing)))[7:19]
