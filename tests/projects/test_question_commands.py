"""`argosy project check`, `project windows` and `rollout simulate`: lists in, lists out, mistakes named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import Invalid
from hub.cli import offline, project_answers, rollout_simulate

PROJECT = {"metadata": {"name": "shop"}, "spec": {"sourceRepos": ["https://git.test/*"]}}
APP = {"metadata": {"name": "web"}, "spec": {"destination": {"name": "red", "namespace": "shop"}}}
WINDOW = {"kind": "deny", "schedule": "0 9 * * *", "duration": "1h", "applications": ["*"]}


def written(folder: Path, content: Any) -> str:
    file = folder / "cases.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def answers(capsys: pytest.CaptureFixture[str], noun: str, verb: str, file: str) -> Any:
    command = offline.named([noun, verb])
    assert command is not None
    assert offline.run(command, ["-f", file, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_a_project_permits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = [
        {"kind": "source", "repoURL": "https://git.test/a"},
        {"kind": "source", "repoURL": "https://git.test/a/b"},
        {"kind": "destination", "server": "https://red", "name": "", "namespace": "a", "projectClusters": []},
        {"kind": "resource", "group": "", "resourceKind": "Secret", "name": "s", "namespaced": True},
        {"kind": "applicationNamespace", "namespace": "argocd", "controllerNamespace": "argocd"},
    ]
    file = written(tmp_path, [{"project": PROJECT, "question": question} for question in questions])
    assert answers(capsys, "project", "check", file) == [True, False, False, True, True]


def test_whether_windows_allow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = {"windows": [WINDOW], "app": APP, "manual": False}
    file = written(
        tmp_path,
        [{**case, "now": "2026-05-04T09:30:00Z"}, {**case, "now": "2026-05-04T09:30:00+02:00"}],
    )
    assert answers(capsys, "project", "windows", file) == [False, True]


def test_a_window_that_cannot_be_read_is_answered_with_no_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {"windows": [{**WINDOW, "duration": "1d"}], "app": APP, "now": "2026-05-04T12:00:00Z"}
    assert project_answers.windows(written(tmp_path, [case])) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == [False]
    assert "duration '1d'" in said.err


def test_what_a_strategy_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def step(value: str) -> dict[str, Any]:
        return {"matchExpressions": [{"key": "stage", "operator": "In", "values": [value]}]}

    def seen(name: str, sync: str, now: str) -> dict[str, Any]:
        return {"app": name, "sync": sync, "health": "Healthy", "revision": "r1", "reconciledAt": now}

    one, two = "2026-05-04T09:00:00Z", "2026-05-04T09:01:00Z"
    scenario = {
        "strategy": {"type": "RollingSync", "rollingSync": {"steps": [step("x"), step("y")]}},
        "apps": [{"name": "a", "labels": {"stage": "x"}}, {"name": "b", "labels": {"stage": "y"}}],
        "ticks": [
            {"now": one, "observed": [seen("b", "OutOfSync", one)]},
            {
                "now": two,
                "observed": [seen("b", "OutOfSync", two)],
                "apps": [{"name": "b", "labels": {"stage": "x"}}],
            },
        ],
    }
    assert answers(capsys, "rollout", "simulate", written(tmp_path, [scenario])) == [
        [
            {"maySync": [], "step": {"b": 2}, "status": {"b": "Waiting"}},
            {"maySync": ["b"], "step": {"b": 1}, "status": {"b": "Pending"}},
        ]
    ]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "not JSON"),
        ({}, "a JSON list"),
        ([1], r"\[0\]: an object"),
        ([{"project": PROJECT}], r"\[0\]: question: an object"),
        ([{"project": PROJECT, "question": {"kind": "colour"}}], "question.kind: .* found 'colour'"),
        ([{"project": {"spec": {"sourceRepos": [1]}}, "question": {"kind": "source"}}], "wrong form"),
    ],
)
def test_input_that_cannot_be_read_names_file_and_entry(tmp_path: Path, content: Any, named: str) -> None:
    with pytest.raises(Invalid, match=rf"cases\.json: .*{named}|cases\.json: {named}"):
        project_answers.check(written(tmp_path, content))


@pytest.mark.parametrize("now", [None, "today", "2026-05-04T09:00:00", 7])
def test_a_time_is_rfc_3339(tmp_path: Path, now: object) -> None:
    scenario = {"strategy": {}, "apps": [], "ticks": [{"now": now, "observed": []}]}
    with pytest.raises(Invalid, match="now: "):
        rollout_simulate.simulate(written(tmp_path, [scenario]))


def test_a_file_that_is_not_there_ends_with_1(tmp_path: Path) -> None:
    line = ["argosy", "project", "check", "-f", str(tmp_path / "none.json")]
    code = f"import sys; sys.argv = {line!r}; from hub.cli.main import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "none.json: No such file" in ended.stderr
