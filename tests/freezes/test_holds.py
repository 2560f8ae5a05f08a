"""Who may not be moved now, why and until when."""

from __future__ import annotations

import datetime
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from argosy import cron
from argosy import windows as clock
from hub.core.holds import freezes, holds, windows
from hub.core.holds.freezes import Orders, Subject
from hub.core.types import ClusterFacts


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


NOW = at("2026-05-04T12:00:00")
BERLIN = ClusterFacts(
    "berlin-1", "https://b1.test", {"region": "eu", "env": "prod"}, time_zone="Europe/Berlin"
)
TOKYO = ClusterFacts("tokyo-1", "https://t1.test", {"region": "ap", "env": "prod"}, time_zone="Asia/Tokyo")


def subject(name: str = "web", cluster: ClusterFacts = BERLIN, **more: Any) -> Subject:
    manifest = {
        "metadata": {"name": name},
        "spec": {"destination": {"name": cluster.name, "namespace": "shop"}},
    }
    return Subject(f"{name}@{cluster.name}", name, "argocd", "shop", cluster, manifest=manifest, **more)


def order(
    kind: str = "Freeze", end: str = "2026-05-04T14:00:00Z", name: str = "f", **spec: Any
) -> dict[str, Any]:
    found = {"reason": "audit", "person": "alice", "expiresAt": end, **spec}
    return {"kind": kind, "metadata": {"name": name}, "spec": found}


def ordered(*items: dict[str, Any], now: float = NOW) -> Orders:
    by_kind = [[item for item in items if item["kind"] == kind] for kind in ("Freeze", "Override")]
    return freezes.orders(*by_kind, now)


def held(subjects: list[Subject], orders: Orders, now: float = NOW, **projects: Any) -> holds.Holds:
    return holds.of(subjects, orders, {name: windows.parse(found) for name, found in projects.items()}, now)


def test_a_freeze_says_who_why_and_until_when() -> None:
    found = held([subject()], ordered(order(fleet=True)))
    assert (
        found.by_app["web@berlin-1"].reason == "frozen by alice until 2026-05-04T14:00:00Z: audit (freeze f)"
    )
    assert found.by_app["web@berlin-1"].until == found.wake == at("2026-05-04T14:00:00")


def test_an_expired_freeze_holds_nothing() -> None:
    orders = ordered(order(fleet=True, end="2026-05-04T12:00:00Z"))
    assert not orders
    assert held([subject()], orders) == holds.Holds()


def test_places_and_things_are_named_apart_and_both_must_hit() -> None:
    subjects = [subject("web"), subject("api"), subject("web", TOKYO), subject("api", TOKYO, appset="apis")]

    def hit(**spec: Any) -> set[str]:
        return set(held(subjects, ordered(order(**spec))).by_app)

    assert hit(clusters=["tokyo-1"]) == {"web@tokyo-1", "api@tokyo-1"}
    assert hit(clusterSelector={"matchLabels": {"region": "eu"}}) == {"web@berlin-1", "api@berlin-1"}
    assert hit(clusters=["tokyo-1"], clusterSelector={"matchLabels": {"region": "eu"}}) == {
        each.id for each in subjects
    }
    assert hit(applications=["argocd/web"]) == {"web@berlin-1", "web@tokyo-1"}
    assert hit(applicationSets=["apis"]) == {"api@tokyo-1"}
    assert hit(applications=["web"], clusters=["tokyo-1"]) == {"web@tokyo-1"}


def test_an_override_lets_through_what_it_names_freezes_and_windows_alike() -> None:
    closed = [{"kind": "deny", "schedule": "0 11 * * *", "duration": "3h", "applications": ["*"]}]
    orders = ordered(order(fleet=True), order("Override", name="o", applications=["web"]))
    assert set(held([subject("web"), subject("api")], orders, shop=closed).by_app) == {"api@berlin-1"}


def test_windows_hold_what_syncs_by_itself_and_say_until_when() -> None:
    night = [{"kind": "allow", "schedule": "0 22 * * *", "duration": "2h", "applications": ["*"]}]
    found = held([subject()], Orders(), shop=night)
    hold = found.by_app["web@berlin-1"]
    assert hold.reason == "outside the sync windows of project shop"
    assert abs(hold.until - at("2026-05-04T22:00:00")) < 0.01
    assert found.wake <= NOW + holds.LOOK_AGAIN
    by_hand = subject(automated=False)
    assert not held([by_hand], Orders(), shop=night).by_app
    asked = subject(automated=False, manual=True)
    assert held([asked], Orders(), shop=night).by_app
    permitted = [{**night[0], "manualSync": True}]
    assert not held([asked], Orders(), shop=permitted).by_app


