"""What waits on its way to the hub, without a hub: states, reports, quotas, and the wire's round trip."""

from __future__ import annotations

import linkbed
import pytest
import statuses

from agent.link.ledger import merge
from agent.link.outbox import Outbox
from argosy import bundle, convert
from argosy.bundle import Desired, Policy, Removal
from argosy.convert import Delta
from argosy.status import AppStatus, Health, ObjectStatus, Sync
from argosy.v1 import link_pb2 as pb
from hub.link.limits import Meter, Quota

STATUS = AppStatus(
    assignment="a",
    release="r",
    bundle="sha256:b",
    revision="c0ffee",
    sync=Sync.OUT_OF_SYNC,
    health=Health.DEGRADED,
    message="ümlaut",
    resources=(
        ObjectStatus("apps", "v1", "Deployment", "ns", "web", Sync.SYNCED, Health.HEALTHY),
        ObjectStatus(
            "", "v1", "ConfigMap", "ns", "c", Sync.OUT_OF_SYNC, None, message="conflict with kubectl"
        ),
    ),
    conditions=(("SyncError", "no"),),
    removed=("rm-1",),
)


def sent(outbox: Outbox, now: float = 0.0) -> list[tuple[int, list[str], bool]]:
    return [(r.number, [app.assignment for app in r.apps], r.full) for r in outbox.next(now)]


def test_of_many_states_of_one_app_the_newest_is_sent_once() -> None:
    outbox = Outbox()
    outbox.put(linkbed.status("a", message="1"))
    outbox.put(linkbed.status("a", message="2"))
    outbox.put(linkbed.status("b"))
    (report,) = outbox.next(0.0)
    assert [statuses.read(app.detail).message for app in report.apps] == ["2", ""]
    outbox.ack(report.number)
    outbox.put(linkbed.status("b"))
    assert sent(outbox) == []


def test_while_a_report_is_unanswered_changes_gather_for_the_next_one() -> None:
    outbox = Outbox()
    outbox.put(linkbed.status("a"))
    assert sent(outbox) == [(1, ["a"], False)]
    outbox.put(linkbed.status("b"))
    outbox.put(linkbed.status("c"))
    assert sent(outbox) == []
    outbox.ack(1)
    assert sent(outbox) == [(2, ["b", "c"], False)]


def test_what_is_not_answered_in_time_is_sent_again() -> None:
    outbox = Outbox()
    outbox.put(linkbed.status("a"))
    assert sent(outbox, now=100.0) == [(1, ["a"], False)]
    outbox.overdue(109.0, 10.0)
    assert sent(outbox, now=109.0) == []
    outbox.overdue(111.0, 10.0)
    assert sent(outbox, now=111.0) == [(2, ["a"], False)]
    # The late answer to the first one says nothing about the second.
    outbox.ack(1)
    assert sent(outbox, now=112.0) == []


def test_a_new_stream_sends_what_the_hub_cannot_have() -> None:
    outbox = Outbox()
    outbox.expect({"a", "b"})
    assert outbox.note() == ""
    outbox.put(linkbed.status("a"))
    assert sent(outbox) == [(1, ["a"], False)]
    outbox.put(linkbed.status("b"))
    digest = outbox.note()
    assert digest == outbox.state_digest != ""
    outbox.put(linkbed.status("b", message="changed since the Hello"))
    outbox.restart(report_all=False)
    assert sent(outbox) == [(2, ["b"], False)]


def test_all_there_is_is_said_only_when_all_is_known() -> None:
    outbox = Outbox()
    outbox.expect({"a", "b"})
    outbox.put(linkbed.status("a"))
    outbox.restart(report_all=True)
    assert sent(outbox) == [(1, ["a"], False)]
    outbox.ack(1)
    outbox.put(linkbed.status("b"))
    assert sent(outbox) == [(2, ["a", "b"], True)]


def test_an_empty_cluster_says_that_it_has_nothing() -> None:
    outbox = Outbox()
    outbox.restart(report_all=True)
    assert sent(outbox) == [(1, [], True)]
    outbox.ack(1)
    assert sent(outbox) == []


def test_a_status_comes_back_as_it_was() -> None:
    assert statuses.read(convert.detail_of(STATUS)) == STATUS


def delta(count: int, base: int = 0) -> Delta:
    items = tuple(
        linkbed.assignment(
            f"app-{n:04}", "sha256:" + "0" * 64, policy=Policy(sync_options=("A=b",), prune=True)
        )
        for n in range(count)
    )
    removals = (Removal("rm", "app-0001", "apps/Deployment/ns/web", True, "why", "who", 1.5, 2.5),)
    return Delta("e", 7, base, items, ("gone",), removals, bundle.set_digest(items, removals))


@pytest.mark.parametrize("count", [0, 1, 6000])
def test_a_set_comes_back_as_it_was_in_parts_of_bounded_size(count: int) -> None:
    wire = convert.delta_to(delta(count))
    assert max(len(part) for part in wire) <= 1024 * 1024
    assert (len(wire) > 1) == (count > 1000)
    parts = [pb.ConnectResponse.FromString(part).desired for part in wire]
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    found = convert.delta_from(parts)
    assert found == delta(count)
    assert bundle.set_digest(found.assignments, found.removals) == found.set_digest


def test_a_difference_fits_its_base_and_every_later_generation_of_it() -> None:
    base = Desired("e", 5, tuple(linkbed.assignment(n, "sha256:1") for n in ("a", "b", "gone")))
    change = Delta(
        "e",
        7,
        4,
        (linkbed.assignment("b", "sha256:2"), linkbed.assignment("c", "sha256:1")),
        ("gone",),
        (),
        "",
    )
    merged = merge(base, change)
    assert merged is not None
    assert [(item.id, item.bundle) for item in merged.assignments] == [
        ("a", "sha256:1"),
        ("b", "sha256:2"),
        ("c", "sha256:1"),
    ]
    for other in (None, Desired("e", 3, ()), Desired("another", 5, ())):
        assert merge(other, change) is None


def test_a_quota_allows_bursts_and_refuses_floods() -> None:
    meter = Meter(Quota(messages=1, messages_burst=3, data=10, data_burst=100), now=0.0)
    assert [meter.take(1, 0.0) for _ in range(4)] == ["", "", "", "too many messages"]
    meter = Meter(Quota(messages=100, messages_burst=100, data=10, data_burst=100), now=0.0)
    assert [meter.take(60, 0.0), meter.take(60, 0.0)] == ["", "too many bytes"]
    assert meter.take(60, 30.0) == ""
