"""A status of an older generation, or of an object just changed, opens no gate, and never changes the health shown."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core import report
from argosy.health import table, waiting
from argosy.health.base import Found
from argosy.objects import Manifest
from argosy.status import Health, ObjectStatus, Sync

WELL = Found(Health.HEALTHY)
NO_CHECK = Found(None)


def widget(generation: int | None, group: str = "example.org", **status: Any) -> Manifest:
    metadata = {"name": "w"} if generation is None else {"name": "w", "generation": generation}
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "status": status}


def condition(kind: str, state: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": state, **more}


@pytest.mark.parametrize(
    ("status", "old"),
    [
        ({}, False),
        ({"observedGeneration": 3}, False),
        ({"observedGeneration": 2}, True),
        ({"observedGeneration": "2"}, True),
        ({"observedGeneration": "3"}, False),
        ({"observedGeneration": "7697985556"}, False),
        ({"observedGeneration": True}, False),
        ({"conditions": [condition("Ready", "True", observedGeneration=2)]}, True),
        (
            {
                "conditions": [
                    condition("Ready", "True", observedGeneration=3),
                    condition("A", "True", observedGeneration=1),
                ]
            },
            False,
        ),
        (
            {
                "conditions": [
                    condition("Ready", "True", observedGeneration=1),
                    condition("A", "True", observedGeneration=3),
                ]
            },
            True,
        ),
        (
            {
                "conditions": [
                    condition("B", "True", observedGeneration=3),
                    condition("A", "True", observedGeneration=1),
                ]
            },
            False,
        ),
        (
            {"observedGeneration": 3, "conditions": [condition("Ready", "True", observedGeneration=1)]},
            False,
        ),
        ({"conditions": "none"}, False),
    ],
)
def test_a_status_is_stale_where_it_names_another_generation(status: dict[str, Any], old: bool) -> None:
    assert bool(waiting.stale(widget(3, **status))) is old
    assert waiting.stale(widget(None, **status)) == ""


def test_the_reason_names_both_generations() -> None:
    found = waiting.stale(widget(3, observedGeneration=2))
    assert found == "its status speaks of generation 2, it is at 3"


def test_kstatus_holds_what_health_lets_pass() -> None:
    busy = widget(1, observedGeneration=1, conditions=[condition("Reconciling", "True", message="at work")])
    assert waiting.unsettled(busy, WELL) == "Reconciling: at work"
    unready = widget(1, observedGeneration=1, conditions=[condition("Ready", "False", reason="Broken")])
    assert waiting.unsettled(unready, NO_CHECK) == "not Ready: Broken"
    assert waiting.unsettled(unready, WELL) == "", "where there is a check, the check decides"
    assert waiting.unsettled(widget(1), NO_CHECK) == ""


def test_what_is_being_deleted_is_not_counted_on() -> None:
    going = widget(1, observedGeneration=1)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert waiting.unsettled(going, WELL) == "it is being deleted"


def test_a_fresh_change_waits_only_where_no_generation_is_named() -> None:
    silent = widget(4, conditions=[condition("Ready", "True")])
    assert "changed just now" in waiting.unsettled(silent, WELL, fresh=True)
    assert waiting.unsettled(silent, WELL) == ""
    assert waiting.unsettled(widget(4, observedGeneration=4), WELL, fresh=True) == ""
    core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    assert waiting.unsettled(core, WELL, fresh=True) == ""


def test_health_stays_what_users_know() -> None:
    live: Manifest = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "i", "generation": 2},
        "status": {"conditions": [condition("Ready", "True", observedGeneration=1)]},
    }
    assert table.assess(live).status is Health.HEALTHY
    assert waiting.unsettled(live, table.assess(live)) != ""


def line(name: str, **more: Any) -> ObjectStatus:
    return ObjectStatus("g", "v1", "Widget", "ns", name, Sync.SYNCED, Health.HEALTHY, **more)


def test_an_app_waits_for_its_objects_but_not_for_hooks_and_extras() -> None:
    lines = [
        line("hook", waiting="old", hook=True),
        line("extra", waiting="old", requires_pruning=True),
        line("well"),
    ]
    assert report.unsettled(lines) == ""
    assert report.unsettled([*lines, line("a", waiting="old")]) == "g/Widget:ns/a: old"
    assert report.unsettled([line(str(n), waiting="old") for n in range(5)]).endswith(" and 2 more")
