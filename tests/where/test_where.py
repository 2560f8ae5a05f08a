"""Where is a commit? Every cluster in exactly one place, and the place is the true one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.views import where
from hub.core.views.where import App, Cluster, History, Place

LINE = ["c1", "c2", "c3", "c4", "c5"]
"""A history in a line, oldest first."""


def history(commit: str, tip: str = "c5") -> History:
    at = LINE.index(commit)
    return History(commit, frozenset(LINE[at + 1 :]), {"main": LINE.index(tip) >= at, "old": False})


def app(**parts: object) -> App:
    """One that wants, is assigned and runs what was made from c2, right up to c3."""
    made = App(
        "web", "one", "b2", "c2", "c3", "main", "", "b2", "c2", "b2", "c2", "Synced", "Healthy", "Succeeded"
    )
    return made._replace(**parts)  # type: ignore[arg-type]


def place(found: App, commit: str, *, connected: bool = True, tip: str = "c5") -> tuple[Place, str]:
    cluster = Cluster("one", "one", connected, since=5.0)
    (row,) = where.account([cluster], [found], history(commit, tip))
    return row.place, row.why


@pytest.mark.parametrize(
    ("commit", "tip", "wanted"),
    [
        ("c1", "c3", Place.NEWER),
        ("c2", "c3", Place.RUNNING),
        ("c3", "c3", Place.RUNNING),
        ("c4", "c3", Place.OLDER),
        ("c4", "c4", Place.WAITING),
    ],
)
def test_a_settled_application_by_commit(commit: str, tip: str, wanted: Place) -> None:
    assert place(app(), commit, tip=tip)[0] is wanted


NEXT = {"wanted": "b4", "wanted_from": "c4", "wanted_to": "c4"}
"""A newer render, of c4."""


def test_on_its_way_waiting_failed_and_offline_have_their_reasons() -> None:
    waiting = app(**NEXT, waits_for="stage 2 of 3", waits_since=9.0)
    assert place(waiting, "c4") == (Place.WAITING, "web: stage 2 of 3")
    assert place(waiting, "c2")[0] is Place.RUNNING, "the older commit is there all the while"
    moving = app(**NEXT, assigned="b4", assigned_from="c4", sync="OutOfSync")
    assert place(moving, "c4")[0] is Place.IN_PROGRESS
    assert place(moving._replace(waits_for="not healthy yet"), "c4") == (
        Place.IN_PROGRESS,
        "web: not healthy yet",
    )
    manual = moving._replace(manual=True)
    assert place(manual, "c4") == (Place.WAITING, "web: a sync: it is not automated")
    assert place(manual._replace(phase="Running"), "c4")[0] is Place.IN_PROGRESS
    failed = moving._replace(phase="Failed", message="no such kind")
    assert place(failed, "c4") == (Place.FAILED, "web: sync Failed: no such kind")
    assert place(moving, "c4", connected=False) == (Place.OFFLINE, "web: its agent is not connected")
    assert place(app(), "c3", connected=False)[0] is Place.RUNNING, "what it had is there, connected or not"
    assert place(app(**NEXT, refused="release fleet-3 was rolled back"), "c4")[0] is Place.FAILED
    broken = app(problem="ComparisonError: no such folder", wanted_to="c2")
    assert place(broken, "c4") == (Place.FAILED, "web: ComparisonError: no such folder")


def test_applied_is_not_done() -> None:
    there = app(**NEXT, assigned="b4", assigned_from="c4", running="b4", running_from="c4")
    assert place(there, "c4")[0] is Place.RUNNING
    assert place(there._replace(health="Progressing"), "c4")[0] is Place.IN_PROGRESS
    assert place(there._replace(health="Degraded"), "c4") == (Place.FAILED, "web: health Degraded")
    assert place(there._replace(health="Degraded"), "c2")[0] is Place.NEWER, (
        "that is not that commit's trouble"
    )


def test_the_worst_application_speaks_for_its_cluster() -> None:
    other = app(
        name="db", **NEXT, assigned="b4", assigned_from="c4", health="Degraded", phase="Failed", message="x"
    )
    there = app(**NEXT, assigned="b4", assigned_from="c4", running="b4", running_from="c4")
    (row,) = where.account([Cluster("one", "one", True)], [there, other], history("c4"))
    assert (row.place, row.there, row.apps) == (Place.FAILED, 1, 2)
    assert row.why == "db: sync Failed: x"


WORDS = st.sampled_from(["", "b1", "b2", "b3"])
COMMITS = st.sampled_from(["", *LINE])
APPS = st.builds(
    App,
    name=st.sampled_from("xyz"),
    cluster=st.sampled_from(["one", "two", "gone"]),
    wanted=WORDS,
    wanted_from=COMMITS,
    wanted_to=COMMITS,
    target=st.sampled_from(["main", "old", "unknown"]),
    problem=st.sampled_from(["", "broken"]),
    assigned=WORDS,
    assigned_from=COMMITS,
    running=WORDS,
    running_from=COMMITS,
    sync=st.sampled_from(["", "Synced", "OutOfSync"]),
    health=st.sampled_from(["", "Healthy", "Degraded", "Progressing"]),
    phase=st.sampled_from(["", "Running", "Succeeded", "Failed"]),
    waits_for=st.sampled_from(["", "a gate"]),
    failed=st.sampled_from(["", "failed"]),
    refused=st.sampled_from(["", "refused"]),
)


@given(st.lists(APPS, max_size=6), st.sampled_from(LINE), st.booleans())
def test_every_cluster_is_in_exactly_one_place_and_says_why(
    apps: list[App], commit: str, connected: bool
) -> None:
    clusters = [
        Cluster("one", "one", connected),
        Cluster("two", "two", True),
        Cluster("three", "three", False),
    ]
    rows = where.account(clusters, apps, history(commit))
    assert [row.cluster for row in rows] == ["one", "three", "two"]
    assert sum(where.counts(rows).values()) == len(clusters)
    for row in rows:
        assert row.why or row.place in (Place.RUNNING, Place.NEWER)
        assert row.there <= row.apps
