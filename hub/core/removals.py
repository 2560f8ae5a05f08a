"""When an application that a set no longer generates may go. Absence is not a command (design, law 1).

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
) -> Verdict:
    """What one evaluation of a set means for its existing applications.

    `before` is the `pending` of the evaluation before this one, and `reread` says whether the inputs were read again
    since: two looks at one reading are no confirmation. `annotations` are the set's, `now` is Unix seconds. A set that is
    `deleting` wants none of its applications, and that is no empty reading.
    """
    missing = sorted(member.name for member in existing if member.name not in wanted)
    if not complete or not missing:
        return Verdict()
    pending = Pending(removal_id(missing), tuple(missing), before.since if before else now)
    allow_empty = deleting or annotations.get(ALLOW_EMPTY_ANNOTATION) == "true"
    if not wanted and not allow_empty:
        return Verdict(
            pending=pending,
            blocked="the set generates no application at all, and an empty result removes nothing; to allow it, "
            f"annotate the set with {ALLOW_EMPTY_ANNOTATION}=true",
        )
    if before is None or not set(missing) <= set(before.names):
        return Verdict(pending=pending, recheck=True)
    if blocked := over_cap(
        [member for member in existing if member.name not in wanted], existing, annotations
    ):
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


def member(app: Manifest) -> Member:
    """An Application as a member of its set, by the destination it names."""
    destination = (app.get("spec") or {}).get("destination") or {}
    return Member(app["metadata"]["name"], str(destination.get("name") or destination.get("server") or ""))


def removal_id(names: Iterable[str]) -> str:
    """The same names give the same id, so an approval covers what the approver saw and nothing that joined later."""
    return objects.digest(objects.canonical(sorted(names)))[7:19]
