"""Records <-> the wire format.

Nothing else turns the stream's messages into records, so the records stay free of protobuf.

Messages larger than `PART` bytes are split where the protocol has parts. What comes off the wire is checked
here for shape; whether it may be believed is its reader's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from google.protobuf.message import DecodeError

from argosy import bundle, objects
from argosy.bundle import Assignment, Policy, Removal, Restraint
from argosy.errors import Invalid
from argosy.status import AppStatus
from argosy.v1 import link_pb2 as pb

PROTOCOL = 1
OLDEST_PROTOCOL = 1
"""The newest and oldest protocol number spoken here (`proto/README.md` has their history)."""

PART = 900 * 1024
"""Bytes of content in one part: stays below the 1 MiB bound of a message, whatever one item adds."""

MAX_RUNS = 16
"""Earlier runs that a Hello names: those that the hub never heard of count, too."""

MAX_MESSAGE = 1024 * 1024 + 64 * 1024
"""Bytes of the largest message that is received at all."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A cluster's set, as the difference against generation `base`; all of it where `base` is 0."""

    epoch: str
    generation: int
    base: int
    assignments: tuple[Assignment, ...]
    dropped: tuple[str, ...]
    removals: tuple[Removal, ...]
    set_digest: str
    restraints: tuple[Restraint, ...] = ()
    checks: str = ""


class Offer(NamedTuple):
    """A `Delta` on its way out: assignments and removals are canonical JSON (`bundle.body_of`), as they are
    stored.
    """

    epoch: str
    generation: int
    base: int
    assignments: tuple[bytes, ...]
    dropped: tuple[str, ...]
    removals: tuple[bytes, ...]
    set_digest: str
    restraints: tuple[bytes, ...] = ()
    checks: str = ""


class State(NamedTuple):
    """One application's state as it travels: the columns that the hub keeps, and `AppStatus` as JSON bytes."""

    assignment: str
    release: str
    bundle: str
    sync: str
    health: str
    detail: bytes


def request(raw: bytes) -> pb.ConnectRequest:
    """Raises `Invalid` for bytes that are no message."""
    try:
        return pb.ConnectRequest.FromString(raw)
    except DecodeError:
        raise Invalid("malformed message") from None


def assignment_from(item: pb.Assignment) -> Assignment:
    policy = item.policy
    return Assignment(
        id=item.id,
        app=item.app,
        namespace=item.namespace,
        project=item.project,
        destination_namespace=item.destination_namespace,
        bundle=item.bundle,
        release=item.release,
        revision=item.revision,
        policy=Policy(
            automated=policy.automated,
            prune=policy.prune,
            self_heal=policy.self_heal,
            allow_empty=policy.allow_empty,
            sync_options=tuple(policy.sync_options),
            ignore_differences=policy.ignore_differences,
            sync_request=policy.sync_request,
            operation=policy.operation,
            retry=policy.retry,
            terminate=policy.terminate,
            deletion_approved=policy.deletion_approved,
            mode=policy.mode,
            account=policy.account,
        ),
    )


def removal_from(item: pb.Removal) -> Removal:
    return Removal(
        id=item.id,
        assignment=item.assignment,
        key=item.key,
        cascade=item.cascade,
        reason=item.reason,
        by=item.by,
        created=item.created,
        expires=item.expires,
        approved=item.approved,
        bundle=item.bundle,
        hooks=item.hooks,
        namespace=item.namespace,
    )


def restraint_from(item: pb.Restraint) -> Restraint:
    return Restraint(
        id=item.id,
        kind=item.kind,
        apps=tuple(item.apps),
        reason=item.reason,
        until=item.until,
        heal=item.heal,
        schedule=item.schedule,
        duration=item.duration,
        time_zone=item.time_zone,
        manual_sync=item.manual_sync,
        sync_overrun=item.sync_overrun,
    )


def delta_to(delta: Delta) -> list[bytes]:
    """`offer_to` for records."""
    bodies = tuple(map(bundle.body_of, delta.assignments)), tuple(map(bundle.body_of, delta.removals))
    return offer_to(
        Offer(
            delta.epoch,
            delta.generation,
            delta.base,
            bodies[0],
            delta.dropped,
            bodies[1],
            delta.set_digest,
            tuple(map(bundle.body_of, delta.restraints)),
            delta.checks,
        )
    )


def offer_to(offer: Offer) -> list[bytes]:
    """`ConnectResponse` messages, ready to be written: one, or several parts where the set is large."""
    parts = [_part(offer)]
    room = PART
    for body in offer.assignments:
        # The canonical JSON has the message's own field names: the records in between are left out.
        message = pb.Assignment(**orjson.loads(body))
        if (room := room - len(body)) < 0:
            parts.append(_part(offer))
            room = PART - len(body)
        parts[-1].assignments.append(message)
    for gone in offer.dropped:
        if (room := room - len(gone) - 4) < 0:
            parts.append(_part(offer))
            room = PART
        parts[-1].dropped.append(gone)
    for body in offer.removals:
        if (room := room - len(body)) < 0:
            parts.append(_part(offer))
            room = PART - len(body)
        parts[-1].removals.append(pb.Removal(**orjson.loads(body)))
    for body in offer.restraints:
        if (room := room - len(body)) < 0:
            parts.append(_part(offer))
            room = PART - len(body)
        parts[-1].restraints.append(pb.Restraint(**orjson.loads(body)))
    for part in parts[:-1]:
        part.more = True
    return [pb.ConnectResponse(desired=part).SerializeToString() for part in parts]


