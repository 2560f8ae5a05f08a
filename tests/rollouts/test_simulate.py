"""`argosy rollout simulate` with a RolloutPolicy: what it would do, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import Invalid
from hub.cli import rollout_simulate

POLICY = {
    "stages": [
        {"name": "canary", "selector": {"matchLabels": {"ring": "canary"}}, "soak": "10m"},
        {"name": "everyone", "maxConcurrent": 1},
    ],
    "onFailure": "rollback",
}
MEMBERS = [{"name": name, "labels": {"ring": ring}} for name, ring in (("a", "canary"), ("b", ""), ("c", ""))]


def run(capsys: pytest.CaptureFixture[str], folder: Path, *ticks: dict[str, Any]) -> list[dict[str, Any]]:
    file = folder / "scenarios.json"
    file.write_text(json.dumps([{"policy": POLICY, "members": MEMBERS, "ticks": ticks}]))
    assert rollout_simulate.simulate(str(file)) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)[0]
    return found


def at(minute: int, **what: Any) -> dict[str, Any]:
    return {"now": f"2026-05-01T12:{minute:02}:00Z", **what}


def well(*apps: str) -> list[dict[str, str]]:
    return [{"app": app, "applied": "this", "health": "Healthy"} for app in apps]


def test_a_policy_from_start_to_end(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hold = {"app": "b", "reason": "window closed", "until": "2026-05-01T12:30:00Z"}
    found = run(
        capsys,
        tmp_path,
        at(0),
        at(1, observed=well("a")),
        at(11, holds=[hold]),
        at(12, observed=well("c"), holds=[hold]),
        at(30),
        at(31, observed=well("b")),
    )
    assert [tick["assign"] for tick in found] == [["a"], [], ["c"], [], ["b"], []]
    assert found[0]["waits"]["b"] == "stage canary is being rolled out"
    assert found[1]["waits"]["a"] == "soaks for 600 s since it became healthy"
    assert found[3]["waits"] == {"b": "window closed"}
    assert found[-1]["phase"] == "Completed"


def test_a_failure_and_what_people_press(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = run(
        capsys,
        tmp_path,
        at(0),
        at(1, observed=[{"app": "a", "applied": "this", "health": "Degraded", "failed": "image not found"}]),
        at(2, observed=[{"app": "a", "applied": "before", "health": "Healthy"}]),
        at(3, press=[{"verb": "retry", "by": "ann"}]),
    )
    assert found[1]["revert"] == ["a"]
    assert [tick["phase"] for tick in found] == ["Progressing", "RollingBack", "RolledBack", "Progressing"]
    assert found[3]["assign"] == ["a"]


def test_a_mistake_names_file_entry_and_field(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(
        Invalid, match=r"scenarios.json: \[0\]: app: the name of a member is expected, found 'x'"
    ):
        run(capsys, tmp_path, at(0, observed=well("x")))