def test_a_window_that_cannot_be_read_holds_and_says_so() -> None:
    broken = [{"kind": "allow", "schedule": "@daily", "duration": "2h", "applications": ["*"]}]
    assert "cannot be read" in held([subject()], Orders(), shop=broken).by_app["web@berlin-1"].reason


def test_a_policy_window_runs_on_each_clusters_own_clock() -> None:
    """argoproj/argo-cd#11817, kubefleet-dev/kubefleet#521: a window of a fleet in many time zones."""
    policy = windows.parse_policy(
        [{"kind": "allow", "schedule": "0 22 * * *", "duration": "4h", "timeZone": "cluster"}]
    )
    members = [subject(), subject(cluster=TOKYO)]

    def free(now: str) -> set[str]:
        found = holds.of(members, Orders(), {}, at(now), policy)
        return {member.cluster.name for member in members} - {
            member.cluster.name for member in members if member.id in found.by_app
        }

    assert free("2026-05-04T12:30:00") == set()
    assert free("2026-05-04T13:30:00") == {"tokyo-1"}
    assert free("2026-05-04T20:30:00") == {"berlin-1"}
    # The clocks go forward in Berlin on March 29th, back on October 25th: 22:00 stays 22:00.
    assert free("2026-03-28T21:30:00") == {"berlin-1"}
    assert free("2026-03-29T20:30:00") == {"berlin-1"}
    assert free("2026-10-24T20:30:00") == {"berlin-1"}
    assert free("2026-10-25T20:30:00") == set()
    assert free("2026-10-25T21:30:00") == {"berlin-1"}


def test_a_start_that_the_clock_skips_comes_later_and_one_shown_twice_opens_once() -> None:
    window = clock.Window("allow", "30 2 * * *", "30m", "Europe/Berlin", exact=True)

    def is_open(text: str) -> bool:
        moment = datetime.datetime.fromisoformat(text)
        return window.open_at(moment, moment)

    # 02:30 does not exist on March 29th; the clock shows 03:30 instead.
    assert is_open("2026-03-29T01:45:00+00:00")
    assert not is_open("2026-03-29T02:15:00+00:00")
    # 02:30 comes twice on October 25th.
    assert is_open("2026-10-25T00:45:00+00:00")
    assert not is_open("2026-10-25T01:45:00+00:00")


def offset(window: clock.Window, moment: datetime.datetime) -> datetime.timedelta | None:
    return moment.astimezone(cron.zone_of(window.time_zone)).utcoffset()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.builds(
            clock.Window,
            st.sampled_from(["allow", "deny"]),
            st.sampled_from(["0 * * * *", "*/20 * * * *", "30 2 * * *", "0 22 * * 1-5", "15 1 1 * *"]),
            st.sampled_from(["10m", "1h", "45m", "26h"]),
            st.sampled_from(["", "Europe/Berlin", "America/New_York"]),
            exact=st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 525_000),
)
def test_nothing_changes_before_the_next_change(found: list[clock.Window], minutes: int) -> None:
    now = datetime.datetime(2026, 1, 1, 0, 0, 30, tzinfo=datetime.UTC) + datetime.timedelta(minutes=minutes)
    change = clock.change_after(found, now)
    end = min(change or now + datetime.timedelta(hours=3), now + datetime.timedelta(hours=3))
    answer = clock.can_sync(found, now)
    moment, offsets = now, [offset(window, now) for window in found]
    while moment < end:
        if [offset(window, moment) for window in found] != offsets:
            # A change of the clocks moves windows that are not exact: `holds` looks again within an hour.
            return
        assert clock.can_sync(found, moment) == answer
        moment += datetime.timedelta(minutes=5)


def test_ten_thousand_applications_are_asked_about_in_little_time() -> None:
    subjects = [
        subject(f"app-{n}", ClusterFacts(f"c-{n}", f"https://c-{n}.test", {"ring": str(n % 7)}))
        for n in range(10_000)
    ]
    night = [{"kind": "allow", "schedule": "0 22 * * *", "duration": "2h", "clusters": ["c-*"]}]
    orders = ordered(order(clusterSelector={"matchLabels": {"ring": "3"}}))
    began = time.process_time()
    assert len(held(subjects, orders, shop=night).by_app) == 10_000
    assert time.process_time() - began < 2.0