def _part(offer: Offer) -> pb.Desired:
    return pb.Desired(
        epoch=offer.epoch,
        generation=offer.generation,
        base_generation=offer.base,
        set_digest=offer.set_digest,
        checks=offer.checks,
    )


def delta_from(parts: Sequence[pb.Desired]) -> Delta:
    """The parts of one generation, in order, the last one without `more`."""
    last = parts[-1]
    return Delta(
        epoch=last.epoch,
        generation=last.generation,
        base=last.base_generation,
        assignments=tuple(assignment_from(item) for part in parts for item in part.assignments),
        dropped=tuple(gone for part in parts for gone in part.dropped),
        removals=tuple(removal_from(item) for part in parts for item in part.removals),
        set_digest=last.set_digest,
        restraints=tuple(restraint_from(item) for part in parts for item in part.restraints),
        checks=last.checks,
    )


def detail_of(status: AppStatus) -> bytes:
    """An application's status as canonical JSON."""
    value = orjson.loads(orjson.dumps(status))
    if not value["pruned"]:
        del value["pruned"]
    for each in value["resources"]:
        for name in _SELDOM:
            if not each[name]:
                del each[name]
    return objects.canonical(value)


_SELDOM = ("wave", "confirm")
"""Fields of an object's line that travel only where they say something: a row costs what it is long."""


def state_of(status: AppStatus) -> State:
    return State(
        assignment=status.assignment,
        release=status.release,
        bundle=status.bundle,
        sync=str(status.sync),
        health=str(status.health),
        detail=detail_of(status),
    )


def states_from(report: pb.Report) -> list[State]:
    return [
        State(app.assignment, app.release, app.bundle, app.sync, app.health, app.detail)
        for app in report.apps
    ]


def state_digest(details: Iterable[tuple[str, str]]) -> str:
    """The digest over all states, from (assignment, digest of detail) pairs in any order
    (`Report.state_digest`).
    """
    lines = "\n".join(sorted(f"{assignment}={digest}" for assignment, digest in details))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def report_to(states: Iterable[State], *, full: bool, state_digest: str) -> Iterator[pb.Report]:
    """Reports without their numbers; at least one. Only the parts of a full report belong together."""
    report, room = pb.Report(full=full, state_digest=state_digest), PART
    for state in states:
        message = pb.AppState(**state._asdict())
        size = message.ByteSize() + 8
        if size > room and room < PART:
            report.more = full
            yield report
            report, room = pb.Report(full=full, state_digest=state_digest), PART
        report.apps.append(message)
        room -= size
    yield report


def welcome_to(
    *,
    epoch: str,
    generation: int,
    beat_seconds: int,
    version: str,
    report_all: bool,
    confirmed_epoch: str,
    tell_facts: bool = False,
) -> bytes:
    return pb.ConnectResponse(
        welcome=pb.Welcome(
            protocol=PROTOCOL,
            epoch=epoch,
            generation=generation,
            beat_seconds=beat_seconds,
            version=version,
            report_all=report_all,
            confirmed_epoch=confirmed_epoch,
            tell_facts=tell_facts,
        )
    ).SerializeToString()


def ack_to(number: int) -> bytes:
    return pb.ConnectResponse(ack=pb.Ack(number=number)).SerializeToString()


def ask_to(name: str, question: bytes, patience: float) -> bytes:
    """A question that is waited for `patience` seconds."""
    ask = pb.Ask(id=name, question=question, patience_ms=int(patience * 1000))
    return pb.ConnectResponse(ask=ask).SerializeToString()


def goodbye_to(reason: str, retry_after: int, *, second: bool = False) -> bytes:
    return pb.ConnectResponse(
        goodbye=pb.Goodbye(reason=reason, retry_after_seconds=retry_after, second=second)
    ).SerializeToString()


def nudge_to(reason: str) -> bytes:
    return pb.ConnectResponse(nudge=pb.Nudge(reason=reason)).SerializeToString()


def protocol_for(oldest: int, newest: int) -> int:
    """The number both sides speak: the newest common one. Raises `Invalid` where there is none."""
    common = min(newest, PROTOCOL)
    if newest < oldest or common < max(oldest, OLDEST_PROTOCOL):
        raise Invalid(
            f"the agent speaks protocol {oldest} to {newest}, this hub {OLDEST_PROTOCOL} to {PROTOCOL}: "
            f"upgrade the {'agent' if newest < OLDEST_PROTOCOL else 'hub'}"
        )
    return common
