"""How objects' states become the app's, and what of it is news to the hub."""

from __future__ import annotations

from dataclasses import replace

import pytest
import statuses

from agent.core import marks, report
from argosy import convert
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
    assert report.app_health(lines) == (Health.DEGRADED, "Caused by apps/Deployment:ns/b")


def test_one_missing_object_does_not_count_but_all_do() -> None:
    missing, well = line("a", Health.MISSING), line("b", Health.HEALTHY)
    assert report.app_health([missing, well])[0] is Health.HEALTHY
    assert report.app_health([missing])[0] is Health.MISSING
    assert report.app_health([])[0] is Health.HEALTHY


def test_more_than_three_causes_are_counted() -> None:
    lines = [line(str(number), Health.DEGRADED) for number in range(5)]
    told = "Caused by apps/Deployment:ns/0, apps/Deployment:ns/1, apps/Deployment:ns/2 and 2 more"
    assert report.app_health(lines)[1] == told
    cluster = ObjectStatus("", "v1", "Node", "", "n", Sync.SYNCED, Health.DEGRADED)
    assert report.app_health([cluster])[1] == "Caused by Node:n"


def test_hooks_and_those_that_opt_out_do_not_count() -> None:
    hook = line("a", Health.DEGRADED, hook=True)
    assert report.app_health([hook, line("b", Health.HEALTHY)])[0] is Health.HEALTHY
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "uid": "u",
            "resourceVersion": "1",
            "name": "a",
            "namespace": "ns",
            "annotations": {report.IGNORE_HEALTH: "true"},
        },
    }
    live = marks.seen(body)
    assert report.object_status(live.key, live.gvk, Sync.SYNCED, "", live).health is None
    assert report.object_status(live.key, live.gvk, Sync.SYNCED, "", live, hook=True).health is Health.HEALTHY


@pytest.mark.parametrize("side", ["bundle", "cluster"])
def test_a_line_tells_the_wave_and_that_a_deletion_waits_for_a_person(side: str) -> None:
    notes = {"argocd.argoproj.io/sync-options": "Prune=false, Delete=confirm"}
    plain = {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    said = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**plain, "annotations": notes}}
    unsaid = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": plain}
    wanted, live = (said, unsaid) if side == "bundle" else (unsaid, said)
    seen = marks.seen(live)
    assert report.object_status(seen.key, seen.gvk, Sync.SYNCED, "", seen, wanted=wanted).confirm

    waved = {**unsaid, "metadata": {**plain, "annotations": {"argocd.argoproj.io/sync-wave": "-3"}}}
    found = report.object_status(seen.key, seen.gvk, Sync.SYNCED, "", None, wanted=waved)
    assert (found.wave, found.confirm) == (-3, False)
    state = AppStatus("a", "r", "b", "c", Sync.SYNCED, Health.HEALTHY, resources=(found,))
    assert statuses.read(convert.detail_of(state)) == state
    assert b"wave" not in convert.detail_of(replace(state, resources=(replace(found, wave=0),)))


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
