"""The delivery figures of a history that is reckoned by hand."""

from __future__ import annotations

from dataclasses import replace

from hub.core.views import delivery
from hub.core.views.delivery import DAY, PROBATION, Delivery, Seen


def made(release: str, app: str = "web-one", *, at: float, **times: float) -> Delivery:
    cluster = app.rpartition("-")[2]
    return replace(Delivery(release, app, "fleet", app, cluster, at), **times)  # type: ignore[arg-type]


HISTORY = [
    # The first release: committed 60 s before, well after 100 s on one cluster and after 300 s on the other.
    made("r1", "web-one", at=1000, committed=940, done=1100),
    made("r1", "web-two", at=1000, committed=940, done=1300),
    # The second failed on one, and was mended by the third, 400 s later.
    made("r2", "web-one", at=2000, committed=1990, failed=2100, restored=2500),
    made("r2", "web-two", at=2000, committed=1990, done=2050),
    made("r3", "web-one", at=2400, committed=2300, done=2500),
    # Nobody is well with the fourth yet.
    made("r4", "web-one", at=3000, committed=2900),
]


def test_the_fleet() -> None:
    found = delivery.figures(HISTORY, since=0, until=2 * DAY)
    assert (found.deployments, found.failed, found.per_day) == (3, 1, 1.5)
    assert found.failure_rate == 1 / 3
    # Lead times: 160, 360, 60, 200.
    assert (found.lead, found.lead_p90) == (180, 360)
    assert found.restore == 400


def test_per_application_set_and_group() -> None:
    by_app = delivery.grouped(HISTORY, "app", {})
    assert list(by_app) == ["web-one", "web-two"]
    two = delivery.figures(by_app["web-two"], since=0, until=DAY)
    assert (two.deployments, two.failed, two.lead, two.restore) == (2, 0, 210, None)
    one = delivery.figures(by_app["web-one"], since=0, until=DAY)
    assert (one.deployments, one.failed, one.lead, one.restore) == (3, 1, 180, 400)
    assert list(delivery.grouped(HISTORY, "set", {"fleet": "shop"})) == ["shop"]
    assert list(delivery.grouped(HISTORY, "group", {"one": "prod"})) == ["prod"]


def test_a_time_without_releases_measures_nothing() -> None:
    found = delivery.figures(HISTORY, since=5000, until=6000)
    assert (found.deployments, found.failure_rate, found.lead, found.restore) == (0, None, None, None)
    assert delivery.figures(HISTORY, since=2400, until=3000).deployments == 1


def advanced(one: Delivery, seen: Seen, *, current: bool = True) -> Delivery:
    return delivery.advanced(one, seen, seen.time, current=current)


def test_a_delivery_is_told_by_reports_of_its_own_release() -> None:
    start = made("r1", at=100)
    assert advanced(start, Seen("r0", True, False, 110)) == start, "well with what it had before"
    done = advanced(start, Seen("r1", True, False, 150))
    assert (done.done, done.failed, done.settled) == (150, 0, 0)
    assert advanced(done, Seen("r1", True, False, 200)).done == 150
    failed = advanced(start, Seen("r1", False, True, 150))
    assert (failed.done, failed.failed) == (0, 150)
    mended = advanced(failed, Seen("r2", True, False, 190), current=False)
    assert (mended.restored, mended.settled) == (190, 1)


def test_a_failure_long_after_is_not_the_release_s() -> None:
    done = advanced(made("r1", at=100), Seen("r1", True, False, 150))
    assert advanced(done, Seen("r1", False, True, 150 + PROBATION)).failed == 150 + PROBATION
    late = advanced(done, Seen("r1", False, True, 151 + PROBATION))
    assert (late.failed, late.settled) == (0, 1)


def test_what_was_taken_back_has_failed() -> None:
    start = made("r2", at=100)
    back = delivery.advanced(start, Seen("r1", True, False, 90, reverted=True), 130, current=False)
    assert (back.failed, back.restored, back.settled) == (130, 130, 1)
    newer = delivery.advanced(start, Seen("r1", True, False, 90), 130, current=False)
    assert (newer.failed, newer.settled) == (0, 1)
