"""When an application that a set no longer generates may go. Absence is not a command (docs/architecture.md, law 1).

An application is removed only after two complete evaluations in a row without it, never by an empty one unless the
set allows that, and never when more clusters would lose an application than the cap permits, unless a person approved
exactly this removal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from argosy import objects
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.removals import caps
from hub.core.removals.caps import NO_CAPS, Caps

APPROVE_ANNOTATION = "argosy.dev/approve-removal"
ALLOW_EMPTY_ANNOTATION = "argosy.dev/allow-empty"


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
    own = annotations.get(caps.CAP_ANNOTATION, "")
    try:
        cap = caps.parse(own, limits.of_set)
    except Invalid as error:
        return error.message
    limit = cap.limit(len({member.cluster for member in existing}) + lately)
    clusters = {member.cluster for member in losing if member.name not in absent}
    approval = removal_id(losing)
    if not clusters or len(clusters) + lately <= limit or annotations.get(APPROVE_ANNOTATION) == approval:
        return ""
    before = f", and {lately} more lost some within {caps.TOGETHER:g} s" if lately else ""
    alone = lately and len(clusters) <= limit
    return (
        f"{len(losing)} applications would go from {len(clusters)} clusters{before}, more than the cap of {limit}"
        f"{'' if own else limits.said}; "
        f"to allow it{' at once' if alone else ''}, annotate the set with {APPROVE_ANNOTATION}={approval}"
        f"{caps.PASSES if alone else ''}"
    )


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
