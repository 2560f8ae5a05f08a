"""Which syncs an Application's `status.history` keeps, and what each entry says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.core.views import synced
from hub.core.views.synced import Origin, Sync
from hub.core.views.views import stamp

REPORT: dict[str, Any] = {
    "phase": "Succeeded",
    "token": "t.1",
    "bundle": "b1",
    "revision": "c1",
    "started": 10.0,
    "finished": 12.0,
    "asked": "",
}
GIT = {"repoURL": "https://git.example.com/a", "path": "x"}
CHART = {"repoURL": "https://charts.example.com", "chart": "web", "targetRevision": "1.x"}


def asked(**sync: Any) -> str:
    return json.dumps({"initiatedBy": {"username": "eve"}, "sync": sync})


def sync(number: int, bundle: str = "", said: str = "") -> Sync:
    return Sync(f"t.{number}", bundle or f"b{number}", f"c{number}", number * 10.0, number * 10.0 + 2, said)


@pytest.mark.parametrize(
    "changed",
    [
        {"phase": "Failed"},
        {"phase": "Running", "finished": 0.0},
        {"phase": "", "token": ""},
        {"asked": asked(dryRun=True)},
        {"asked": asked(resources=[{"kind": "ConfigMap", "name": "a"}])},
    ],
)
def test_only_a_sync_of_everything_that_ended_well_has_a_place(changed: dict[str, Any]) -> None:
    assert synced.sync_of(REPORT) == Sync("t.1", "b1", "c1", 10.0, 12.0)
    assert synced.sync_of({**REPORT, **changed}) is None


def test_an_entry_has_argo_cds_fields() -> None:
    (entry,) = synced.with_sync([], sync(1), Origin(("Directory",), GIT), None, stamp)
    assert entry["shown"] == {
        "id": 0,
        "revision": "c1",
        "source": GIT,
        "deployStartedAt": "1970-01-01T00:00:10Z",
        "deployedAt": "1970-01-01T00:00:12Z",
        "initiatedBy": {"automated": True},
    }
    origin = Origin(("Directory", "Helm"), None, (GIT, CHART), ("c1", "1.4.2"))
    shown = synced.with_sync([], sync(1, said=asked(prune=True)), origin, None, stamp)[0]["shown"]
    assert shown["initiatedBy"] == {"username": "eve"}
    assert (shown["revisions"], shown["sources"]) == (["c1", "1.4.2"], [GIT, CHART])
    assert not {"revision", "source"} & set(shown)


@pytest.mark.parametrize(
    ("limit", "ids"), [(None, range(5, 15)), (3, range(12, 15)), (0, ()), (100, range(15))]
)
def test_the_newest_are_kept_and_their_numbers_go_on(limit: int | None, ids: Any) -> None:
    history: list[synced.Entry] = []
    for number in range(15):
        history = synced.with_sync(history, sync(number), Origin(("Directory",), GIT), limit, stamp)
    assert [entry["shown"]["id"] for entry in history] == list(ids)


def test_what_an_older_bundle_was_of_is_told_by_its_earlier_sync_and_else_not_made_up() -> None:
    older, newer = {**GIT, "targetRevision": "v1"}, {**GIT, "targetRevision": "v2"}
    history = synced.with_sync([], sync(1), Origin(("Directory",), older), None, stamp)
    history = synced.with_sync(history, sync(2), Origin(("Directory",), newer), None, stamp)
    history = synced.with_sync(history, sync(3, "b1"), None, None, stamp)
    assert (history[-1]["shown"]["source"], history[-1]["shown"]["revision"]) == (older, "c1")
    unknown = synced.with_sync(history, sync(4), None, None, stamp)[-1]["shown"]
    assert unknown["revision"] == "c4"
    assert "source" not in unknown
