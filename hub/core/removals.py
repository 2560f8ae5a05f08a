"""When an application that a set no longer generates may go. Absence is not a command (design, law 1).

An application is removed only after two complete evaluations in a row without it, never by an empty one unless the
set allows that, and never when more clusters would lose an application than the cap permits, unless a person approved
exactly this removal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def parse_cap(text: str) -> Cap:
    """`"10%"` or `"3"`; "" is the default. Raises `Invalid` for anything else."""
    if not text:
        return Cap()
    try:
        cap = Cap(0, float(text[:-1])) if text.endswith("%") else Cap(int(text), 0.0)
    except ValueError:
        cap = Cap(-1)
    if cap.clusters < 0 or not 0 <= cap.percent <= 100:
        raise Invalid(
            f'metadata.annotations[{CAP_ANNOTATION}]: found "{text}", expected a number of clusters such as "3" or a '
            'share of the set such as "10%"'
        )
    return cap


@dataclass(frozen=True, slots=True)
class Member:
    """An application that exists, and the cluster it is on."""

    name: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Applications missing from the last complete evaluation. `id` names exactly this removal in an approval."""

    id: str
    names: tuple[str, ...]
    since: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remove` may go now. `pending` is to be kept for the next evaluation, `blocked` says what holds it up.

    `recheck` asks for a second evaluation soon, with inputs read again.
    """

    remove: tuple[str, ...] = ()
    pending: Pending | None = None
    blocked: str = ""
    recheck: bool = False


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
) -> Verdict:
    """What one evaluation of a set means for its existing applications.

    `before` is the `pending` of the evaluation before this one, and `reread` says whether the inputs were read again
    since: two looks at one reading are no confirmation. `annotations` are the set's, `now` is Unix seconds. A set that is
    `deleting` wants none of its applications, and that is no empty reading. `approved`: a person approved the removal of
    exactly these; `elsewhere` is why others' removals forbid this one (`crowded`), "" where they do not.
    """
    missing = sorted(member.name for member in existing if member.name not in wanted)
    if not complete or not missing:
        return Verdict()
    pending = Pending(removal_id(missing), tuple(missing), before.since if before else now)
    allow_empty = approved or deleting or annotations.get(ALLOW_EMPTY_ANNOTATION) == "true"
    if not wanted and not allow_empty:
        return Verdict(
            pending=pending,
            blocked="the set generates no application at all, and an empty result removes nothing; to allow it, "
            f"annotate the set with {ALLOW_EMPTY_ANNOTATION}=true",
        )
    if before is None or not set(missing) <= set(before.names):
        return Verdict(pending=pending, recheck=True)
    losing = [member for member in existing if member.name not in wanted]
    blocked = over_cap(losing, existing, annotations) or elsewhere
    if blocked and not approved and annotations.get(APPROVE_ANNOTATION) != pending.id:
        return Verdict(pending=pending, blocked=blocked)
    if not reread:
        return Verdict(pending=pending, recheck=True)
    return Verdict(remove=tuple(missing))


def over_cap(losing: Sequence[Member], existing: Sequence[Member], annotations: Mapping[str, str]) -> str:
    """Why these applications may not all go at once, "" where they may. A cap that cannot be read permits nothing."""
    try:
        cap = parse_cap(annotations.get(CAP_ANNOTATION, ""))
    except Invalid as error:
        return error.message
    limit = cap.limit(len({member.cluster for member in existing}))
    clusters = {member.cluster for member in losing}
    approval = removal_id(member.name for member in losing)
    if len(clusters) <= limit or annotations.get(APPROVE_ANNOTATION) == approval:
        return ""
    return (
        f"{len(losing)} applications would go from {len(clusters)} clusters, more than the cap of {limit}; "
        f"to allow it, annotate the set with {APPROVE_ANNOTATION}={approval}"
    )


FLEET = Cap(clusters=5)
"""How many clusters of a fleet may lose a whole application through several sets within `TOGETHER`."""
TOGETHER = 60.0
"""Seconds within which removals count as one blow."""


def crowded(mine: Collection[str], others: Collection[str], fleet: int) -> str:
    """Why the fleet as a whole forbids a removal, "" where it does not. `mine` and `others` are the clusters that lose an
    application through this set, and lost one through other sets just now; a set alone is bounded by its own cap."""
    limit = FLEET.limit(fleet)
    if not others or len({*mine, *others}) <= limit:
        return ""
    return (
        f"with the removals of other sets within {TOGETHER:g} s, {len({*mine, *others})} clusters of the fleet would "
        f"lose applications, more than the cap of {limit}"
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """One Application that would go. `kinds` counts its objects, which stay in the cluster where `cascade` is false."""

    name: str
    uid: str
    cluster: str
    cascade: bool
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a removal would take. The same losses give the same `id`, so that an approval covers what was seen and nothing
    that joined, left or grew later."""

    kind: str
    name: str
    uid: str
    losses: tuple[Loss, ...]

    @property
    def digest(self) -> str:
        return objects.digest(
            objects.canonical(
                [[one.name, one.uid, one.cluster, one.cascade, dict(one.kinds)] for one in self.losses]
            )
        )

    @property
    def called(self) -> str:
        """The name of the Removal object."""
        return f"{self.name[:200]}-{self.digest[7:19]}"

    @property
    def clusters(self) -> list[str]:
        return sorted({one.cluster for one in self.losses})

    @property
    def kinds(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for one in self.losses:
            total.update(one.kinds)
        return dict(sorted(total.items()))


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
KEPT_ANNOTATION = "argosy.dev/orphaned-kept"
"""On an Application that stays although its set wants it no more: the name of the Removal that was rejected."""


def member(app: Manifest) -> Member:
    """An Application as a member of its set, by the destination it names."""
    destination = (app.get("spec") or {}).get("destination") or {}
    return Member(app["metadata"]["name"], str(destination.get("name") or destination.get("server") or ""))


def removal_id(names: Iterable[str]) -> str:
    """The same names give the same id, so an approval covers what the approver saw and nothing that joined later."""
    return objects.digest(objects.canonical(sorted(names)))[7:19]
