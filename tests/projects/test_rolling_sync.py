"""Argo CD's RollingSync, one reconcile after the other."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hub.core.rollout import rollingsync
from hub.core.rollout.rollingsync import NO_STEP, Observed, Outcome, Status, Step

START = datetime.datetime(2026, 6, 1, 8, tzinfo=datetime.UTC)
WAITING, PENDING, PROGRESSING, HEALTHY = Status.WAITING, Status.PENDING, Status.PROGRESSING, Status.HEALTHY


def only(key: str, *values: str, operator: str = "In", most: int | str | None = None) -> Step:
    return Step(((key, operator, values),), most)


STAGES = (only("stage", "first"), only("stage", "second"))


@dataclass
class Rollout:
    """Live Applications and what is recorded of them; a minute passes with each reconcile."""

    steps: tuple[Step, ...]
    labels: dict[str, dict[str, str]]
    live: dict[str, Observed] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=lambda: Outcome(()))
    now: datetime.datetime = START

    def reconcile(self, grace: datetime.timedelta = datetime.timedelta(), compared: bool = True) -> Outcome:
        self.now += datetime.timedelta(minutes=1)
        if compared:
            self.live = {name: replace(app, reconciled_at=self.now) for name, app in self.live.items()}
        plan = rollingsync.plan(self.steps, self.labels.items())
        self.outcome = rollingsync.advance(
            self.outcome.entries, list(self.live.values()), plan, self.now, grace
        )
        return self.outcome

    def all(self, **values: Any) -> None:
        for name in self.live or self.labels:
            self.one(name, **values)

    def one(self, name: str, **values: Any) -> None:
        self.live[name] = replace(self.live.get(name, Observed(name)), **values)

    def starts(self, *names: str) -> None:
        """Their sync begins now."""
        started = self.now + datetime.timedelta(seconds=30)
        for name in names:
            self.one(name, operation_phase="Running", operation_started_at=started)

    def syncs(self, *names: str) -> None:
        self.starts(*names)
        self.reconcile()
        for name in names:
            self.one(name, sync="Synced", health="Healthy", operation_phase="Succeeded")

    @property
    def statuses(self) -> dict[str, Status]:
        return {entry.name: entry.status for entry in self.outcome.entries}


def settled(steps: tuple[Step, ...], labels: dict[str, dict[str, str]]) -> Rollout:
    """All healthy at revision r1, then all found out of sync at r2."""
    rollout = Rollout(steps, labels)
    rollout.all(sync="Synced", health="Healthy", revisions=("r1",))
    rollout.reconcile()
    assert set(rollout.statuses.values()) == {HEALTHY}
    rollout.all(sync="OutOfSync", revisions=("r2",))
    return rollout


def stages(first: int = 1, second: int = 1) -> dict[str, dict[str, str]]:
    named = {f"a{n}": {"stage": "first"} for n in range(first)}
    return named | {f"b{n}": {"stage": "second"} for n in range(second)}


def test_a_step_waits_until_the_one_before_is_synced_and_healthy() -> None:
    rollout = settled(STAGES, stages())
    assert rollout.reconcile().may_sync == ("a0",)
    assert rollout.statuses == {"a0": PENDING, "b0": WAITING}
    assert rollout.outcome.rollout == 1
    rollout.syncs("a0")
    assert rollout.statuses == {"a0": PROGRESSING, "b0": WAITING}
    assert rollout.reconcile().may_sync == ("b0",)
    assert rollout.outcome.rollout == 2
    rollout.syncs("b0")
    assert rollout.reconcile().may_sync == ()
    assert rollout.outcome.rollout == 0


def test_a_pending_one_stays_so_until_an_operation_began_after_it_became_pending() -> None:
    rollout = settled(STAGES, stages())
    rollout.one("a0", operation_started_at=START, operation_phase="Succeeded")
    rollout.reconcile()
    assert rollout.reconcile().may_sync == ("a0",)
    assert rollout.statuses["a0"] is PENDING


def test_a_pending_one_that_was_not_compared_since_stays_pending() -> None:
    rollout = settled(STAGES, stages())
    rollout.reconcile()
    rollout.starts("a0")
    rollout.reconcile(compared=False)
    assert rollout.statuses["a0"] is PENDING
    rollout.reconcile()
    assert rollout.statuses["a0"] is PROGRESSING


@pytest.mark.parametrize(
    ("kind", "status"),
    [("InvalidSpecError", PROGRESSING), ("UnknownError", PROGRESSING), ("SyncError", PENDING)],
)
def test_an_application_that_cannot_sync_is_under_way_all_the_same(kind: str, status: Status) -> None:
    rollout = settled(STAGES, stages())
    rollout.reconcile()
    rollout.one("a0", conditions=frozenset({kind}))
    rollout.reconcile()
    assert rollout.statuses["a0"] is status


def test_a_failed_sync_holds_its_step_until_it_is_healthy() -> None:
    rollout = settled(STAGES, stages(first=2))
    rollout.reconcile()
    rollout.syncs("a0", "a1")
    rollout.one("a1", sync="OutOfSync", operation_phase="Failed")
    for _ in range(3):
        assert rollout.reconcile().may_sync == ()
    rollout.one("a1", sync="Synced")
    assert rollout.reconcile().may_sync == ("b0",)


def test_a_new_revision_starts_an_application_over() -> None:
    rollout = settled(STAGES, stages())
    rollout.reconcile()
    rollout.syncs("a0")
    rollout.one("a0", sync="OutOfSync", revisions=("r3",))
    rollout.reconcile()
    assert rollout.statuses["b0"] is WAITING
    assert {e.name: e.revisions for e in rollout.outcome.entries} == {"a0": ("r3",), "b0": ("r2",)}


def test_another_spec_at_the_same_revision_is_a_change_too() -> None:
    rollout = Rollout(STAGES, stages())
    rollout.all(sync="Synced", health="Healthy", revisions=("r1",))
    rollout.reconcile()
    rollout.one("b0", spec_differs=True, sync="OutOfSync")
    assert rollout.reconcile().may_sync == ("b0",)


def test_after_a_change_everything_is_compared_again_before_anything_moves() -> None:
    rollout = settled(STAGES, stages())
    rollout.one("a0", refreshing=True)
    outcome = rollout.reconcile(compared=False)
    assert (outcome.may_sync, outcome.refresh) == ((), ("b0",))
    assert set(rollout.statuses.values()) == {WAITING}
    assert rollout.reconcile().may_sync == ("a0",)


def test_within_the_grace_nothing_is_asked_for() -> None:
    rollout = settled(STAGES, stages())
    grace = datetime.timedelta(seconds=90)
    for _ in range(2):
        outcome = rollout.reconcile(grace, compared=False)
        assert (outcome.may_sync, outcome.refresh) == ((), ())
    assert rollout.reconcile(grace, compared=False).refresh == ("a0", "b0")


def test_an_application_that_is_generated_but_not_live_holds_its_step() -> None:
    rollout = settled(STAGES, stages(first=2))
    rollout.reconcile()
    rollout.syncs("a0", "a1")
    del rollout.live["a1"]
    assert rollout.reconcile().may_sync == ()
    assert "a1" not in rollout.statuses


def test_a_step_without_applications_holds_nothing() -> None:
    rollout = settled((only("stage", "none"), *STAGES), stages())
    assert rollout.reconcile().may_sync == ("a0",)
    assert "step 1" in rollingsync.plan(rollout.steps, rollout.labels.items()).issue


def test_an_application_of_no_step_never_syncs_but_takes_a_place_in_the_first() -> None:
    rollout = settled((only("stage", "first", most=1), STAGES[1]), {**stages(), "x": {"stage": "other"}})
    rollout.one("x", sync="Synced", health="Degraded")
    assert rollout.reconcile().may_sync == ()
    assert rollout.statuses == {"a0": WAITING, "b0": WAITING, "x": PROGRESSING}
    assert {e.name: e.step for e in rollout.outcome.entries}["x"] == NO_STEP


@pytest.mark.parametrize(
    ("most", "started"),
    [
        (None, 10),
        (0, 0),
        (3, 3),
        (-1, 0),
        ("25%", 2),
        ("1%", 1),
        ("0%", 0),
        ("00%", 1),
        ("-20%", 1),
        ("150%", 10),
        ("3", 1),
        ("abc", 1),
    ],
)
def test_how_many_may_be_under_way(most: int | str | None, started: int) -> None:
    rollout = settled((Step((), most),), {f"a{n}": {} for n in range(10)})
    assert len(rollout.reconcile().may_sync) == started
    assert len(rollout.reconcile().may_sync) == started


def test_who_is_done_makes_room_for_the_next_in_the_order_of_names() -> None:
    rollout = settled((Step((), 2),), {name: {} for name in "dbca"})
    assert rollout.reconcile().may_sync == ("a", "b")
    rollout.syncs("a")
    assert rollout.reconcile().may_sync == ("b", "c")


@pytest.mark.parametrize(
    ("expressions", "labels", "selected"),
    [
        ([], {}, True),
        ([("k", "In", ("a", "b"))], {"k": "b"}, True),
        ([("k", "In", ("a",))], {}, False),
        ([("k", "NotIn", ("a",))], {}, True),
        ([("k", "NotIn", ("a",))], {"k": "a"}, False),
        ([("k", "Exists", ())], {"k": "a"}, False),
        ([("k", "Exists", ())], {}, True),
        ([("k", "In", ("a",)), ("l", "In", ("x",))], {"k": "a", "l": "y"}, False),
    ],
)
def test_who_belongs_to_a_step(expressions: Iterable[Any], labels: dict[str, str], selected: bool) -> None:
    assert Step(tuple(expressions)).selects(labels) is selected


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((only("stage", operator="Exists"),), "operator 'Exists'"),
        ((Step(), Step()), "'a0' is selected by several steps: 1, 2"),
        ((Step((), "abc"),), "maxUpdate 'abc'"),
        ((Step(), only("stage", "none")), "step 2"),
        ((Step((), "10%"),), ""),
    ],
)
def test_a_mistaken_strategy_is_named(steps: tuple[Step, ...], said: str) -> None:
    issue = rollingsync.plan(steps, [("a0", {"stage": "first"})]).issue
    assert said in issue
    assert bool(said) == bool(issue)


def test_a_strategy_is_read_as_it_is_written() -> None:
    step = {"matchExpressions": [{"key": "k", "operator": "In", "values": ["a"]}], "maxUpdate": "10%"}
    strategy = {"type": "RollingSync", "rollingSync": {"steps": [step, {}]}}
    assert rollingsync.steps_of(strategy) == (only("k", "a", most="10%"), Step())
    assert rollingsync.steps_of({**strategy, "type": "AllAtOnce"}) == ()
    assert rollingsync.advance((), [Observed("a")], rollingsync.plan((), []), START) == Outcome(())
