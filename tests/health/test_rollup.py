"""How objects' states become the app's, and what of it is news to the hub."""

from __future__ import annotations

from dataclasses import replace

from agent.core import report
from argosy.objects import ObjectKey
from argosy.status import AppStatus, Health, ObjectStatus, Sync


def line(name: str, health: Health | None, sync: Sync = Sync.SYNCED, **more: bool) -> ObjectStatus:
    return ObjectStatus("apps", "v1", "Deployment", "ns", name, sync, health, **more)  # type: ignore[arg-type]


NONE: frozenset[ObjectKey] = frozenset()


def test_the_worst_counts_and_is_named() -> None:
    lines = [
        line("a", Health.HEALTHY),
        line("b", Health.DEGRADED),
        line("c", Health.PROGRESSING),
        line("d", None),
    ]
    assert report.app_health(lines, NONE) == (Health.DEGRADED, "Caused by apps/Deployment/ns/b")


def test_one_missing_object_does_not_count_but_all_do() -> None:
    missing, well = line("a", Health.MISSING), line("b", Health.HEALTHY)
    assert report.app_health([missing, well], NONE)[0] is Health.HEALTHY
    assert report.app_health([missing], NONE)[0] is Health.MISSING
    assert report.app_health([], NONE)[0] is Health.HEALTHY


def test_hooks_and_those_that_opt_out_do_not_count() -> None:
    bad = line("a", Health.DEGRADED)
    assert report.app_health([replace(bad, hook=True), line("b", Health.HEALTHY)], NONE)[0] is Health.HEALTHY
    ignored = frozenset({ObjectKey("apps", "Deployment", "ns", "a")})
    assert report.app_health([bad, line("b", Health.HEALTHY)], ignored)[0] is Health.HEALTHY


def test_an_extra_object_makes_the_app_out_of_sync_unless_told_not_to() -> None:
    extra = line("a", None, Sync.OUT_OF_SYNC, requires_pruning=True)
    assert report.app_sync([extra], NONE) is Sync.OUT_OF_SYNC
    assert report.app_sync([extra], frozenset({ObjectKey("apps", "Deployment", "ns", "a")})) is Sync.SYNCED


def state(assignment: str, message: str = "") -> AppStatus:
    return AppStatus(assignment, "r", "b", "c", Sync.SYNCED, Health.HEALTHY, message=message)


def test_only_what_changed_since_the_acknowledged_report_is_news() -> None:
    first = report.news([state("a"), state("b")], {})
    assert [item.assignment for item in first.changed] == ["a", "b"]
    assert report.news([state("a"), state("b")], first.digests).changed == ()
    second = report.news([state("a", "new"), state("b")], first.digests)
    assert [item.assignment for item in second.changed] == ["a"]
    assert second.state_digest != first.state_digest


def test_the_digest_of_all_states_does_not_depend_on_their_order() -> None:
    assert (
        report.news([state("a"), state("b")], {}).state_digest
        == report.news([state("b"), state("a")], {}).state_digest
    )
